"""The shortest form of an answer that mcalc knows how to write.

Candidates: the normal form; what its sums have in common taken out; the same after expanding. Each is polished for
reading, and the shortest wins; of equals, the first.
"""

from __future__ import annotations

from mcalc.algebra.expr import Expr
from mcalc.simplify.expand import expand
from mcalc.simplify.factor import factor
from mcalc.simplify.normal_form import Normaliser, Rewrite
from mcalc.simplify.polish import Polisher

LONGEST = 1500
"""Expressions longer than this are written as they stand: nobody reads them."""


def shorten(context: Normaliser, polish: Polisher, e: Expr) -> tuple[Expr, list[Rewrite]]:
    """(display form, rewrites from the normal form `e` to it)."""
    shown = polish(e)
    if e.length > LONGEST:
        return shown, [Rewrite("write out", e, shown)] if shown is not e else []
    mark = len(context.rewrites)

    def worth(x: Expr) -> int:
        return polish(x).length

    best, best_shown, path = e, shown, list[Rewrite]()
    closed = frozenset(normal for normal in polish.given if normal.op == "add" and not normal.is_scalar)
    tried: set[Expr] = set()
    for opened in (None, frozenset[Expr](), closed):
        del context.rewrites[mark:]
        candidate = e if opened is None else expand(context, e, opened)
        if candidate in tried:
            continue
        tried.add(candidate)
        candidate = factor(context, candidate, worth)
        written = polish(candidate)
        if written.length < best_shown.length:
            best, best_shown, path = candidate, written, context.rewrites[mark:]
    del context.rewrites[mark:]
    rewrites = list(path)
    if best is not e:
        rewrites.append(Rewrite("collect and factor", e, best))
    if best_shown is not best:
        rewrites.append(Rewrite("write out", best, best_shown))
    return best_shown, rewrites
