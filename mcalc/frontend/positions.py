"""Positions and ranges: `t-1`, `L`, `1..L-1`, `t in T..1`.

Goes in: their text. Comes out: dimensions (sums of names and integers, here perhaps negative), and ranges that know
which way they go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcalc.algebra.shape import Dim, dim
from mcalc.errors import ParseError, Span

_TERM = re.compile(r"([+-])?(?:([0-9]{1,9})(?![0-9])\*?)?([A-Za-z]\w*(?:_\{\w+\})?)?")
_RANGE = re.compile(r"(?:([A-Za-z]\w*(?:_\{\w+\})?)\s+in\s+)?(.*?)\.\.(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Range:
    """`index in first..last`; the index is "" where none is named. Downwards, `first` is the larger end."""

    index: str
    first: Dim
    last: Dim

    @property
    def step(self) -> int:
        """1 upwards, -1 downwards (`T..1`)."""
        terms = (self.last - self.first).terms
        leading = sum(c for m, c in terms if m) or sum(c for _, c in terms)
        return -1 if leading < 0 else 1

    def ends(self) -> tuple[Dim, Dim]:
        """The smaller end and the larger."""
        return (self.first, self.last) if self.step > 0 else (self.last, self.first)


def position(text: str, span: Span) -> Dim:
    """A sum of names and integers."""
    plain = "".join(text.split())
    total, at = dim(0), 0
    while at < len(plain):
        term = _TERM.match(plain, at)
        if term is None or not (term[2] or term[3]) or (at and not term[1]):
            break
        value = dim(int(term[2] or 1)) * (dim(term[3]) if term[3] else dim(1))
        total = total - value if term[1] == "-" else total + value
        at = term.end()
    if at < len(plain) or not plain:
        raise ParseError("an index is a sum of names and integers", span, hint="h[t-1], W[L], A[0]")
    return total


def read_range(text: str, span: Span) -> Range:
    """`first..last`, perhaps with `index in` before it."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ParseError("expected a range", span, hint="1..T, l in 1..L, t in T..1")
    return Range(found[1] or "", position(found[2], span), position(found[3], span))
