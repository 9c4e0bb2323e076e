"""The differential of anything, and the matrix of what is linear in dX: the two halves of a Jacobian.

`differential_form(context, F, variables)` substitutes DIFFERENTIALS forward, operands before operators: d(N) of every
node is written in the d(X) of the variables. There is no second set of rules: a gradient's backward pass reads the same
rows. `coefficient(context, L, dX)` reads M off an expression L that is linear in dX, vec(L) = M vec(dX), by VEC_LAWS.

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 5.3 and 9.2 (first identification).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcalc.algebra.expr import Expr, depends_on, fold, postorder, rebuild
from mcalc.algebra.operators import T, add, app, d, mul
from mcalc.algebra.shape import ONE, Dim
from mcalc.calculus.gradient import moving_nodes
from mcalc.calculus.table import differential_of
from mcalc.calculus.vec_laws import VEC_LAWS, VecLaw, entries, identity, zero
from mcalc.errors import NotSupported
from mcalc.simplify.normal_form import Normaliser


def differential_form(context: Normaliser, root: Expr, variables: Iterable[Expr]) -> Expr:
    """dF in normal form, linear in the d(X) of the variables (all of them symbols); zeros where F does not move."""
    wanted = tuple(variables)
    moving = moving_nodes(root, wanted)
    if root not in moving:
        return zero(root.shape)
    written: dict[Expr, Expr] = {d(x): d(x) for x in wanted}
    for node in postorder(root):
        if node in moving and d(node) not in written:
            written[d(node)] = context(fold(differential_of(node, moving.__contains__), rebuild, written))
    return written[d(root)]


def coefficient(context: Normaliser, linear: Expr, atom: Expr) -> Expr:
    """M in normal form with vec(L) = M vec(atom), where the other differentials are at rest.

    L is linear in `atom`. Raises NotSupported for an operator that is not linear in a moving operand.
    """
    size = entries(atom.shape)
    moving = depends_on([atom], linear)
    found: dict[Expr, Expr] = {atom: identity(size)}
    if linear not in moving:
        return zero((entries(linear.shape), size))
    for node in postorder(linear):
        if node not in moving or node in found:
            continue
        row = VEC_LAWS.get(node.op)
        if row is None:
            raise NotSupported(f"{node.op} is not linear: its differential has no Jacobian")
        stacked = _stacked(node, moving, found, size) if node.op == "block" else None
        if stacked is None:
            terms = [_moved(node, k, row, found) for k, a in enumerate(node.args) if a in moving]
            stacked = add(*terms)
        found[node] = context(stacked)
    return found[linear]


def _moved(e: Expr, k: int, row: VecLaw, found: dict[Expr, Expr]) -> Expr:
    """The share of operand k: L found[operand]; of A diag(z) w, A diag(w) found[z]."""
    arg = e.args[k]
    if e.op == "mul" and arg.op == "diagm":
        scalars = [a for a in e.args if a.is_scalar]
        before = [a for a in e.args[:k] if not a.is_scalar]
        after = [a for a in e.args[k + 1 :] if not a.is_scalar]
        if after and after[-1].is_column:
            return mul(*scalars, *before, app("diagm", mul(*after)), found[arg.args[0]])
        if before and before[0].shape[0] is ONE:
            turned = [T(a) for a in reversed(after)]
            return mul(*scalars, *turned, app("diagm", T(mul(*before))), found[arg.args[0]])
    return mul(row.of(e, k), found[arg])


def _stacked(e: Expr, moving: set[Expr], found: dict[Expr, Expr], size: Dim) -> Expr | None:
    """The Jacobian of one line of blocks: the Jacobians of the blocks, one above the other."""
    row = len(e.attrs) == 1
    if not row and not e.is_column:
        return None
    parts: Sequence[Expr] = [found[a] if a in moving else zero((entries(a.shape), size)) for a in e.args]
    return app("block", *parts, attrs=(1,) * len(parts))


def laws_used(linear: Expr, atom: Expr) -> tuple[str, ...]:
    """The names of the laws by which M is read off, outermost first, linearity last of all left out."""
    moving = depends_on([atom], linear)
    names = [VEC_LAWS[n.op].rule for n in postorder(linear) if n in moving and n is not atom]
    return tuple(dict.fromkeys(n for n in reversed(names) if n not in ("vec of a sum", "vec of a column")))
