"""Neighbouring factors of a product written as one, where that is shorter.

X (X^T X)^-1 = pinv(X)^T, A e(j,m) = A[:,j], ones(n)^T A = sum(A, axis=0), A^-1 B^-1 = (B A)^-1, A^T B^T = (B A)^T.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import (
    T,
    app,
    inv,
    mul,
)
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import holds
from mcalc.simplify.display import repeated
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.products import _chain_of
from mcalc.simplify.terms import base_and_exponent

if TYPE_CHECKING:
    from mcalc.simplify.polish import Polisher


def gathered(polish: Polisher, chain: Sequence[Expr], shown: list[Expr]) -> list[Expr]:
    """The factors of a product, neighbours gathered where that is shorter."""
    if len(chain) < 2:
        return shown
    pairs = list(zip(chain, shown, strict=True))
    pairs = pseudoinverses(polish, pairs)
    pairs = columns(polish, pairs)
    pairs = totals(polish, pairs)
    pairs = runs(polish, pairs, _is_inverse)
    pairs = runs(polish, pairs, _is_transpose)
    return repeated([shown_factor for _, shown_factor in pairs])


def pseudoinverses(polish: Polisher, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
    """X (X^T X)^-1 = pinv(X)^T and (X^T X)^-1 X^T = pinv(X), X of full column rank."""
    result: list[tuple[Expr, Expr]] = []
    index = 0
    while index < len(pairs):
        f, shown = pairs[index]
        after = pairs[index + 1][0] if index + 1 < len(pairs) else None
        if after is not None and _gram(polish.context, f, after, polish.context.transpose(after)):
            inner = polish.context.transpose(after)
            new = app("pinv", inner) if inner.op != "T" else T(app("pinv", inner.args[0]))
            result.append((new, new))
            index += 2
            continue
        before = result[-1][0] if result else None
        if before is not None and _gram(polish.context, f, polish.context.transpose(before), before):
            new = T(app("pinv", before)) if before.op != "T" else app("pinv", before.args[0])
            result[-1] = (new, new)
        else:
            result.append((f, shown))
        index += 1
    return result


def columns(polish: Polisher, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
    """A e(j,m) = A[:,j] and e(i,n)^T A = A[i,:]."""
    result: list[tuple[Expr, Expr]] = []
    for f, shown in pairs:
        if result and f.op == "unit" and result[-1][0].op != "unit":
            left, left_shown = result[-1]
            if left.op == "index" and left.attrs[1] is None and left_shown.op == "index":
                column = app("index", left_shown.args[0], attrs=(left_shown.attrs[0], f.attrs[0]))
            elif left.op == "T":
                column = T(app("index", polish(left.args[0]), attrs=(f.attrs[0], None)))
            else:
                column = app("index", left_shown, attrs=(None, f.attrs[0]))
            result[-1] = (column, column)
        elif result and _is_unit_row(result[-1][0]) and f.op != "unit":
            i = result[-1][0].args[0].attrs[0]
            if f.op == "T":
                row = T(app("index", polish(f.args[0]), attrs=(None, i)))
            else:
                row = app("index", shown, attrs=(i, None))
            result[-1] = (row, row)
        else:
            result.append((f, shown))
    return result


def totals(polish: Polisher, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
    """ones(n)^T A = sum(A, axis=0) and A ones(m) = sum(A, axis=1), for all that stands on the other side."""
    if len(pairs) < 2:
        return pairs
    first, last = pairs[0][0], pairs[-1][0]
    if first.op == "ones" and first.shape[0] is ONE:
        rest = pairs[1:]
        inner = joined(polish, rest)
        new = app("sum", inner, attrs=(None if inner.is_column else 0,))
        if new.length <= mul(*(s for _, s in pairs)).length:
            return [(new, new)]
    if last.op == "ones" and last.shape[1] is ONE:
        rest = pairs[:-1]
        if rest[0][0].op == "T" and len(rest) == 1:
            return pairs
        inner = joined(polish, rest)
        new = app("sum", inner, attrs=(None if inner.shape[0] is ONE else 1,))
        if new.length < mul(*(s for _, s in pairs)).length:
            return [(new, new)]
    return pairs


def joined(polish: Polisher, pairs: list[tuple[Expr, Expr]]) -> Expr:
    return mul(*(shown for _, shown in pairs))


def runs(polish: Polisher, pairs: list[tuple[Expr, Expr]], kind: object) -> list[tuple[Expr, Expr]]:
    """Neighbouring inverses or transposes as one: A^-1 B^-1 = (B A)^-1, A^T B^T = (B A)^T."""
    transposes = kind is _is_transpose
    wanted = _is_transpose if transposes else _is_inverse
    result: list[tuple[Expr, Expr]] = []
    run: list[tuple[Expr, Expr]] = []

    def close() -> None:
        marked = sum(1 for _, s in run if wanted(s))
        if marked >= 2 and len(run) < len(pairs):
            inner = mul(*(_undone(s, transposes) for _, s in reversed(run)))
            new = T(inner) if transposes else inv(inner)
            result.append((new, new))
        else:
            result.extend(run)
        run.clear()

    for f, shown in pairs:
        if wanted(shown) or (transposes and run and holds(shown, "symmetric") and shown.op != "pow"):
            run.append((f, shown))
        else:
            close()
            result.append((f, shown))
    close()
    if not transposes and len(pairs) >= 2 and all(_is_inverse(s) for _, s in pairs):
        new = inv(mul(*(_undone(s, False) for _, s in reversed(pairs))))
        return [(new, new)]
    return result


def _undone(e: Expr, transposes: bool) -> Expr:
    if transposes:
        return e.args[0] if e.op == "T" else e
    return e.args[0]


def _is_transpose(e: Expr) -> bool:
    return e.op == "T"


def _is_inverse(e: Expr) -> bool:
    return e.op == "pow" and e.attrs[0] == -1 and not e.is_scalar


def _is_unit_row(e: Expr) -> bool:
    return e.op == "T" and e.args[0].op == "unit"


def _gram(context: Normaliser, inverse: Expr, left: Expr, right: Expr) -> bool:
    """Whether `inverse` is (left right)^-1 with left = right^T, right not square."""
    base, transposed, exponent = base_and_exponent(inverse)
    if exponent != -1 or base.op != "mul" or right.is_square:
        return False
    return _chain_of(context, base, transposed) == [left, right] and right.op in ("sym", "T")
