"""Where a Hessian is visibly positive semidefinite, and why.

`curvature(H)` reads a Hessian from the leaves up: a diagonal of entries >= 0, a Gram matrix A^T A, A^T P A with P psd,
sums of psd matrices, Kronecker and Hadamard products of psd matrices (Schur), and diag(p) - p p^T for the probabilities
p of a softmax (v^T (diag(p) - p p^T) v is the variance of v under p) are psd. The verdict is a theorem; where none
applies, nothing is said. Negative semidefinite is the same of -H.

References: Boyd & Vandenberghe, Convex Optimization, ch. 3.1.4 and 3.2; Horn & Johnson, Matrix Analysis, ch. 7.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcalc.algebra.expr import Expr, fold, postorder
from mcalc.algebra.structure import holds, mirrored, partners

_NONNEGATIVE = frozenset({"abs", "relu", "exp", "sigmoid", "softplus", "softmax", "cosh", "sqrt", "norm", "norm1",
                          "eq", "ge", "gt", "le", "lt", "ones", "num", "pi", "dim", "eye", "unit"})  # fmt: skip
_MONOTONE = frozenset({"mul", "had", "add", "div", "hdiv", "power", "hpower", "T", "sum", "mean", "vec", "diagv",
                       "diagm", "tr", "max", "maxall", "minall", "index", "block", "kron", "tril",
                       "triu"})  # fmt: skip
"""Operators that make entries >= 0 of entries >= 0."""

_SMOOTH = frozenset({"sym", "num", "pi", "dim", "eye", "ones", "zeros", "unit", "K", "add", "neg", "mul", "had", "T",
                     "kron", "exp", "sin", "cos", "sinh", "cosh", "tanh", "arctan", "sigmoid", "softplus", "erf", "tr",
                     "sum", "mean", "logsumexp", "softmax", "vec", "diagm", "diagv", "tril", "triu", "block", "index",
                     "det"})  # fmt: skip
"""Operators that are smooth on the whole space."""


@dataclass(frozen=True, slots=True)
class Curvature:
    """`sign` is 1 (psd: f is convex), -1 (f is concave) or 0 (nothing is known); `reason` says why."""

    sign: int
    reason: str
    scope: str = ""
    """Of what it is said, where not of the whole space."""


UNKNOWN = Curvature(0, "")


def curvature(hessian: Expr, f: Expr) -> Curvature:
    """What is known of the sign of the Hessian of f.

    f is called convex where it is smooth on the whole space; elsewhere a psd Hessian says it of the convex sets on
    which f is smooth (-abs(x) has the Hessian 0, and is not convex).
    """
    if hessian.op == "zeros" or (hessian.op == "num" and hessian.attrs[0] == 0):
        return UNKNOWN
    facts: dict[Expr, tuple[bool, str]] = {}
    for sign, e in ((1, hessian), (-1, hessian.args[0] if hessian.op == "neg" else None)):
        if e is None:
            continue
        known, why = fold(e, _semidefinite, facts)
        if known:
            word = "convex" if sign > 0 else "concave"
            matrix = "the Hessian" if sign > 0 else "minus the Hessian"
            scope = "" if _smooth(f) else " on every convex set on which it is smooth"
            fact = f"{matrix} is {'>= 0' if e.is_scalar else 'positive semidefinite'}"
            return Curvature(sign, f"f is {word}{scope}: {fact}" + (f" ({why})" if why else ""), scope)
    return UNKNOWN


def _smooth(f: Expr) -> bool:
    """Whether f is visibly defined and smooth everywhere."""
    squared = {n.args[0] for n in postorder(f) if n.op == "pow" and n.attrs[0] == 2 and n.args[0].op == "norm"}
    for node in postorder(f):
        match node.op:
            case "pow" | "hpow" if node.attrs[0] >= 0 and node.attrs[0].denominator == 1:
                continue
            case "div" if node.args[1].op in ("num", "pi", "dim"):
                continue
            case "norm" if node in squared:
                continue
        if node.op not in _SMOOTH:
            return False
    return True


def nonnegative(e: Expr) -> bool:
    """Whether every entry is visibly >= 0."""
    return fold(e, _entries)


def _entries(e: Expr, below: list[bool]) -> bool:
    if holds(e, "positive") or e.op in _NONNEGATIVE:
        return True
    if e.op in _MONOTONE and below and all(below):
        return True
    match e.op:
        case "pow" | "hpow":
            return (e.is_scalar or e.op == "hpow") and (e.attrs[0] % 2 == 0 or below[0])
        case "add" if len(e.args) == 2 and e.args[1].op == "neg":
            first, second = e.args[0], e.args[1].args[0]
            square = second.op in ("hpow", "pow") and second.attrs[0] == 2 and second.args[0] is first
            return (first.op in ("num", "ones") or (square and _below_one(first))) and _below_one(second)
        case "mul":
            return _gram(e)
        case "had":
            return all(below[i] or e.args.count(a) % 2 == 0 for i, a in enumerate(e.args))
    return False


def _below_one(e: Expr) -> bool:
    """1 - sigmoid(x), 1 - softmax(x), 1 - tanh(x).^2."""
    if e.op in ("hpow", "pow") and e.attrs[0] == 2:
        return e.args[0].op in ("tanh", "sin", "cos", "erf", "sigmoid", "softmax")
    return e.op in ("sigmoid", "softmax")


def _gram(e: Expr) -> bool:
    """x^T x and x^T A x with A psd."""
    factors = tuple(a for a in e.args if not a.is_scalar)
    if any(a.is_scalar for a in e.args) or not mirrored(factors, factors):
        return False
    return len(factors) % 2 == 0 or holds(factors[len(factors) // 2], "psd")


def _semidefinite(e: Expr, below: list[tuple[bool, str]]) -> tuple[bool, str]:
    """(psd, why), from what is known of the operands."""
    if e.is_scalar:
        return nonnegative(e), ""
    if not e.is_square:
        return False, ""
    if holds(e, "psd"):
        return True, _form(e)
    match e.op:
        case "diagm" if nonnegative(e.args[0]):
            return True, "a diagonal of entries >= 0"
        case "add":
            if all(known for known, _ in below):
                return True, _joined(below, "a sum of such")
            return _covariance(e)
        case "mul":
            return _sandwich(e, below)
        case "div":
            return below[0][0] and nonnegative(e.args[1]), below[0][1]
        case "kron" | "had" if all(known for known, _ in below):
            return True, f"a {'Kronecker' if e.op == 'kron' else 'Hadamard'} product of such"
        case "T":
            return below[0]
        case "pow" if not e.is_scalar and e.attrs[0] == -1:
            return below[0]
    return False, ""


def _form(e: Expr) -> str:
    """Why a product that is known to be psd is."""
    factors = [a for a in e.args if not a.is_scalar] if e.op == "mul" else []
    if len(factors) < 2:
        return ""
    middle = factors[len(factors) // 2]
    return f"A^T D A with D = {middle} positive semidefinite" if len(factors) % 2 else "a Gram matrix A^T A"


def _joined(below: list[tuple[bool, str]], otherwise: str) -> str:
    reasons = list(dict.fromkeys(why for _, why in below if why))
    return "; ".join(reasons) if reasons else otherwise


def _sandwich(e: Expr, below: list[tuple[bool, str]]) -> tuple[bool, str]:
    """s A^T P A with s >= 0 and P psd."""
    for a in e.args:
        if a.is_scalar and not nonnegative(a):
            return False, ""
    inside = [(a, known) for a, known in zip(e.args, below, strict=True) if not a.is_scalar]
    while len(inside) > 1 and partners(inside[0][0], inside[-1][0]):
        inside = inside[1:-1]
        if not inside:
            return True, "a Gram matrix"
    if len(inside) == 1 and inside[0][1][0]:
        inner, (_, why) = inside[0]
        whole = len([a for a in e.args if not a.is_scalar]) == 1
        if whole:
            return True, why
        return True, f"A^T D A with D = {inner}" + (f", {why}" if why else "")
    return False, ""


def _covariance(e: Expr) -> tuple[bool, str]:
    """diag(p) - p p^T of a softmax."""
    if len(e.args) != 2 or e.args[0].op != "diagm" or e.args[1].op != "neg":
        return False, ""
    p, outer = e.args[0].args[0], e.args[1].args[0]
    product = outer.op == "mul" and len(outer.args) == 2 and outer.args[0] is p and partners(p, outer.args[1])
    if p.op == "softmax" and product:
        return True, "diag(p) - p p^T is the covariance of the probabilities p"
    return False, ""
