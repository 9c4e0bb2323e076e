"""Convexity of a function by the rules of composition, where its Hessian does not show it.

`composition(f, x)` reads f from the leaves up. Every entry of a node is constant, affine, convex or concave in x;
h(g(x)) is convex where h is convex and g affine, where h is also nondecreasing and g convex, or nonincreasing and g
concave. The inverse of an affine spd matrix is convex in the order of Loewner (A >= B where A - B is psd), which
traces, sums and c^T M c keep. The verdict is a theorem of the declared set, which is convex, and of every convex set
on which f is defined.

References: Boyd & Vandenberghe, Convex Optimization, ch. 3.2 and 3.6; Grant, Boyd & Ye, Disciplined convex programming,
2006.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcalc.algebra.expr import Expr, depends_on, fold, postorder
from mcalc.algebra.structure import holds, mirrored
from mcalc.calculus.convexity import curvature, nonnegative

CONSTANT, AFFINE, CONVEX, CONCAVE, ABOVE, BELOW, UNKNOWN = range(7)
"""Of every entry; of the matrix in the order of Loewner (ABOVE: convex, BELOW: concave)."""

_OPPOSITE = {CONSTANT: CONSTANT, AFFINE: AFFINE, CONVEX: CONCAVE, CONCAVE: CONVEX, ABOVE: BELOW, BELOW: ABOVE}
_SUMS = frozenset({"add", "T", "tr", "sum", "mean", "vec", "diagm", "diagv", "index", "block", "tril", "triu"})
"""Operators whose entries are sums of entries."""
_INCREASING = frozenset({"exp", "softplus", "relu", "logsumexp", "maxall", "max"})
"""Convex and nondecreasing."""
_EVEN = frozenset({"abs", "norm", "norm1", "cosh"})
"""Convex, and nondecreasing in entries >= 0."""


class _Seen(NamedTuple):
    """What is known of a node, and the functions from which it is."""

    kind: int
    facts: tuple[str, ...] = ()


def convexity(hessian: Expr, f: Expr, variable: Expr) -> str:
    """What is known of the convexity of f, from its Hessian or by composition, with the reason; "" where nothing is."""
    known = curvature(hessian, f)
    if not known.reason and (hessian.op == "zeros" or (hessian.op == "num" and hessian.attrs[0] == 0)):
        return ""
    if known.reason and not known.scope:
        return known.reason
    sign, why = composition(f, [variable])
    scope = "" if _defined(f) else " on every convex set on which it is defined"
    if not sign or (known.reason and scope):
        return known.reason
    return f"f is {'convex' if sign > 0 else 'concave'}{scope}: {why}"


def _defined(f: Expr) -> bool:
    """Whether f is visibly defined for all values of its symbols that have the declared properties."""
    for e in postorder(f):
        match e.op:
            case "log" | "sqrt" | "log1p" if not holds(e.args[0], "positive"):
                return False
            case "pow" | "hpow" if e.attrs[0] < 0 or e.attrs[0].denominator > 1:
                matrix = e.op == "pow" and not e.is_scalar
                if not holds(e.args[0], "invertible" if matrix else "positive"):
                    return False
            case "div" | "hdiv" if e.args[1].op not in ("num", "pi", "dim") and not holds(e.args[1], "positive"):
                return False
            case "logdet" if not holds(e.args[0], "invertible"):
                return False
            case "arcsin" | "arccos" | "tan" | "power" | "hpower":
                return False
    return True


def composition(f: Expr, variables: Iterable[Expr]) -> tuple[int, str]:
    """(1, why) where f is convex, (-1, why) where it is concave, (0, "") where neither is seen (or f is affine)."""
    moving = depends_on(variables, f)

    def combine(e: Expr, args: list[_Seen]) -> _Seen:
        if e not in moving:
            return _Seen(CONSTANT)
        return _node(e, args) if e.args else _Seen(AFFINE)

    found = fold(f, combine)
    sign = {CONVEX: 1, CONCAVE: -1, ABOVE: 1, BELOW: -1}.get(found.kind, 0)
    return (sign, ", ".join(dict.fromkeys(found.facts))) if sign else (0, "")


def _node(e: Expr, args: list[_Seen]) -> _Seen:
    facts = tuple(dict.fromkeys(fact for a in args for fact in a.facts))
    kinds = [a.kind for a in args]
    kind, fact = _kind(e, kinds)
    return _Seen(kind, (*facts, fact) if fact else facts)


def _kind(e: Expr, kinds: list[int]) -> tuple[int, str]:
    """The kind of a node from those of its operands, and what it takes of its operator ("" where nothing)."""
    if UNKNOWN in kinds:
        return UNKNOWN, ""
    first = kinds[0]
    match e.op:
        case "neg":
            return _OPPOSITE[first], ""
        case _ if e.op in _SUMS:
            return _sum(e, kinds), ""
        case "mul" | "had" | "div" | "hdiv" | "kron":
            return _product(e, kinds), ""
        case "max" | "min":
            return _extreme(e, kinds)
        case "pow" | "hpow" if e.is_scalar or e.op == "hpow":
            return _power(e, first)
        case "pow" if e.attrs[0] == -1 and first == AFFINE and holds(e.args[0], "spd"):
            return ABOVE, "the inverse of a positive definite matrix is convex"
        case "logdet" if holds(e.args[0], "spd") and first == AFFINE:
            return CONCAVE, "logdet is concave on positive definite matrices"
        case "minall" if first in (AFFINE, CONCAVE):
            return CONCAVE, "min is concave and nondecreasing"
        case "log" | "sqrt" | "log1p" if first in (AFFINE, CONCAVE):
            return CONCAVE, f"{e.op} is concave and nondecreasing"
        case _ if e.op in _INCREASING and first in (AFFINE, CONVEX):
            return CONVEX, f"{'max' if e.op == 'maxall' else e.op} is convex and nondecreasing"
        case _ if e.op in _EVEN and first == AFFINE:
            return CONVEX, f"{e.op} is convex"
        case _ if e.op in _EVEN and first == CONVEX and nonnegative(e.args[0]):
            return CONVEX, f"{e.op} is convex, and nondecreasing where its argument is >= 0"
    return UNKNOWN, ""


def _sum(e: Expr, kinds: list[int]) -> int:
    found = set(kinds) - {CONSTANT}
    if found & {ABOVE, BELOW} and e.op not in ("add", "tr", "T", "diagv"):
        return UNKNOWN
    if e.op in ("tr", "diagv"):
        return {ABOVE: CONVEX, BELOW: CONCAVE}.get(kinds[0], kinds[0])
    found = found - {AFFINE} or found
    return found.pop() if len(found) == 1 else UNKNOWN


def _product(e: Expr, kinds: list[int]) -> int:
    """A product in which one factor varies."""
    places = [i for i, kind in enumerate(kinds) if kind != CONSTANT]
    if len(places) != 1 or (e.op in ("div", "hdiv") and places != [0]):
        return UNKNOWN
    place = places[0]
    kind = kinds[place]
    if kind == AFFINE:
        return AFFINE
    others = [a for i, a in enumerate(e.args) if i != place]
    if kind in (ABOVE, BELOW):
        before = tuple(a for a in e.args[:place] if not a.is_scalar)
        after = tuple(a for a in e.args[place + 1 :] if not a.is_scalar)
        if e.op not in ("mul", "div") or not mirrored(before, after) or not _scale(others):
            return UNKNOWN
        whole = {ABOVE: CONVEX, BELOW: CONCAVE}[kind] if e.is_scalar else kind
        return whole
    bare = [a.args[0] if a.op == "neg" else a for a in others]
    turned = sum(a.op == "neg" for a in others) % 2
    if not all(nonnegative(a) for a in bare):
        return UNKNOWN
    return _OPPOSITE[kind] if turned else kind


def _scale(others: list[Expr]) -> bool:
    return all(nonnegative(a) for a in others if a.is_scalar)


def _extreme(e: Expr, kinds: list[int]) -> tuple[int, str]:
    wanted = CONVEX if e.op == "max" else CONCAVE
    if set(kinds) <= {CONSTANT, AFFINE, wanted}:
        return wanted, f"{e.op} is {'convex' if wanted == CONVEX else 'concave'} and nondecreasing"
    return UNKNOWN, ""


def _power(e: Expr, kind: int) -> tuple[int, str]:
    k, x = e.attrs[0], e.args[0]
    whole = k.denominator == 1
    if k == 1:
        return kind, ""
    if whole and k > 0 and k % 2 == 0 and kind == AFFINE:
        return CONVEX, "even powers are convex"
    if not nonnegative(x):
        return UNKNOWN, ""
    if k > 1 and kind in (AFFINE, CONVEX):
        return CONVEX, "powers are convex and nondecreasing where their base is >= 0"
    if 0 < k < 1 and kind in (AFFINE, CONCAVE):
        return CONCAVE, "roots are concave and nondecreasing"
    if k < 0 and kind in (AFFINE, CONCAVE):
        return CONVEX, "negative powers are convex and nonincreasing where their base is > 0"
    return UNKNOWN, ""
