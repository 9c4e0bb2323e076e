"""NumPy text of the operations: one row each.

A row makes the text of an operation from those of its operands. A `Text` knows how tightly it holds together, so that
parentheses stand where Python needs them, and where a reader of mixed `*` and `@` would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from mcalc.algebra.functions import CODE_FUNCTIONS, ELEMENTWISE
from mcalc.algebra.shape import Dim, dim
from mcalc.program.ir import Array

CONDITION, COMPARISON, SUM, TIMES, MATMUL, SIGN, POWER, ATOM = range(8)


class Text(NamedTuple):
    """A piece of Python and how tightly it holds together."""

    code: str
    level: int = ATOM

    def within(self, level: int) -> str:
        """The text as an operand of something that holds this tightly."""
        return self.code if self.level >= level else f"({self.code})"

    @property
    def atom(self) -> str:
        """The text as something that takes a dot or an index."""
        return self.within(ATOM)


def length(d: Dim, sizes: Mapping[str, str]) -> Text:
    """A dimension as Python; `sizes` gives the names of named dimensions."""
    if d.text in sizes:
        return Text(sizes[d.text])
    divisor = d.denominator
    if divisor > 1:
        return Text(f"{length(d * dim(divisor), sizes).within(ATOM)} // {divisor}", TIMES)
    code = ""
    for monomial, coefficient in d.terms:
        factors = [str(abs(coefficient))] if abs(coefficient) != 1 or not monomial else []
        code += (" - " if code else "-") if coefficient < 0 else (" + " if code else "")
        code += " * ".join([*factors, *(sizes[name] for name in monomial)])
    if len(d.terms) > 1:
        return Text(code, SUM)
    return Text(code, TIMES if " " in code else SIGN if code.startswith("-") else ATOM) if code else Text("0")


class Place(NamedTuple):
    """What a row may read besides its operands."""

    array: Array
    sizes: Mapping[str, str]
    """Dimension name to the Python name."""

    def size(self, d: Dim) -> Text:
        """A dimension as Python."""
        return length(d, self.sizes)

    def axes(self) -> str:
        """The shape of the array, as an argument."""
        lengths = [self.size(d).code for d in self.array.shape]
        return lengths[0] if len(lengths) == 1 else f"({', '.join(lengths)})"


Row: TypeAlias = Callable[[Place, Sequence[Text]], Text]


def decimal(value: Fraction) -> str | None:
    """A short exact decimal, where there is one."""
    text = f"{float(value):.6g}" if abs(value) < 10**6 else ""
    if text and Fraction(text) == value:
        return text.replace("e-0", "e-")
    return str(value.numerator) if value.denominator == 1 else None


def number(value: Fraction) -> Text:
    """A number as Python."""
    text = decimal(value)
    if text is None:
        return Text(f"{value.numerator} / {value.denominator}", TIMES)
    return Text(text, SIGN if value < 0 else ATOM)


def product(factors: Sequence[Text]) -> Text:
    """a * b * c."""
    if len(factors) == 1:
        return factors[0]
    parts = [factors[0].code if factors[0].level in (TIMES, SIGN) else _factor(factors[0])]
    return Text(" * ".join([*parts, *map(_factor, factors[1:])]), TIMES)


def _factor(text: Text) -> str:
    return text.within(POWER)


def multiple(coefficient: Fraction, text: Text) -> Text:
    """A rational multiple: `2 * x`, `0.5 * x`, `x / 3`, `(2 / 3) * x`, `-x`."""
    size = abs(coefficient)
    if size == 1:
        made = text
    elif decimal(size) is not None:
        rest = text.code if text.level == TIMES and text.code[0] != "-" else _factor(text)
        made = Text(f"{number(size).code} * {rest}", TIMES)
    elif size.numerator == 1:
        made = Text(f"{_dividend(text)} / {size.denominator}", TIMES)
    else:
        made = product([Text(f"({number(size).code})"), text])
    return negative(made) if coefficient < 0 else made


def _dividend(text: Text) -> str:
    return text.code if text.level == TIMES else _factor(text)


def negative(text: Text) -> Text:
    """-a; a leading factor takes the sign."""
    if text.level == TIMES:
        return Text(f"-{text.code}", TIMES)
    return Text(f"-{text.within(POWER)}", SIGN)


# --- rows -------------------------------------------------------------------------------------------------------------


def _sum(place: Place, args: Sequence[Text]) -> Text:
    pieces: list[str] = []
    for c, x, text in zip(place.array.attrs, place.array.args, args, strict=True):
        made = multiple(abs(c) if pieces else c, text) if x.op != "number" else number(abs(c) if pieces else c)
        code = made.within(TIMES) if pieces else made.within(SUM)
        pieces.append(f" {'-' if c < 0 else '+'} {code}" if pieces else code)
    return Text("".join(pieces), SUM)


def _scale(place: Place, args: Sequence[Text]) -> Text:
    coefficient, exponents = place.array.attrs
    plain = place.array.args[0].op == "number"
    above = [_raised(s, x) for s, x in zip(args[1:], exponents, strict=True) if x > 0]
    below = [_raised(s, -x) for s, x in zip(args[1:], exponents, strict=True) if x < 0]
    size = abs(coefficient)
    if not below:
        factors = above if plain else [*above, args[0]]
        return multiple(coefficient, product(factors) if factors else Text("1"))
    if decimal(size) is None:
        below = [Text(str(size.denominator)), *below]
        size = Fraction(size.numerator)
    under = product(below)
    bottom = under.code if len(below) == 1 and under.level >= POWER else f"({under.code})"
    factors = [*([number(size)] if size != 1 or not (above or not plain) else []), *above]
    if plain or not factors:
        top = [*factors, *([] if plain else [args[0]])]
        made = Text(f"{_dividend(product(top))} / {bottom}", TIMES)
    else:
        sign = "-" if coefficient < 0 else ""
        return product([Text(f"({sign}{_dividend(product(factors))} / {bottom})"), args[0]])
    return negative(made) if coefficient < 0 else made


def _raised(text: Text, exponent: int) -> Text:
    return text if exponent == 1 else Text(f"{text.atom}**{exponent}", POWER)


def _times(place: Place, args: Sequence[Text]) -> Text:
    return product([t._replace(level=COMPARISON) if t.level == SIGN else t for t in args])


def _quotient(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"{_dividend(args[0])} / {_factor(args[1])}", TIMES)


def _two_sided(sign: str) -> Row:
    """The logistic function from exp(-|z|): exp(min(z, 0)) / (1 + exp(-|z|)), an indicator counting as 1."""

    def row(place: Place, args: Sequence[Text]) -> Text:
        z, e = args[0].within(SUM), args[1].code
        return Text(f"np.maximum({e}, {z} {sign} 0) / (1 + {e})", TIMES)

    return row


def _reciprocal_or_zero(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"1 / {args[0].within(POWER)} if {args[0].within(SUM)} != 0 else 0.0", CONDITION)


def _compare(sign: str) -> Row:
    def row(place: Place, args: Sequence[Text]) -> Text:
        return Text(f"{args[0].within(SUM)} {sign} {args[1].within(SUM)}", COMPARISON)

    return row


def _power(place: Place, args: Sequence[Text]) -> Text:
    """NumPy squares fast and takes other powers slowly."""
    exponent: Fraction = place.array.attrs[0]
    base = args[0].atom
    if place.array.rank and exponent == 3:
        return Text(f"{base} * {base}**2", TIMES)
    if place.array.rank and exponent == 4:
        return Text(f"({base}**2) ** 2", POWER)
    text = number(exponent)
    return Text(f"{base}**{text.within(ATOM)}", POWER)


def _powers(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"{args[0].atom}**{args[1].within(POWER)}", POWER)


def _call(name: str, *options: str) -> Row:
    """`name(a, b, option)`; of Python numbers alone, a Python number again."""

    def row(place: Place, args: Sequence[Text]) -> Text:
        text = f"{name}({', '.join([*(a.code for a in args), *options])})"
        return Text(f"float({text})" if place.array.kind == "weak" else text)

    return row


def _method(name: str, call: str) -> Row:
    """`x.name()`, over an axis where there is one; `np.name(…)` of a longer text."""

    def row(place: Place, args: Sequence[Text]) -> Text:
        axis = place.array.attrs[0]
        option = [] if axis is None else [f"axis={axis}"]
        if args[0].level == ATOM:
            return Text(f"{args[0].code}.{name}({', '.join(option)})")
        return Text(f"{call}({', '.join([args[0].code, *option])})")

    return row


def _row_of(place: Place, args: Sequence[Text]) -> Text:
    inner = place.array.args[0]
    if inner.op == "total" and args[0].code.endswith("axis=0)"):
        return Text(f"{args[0].code[:-1]}, keepdims=True)")
    return Text(f"{args[0].atom}[None, :]")


def _entry(place: Place, args: Sequence[Text]) -> Text:
    positions = [":" if p is None else str(p - 1) for p in place.array.attrs]
    while len(positions) > 1 and positions[-1] == ":":
        positions.pop()
    return Text(f"{args[0].atom}[{', '.join(positions)}]")


def _over_axis(name: str) -> Row:
    def row(place: Place, args: Sequence[Text]) -> Text:
        axis = place.array.attrs[0]
        return Text(f"{name}({args[0].code}{'' if axis is None else f', axis={axis}'})")

    return row


def _matmul(place: Place, args: Sequence[Text]) -> Text:
    left, right = args
    return Text(f"{left.code if left.level == MATMUL else left.within(POWER)} @ {right.within(POWER)}", MATMUL)


def _chain(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"np.linalg.multi_dot([{', '.join(x.code for x in args)}])")


def _float(place: Place, args: Sequence[Text]) -> Text:
    if place.array.rank == 0:
        return Text(f"dtype.type({args[0].code})")
    return Text(f"{args[0].atom}.astype(dtype)")


def _filled(name: str) -> Row:
    return lambda place, args: Text(f"{name}({place.axes()}, dtype=dtype)")


def _block(place: Place, args: Sequence[Text]) -> Text:
    rows, start = [], 0
    for count in place.array.attrs:
        rows.append(f"[{', '.join(a.code for a in args[start : start + count])}]")
        start += count
    return Text(f"np.block([{', '.join(rows)}])")


def _tall(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"np.tile({args[0].code}, ({place.size(place.array.attrs[0]).code}, 1))")


def _wide(place: Place, args: Sequence[Text]) -> Text:
    return Text(f"np.repeat({args[0].atom}[:, None], {place.size(place.array.attrs[0]).code}, axis=1)")


def _commutation(place: Place, args: Sequence[Text]) -> Text:
    m, n = (place.size(d) for d in place.array.attrs)
    size = product([m, n]).code
    return Text(f"np.eye({size}, dtype=dtype)[commutation({m.code}, {n.code})]")


def _permute(place: Place, args: Sequence[Text]) -> Text:
    m, n = (place.size(d).code for d in place.array.attrs)
    return Text(f"{args[0].atom}[commutation({m}, {n})]")


def _independent(place: Place, args: Sequence[Text]) -> Text:
    """D(n) and L(n) as matrices."""
    n = place.array.attrs[0]
    columns = place.size(place.array.shape[1])
    return Text(f"np.eye({columns.code}, dtype=dtype)[{place.array.op}({place.size(n).code})]")


def _take(place: Place, args: Sequence[Text]) -> Text:
    name, n = place.array.attrs
    return Text(f"{args[0].atom}[{name}({place.size(n).code})]")


def _put(place: Place, args: Sequence[Text]) -> Text:
    name, n = place.array.attrs
    rows = place.size(place.array.shape[0]).code
    return Text(f"put({args[0].code}, {name}({place.size(n).code}), {rows})")


def _unit(place: Place, args: Sequence[Text]) -> Text:
    i, n = place.array.attrs
    return Text(f"unit({i}, {place.size(n).code}, dtype)")


def _lift(place: Place, args: Sequence[Text]) -> Text:
    return args[0] if len(place.array.shape) == 2 else Text(f"[{args[0].code}]")


_FUNCTION_NAMES = {
    "arcsin": "np.arcsin", "arccos": "np.arccos", "arctan": "np.arctan", "sigmoid": "sigmoid", "softplus": "softplus",
    "erf": "erf", **{name: name for name in CODE_FUNCTIONS},
}  # fmt: skip

# fmt: off
TEXTS: Mapping[str, Row] = {
    "number":   lambda place, args: number(place.array.attrs[0]),
    "pi":       lambda place, args: Text("np.pi"),
    "size":     lambda place, args: place.size(place.array.attrs[0]),
    "float":    _float,                        "truth":    lambda place, args: Text(f"float({args[0].code})"),
    "eye":      lambda place, args: Text(f"np.eye({place.size(place.array.attrs[0]).code}, dtype=dtype)"),
    "ones":     _filled("np.ones"),            "zeros":    _filled("np.zeros"),
    "unit":     _unit,                         "commutation": _commutation,
    "sum":      _sum,                          "scale":    _scale,
    "times":    _times,                        "quotient": _quotient,
    "maximum":  _call("np.maximum"),           "minimum":  _call("np.minimum"),
    "eq":       _compare("=="),                "ge":       _compare(">="),   "gt":  _compare(">"),
    "le":       _compare("<="),                "lt":       _compare("<"),
    "power":    _power,                        "powers":   _powers,
    **{name: _call(_FUNCTION_NAMES.get(name, f"np.{name}")) for name in ELEMENTWISE},
    "relu":     _call("np.maximum", "0"),
    "sigmoid_from": _two_sided(">="),
    "sigmoid_of_negative_from": _two_sided("<="),
    "softplus_from": lambda place, args: Text(f"np.maximum({args[0].code}, 0) + {args[1].code}", SUM),
    "softmax":  _over_axis("softmax"),         "logsumexp": _over_axis("logsumexp"),
    "T":        lambda place, args: Text(f"{args[0].atom}.T"),
    "flat":     lambda place, args: Text(f"{args[0].atom}[0]"),
    "row":      _row_of,
    "column":   lambda place, args: Text(f"{args[0].atom}[:, None]"),
    "rows":     _tall,                         "columns":  _wide,
    "entry":    _entry,                        "lift":     _lift,
    "permute":  _permute,
    "duplication": _independent,               "elimination": _independent,
    "take":     _take,                         "put":      _put,
    "vec":      lambda place, args: Text(f'{args[0].atom}.flatten(order="F")'),
    "turned":   lambda place, args: Text(f"{args[0].atom}.T.copy()"),
    "total_row": lambda place, args: Text(f"{args[0].atom}.sum(axis=0, keepdims=True)"),
    "total":    _method("sum", "np.sum"),      "mean":     _method("mean", "np.mean"),
    "largest":  _method("max", "np.max"),      "smallest": _method("min", "np.min"),
    "first_max": _call("first_max"),
    "first_min": lambda place, args: Text(f"first_max({negative(args[0]).code})"),
    "norm":     _call("np.linalg.norm"),
    "reciprocal_or_zero": _reciprocal_or_zero,
    "dot":      _matmul,                       "vdot":     _call("np.vdot"),
    "residual_square": _call("square_of_residual"),
    "trace":    _call("np.trace"),             "row_dots": _call("np.vecdot"),
    "outer":    _call("np.outer"),             "matmul":   _matmul,
    "chain":    _chain,
    "diagonal": _call("np.diag"),              "diagonal_of": _call("np.diagonal"),
    "tril":     _call("np.tril"),              "triu":     _call("np.triu"),
    "kron":     _call("np.kron"),              "block":    _block,
    "concatenate": lambda place, args: Text(f"np.concatenate(({', '.join(a.code for a in args)}))"),
    "solve":    _call("np.linalg.solve"),      "inv":      _call("np.linalg.inv"),
    "det":      _call("np.linalg.det"),
    "logdet":   lambda place, args: Text(f"np.linalg.slogdet({args[0].code})[1]"),
    "cholesky": _call("np.linalg.cholesky"),
    "log_diagonal": lambda place, args: Text(f"np.log(np.diagonal({args[0].code})).sum()"),
    "lower_inverse": _call("inverse_of_lower"), "lower_gram": _call("gram_of_lower"),
    "try_cholesky": _call("cholesky_or_none"),
    "inv_from": _call("inverse_from"),         "logdet_from": _call("logdet_from"),
    "pinv":     _call("np.linalg.pinv"),       "adjugate": _call("adjugate"),
    "expm":     _call("expm"),
    "matrix_power": lambda place, args: Text(f"np.linalg.matrix_power({args[0].code}, {place.array.attrs[0]})"),
}
# fmt: on
