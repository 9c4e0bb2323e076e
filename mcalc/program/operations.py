"""The operations of the lowered form: one row each.

`shape` gives the axes of the result from those of the operands; `kind` its promotion kind; `work` the time it takes in
nanoseconds at nominal sizes, as NumPy on one core takes it (what counts is the ratio of products, solves and passes
over memory). Axis lengths are dimensions; `attrs` is what is not an array.

    arg: (name, axes)      number: (Fraction,)      size: (Dim,)     eye: (n,)    ones, zeros: (axes)
    unit: (i, n)           commutation: (m, n)       duplication, elimination: (n,)
    sum: A, B, …; coefficients, broadcast            take, put: A; (name, n) M A, M^T A, M the matrix of this name
    scale: A, s, …; (coefficient, exponents of s, …)
    times, quotient, maximum, minimum, eq, ge, gt, le, lt: broadcast     power: A; (Fraction,)     powers: A, t
    T: a matrix    turned: the transpose, copied    flat: 1 x m to m    row: m to 1 x m
    column: n to n x 1    rows: b; (n,) repeats b in n rows
    total_row: A, the sums of the columns as a 1 x m matrix
    columns: a; (m,) repeats a in m columns      total, mean: A; (axis or None,)     entry: A; (i, j), None for all
    dot: u, v      vdot: A, B    trace    row_dots: A, B the diagonal of A B^T
    residual_square: |A|^2, <A, B C>, B^T B, C C^T is |A - B C|^2, nan where they cancel
    outer: u, v    matmul        diagonal: u (and the matrix itself, where it is stored)   diagonal_of: A
    solve: A, B    inv, det, logdet, cholesky, pinv, adjugate, expm, matrix_power: A; (k,)    log_diagonal: L
    lower_inverse: L, L^-1 of a lower triangular L    lower_gram: M, M^T M of a lower triangular M
    try_cholesky: A, its factor L or None    inv_from, logdet_from: L, A where L is that
    first_max, first_min: A marks the first extreme entry in the order of vec     permute: A; (m, n) is K(m,n) A
    lift: s; (axes) all of length one      reciprocal_or_zero: s      truth: a scalar indicator as a Python number
    float: an indicator or a Python number in the working precision
    sigmoid_from, sigmoid_of_negative_from: z, exp(-|z|)      softplus_from: z, log1p(exp(-|z|))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcalc.algebra.functions import CODE_FUNCTIONS, FUNCTIONS
from mcalc.algebra.shape import ONE, Dim, triangular
from mcalc.errors import InternalError

Axes: TypeAlias = tuple[Dim, ...]
Lengths: TypeAlias = tuple[float, ...]
ShapeOf: TypeAlias = Callable[[Sequence[Axes], tuple[Any, ...]], Axes]
KindOf: TypeAlias = Callable[[Sequence[str]], str]
Work: TypeAlias = Callable[[Sequence[Lengths], Lengths], float]

CALL = 400.0
"""One call of NumPy, in ns."""
FLOP = 0.012
"""One floating-point operation within a matrix product."""
ENTRY = 0.4
"""One entry of one pass over memory."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row: see the module's text."""

    shape: ShapeOf
    work: Work
    kind: KindOf
    symmetric: bool = False
    """Whether symmetric matrix operands give a symmetric result."""


# --- axes -------------------------------------------------------------------------------------------------------------


def broadcast(shapes: Sequence[Axes]) -> Axes:
    """The axes of operands that NumPy broadcasts against each other; each length is one, or the same as the rest."""
    if shapes and all(s == shapes[0] for s in shapes):
        return shapes[0]
    rank = max(map(len, shapes), default=0)
    result = []
    for place in range(-rank, 0):
        lengths = [s[place] for s in shapes if len(s) >= -place and s[place] is not ONE]
        if any(length is not lengths[0] for length in lengths):
            raise InternalError(f"axes {shapes} do not broadcast")
        result.append(lengths[0] if lengths else ONE)
    return tuple(result)


def _broadcast(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    return broadcast(shapes)


def _same(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    return shapes[0]


def _none(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    return ()


def _given(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    axes: Axes = attrs[-1]
    return axes


def _reduced(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    return () if attrs[0] is None else (shapes[0][1 - attrs[0]],)


def _matmul(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    left, right = shapes
    if left[-1] is not right[0]:
        raise InternalError(f"no product of {left} and {right}")
    return left[:-1] + right[1:]


def _ends(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    first, second, third = shapes
    return _matmul((_matmul((first, second), ()), third), ())


def _entry(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    return tuple(d for d, position in zip(shapes[0], attrs, strict=True) if position is None)


def _selected(shorter: str) -> ShapeOf:
    """The rows of M A, or of M^T A: n (n + 1) / 2 of the matrix that makes them fewer, else n^2."""

    def shape(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
        name, n = attrs
        return (triangular(n) if name == shorter else n * n, *shapes[0][1:])

    return shape


def _block(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    heights, start = [], 0
    for count in attrs:
        heights.append(shapes[start][0])
        start += count
    rows = heights[0]
    for height in heights[1:]:
        rows = rows + height
    columns = shapes[0][1]
    for shape in shapes[1 : attrs[0]]:
        columns = columns + shape[1]
    return rows, columns


def _concatenate(shapes: Sequence[Axes], attrs: tuple[Any, ...]) -> Axes:
    total = shapes[0][0]
    for shape in shapes[1:]:
        total = total + shape[0]
    return (total,)


# --- kinds ------------------------------------------------------------------------------------------------------------


def _float(kinds: Sequence[str]) -> str:
    return "float"


def _bool(kinds: Sequence[str]) -> str:
    return "bool"


def _weak(kinds: Sequence[str]) -> str:
    return "weak"


def _meet(kinds: Sequence[str]) -> str:
    found = set(kinds)
    return "weak" if found <= {"weak"} else "bool" if found == {"bool"} else "float"


# --- work -------------------------------------------------------------------------------------------------------------


def _count(lengths: Lengths) -> float:
    product = 1.0
    for length in lengths:
        product *= length
    return product


def _free(operands: Sequence[Lengths], result: Lengths) -> float:
    return 0.0


def _pass(weight: float = 1.0) -> Work:
    def work(operands: Sequence[Lengths], result: Lengths) -> float:
        size = max([_count(result), *map(_count, operands)])
        return (CALL if size > 1 else CALL / 4) + weight * ENTRY * size

    return work


def _many(operands: Sequence[Lengths], result: Lengths) -> float:
    return max(1, len(operands) - 1) * _pass()(operands, result)


def matrix_product(rows: float, inner: float, columns: float) -> float:
    """The time of a product of two matrices."""
    entries = rows * columns
    return CALL + 2 * FLOP * entries * inner + ENTRY * entries


def _product(operands: Sequence[Lengths], result: Lengths) -> float:
    left, right = operands
    if len(left) == 2 and len(right) == 2:
        return matrix_product(left[0], left[1], right[1])
    return CALL + 0.5 * ENTRY * max(_count(left), _count(right))


def _chain(operands: Sequence[Lengths], result: Lengths) -> float:
    first, second, third = operands
    forward, backward = (first[0], second[1]), (second[0], third[1])
    one = _product((first, second), forward) + _product((forward, third), result)
    return min(one, _product((second, third), backward) + _product((first, backward), result))


def _solve(operands: Sequence[Lengths], result: Lengths) -> float:
    n = operands[0][0]
    return 4 * CALL + 2 * FLOP * n**3 * 2 / 3 + 3 * FLOP * n * _count(result)


def _cubic(flops: float) -> Work:
    def work(operands: Sequence[Lengths], result: Lengths) -> float:
        return 4 * CALL + 2 * FLOP * flops * operands[0][0] ** 3

    return work


def _row(shape: ShapeOf, work: Work | None = None, kind: KindOf = _float, symmetric: bool = False) -> Operation:
    return Operation(shape, work if work is not None else _pass(), kind, symmetric)


# fmt: off
OPERATIONS: Mapping[str, Operation] = {
    "arg":     _row(_given, _free),
    "number":  _row(_none, _free, _weak),           "pi":       _row(_none, _free, _weak),
    "size":    _row(_none, _free, _weak),           "float":    _row(_same),
    "truth":   _row(_none, _free, _weak),
    "eye":     _row(lambda s, a: (a[0], a[0]), symmetric=True),
    "ones":    _row(_given),                        "zeros":    _row(_given),
    "unit":    _row(lambda s, a: (a[1],)),
    "commutation": _row(lambda s, a: (a[0] * a[1], a[0] * a[1])),
    "duplication": _row(lambda s, a: (a[0] * a[0], triangular(a[0]))),
    "elimination": _row(lambda s, a: (triangular(a[0]), a[0] * a[0])),
    "take":    _row(_selected("elimination")),      "put":      _row(_selected("duplication"), _pass(4)),
    "sum":     _row(_broadcast, _many, _meet, True),
    "scale":   _row(_same, _pass(), _meet, True),
    "times":   _row(_broadcast, _many, _meet, True), "quotient": _row(_broadcast, kind=_meet, symmetric=True),
    "maximum": _row(_broadcast, kind=_meet, symmetric=True),
    "minimum": _row(_broadcast, kind=_meet, symmetric=True),
    **{op: _row(_broadcast, kind=_bool, symmetric=True) for op in ("eq", "ge", "gt", "le", "lt")},
    "power":   _row(_same, _pass(1.5), _meet, True), "powers":   _row(_same, _pass(25), _meet, True),
    **{name: _row(_same, _pass(2.5), _meet, True) for name in FUNCTIONS},
    **{name: _row(_same, _pass(8), _meet, True) for name in CODE_FUNCTIONS},
    "sigmoid_from":  _row(_same, _pass(3), symmetric=True),
    "sigmoid_of_negative_from": _row(_same, _pass(3), symmetric=True),
    "softplus_from": _row(_same, _pass(2), symmetric=True),
    "softmax": _row(_same, _pass(6)),
    "logsumexp": _row(_reduced, _pass(5)),
    "turned":  _row(lambda s, a: s[0][::-1]),
    "T":       _row(lambda s, a: s[0][::-1], _free, _meet),
    "flat":    _row(lambda s, a: s[0][1:], _free, _meet),
    "row":     _row(lambda s, a: (ONE, *s[0]), _free, _meet),
    "column":  _row(lambda s, a: (*s[0], ONE), _free, _meet),
    "rows":    _row(lambda s, a: (a[0], *s[0]), None, _meet),
    "columns": _row(lambda s, a: (*s[0], a[0]), None, _meet),
    "entry":   _row(_entry, _free, _meet),          "permute":  _row(_same),
    "lift":    _row(_given, _free),
    "vec":     _row(lambda s, a: (s[0][0] * s[0][1],)),
    "total_row": _row(lambda s, a: (ONE, s[0][1])),
    "total":   _row(_reduced),                      "mean":     _row(_reduced),
    "largest": _row(_reduced),                      "smallest": _row(_reduced),
    "first_max": _row(_same),                       "first_min": _row(_same),
    "norm":    _row(_none),                         "reciprocal_or_zero": _row(_same),
    "dot":     _row(_none, _product),               "vdot":     _row(_none, _pass(0.5)),
    "trace":   _row(_none, lambda o, r: CALL + ENTRY * o[0][0]),
    "row_dots": _row(lambda s, a: s[0][:1], _pass(0.5)),
    "residual_square": _row(_none, lambda o, r: 10 * CALL),
    "outer":   _row(lambda s, a: s[0] + s[1], _pass()),
    "matmul":  _row(_matmul, _product),              "chain":    _row(_ends, _chain),
    "diagonal": _row(lambda s, a: s[0] + s[0], None, _meet, True),
    "diagonal_of": _row(lambda s, a: s[0][:1], _free),
    "tril":    _row(_same),                         "triu":     _row(_same),
    "kron":    _row(lambda s, a: tuple(x * y for x, y in zip(*s, strict=True))),
    "block":   _row(_block),                        "concatenate": _row(_concatenate),
    "solve":   _row(lambda s, a: s[1], _solve),     "inv":      _row(_same, _cubic(1), symmetric=True),
    "det":     _row(_none, _cubic(1 / 3)),          "logdet":   _row(_none, _cubic(1 / 3)),
    "cholesky": _row(_same, _cubic(1 / 6)),         "log_diagonal": _row(_none, _free),
    "lower_inverse": _row(_same, _cubic(1 / 3)),    "lower_gram": _row(_same, _cubic(1 / 6)),
    "try_cholesky": _row(_same, _cubic(1 / 6)),     "inv_from": _row(_same, _cubic(1 / 2)),
    "logdet_from": _row(_none, _free),
    "pinv":    _row(lambda s, a: s[0][::-1], _cubic(10)),
    "adjugate": _row(_same, _cubic(10)),            "expm":     _row(_same, _cubic(15), symmetric=True),
    "matrix_power": _row(_same, _cubic(3), symmetric=True),
}
# fmt: on

INDICATOR_SAFE = frozenset(
    ["times", "scale", "float", "truth", "T", "flat", "row", "column", "rows", "columns", "entry", "diagonal"]
)
"""Operations that take an indicator as it is (`times` and `scale` where something else in them is a float)."""

VIEWS = frozenset(["T", "flat", "row", "column", "rows", "columns", "entry", "diagonal_of"])
"""Operations that NumPy does without copying."""

ATOMS = frozenset(["arg", "number", "pi", "size", "ones", "zeros", "eye", "unit", "commutation", "duplication",
                   "elimination"])  # fmt: skip
"""Leaves: they are written where they are read."""

_HABITS = {"n": 1000.0, "N": 1000.0, "T": 1000.0, "k": 10.0, "r": 10.0, "q": 30.0, "c": 10.0}
"""Nominal sizes by the letter a dimension begins with: samples are many, classes, ranks and outputs few."""
_ORDINARY = 100.0


def habit(name: str) -> float:
    """The size of a dimension by its name."""
    return _HABITS.get(name[0], _ORDINARY)


def nominal(d: Dim, others: Mapping[str, float]) -> float:
    """A size for a dimension, by the habits of naming but for `others`; orders of evaluation are compared at these."""
    if d.names() == (d.text,):
        return others.get(d.text) or habit(d.text)
    sizes = {name: others.get(name) or habit(name) for name in d.names()}
    total = 0.0
    for monomial, coefficient in d.terms:
        product = float(coefficient)
        for name in monomial:
            product *= sizes[name]
        total += product
    return total
