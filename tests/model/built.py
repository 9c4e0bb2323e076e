"""Models built by hand, and a small language for building them."""

from __future__ import annotations

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, add, app, dimension_number, div, had, mul, neg, ones, sub, symbol, total
from mcalc.algebra.shape import ONE, SCALAR, Dim, dim
from mcalc.model.elements import Elements
from mcalc.model.ir import Argument, Define, Loop, Model, Sequence, Total


def at(text: str | int) -> Dim:
    """An index or dimension as it is written: t-1, T, 2, T-t+1."""
    if isinstance(text, int):
        return dim(text)
    result = dim(0)
    for term in text.replace("-", "+-").split("+"):
        if term:
            sign, word = (-1, term[1:]) if term[0] == "-" else (1, term)
            result = result + dim(sign) * (dim(int(word)) if word.isdigit() else dim(word))
    return result


class Building:
    """A model in the making."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arguments: list[Argument] = []
        self.statements: list = []
        self.made = Elements({}, {})
        self.names: dict[str, Expr] = {}
        self.ragged: dict[str, tuple[Expr, ...]] = {}

    def _argument(
        self, kind: str, name: str, *shape: str | int, over: str = "", properties: tuple[str, ...] = ()
    ) -> None:
        size = self.shape(*shape)
        if over:
            first, last = over.split("..")
            self.made.sequences[name] = Sequence(name, size, at(first), at(last), frozenset(properties))
            self.arguments.append(Argument(name, kind, ()))
        else:
            self.names[name] = symbol(name, size, frozenset(properties))
            self.arguments.append(Argument(name, kind, (self.names[name],)))

    def shape(self, *shape: str | int) -> tuple[Dim, Dim]:
        if not shape:
            return SCALAR
        rows = at(shape[0])
        return rows, at(shape[1]) if len(shape) > 1 else ONE

    def input(self, name: str, *shape: str | int, **more) -> None:
        self._argument("input", name, *shape, **more)

    def param(self, name: str, *shape: str | int, **more) -> None:
        self._argument("param", name, *shape, **more)

    def sequence(self, name: str, *shape: str | int, over: str) -> None:
        first, last = over.split("..")
        self.made.sequences[name] = Sequence(name, self.shape(*shape), at(first), at(last))

    def __getitem__(self, key) -> Expr:
        """m["W"], m["h", "t-1"]."""
        if isinstance(key, tuple):
            return self.made.at(key[0], at(key[1]))
        return self.names[key]

    def define(self, key, value: Expr) -> None:
        if isinstance(key, tuple):
            target = self.made.at(key[0], at(key[1]))
        else:
            target = self.names[key] = symbol(key, value.shape)
        self.statements.append(Define(target, value))

    def loop(self, over: str, body: list, step: int = 1, index: str = "t") -> None:
        first, last = over.split("..")
        defines = tuple(Define(self.made.at(name, at(place)), value) for (name, place), value in body)
        self.statements.append(Loop(index, at(first), at(last), step, defines))

    def total(self, name: str, over: str, value: Expr, index: str = "t") -> None:
        first, last = over.split("..")
        target = self.names[name] = symbol(name, value.shape)
        self.statements.append(Total(target, index, at(first), at(last), value))

    def model(self, *outputs: str, loss: str = "loss") -> Model:
        return Model(
            self.name, "", tuple(self.arguments), tuple(self.statements), self.names[loss], outputs,
            self.made.sequences, self.made.elements, self.ragged,
        )  # fmt: skip


def square(e: Expr) -> Expr:
    return app("tr", mul(T(e), e))


def fn(name: str, e: Expr) -> Expr:
    return app(name, e)


def row(b: Expr) -> Expr:
    """1_n b"""
    return mul(ones(dim("n")), b)


def mlp() -> Model:
    m = Building("mlp")
    m.input("X", "n", "d")
    m.input("y", "n", "k")
    m.param("W1", "d", "m")
    m.param("b1", 1, "m")
    m.param("W2", "m", "k")
    m.param("b2", 1, "k")
    m.define("H", fn("relu", add(mul(m["X"], m["W1"]), row(m["b1"]))))
    m.define("P", add(mul(m["H"], m["W2"]), row(m["b2"])))
    m.define("loss", square(sub(m["y"], m["P"])))
    return m.model("P")


def rnn() -> Model:
    m = Building("rnn")
    m.input("x", "n", "d", over="1..T")
    m.input("y", "n", "k", over="1..T")
    m.input("h0", "n", "m")
    m.param("U", "d", "m")
    m.param("W", "m", "m")
    m.param("V", "m", "k")
    m.sequence("h", "n", "m", over="0..T")
    m.sequence("p", "n", "k", over="1..T")
    m.define(("h", 0), m["h0"])
    step = fn("relu", add(mul(m["x", "t"], m["U"]), mul(m["h", "t-1"], m["W"])))
    m.loop("1..T", [(("h", "t"), step), (("p", "t"), mul(m["h", "t"], m["V"]))])
    m.total("loss", "1..T", square(sub(m["y", "t"], m["p", "t"])))
    return m.model("p")


def lstm() -> Model:
    m = Building("lstm")
    m.input("x", "n", "d", over="1..T")
    m.input("y", "n", "k")
    for g in "ifog":
        m.param(f"W{g}", "d", "m")
        m.param(f"U{g}", "m", "m")
        m.param(f"b{g}", 1, "m")
    m.param("V", "m", "k")
    for s in "hc":
        m.sequence(s, "n", "m", over="0..T")
        m.define((s, 0), app_zeros(m, "n", "m"))
    for s in "ifog":
        m.sequence(s, "n", "m", over="1..T")

    def gate(g: str) -> Expr:
        inside = add(mul(m["x", "t"], m[f"W{g}"]), mul(m["h", "t-1"], m[f"U{g}"]), row(m[f"b{g}"]))
        return fn("tanh" if g == "g" else "sigmoid", inside)

    m.loop("1..T", [
        *(((g, "t"), gate(g)) for g in "ifog"),
        (("c", "t"), add(had(m["f", "t"], m["c", "t-1"]), had(m["i", "t"], m["g", "t"]))),
        (("h", "t"), had(m["o", "t"], fn("tanh", m["c", "t"]))),
    ])  # fmt: skip
    m.define("P", mul(m["h", "T"], m["V"]))
    m.define("loss", div(square(sub(m["y"], m["P"])), dimension_number(dim("n"))))
    return m.model("P")


def app_zeros(m: Building, *shape: str) -> Expr:
    from mcalc.algebra.operators import zeros

    return zeros(*m.shape(*shape))


def deep_mlp(layers: int, alike: bool = False, function: str = "tanh") -> Model:
    m = Building("deep_mlp")
    sizes = ["d" if alike else f"d[{l}]" for l in range(layers + 1)]
    m.input("X", "n", sizes[0])
    m.input("Y", "n", sizes[-1])
    names = {}
    for letter, rows in (("W", sizes[:-1]), ("b", [1] * layers)):
        names[letter] = tuple(symbol(f"{letter}[{l + 1}]", m.shape(rows[l], sizes[l + 1])) for l in range(layers))
        m.arguments.append(Argument(letter, "param", names[letter], ragged=True))
        m.ragged[letter] = names[letter]
    m.define("A[0]", m["X"])
    for l in range(1, layers):
        m.define(f"A[{l}]", fn(function, add(mul(m[f"A[{l - 1}]"], names["W"][l - 1]), row(names["b"][l - 1]))))
    m.ragged["A"] = tuple(m[f"A[{l}]"] for l in range(layers))
    m.define("Z", add(mul(m[f"A[{layers - 1}]"], names["W"][-1]), row(names["b"][-1])))
    Z = m["Z"]
    loss = sub(total(app("logsumexp", Z, attrs=(1,))), total(had(m["Y"], Z)))
    m.define("loss", div(loss, dimension_number(dim("n"))))
    return m.model("Z")


def classifier() -> Model:
    """P = softmax(Z), loss = -sum(Y .* log(P)) / n: the log-softmax form across definitions."""
    m = Building("classifier")
    m.input("X", "n", "d")
    m.input("Y", "n", "k")
    m.param("W", "d", "k")
    m.define("Z", mul(m["X"], m["W"]))
    m.define("P", app("softmax", m["Z"], attrs=(1,)))
    m.define("loss", neg(div(total(had(m["Y"], fn("log", m["P"]))), dimension_number(dim("n")))))
    return m.model("P")
