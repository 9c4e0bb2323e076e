"""Sharing factorisations: what is computed of one symmetric matrix by solves, inverses and log-determinants.

In: arrays; out: the same values, where everything that needs K reads one Cholesky factor L L^T = K:

    K^-1 = M^T M, M = L^-1         K^-1 b = M^T (M b)         logdet(K) = 2 sum(log(diag(L)))

M is made of products of blocks. That takes 1.0 to 1.3 times as long as LAPACK's potrf, potrs and potri at 100 to 1000
rows, and a third of the time of np.linalg.solve, cholesky and inv; LAPACK itself is in SciPy, whose linalg takes longer
to import than most models to fit.

A matrix that is symmetric, but need not be positive definite (a kernel matrix, say), is factorised by Cholesky if that
succeeds, else each value is computed the general way. What belongs to other matrices stays as it is: NumPy has no LU
factorisation to share. Models' modules are made with this pass; `--format python` shows formulas as one writes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.share import substituted

_READERS = frozenset(("solve", "inv", "cholesky", "logdet"))


def share_factorisations(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with shared factorisations."""
    readers: dict[Array, dict[str, list[Array]]] = {}
    for a in arrays(*roots):
        if a.op in _READERS:
            readers.setdefault(a.args[0], {}).setdefault(a.op, []).append(a)
    replacement: dict[Array, Array] = {}
    for k, found in readers.items():
        if "cholesky" in found and len(found) > 1:
            replacement.update(_definite(b, found))
        elif k in b.symmetric and "inv" in found and len(found) > 1:
            replacement.update(_symmetric(b, k, found))
    return [substituted(b, root, replacement) for root in roots] if replacement else list(roots)


def _definite(b: Builder, found: dict[str, list[Array]]) -> dict[Array, Array]:
    """What stands for the readers of a positive definite matrix."""
    m = b.node("lower_inverse", found["cholesky"][0])
    inverse = b.node("lower_gram", m)
    solves = found.get("solve", [])
    halves = {a: b.node("matmul", b.view(m), b.node("matmul", m, a.args[1])) for a in solves}
    whole = {a: b.node("matmul", inverse, a.args[1]) for a in solves if a.rank == 2}
    one = sum(map(b.work, whole.values())) + (0 if "inv" in found else b.work(inverse))
    two = sum(b.work(halves[a]) + b.work(halves[a].args[1]) for a in whole)
    return {**dict.fromkeys(found.get("inv", ()), inverse), **halves, **(whole if one < two else {})}


def _symmetric(b: Builder, k: Array, found: dict[str, list[Array]]) -> dict[Array, Array]:
    """What stands for the readers of a symmetric matrix of which the inverse is computed."""
    factor = b.node("try_cholesky", k)
    inverse = b.node("inv_from", factor, k)
    return {
        **dict.fromkeys(found["inv"], inverse),
        **{a: b.node("matmul", inverse, a.args[1]) for a in found.get("solve", ())},
        **{a: b.node("logdet_from", factor, k) for a in found.get("logdet", ())},
    }
