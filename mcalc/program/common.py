"""Common factors: A .* B - A .* C is A .* (B - C), which takes one pass over memory less.

In: arrays; out: the same values. A product that is read elsewhere stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mcalc.program.builder import Builder
from mcalc.program.ir import Array, arrays
from mcalc.program.operations import broadcast
from mcalc.program.share import substituted


def factors_taken_out(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots, with sums of products entry by entry as products with sums."""
    live = list(arrays(*roots))
    uses: dict[Array, int] = {}
    for x in (*roots, *(x for a in live for x in a.args)):
        uses[x] = uses.get(x, 0) + 1
    found = {a: made for a in live if a.op == "sum" and a.rank and (made := _taken_out(b, a, uses)) is not None}
    memo: dict[Array, Array] = {}
    return [substituted(b, root, found, memo) for root in roots] if found else list(roots)


def _taken_out(b: Builder, a: Array, uses: dict[Array, int]) -> Array | None:
    """The sum with the first factor taken out that two or more of its terms have in common."""
    pairs = list(zip(a.args, a.attrs, strict=True))
    products = [(x, c) for x, c in pairs if x.op == "times" and uses[x] == 1]
    for f in dict.fromkeys(f for x, _ in products for f in x.args if f.shape == a.shape and f.kind == "float"):
        within = [(x, c) for x, c in products if f in x.args]
        if len(within) < 2:
            continue
        terms = [(_without(b, x, f), c) for x, c in within]
        if len({x for x, _ in terms}) < len(terms) or broadcast([x.shape for x, _ in terms]) != a.shape:
            continue
        product = b.times(_sum(b, terms), f)
        rest = [p for p in pairs if p not in within]
        return _sum(b, [(product, Fraction(1)), *rest]) if rest else product
    return None


def _without(b: Builder, x: Array, f: Array) -> Array:
    """The product without one of its factors."""
    rest = list(x.args)
    rest.remove(f)
    return b.number_of(b.times(*rest))


def _sum(b: Builder, terms: Sequence[tuple[Array, Fraction]]) -> Array:
    terms = sorted(terms, key=lambda term: term[1] < 0)
    return b.node("sum", *(x for x, _ in terms), attrs=tuple(c for _, c in terms))
