"""Derivatives by the independent entries of a structured matrix: vech instead of vec.

    X symmetric: vec(X) = D vech(X), D = dup(n)      X lower: vec(X) = L^T vech(X), L = elim(n)
    X upper: the same of X^T                         vech(F) = L vec(F) of a symmetric or lower F

With vec(dF) = J vec(dX), vec(dF) = J D vech(dX) and, of a symmetric F, vech(dF) = L J D vech(dX); the Hessian is
D^T H D. `Frame` holds the two matrices that a Jacobian of vec is multiplied by.

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 3.8 and 9.6; Magnus, Linear Structures, ch. 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, commutation, duplication, elimination, mul
from mcalc.algebra.structure import holds, structure
from mcalc.calculus.vec_laws import vec
from mcalc.errors import NotSupported


class Frame(NamedTuple):
    """left J right; None where there is nothing to multiply by."""

    left: Expr | None = None
    right: Expr | None = None


def independent(x: Expr) -> Expr | None:
    """M with vec(Z) = M vech(Z) for every Z of the structure of X; None where X has no vech."""
    kind, n = structure(x), x.shape[0]
    match kind.name if kind else "":
        case "symmetric":
            return duplication(n)
        case "lower":
            return T(elimination(n))
        case "upper":
            return mul(commutation(n, n), T(elimination(n)))
    return None


def stacking(e: Expr) -> Expr:
    """S with vech(Z) = S vec(Z), for Z of the structure of e; of an upper triangular symbol vech(Z^T)."""
    n = e.shape[0]
    kind = structure(e) if e.op == "sym" else None
    lower = elimination(n)
    return mul(lower, commutation(n, n)) if kind is not None and kind.name == "upper" else lower


def stack_word(e: Expr, independently: Iterable[Expr]) -> str:
    """How a label says that e is stacked: "vec", "vech", or "vecht" for vech of the transpose."""
    if e not in independently:
        return "vec"
    return "vech" if stacking(e).op == "elim" else "vecht"


def stacked(change: Expr, e: Expr, independently: Iterable[Expr] = ()) -> Expr:
    """vec(change), or vech(change) where e, whose change it is, is stacked by its independent entries."""
    return mul(stacking(e), vec(change)) if e in independently else vec(change)


def legend(x: Expr, independently: Iterable[Expr]) -> tuple[str, ...]:
    """What vech of a variable is, in words."""
    whole = independent(x) if x in independently else None
    if whole is None:
        return ()
    turned = "^T" if stack_word(x, independently) == "vecht" else ""
    side = "above" if turned else "below"
    return (
        f"vech({x}{turned}) has the entries of {x} on and {side} the diagonal: vec({x}) = {whole} vech({x}{turned})",
    )


def half_vectorised(root: Expr, variables: Iterable[Expr]) -> tuple[Expr, ...]:
    """The variables that have a vech, and the root where it is a symmetric or lower triangular matrix.

    Raises NotSupported where none of the variables has one.
    """
    found, without = [], []
    for x in variables:
        kind = structure(x)
        if independent(x) is not None:
            found.append(x)
        elif kind is not None:
            raise NotSupported(_NONE[kind.name].format(x=x.name), hint=_INSTEAD[kind.name], code="vech")
        else:
            without.append(x.name)
    if not found:
        names = " and ".join(without)
        raise NotSupported(
            f"vech stacks the independent entries of a structured matrix, and {names} is not declared as one",
            hint=f'--where "{without[0]}: n x n symmetric" (or spd, psd, lower, upper)',
            code="vech",
        )
    whole = not root.is_scalar and root.is_square and (holds(root, "symmetric") or holds(root, "lower"))
    return (*found, root) if whole else tuple(found)


_NONE = {
    "diagonal": "the independent entries of a diagonal {x} are its diagonal, not vech({x})",
    "skew": "the independent entries of a skew {x} stand below its diagonal, and are not vech({x})",
}
_INSTEAD = {
    "diagonal": "write diag(x) for it, and differentiate by the vector x",
    "skew": "without --vech the derivative is that in the subspace of skew matrices",
}


__all__ = ["Frame", "half_vectorised", "independent", "legend", "stack_word", "stacked", "stacking"]
