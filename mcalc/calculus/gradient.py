"""From df to the gradient: peel one operator at a time, always the outermost that is left.

The differential of a scalar f is kept as  df = sum over nodes N of tr(C_N^T d(N)),  beginning with df = d(f). One peel
takes the topologically last node N, replaces d(N) by its differential and moves every factor to the other side by a
trace law; the cotangents of N's operands accumulate per node, so the cost is linear in the graph. When only the
differentials of the variables are left, df = tr(G^T dX), and the gradient is read off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcalc.algebra.expr import Expr, depends_on, postorder
from mcalc.algebra.operators import add, d, inner, mul, number, zeros
from mcalc.algebra.shape import SCALAR
from mcalc.calculus.adjoint import ADJOINTS
from mcalc.calculus.table import CONSTANT, differential_of, row_of
from mcalc.errors import NotSupported
from mcalc.simplify.normal_form import Normaliser, Rewrite


@dataclass(slots=True)
class Peel:
    """One operator taken off: tr(C^T d(node)) = tr(C^T differential) = sum of tr(C_k^T d(operand_k))."""

    node: Expr
    cotangent: Expr
    differential: Expr
    parts: list[tuple[Expr, Expr]]
    rule: str
    laws: tuple[str, ...]
    rewrites: list[Rewrite]
    width: int = 0
    """How many terms df has after the peel."""


Frontier = dict[Expr, tuple[Expr, ...]]
"""df as it stands: node N to the parts of its cotangent."""


def advance(frontier: Frontier, peel: Peel) -> None:
    """Take the peeled node off the frontier; its operands receive their parts."""
    del frontier[peel.node]
    for arg, part in peel.parts:
        frontier[arg] = (*frontier.get(arg, ()), part)


@dataclass(slots=True)
class Backward:
    """The peels of one derivation and the cotangent of every variable (None where f does not depend on it)."""

    root: Expr
    peels: list[Peel]
    gradients: dict[Expr, Expr | None]


def moving_nodes(root: Expr, variables: Iterable[Expr]) -> set[Expr]:
    """The nodes whose differential is not zero."""
    moving = depends_on(variables, root)
    if not any(node.op in CONSTANT for node in moving):
        return moving
    wanted, result = set(variables), set[Expr]()
    for node in postorder(root):
        if node in wanted or (node.op not in CONSTANT and any(a in result for a in node.args)):
            result.add(node)
    return result


def backward(context: Normaliser, root: Expr, variables: Sequence[Expr]) -> Backward:
    """Peel a scalar expression down to the differentials of the variables."""
    moving = moving_nodes(root, variables)
    order = [node for node in postorder(root) if node in moving]
    frontier: Frontier = {}
    if root in moving:
        frontier[root] = (number(1),)
    stop = set(variables)
    peels: list[Peel] = []
    for node in reversed(order):
        if node in stop or node not in frontier:
            continue
        cotangent, collected = collect(context, node, frontier[node])
        peel = _peel(context, node, cotangent, moving)
        advance(frontier, peel)
        peel.rewrites[:0] = collected
        peel.rewrites.extend(context.rewrites)
        context.rewrites.clear()
        peel.width = len(frontier)
        peels.append(peel)
    gradients: dict[Expr, Expr | None] = {}
    last: list[Rewrite] = []
    for x in variables:
        if x in frontier:
            gradients[x], collected = collect(context, x, frontier[x])
            last.extend(collected)
        else:
            gradients[x] = None
    last.extend(context.rewrites)
    context.rewrites.clear()
    if peels:
        peels[-1].rewrites.extend(last)
    return Backward(root, peels, gradients)


def collect(context: Normaliser, node: Expr, parts: tuple[Expr, ...]) -> tuple[Expr, list[Rewrite]]:
    """The cotangent of a node from its parts: tr(A^T dN) + tr(B^T dN) = tr((A + B)^T dN)."""
    if len(parts) == 1:
        return parts[0], []
    total = context(add(*parts))
    before = add(*(inner(part, d(node)) for part in parts))
    return total, [Rewrite("linearity", before, inner(total, d(node)))]


def _peel(context: Normaliser, node: Expr, cotangent: Expr, moving: set[Expr]) -> Peel:
    differential = differential_of(node, moving.__contains__)
    stop = {node, *node.args}
    for arg in node.args:
        stop.update(arg.args)
    parts: dict[Expr, Expr] = {}
    laws: list[str] = []
    pending = [(differential, cotangent)]
    while pending:
        e, c = pending.pop()
        if e.op == "d":
            old = parts.get(e.args[0])
            parts[e.args[0]] = c if old is None else add(old, c)
            continue
        if e.op == "zeros":
            continue
        if e.op not in ADJOINTS:
            raise NotSupported(f"{e.op} is not linear: its differential has no adjoint")
        row = ADJOINTS[e.op]
        active = [(k, a) for k, a in enumerate(e.args) if _carries(a, stop)]
        if e.op == "mul" and all(a.is_scalar for a in e.args):
            pass
        elif row.rule not in laws and e.op not in ("neg", "add", "div"):
            laws.append(row.rule)
        for k, a in reversed(active):
            pending.append((a, row.of(e, k, c)))
    result = [(arg, context(c)) for arg, c in parts.items()]
    told = add(*(inner(c, d(arg)) for arg, c in result)) if result else number(0)
    rewrites = [
        Rewrite(row_of(node.op).rule, inner(cotangent, d(node)), inner(cotangent, differential)),
        Rewrite(laws[0] if laws else "linearity", inner(cotangent, differential), told),
    ]
    return Peel(node, cotangent, differential, result, row_of(node.op).rule, tuple(laws), rewrites)


def _carries(e: Expr, stop: set[Expr]) -> bool:
    """Whether a differential occurs in e, above the operands of the node that is being peeled."""
    pending = [e]
    while pending:
        node = pending.pop()
        if node.op == "d":
            return True
        if node not in stop:
            pending.extend(node.args)
    return False


def differential(e: Expr, variables: Iterable[Expr] | None = None) -> Expr:
    """d(e), one level: an expression in the differentials of its operands that move (all symbols, by default)."""
    if variables is None:
        variables = [s for s in postorder(e) if s.op == "sym"]
    moving = moving_nodes(e, variables)
    return differential_of(e, moving.__contains__)


def pairing(context: Normaliser, cotangent: Expr, moving: Expr) -> Expr:
    """tr(C^T dN), written as a person would: coefficient in front, c^T dx for vectors, c ds for scalars."""
    from mcalc.simplify.terms import build, term_of

    if moving.is_scalar:
        return moving if cotangent.op == "num" and cotangent.attrs[0] == 1 else mul(cotangent, moving)
    term = term_of(cotangent)
    front = build(abs(term.coefficient), term.scalars, (), SCALAR)
    factors = [context.transpose(f) for f in reversed(term.factors)]
    if moving.shape[1] is SCALAR[0]:
        body = mul(*factors, moving)
    elif moving.shape[0] is SCALAR[0]:
        body = mul(moving, *factors)
    else:
        from mcalc.algebra.operators import app

        body = app("tr", mul(*factors, moving))
    if not (front.op == "num" and front.attrs[0] == 1):
        body = mul(front, body)
    if term.coefficient < 0:
        from mcalc.algebra.operators import neg

        return neg(body)
    return body


def zero_of(x: Expr) -> Expr:
    """The zero gradient."""
    return number(0) if x.shape == SCALAR else zeros(*x.shape)
