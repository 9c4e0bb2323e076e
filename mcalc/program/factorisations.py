"""Sharing factorisations: what is computed of one symmetric matrix by solves, inverses and log-determinants.

In: arrays; out: the same values, where everything that needs K reads one Cholesky factor L L^T = K:

    K^-1 = M^T M, M = L^-1         K^-1 b = M^T (M b)         logdet(K) = -2 sum(log(diag(M)))

L is read by M alone, so that M takes over its memory.

M is made of products of blocks, by NumPy alone. At 200 to 1000 rows in float64 value and gradient take 1.1 to 1.3 times
as long as by LAPACK's potrf, potrs and potri with a workspace (1.6 without one), and a third to a half of the time of
np.linalg.solve, cholesky and inv. LAPACK itself is in SciPy, and scipy.linalg takes 0.12 s to import.

A matrix that is symmetric, but need not be positive definite (a kernel matrix, say), is factorised by Cholesky if that
succeeds, else each value is computed the general way. What belongs to other matrices stays as it is: NumPy has no LU
factorisation to share. Gradients of `--format python` are made without this pass: they
show formulas as one writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.share import substituted

_READERS = frozenset(("solve", "inv", "cholesky", "logdet"))


def share_factorisations(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with shared factorisations."""
    readers: dict[Array, dict[str, list[Array]]] = {}
    live = list(arrays(*roots))
    for a in live:
        if a.op in _READERS:
            readers.setdefault(a.args[0], {}).setdefault(a.op, []).append(a)
    replacement: dict[Array, Array] = {}
    for k, found in readers.items():
        if "cholesky" in found and len(found) > 1:
            replacement.update(_definite(b, found, live))
        elif k in b.symmetric and "inv" in found and len(found) > 1:
            replacement.update(_symmetric(b, k, found))
    return [substituted(b, root, replacement) for root in roots] if replacement else list(roots)


def _definite(b: Builder, found: dict[str, list[Array]], live: Sequence[Array]) -> dict[Array, Array]:
    """What stands for the readers of a positive definite matrix."""
    m = b.node("lower_inverse", found["cholesky"][0])
    logs = _logarithms(b, b.find("log_diagonal", found["cholesky"][0]), b.node("log_diagonal", m), live)
    inverse = b.node("lower_gram", m)
    solves = found.get("solve", [])
    halves = {a: b.node("matmul", b.view(m), b.node("matmul", m, a.args[1])) for a in solves}
    whole = {a: b.node("matmul", inverse, a.args[1]) for a in solves if a.rank == 2}
    one = sum(map(b.work, whole.values())) + (0 if "inv" in found else b.work(inverse))
    two = sum(b.work(halves[a]) + b.work(halves[a].args[1]) for a in whole)
    return {**logs, **dict.fromkeys(found.get("inv", ()), inverse), **halves, **(whole if one < two else {})}


def _logarithms(b: Builder, old: Array | None, new: Array, live: Sequence[Array]) -> dict[Array, Array]:
    """The readers of log(det(L)), reading the negative of log(det(L^-1))."""
    if old is None:
        return {}
    minus = b.node("scale", new, attrs=(Fraction(-1), ()))
    replacement = {old: minus}
    for a in live:
        if old not in a.args:
            continue
        if a.op == "sum":
            pairs = zip(a.attrs, a.args, strict=True)
            replacement[a] = b.array(b.sum((-c, new) if x is old else (c, x) for c, x in pairs))
        elif a.op == "scale" and old not in a.args[:1] and a.attrs[1][a.args.index(old) - 1] == 1:
            operands = (new if x is old else x for x in a.args)
            replacement[a] = b.node("scale", *operands, attrs=(-a.attrs[0], a.attrs[1]))
    return replacement


def _symmetric(b: Builder, k: Array, found: dict[str, list[Array]]) -> dict[Array, Array]:
    """What stands for the readers of a symmetric matrix of which the inverse is computed."""
    factor = b.node("try_cholesky", k)
    inverse = b.node("inv_from", factor, k)
    return {
        **dict.fromkeys(found["inv"], inverse),
        **{a: b.node("matmul", inverse, a.args[1]) for a in found.get("solve", ())},
        **{a: b.node("logdet_from", factor, k) for a in found.get("logdet", ())},
    }
