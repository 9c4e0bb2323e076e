"""Telling a differential: dF = d(F), then one operator after another, the outermost first.

The lines hold d(N) of what has not been differentiated yet. While a line is normalised, such a d(N) is a symbol of N's
shape and structure, so that nothing inside it is touched; it is put back when the line is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mcalc.algebra.expr import Expr, fold, postorder, rebuild, substitute
from mcalc.algebra.operators import d, symbol
from mcalc.algebra.structure import facts
from mcalc.calculus.gradient import moving_nodes
from mcalc.calculus.table import DIFFERENTIALS, differential_of
from mcalc.rewrite.derivation import Step
from mcalc.simplify.normal_form import Normaliser

_STRUCTURAL = frozenset({"add", "neg", "div", "sum", "mean", "block", "index", "vec", "diagm", "diagv", "tril", "triu",
                         "T", "tr", "mul", "had", "hdiv", "kron"})  # fmt: skip
_KEPT = frozenset({"symmetric", "skew", "diagonal", "lower", "upper"})
MOST_NODES = 40
"""Of a larger expression only the last line is told."""
LONGEST_LINE = 240


def unfold(
    context: Normaliser,
    polish: Callable[[Expr], Expr],
    root: Expr,
    variables: Sequence[Expr],
    left: str,
    detail: str,
) -> list[Step]:
    """The lines `left` = …, without the last one, in which only d(X) of the variables are left."""
    moving = moving_nodes(root, variables)
    order = [n for n in postorder(root) if n in moving and n not in variables]
    if root not in moving or not order or len(order) > MOST_NODES or detail == "none":
        return []
    place = {n: _place(k, n) for k, n in enumerate(order)} | {x: d(x) for x in variables}
    back = {p: d(n) for n, p in place.items()}
    inside: dict[Expr, Expr] = {d(n): p for n, p in place.items()}
    current, lines, pending = place[root], list[Step](), list[str]()
    for node in reversed(order):
        if place[node] not in set(postorder(current)):
            continue
        piece = fold(differential_of(node, moving.__contains__), rebuild, dict(inside))
        current = context(substitute(current, {place[node]: piece}))
        pending.append(DIFFERENTIALS[node.op].rule)
        movers = sum(a in moving for a in node.args)
        if detail == "full" or node.op not in _STRUCTURAL or (movers > 1 and node.op not in ("add", "block")):
            shown = substitute(polish(current), back)
            if shown.length <= LONGEST_LINE:
                _line(lines, left, shown, pending)
                pending = []
    return lines


def _line(lines: list[Step], left: str, right: Expr, rules: Iterable[str]) -> None:
    if not lines or lines[-1].right is not right:
        lines.append(Step(left, right, tuple(dict.fromkeys(rules))))


def _place(k: int, node: Expr) -> Expr:
    return symbol(f"d({k})", node.shape, frozenset(facts(node) & _KEPT) if not node.is_scalar else frozenset())
