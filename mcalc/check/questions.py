"""Questions: every claim as an identity between two expressions in the differentials of symbols.

    df = R        d(f) = R
    grad_X = G    tr(G^T V) = Df[P V] for every V, P the projection onto the subspace of X (the identity, mostly)
    jac_X = J     J vec(V) = vec(DF[P V])
    hess_X = H    vec(U)^T H vec(V) = D²f[P U, P V]: with two directions, so that H is seen with both its halves
    d²f = R       D²f[dX, dX] = R

DF[V] is the differential of F with V for dX and zero for the differentials of the other variables. No closed form of
the derivative is needed: the identities are polynomial in V and are proved as they stand.
Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 5, 6, 10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcalc.algebra.expr import Expr, postorder, substitute
from mcalc.algebra.operators import T, app, d, inner, mul, number, symbol, zeros
from mcalc.algebra.structure import structure
from mcalc.calculus.gradient import differential
from mcalc.check.reading import Claim
from mcalc.errors import NotSupported
from mcalc.verify.exact import Differentials


@dataclass(frozen=True, slots=True)
class Question:
    """`target` = `wrap(right-hand side)`."""

    target: Expr
    wrap: Callable[[Expr], Expr]


def question(claim: Claim, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None = None) -> Question:
    """The identity that a claim asks for.

    `base` is an expression to take for the differential of the function (or, for a Hessian, for its gradient) instead
    of the true one. Raises NotSupported where a differential has no closed form.
    """
    match claim.kind:
        case "grad":
            return _gradient(claim, moving, calculus, base)
        case "jac":
            return _jacobian(claim, moving, calculus, base)
        case "hess":
            return _hessian(claim, moving, calculus, base)
        case "second":
            return Question(_second(claim.left, moving, calculus), lambda right: right)
    return Question(claim.left if base is None else base, lambda right: right)


class Calculus:
    """Writes differentials out; with `claimed`, the differentials of some expressions are what the proof says."""

    def __init__(self, claimed: dict[Expr, Expr] | None = None) -> None:
        self.claimed = claimed or {}
        self._memos: dict[tuple[Expr, ...], Differentials] = {}

    def expand(self, variables: tuple[Expr, ...]) -> Callable[[Expr], Expr]:
        """The rule that replaces d(e) by differentials of the operands of e."""
        return lambda e: self.claimed[e] if e in self.claimed else _differential(e, variables)

    def write_out(self, e: Expr, variables: tuple[Expr, ...]) -> Expr:
        """The expression in differentials of symbols."""
        known = self._memos.get(variables)
        if known is None:
            known = self._memos[variables] = Differentials(variables, self.expand(variables), lambda a, b: False)
        written = known.write_out(e)
        if known.free and any(node in known.free for node in postorder(written)):
            raise NotSupported("a differential in this line has no closed form")
        return written


def has_differential(e: Expr) -> bool:
    """Whether a differential stands in e."""
    return any(node.op == "d" for node in postorder(e))


def _differential(e: Expr, variables: tuple[Expr, ...]) -> Expr:
    """d(e), the differentials in e being constant."""
    if not has_differential(e):
        return differential(e, variables)
    inside = [node for node in postorder(e) if node.op == "d"]
    stand_ins = {node: symbol(f"D{i}_", node.shape) for i, node in enumerate(inside)}
    moved = differential(substitute(e, stand_ins), variables)
    return substitute(moved, {stand_in: node for node, stand_in in stand_ins.items()})


def direction(x: Expr, name: str) -> Expr:
    """A free direction of the shape of x."""
    return symbol(f"{name}_", x.shape)


def projected(x: Expr, v: Expr) -> Expr:
    """The direction, in the subspace of x."""
    kind = structure(x) if x.op == "sym" else None
    return v if kind is None else kind.projection(v)


def zero(e: Expr) -> Expr:
    """Zero of the same shape."""
    return number(0) if e.is_scalar else zeros(*e.shape)


def along(f: Expr, x: Expr, v: Expr, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None = None) -> Expr:
    """DF[v], by x alone; x is a symbol, or an expression that stands in f as such."""
    if x.op != "sym":
        return _along_expression(f, x, v, moving, calculus, base)
    variables = moving if x in moving else (*moving, x)
    written = calculus.write_out(d(f) if base is None else base, variables)
    return substitute(written, {d(y): v if y is x else zero(y) for y in variables})


def _along_expression(
    f: Expr, x: Expr, v: Expr, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None
) -> Expr:
    if base is not None:
        put = calculus.write_out(substitute(base, {d(x): v}), moving)
        return substitute(put, {d(y): zero(y) for y in moving})
    stand_in = symbol("R_", x.shape)
    written = calculus.write_out(d(substitute(f, {x: stand_in})), (stand_in,))
    return substitute(substitute(written, {d(stand_in): v}), {stand_in: x})


def vec(e: Expr) -> Expr:
    """vec(E); of a column, itself."""
    return e if e.is_column else app("vec", e)


def _gradient(claim: Claim, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None) -> Question:
    x = _variable(claim)
    v = direction(x, "V")
    return Question(along(claim.left, x, projected(x, v), moving, calculus, base), lambda right: inner(right, v))


def _jacobian(claim: Claim, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None) -> Question:
    x = _variable(claim)
    v = direction(x, "V")
    moved = vec(along(claim.left, x, projected(x, v), moving, calculus, base))
    return Question(moved, lambda right: mul(right, vec(v)))


def _hessian(claim: Claim, moving: tuple[Expr, ...], calculus: Calculus, base: Expr | None) -> Question:
    x = _variable(claim)
    u, v = direction(x, "U"), direction(x, "V")
    first = along(claim.left, x, projected(x, u), moving, calculus) if base is None else inner(base, projected(x, u))
    second = along(first, x, projected(x, v), moving, calculus)
    return Question(second, lambda right: mul(T(vec(u)), right, vec(v)))


def _second(f: Expr, moving: tuple[Expr, ...], calculus: Calculus) -> Expr:
    """D²f[dX, dX]: the directions are constant while f is differentiated again."""
    stand_ins = {d(x): symbol(f"V_{x.name}_", x.shape, _linear(x)) for x in moving}
    first = substitute(calculus.write_out(d(f), moving), stand_ins)
    return substitute(calculus.write_out(d(first), moving), {v: k for k, v in stand_ins.items()})


def _linear(x: Expr) -> frozenset[str]:
    kind = structure(x)
    return frozenset() if kind is None else frozenset([kind.name])


def _variable(claim: Claim) -> Expr:
    assert claim.variable is not None
    return claim.variable
