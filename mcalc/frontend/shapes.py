"""Shapes: the rules by which the shape of every step follows from those of its operands.

`RULES[kind](dimensions, value, *types)` is the type of a step, or raises `Misfit`. Sums, products and blocks have any
number of operands; their rules are folds, `FOLDS[kind] = (step, finish)`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mcalc.algebra.shape import ONE
from mcalc.frontend.calls import CALLS, SCALAR, Rule, Type, broadcast, kronecker
from mcalc.frontend.dimensions import Dimensions, Misfit

AMBIGUOUS_PRODUCT = "a matrix product after an elementwise operator can be read in two ways"


def _sum(s: Dimensions, op: Any, a: Type, b: Type) -> Type:
    """One more term; a scalar is added to every entry where the language lets it."""
    if b.is_scalar:
        if not a.takes_scalars:
            raise Misfit("a scalar added to a matrix can be read in two ways", (0, 1), ambiguous=True)
        return a
    if a.is_scalar:
        if not b.takes_scalars:
            raise Misfit("a scalar added to a matrix can be read in two ways", (1, 0), ambiguous=True)
        return b
    s.equate(a.rows, b.rows, "sum needs operands of one shape", (0, 1))
    s.equate(a.columns, b.columns, "sum needs operands of one shape", (0, 1))
    return Type(a.rows, a.columns, a.takes_scalars and b.takes_scalars)


def _product(s: Dimensions, op: str, a: Type, b: Type) -> Type:
    """One more factor, from left to right."""
    if op == "⊗":
        return kronecker(s, a, b)._replace(mixed=True)
    if op == "/":
        if not b.is_scalar:
            raise Misfit("division needs a scalar on the right", (0, 1), "./ divides entry by entry; inv(B) inverts")
        return a
    if op == "./" and not b.is_scalar:
        if not a.is_scalar:
            s.equate(a.rows, b.rows, "elementwise quotient needs operands of one shape", (0, 1))
            s.equate(a.columns, b.columns, "elementwise quotient needs operands of one shape", (0, 1))
        return Type(b.rows, b.columns, True, True)
    if b.is_scalar:
        return a
    if a.is_scalar:
        return b
    if op == ".*":
        s.equate(a.rows, b.rows, "elementwise product needs operands of one shape", (0, 1))
        s.equate(a.columns, b.columns, "elementwise product needs operands of one shape", (0, 1))
        return Type(a.rows, a.columns, True, True)
    if a.mixed:
        raise Misfit(AMBIGUOUS_PRODUCT, (0, 1), ambiguous=True)
    s.equate(a.columns, b.rows, "product needs columns(left) = rows(right)", (0, 1))
    return Type(a.rows, b.columns, False)


def _negative(s: Dimensions, value: Any, a: Type) -> Type:
    return a


def _transpose(s: Dimensions, value: Any, a: Type) -> Type:
    return Type(a.columns, a.rows, a.entrywise)


def _inverse_transpose(s: Dimensions, value: Any, a: Type) -> Type:
    s.equate(a.rows, a.columns, "an inverse needs a square matrix", (0,))
    return Type(a.rows, a.columns, False)


def _power(s: Dimensions, exponent: Fraction | None, a: Type, b: Type) -> Type:
    if a.is_scalar and b.is_scalar:
        return SCALAR
    if exponent is None:
        culprit = 1 if a.is_scalar else 0
        raise Misfit("a power with a symbolic exponent needs scalars", (culprit,), "X.^t is elementwise, t a scalar")
    if exponent.denominator != 1:
        raise Misfit("a matrix power needs an integer exponent", (0,), "X.^(1/2) is elementwise")
    s.equate(a.rows, a.columns, "a matrix power needs a square matrix", (0,), "X.^2 is elementwise")
    return Type(a.rows, a.columns, False)


def _elementwise_power(s: Dimensions, exponent: Fraction | None, a: Type, b: Type) -> Type:
    if not b.is_scalar:
        raise Misfit("an elementwise power needs a scalar exponent", (0, 1))
    return Type(a.rows, a.columns)


def _exponential(s: Dimensions, elementwise: bool, a: Type, b: Type) -> Type:
    if not elementwise and b.rows is not ONE and b.columns is not ONE:
        raise Misfit(
            "e^X of a matrix can be read in two ways", (1,), "write exp(X) (elementwise) or expm(X)", ambiguous=True
        )
    return Type(b.rows, b.columns)


def _compare(s: Dimensions, relation: str, a: Type, b: Type) -> Type:
    return broadcast(s, relation, a, b)


def _call(s: Dimensions, value: tuple[str, Any], *args: Type) -> Type:
    word, axis = value
    return CALLS[word].shape(s, word, axis, *args)


def _bars(s: Dimensions, value: Any, a: Type) -> Type:
    s.equate(a.rows, a.columns, "|X| needs a square matrix or a scalar", (0,), "||x|| is the norm, abs(x) elementwise")
    return SCALAR


def _norm(s: Dimensions, value: Any, a: Type) -> Type:
    return SCALAR


def _applied(s: Dimensions, value: Any, a: Type) -> Type:
    return Type(a.rows, a.columns)


def _index(s: Dimensions, places: tuple[int | None, int | None], a: Type) -> Type:
    for place, size, side in zip(places, (a.rows, a.columns), ("row", "column"), strict=True):
        limit = s.value(size).number
        if place is not None and (place < 1 or (limit is not None and place > limit)):
            raise Misfit(f"{side} {place} is outside 1..{limit or 'n'} (indices are 1-based)", (0,))
    return Type(a.rows if places[0] is None else ONE, a.columns if places[1] is None else ONE, False)


def block(s: Dimensions, lengths: tuple[int, ...], args: list[Type]) -> Type:
    """Rows of blocks: heights agree in a row, widths between rows."""
    rows = columns = None
    start = 0
    for length in lengths:
        height, width = args[start].rows, args[start].columns
        for i in range(start + 1, start + length):
            s.equate(height, args[i].rows, "blocks in a row need the same number of rows", (start, i))
            width = s.value(width) + s.value(args[i].columns)
        if columns is None or rows is None:
            rows, columns = height, width
        else:
            s.equate(columns, width, "rows of blocks need the same number of columns", (0, start))
            rows = s.value(rows) + s.value(height)
        start += length
    assert rows is not None and columns is not None
    return Type(rows, columns, False)


RULES: dict[str, Rule] = {
    "negative": _negative, "transpose": _transpose, "inverse_transpose": _inverse_transpose, "power": _power,
    "elementwise_power": _elementwise_power, "exponential": _exponential, "compare": _compare, "call": _call,
    "bars": _bars, "log_bars": _bars, "norm": _norm, "index": _index, "same": _negative, "applied": _applied,
}  # fmt: skip

FOLDS: dict[str, Callable[[Dimensions, Any, Type, Type], Type]] = {"sum": _sum, "product": _product}
"""The rules that take one more operand at a time; the value says how it is joined."""
