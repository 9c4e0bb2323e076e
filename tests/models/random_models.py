"""Random models: straight-line programs and recurrences, as text.

Type-directed: an expression of a wanted shape is made from names whose shapes are known. Numbers are kept small (products
are divided, exponentials damped), so that central differences say something.
"""

from __future__ import annotations

from random import Random

Shape = tuple[str, str]
SMOOTH = ("tanh", "sigmoid", "softplus", "sin")
FUNCTIONS = (*SMOOTH, "relu", "abs")
SCALAR: Shape = ("1", "1")


class Maker:
    """Writes one model."""

    def __init__(self, r: Random, dims: tuple[str, ...] = ("n", "d", "m"), smooth: bool = False) -> None:
        self.r = r
        self.smooth = smooth
        """Whether kinks are left out: at one, central differences say nothing."""
        self.dims = dims
        self.lines: list[str] = []
        self.names: dict[str, Shape] = {}
        """Names that may be read where we are."""
        self.count = 0

    def fresh(self, stem: str) -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def dim(self) -> str:
        return self.r.choice(self.dims)

    def shape(self) -> Shape:
        kind = self.r.random()
        if kind < 0.55:
            return self.dim(), self.dim()
        if kind < 0.75:
            return self.dim(), "1"
        return ("1", self.dim()) if kind < 0.88 else SCALAR

    # --- expressions --------------------------------------------------------------------------------------------------

    def leaf(self, shape: Shape) -> str:
        """A name of this shape, perhaps transposed; a constant, if there is none."""
        known = [n for n, s in self.names.items() if s == shape]
        if shape != SCALAR:
            known += [f"{n}^T" for n, s in self.names.items() if s == shape[::-1] and s[0] != s[1]]
            known += [f"{n}^T" for n, s in self.names.items() if s == shape and s[0] == s[1] and self.r.random() < 0.3]
        if known and self.r.random() < 0.93:
            return self.r.choice(known)
        if shape == SCALAR:
            return self.r.choice(("2", "0.5", "3"))
        word = self.r.choice(("ones", "ones", "zeros"))
        rows, columns = shape
        return f"{word}({rows})" if columns == "1" else f"{word}({rows}, {columns})"

    def expr(self, shape: Shape, depth: int) -> str:
        if depth <= 0:
            return self.leaf(shape)
        rows, columns = shape
        pick = self.r.random()
        if pick < 0.12:
            return self.leaf(shape)
        if pick < 0.34:
            return self.function(shape, depth)
        if pick < 0.50:
            sign = self.r.choice("+-")
            return f"({self.expr(shape, depth - 1)} {sign} {self.expr(shape, depth - 1)})"
        if pick < 0.60 and shape != SCALAR:
            return f"({self.expr(shape, depth - 1)} .* {self.expr(shape, depth - 1)})"
        if pick < 0.66:
            return f"(({self.leaf(SCALAR)}) * {self.expr(shape, depth - 1)})" if shape != SCALAR else self.number(depth)
        if shape == SCALAR:
            return self.number(depth)
        return self.wide(rows, columns, depth)

    def wide(self, rows: str, columns: str, depth: int) -> str:
        shape = rows, columns
        middle = self.dim()
        options = [f"(({self.expr((rows, middle), depth - 1)}) ({self.leaf((middle, columns))}) / 2)"]
        if rows != "1" and columns != "1":
            options.append(f"({self.expr(shape, depth - 1)} + 1_{rows} ({self.leaf(('1', columns))}))")
            options.append(f"({self.expr(shape, depth - 1)} + ({self.leaf((rows, '1'))}) ones(1, {columns}))")
            options.append(f"(({self.leaf((rows, '1'))}) ({self.leaf((columns, '1'))})^T)")
            options.append(f"softmax({self.expr(shape, depth - 1)})")
            options.append(f"(({self.expr((columns, rows), depth - 1)})^T)")
        elif columns == "1":
            options.append(f"sum({self.expr((rows, middle), depth - 1)}, axis=1)")
            options.append(f"logsumexp({self.expr((rows, middle), depth - 1)}, axis=1)")
            options.append(f"mean({self.expr((rows, middle), depth - 1)}, axis=1)")
            options.append(f"softmax({self.expr(shape, depth - 1)})")
        else:
            options.append(f"sum({self.expr((middle, columns), depth - 1)}, axis=0)")
            options.append(f"mean({self.expr((middle, columns), depth - 1)}, axis=0)")
            options.append(f"(({self.expr((columns, '1'), depth - 1)})^T)")
        options += self.joined(rows, columns)
        return self.r.choice(options)

    def joined(self, rows: str, columns: str) -> list[str]:
        """[A, B] W and [A; B]^T W, where a parameter of that shape is declared."""
        found = []
        for name, (a, b) in self.names.items():
            first, plus, second = a.partition("+")
            if plus and b == columns:
                found.append(f"([{self.leaf((rows, first))}, {self.leaf((rows, second))}] {name} / 2)")
                found.append(f"([{self.leaf((first, rows))}; {self.leaf((second, rows))}]^T {name} / 2)")
        return found

    def function(self, shape: Shape, depth: int) -> str:
        inner = self.expr(shape, depth - 1)
        match self.r.randrange(12):
            case 0:
                return f"exp({inner} / 8)"
            case 1 if shape != SCALAR:
                return f"({inner}).^2 / 4"
            case 2 if not self.smooth:
                return f"max({inner}, {self.expr(shape, depth - 1)})"
            case 3 if not self.smooth:
                return f"min({inner}, {self.expr(shape, depth - 1)})"
            case 4 if shape != SCALAR:
                return f"log(2 * ones({shape[0]}, {shape[1]}) + ({inner}).^2)"
            case 5 if shape != SCALAR:
                return f"({inner} ./ (2 * ones({shape[0]}, {shape[1]}) + ({self.leaf(shape)}).^2))"
            case 6 if shape != SCALAR:
                return f"({inner}).^3 / 9"
        return f"{self.r.choice(SMOOTH if self.smooth else FUNCTIONS)}({inner})"

    def number(self, depth: int) -> str:
        shape = self.shape()
        first, last = self.dim(), self.dim()
        options = [
            f"sum({self.expr(shape, depth - 1)}) / 4",
            f"norm({self.expr(shape, depth - 1)})^2 / 8",
            f"mean({self.expr(shape, depth - 1)})",
            f"(({self.leaf((first, '1'))})^T ({self.leaf((first, last))}) ({self.leaf((last, '1'))})) / 4",
            f"tr(({self.leaf(shape)})^T ({self.leaf(shape)})) / 8" if shape != SCALAR else "0.25",
            f"tr({self.expr((first, first), depth - 1)}) / 2",
            f"{self.leaf(SCALAR)} / (1 + ({self.leaf(SCALAR)})^2)",
            self.leaf(SCALAR),
            f"sum({self.leaf((first, last))} .* {self.leaf((first, last))}) / {first}",
        ]
        return f"({self.r.choice(options)})"

    # --- statements ---------------------------------------------------------------------------------------------------

    def declare(self, kind: str, stem: str, shape: Shape, words: str = "") -> str:
        name = self.fresh(stem)
        self.names[name] = shape
        self.lines.append(f"{kind} {name} : {shape_text(shape)}{words}")
        return name

    def arguments(self) -> None:
        for _ in range(self.r.randint(1, 3)):
            self.declare("input", "X", self.shape())
        for _ in range(self.r.randint(2, 4)):
            self.declare("param", "W", self.shape())
        shown = {d for shape in self.names.values() for d in shape}
        for d in self.dims:
            if d not in shown:
                self.declare("input", "X", (d, self.dim()))
        if self.r.random() < 0.3:
            size = self.dim()
            word = self.r.choice((" symmetric", " diagonal", " skew", " lower", " upper"))
            self.declare("param", "S", (size, size), word)
        if self.r.random() < 0.3:
            self.declare("param", "V", (f"{self.dim()}+{self.dim()}", self.dim()))

    def define(self, depth: int = 3) -> None:
        name = self.fresh("A")
        if self.r.random() < 0.15:
            other = self.r.choice(list(self.names))
            if "+" not in "".join(self.names[other]):
                transposed = self.r.random() < 0.5
                self.lines.append(f"{name} = {other}{'^T' if transposed else ''}")
                self.names[name] = self.names[other][::-1] if transposed else self.names[other]
                return
        shape = self.shape()
        self.lines.append(f"{name} = {self.expr(shape, depth)}")
        self.names[name] = shape

    def loss(self, extra: tuple[str, ...] = ()) -> str:
        terms = [self.number(2) for _ in range(self.r.randint(1, 3))]
        recent = list(self.names)[-3:]
        terms += [f"norm({n})^2 / 8" if self.names[n] != SCALAR else n for n in recent]
        return f"loss = {' + '.join([*terms, *extra])}"

    def outputs(self, more: list[str]) -> None:
        defined = [line.split(" = ")[0] for line in self.lines if " = " in line and "[" not in line.split(" = ")[0]]
        chosen = self.r.sample([*defined, *more], min(len(defined) + len(more), self.r.randint(0, 3)))
        if chosen:
            self.lines.append(f"output {', '.join(chosen)}")

    def text(self) -> str:
        return "\n".join(["model random", *self.lines]) + "\n"


def shape_text(shape: Shape) -> str:
    rows, columns = shape
    return "scalar" if shape == SCALAR else rows if columns == "1" else f"{rows} x {columns}"


def straight(r: Random, smooth: bool = False) -> str:
    """Definitions and a loss."""
    m = Maker(r, r.choice((("n", "d", "m"), ("n", "d"), ("n",))), smooth)
    m.arguments()
    for _ in range(r.randint(1, 6)):
        m.define()
    m.outputs([])
    m.lines.append(m.loss())
    return m.text()


def recurrent(r: Random, smooth: bool = False) -> str:
    """Sequences, one or two loops, sums over t, reads at fixed indices."""
    m = Maker(r, r.choice((("n", "m"), ("n", "d", "m"), ("n",))), smooth)
    m.arguments()
    for _ in range(r.randint(0, 2)):
        m.define(2)
    given: dict[str, Shape] = {}
    for _ in range(r.randint(1, 2)):
        name, shape = m.fresh("x"), m.shape()
        kind = "param" if r.random() < 0.2 else "input"
        m.lines.append(f"{kind} {name}[1..T] : {shape_text(shape)}")
        given[name] = shape
    looped: dict[str, Shape] = {}
    for _ in range(r.randint(1, 2)):
        _loop(m, given, looped)
    outer = dict(m.names)
    totals = tuple(_total(m, {**given, **looped}) for _ in range(r.randint(1, 2)))
    m.names = outer
    for name, shape in looped.items():
        if r.random() < 0.6:
            m.names[f"{name}[{r.choice(('T', '1'))}]"] = shape
    for name, shape in given.items():
        if r.random() < 0.3:
            m.names[f"{name}[{r.choice(('T', '1'))}]"] = shape
    if r.random() < 0.5:
        m.define(2)
    m.outputs(list(looped))
    m.lines.append(m.loss(totals))
    return m.text()


def _loop(m: Maker, given: dict[str, Shape], looped: dict[str, Shape]) -> None:
    r = m.r
    down = r.random() < 0.35
    outer = dict(m.names)
    states: dict[str, Shape] = {}
    for _ in range(r.randint(0, 2)):
        name, shape = m.fresh("h"), m.shape()
        m.lines.append(f"{name}[{'T+1' if down else '0'}] = {m.expr(shape, 1)}")
        states[name] = shape
    before = "t+1" if down else "t-1"
    m.names.update({f"{n}[t]": s for n, s in (given | looped).items()})
    m.names.update({f"{n}[{before}]": s for n, s in states.items()})
    m.lines.append(f"for t in {'T..1' if down else '1..T'}:")
    body: list[tuple[str, Shape]] = list(states.items())
    body += [(m.fresh("p"), m.shape()) for _ in range(r.randint(0 if states else 1, 2))]
    r.shuffle(body)
    for name, shape in body:
        value = m.expr(shape, 3)
        if name in states:
            value = f"({value}) / 2 + {name}[{before}] / 4" if r.random() < 0.5 else f"tanh({value})"
        m.lines.append(f"    {name}[t] = {value}")
        m.names[f"{name}[t]"] = shape
        looped[name] = shape
    m.names = outer


def _total(m: Maker, sequences: dict[str, Shape]) -> str:
    outer = dict(m.names)
    m.names.update({f"{n}[t]": s for n, s in sequences.items()})
    start = m.r.choice(("1", "1", "2"))
    if start == "2":
        m.names.update({f"{n}[t-1]": s for n, s in sequences.items()})
    shape = m.r.choice(list(sequences.values()))
    inner = m.number(2) if shape == SCALAR or m.r.random() < 0.3 else f"norm({m.expr(shape, 2)})^2 / 4"
    m.names = outer
    return f"sum(t in {start}..T, {inner})"


def products(r: Random, smooth: bool = False) -> str:
    """A model of square parameters only: products, their sums, traces and norms."""
    names = [f"A{i}" for i in range(r.randint(2, 5))]
    lines = ["model products", *(f"param {name} : n x n" for name in names), "param v : n"]

    def product() -> str:
        return " ".join(r.choice(names) + r.choice(["", "^T"]) for _ in range(r.randint(1, 4)))

    for j in range(r.randint(0, 4)):
        value = product()
        if r.random() < 0.3:
            value = f"{r.choice(['tanh', 'sin', 'exp'] if smooth else ['tanh', 'relu', 'abs'])}({value})"
        elif r.random() < 0.3:
            value = f"{value} + {r.choice(names)}"
        lines.append(f"D{j} = {value}")
        names.append(f"D{j}")
    terms = [
        r.choice(["tr({})", "v^T {} v", "norm({})^2", "sum({})"]).format(product()) for _ in range(r.randint(1, 3))
    ]
    return "\n".join([*lines, f"loss = {' + '.join(terms)}", ""])


def gated(r: Random, smooth: bool = False) -> str:
    """Gates and states as of recurrent networks, read in the same step and in the one before; some are no recurrence."""
    down = r.random() < 0.3
    before, first, last = ("t+1", "T+1", "1") if down else ("t-1", "0", "T")
    states = ["h", "c"][: r.randint(1, 2)]
    functions = [*(SMOOTH if smooth else FUNCTIONS), ""]
    lines = ["model gated", f"{r.choice(['param', 'input'])} x[1..T] : n x m", "param U : m x m", "param V : m x m"]
    lines += [f"param {s}0 : n x m" for s in states]
    lines += [f"{s}[{first}] = {s}0" if r.random() < 0.7 else f"{s}[{first}] = zeros(n, m)" for s in states]
    body: list[str] = []
    names = ["x[t]"]
    for k in range(r.randint(1, 4)):
        value = f"{r.choice([*names, *(f'{s}[{before}]' for s in states)])} {r.choice('UV')}"
        if r.random() < 0.5:
            value = f"x[t] + {value}"
        if r.random() < 0.3:
            value = f"{value} + {r.choice(names)} .* h[{before}]"
        body.append(f"g{k}[t] = {r.choice(functions)}({value})")
        names.append(f"g{k}[t]")
    known = [*names, *(f"{s}[{before}]" for s in states)]
    for s in reversed(states):
        terms = []
        for _ in range(r.randint(1, 3)):
            factors = [r.choice(known) for _ in range(r.randint(1, 3))]
            terms.append(" .* ".join(f"(ones(n, m) - {f})" if r.random() < 0.2 else f for f in factors))
        value = " + ".join(terms)
        body.append(f"{s}[t] = tanh({value})" if r.random() < 0.5 else f"{s}[t] = ({value}) / 4")
        known.append(f"{s}[t]")
        names.append(f"{s}[t]")
    lines += [f"for t in {'T..1' if down else '1..T'}:", *(f"    {line}" for line in body)]
    loss = [f"norm(h[{last}])^2 / 8"]
    if r.random() < 0.5:
        loss.append(f"sum(t in 1..T, norm({r.choice(names)})^2 / 8)")
    if r.random() < 0.5:
        loss.append(f"sum(t in 1..T, sum({r.choice(['', '(x[t] U) .* '])}{r.choice(names)} .* {r.choice(names)}) / 4)")
    return "\n".join([*lines, f"loss = {' + '.join(loss)}", ""])
