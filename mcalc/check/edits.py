"""Edits: an expression with one place changed.

A place is a path of operand numbers from the root, so that one of two equal parts can be changed alone. What the proof
has a name for is one leaf: its inside is not edited.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, add, app, div, had, mul, neg, number
from mcalc.errors import McalcError

Path = tuple[int, ...]

PLACES = 200
"""So many places of an expression are tried."""


def places(root: Expr, leaves: Collection[Expr]) -> list[tuple[Path, Expr]]:
    """Every place, outermost first."""
    found: list[tuple[Path, Expr]] = []
    queue: list[tuple[Path, Expr]] = [((), root)]
    for path, node in queue:
        found.append((path, node))
        if len(queue) < PLACES and (node not in leaves or not path) and node.op != "d":
            queue.extend(((*path, k), a) for k, a in enumerate(node.args))
    return found


def at(root: Expr, path: Path) -> Expr:
    """What stands at a place."""
    for k in path:
        root = root.args[k]
    return root


def put(root: Expr, path: Path, new: Expr, *, join: bool = True) -> Expr | None:
    """The expression with another part at a place; None where it does not fit.

    With `join`, a product that comes into a product (a sum into a sum) becomes part of it; without, places stay.
    """
    chain = [root]
    for k in path:
        chain.append(chain[-1].args[k])
    result = new
    try:
        for node, k in zip(reversed(chain[:-1]), reversed(path), strict=True):
            result = app(node.op, *_operands(node, k, result, join), attrs=node.attrs)
    except McalcError:
        return None
    return result


def _operands(node: Expr, k: int, new: Expr, join: bool) -> tuple[Expr, ...]:
    """The operands with the k-th replaced."""
    joins = join and new.op == node.op and node.op in ("mul", "add") and not (node.op == "mul" and new.is_scalar)
    return (*node.args[:k], *(new.args if joins else (new,)), *node.args[k + 1 :])


def negative(e: Expr) -> Expr:
    """-E, a minus in front taken away."""
    if e.op == "neg":
        return e.args[0]
    if e.op == "mul" and e.args[0].op == "neg":
        return mul(e.args[0].args[0], *e.args[1:]) if not _is_one(e.args[0].args[0]) else mul(*e.args[1:])
    return neg(e)


def transposed(e: Expr) -> Expr:
    """E^T, a transpose on top taken away."""
    return e.args[0] if e.op == "T" else T(e)


def turned(e: Expr, leaves: Collection[Expr]) -> Expr:
    """E^T, with transposes at factors and terms only; E itself where it is a leaf."""
    if e.is_scalar:
        return e
    if e in leaves or e.op not in _TURNED:
        return transposed(e)
    parts = [turned(a, leaves) for a in e.args]
    if e.op == "mul":
        parts = [a for a in parts if a.is_scalar] + [a for a in reversed(parts) if not a.is_scalar]
    return app(e.op, *parts)


_TURNED = frozenset(("mul", "add", "neg", "had", "hdiv", "div"))


def scaled(e: Expr, factor: Fraction) -> Expr:
    """c E, with c put together with the number in front."""
    if e.op == "neg":
        return neg(scaled(e.args[0], factor))
    if e.op == "num":
        return _ratio(e.attrs[0] * factor)
    if e.op == "div" and e.args[1].op == "num" and e.args[0].op != "num":
        whole = factor / e.args[1].attrs[0]
        if whole.denominator != 1 and whole.numerator == 1:
            return div(e.args[0], number(whole.denominator))
        return scaled(e.args[0], whole)
    if e.op == "div" and _value(e) is None and e.args[1].op != "num":
        return div(scaled(e.args[0], factor), e.args[1])
    if e.op == "mul":
        first = _value(e.args[0])
        if first is not None:
            return _times(first * factor, e.args[1:])
        return _times(factor, e.args)
    if e.op == "add":
        return mul(_ratio(factor), e)
    return _times(factor, (e,))


def _times(c: Fraction, factors: tuple[Expr, ...]) -> Expr:
    return mul(*factors) if c == 1 else mul(_ratio(c), *factors)


def _ratio(c: Fraction) -> Expr:
    if c < 0:
        return neg(_ratio(-c))
    return number(c) if c.denominator == 1 else div(number(c.numerator), number(c.denominator))


def _value(e: Expr) -> Fraction | None:
    if e.op == "num":
        value: Fraction = e.attrs[0]
        return value
    if e.op == "div" and all(a.op == "num" for a in e.args) and e.args[1].attrs[0] != 0:
        ratio: Fraction = e.args[0].attrs[0] / e.args[1].attrs[0]
        return ratio
    return None


def _is_one(e: Expr) -> bool:
    return e.op == "num" and e.attrs[0] == 1


def terms(e: Expr) -> list[Expr]:
    """The terms of a sum."""
    return list(e.args) if e.op == "add" else [e]


def plus(e: Expr, term: Expr) -> Expr:
    """E + term."""
    return add(*terms(e), term)


def times(weight: Expr, e: Expr) -> Expr:
    """The elementwise product, or the product of scalars."""
    return mul(weight, e) if weight.is_scalar or e.is_scalar else had(*_factors(e), weight)


def _factors(e: Expr) -> tuple[Expr, ...]:
    return e.args if e.op == "had" else (e,)
