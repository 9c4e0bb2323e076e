"""The tokens of models: `h[t-1]` is one token, and so is the range in `sum(t in 1..T, …)`.

Goes in: an assembler and the place of a word. Comes out: where to go on, or 0 where the word is neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcalc.errors import NameProblem, ParseError, Span
from mcalc.frontend.tokens import make
from mcalc.frontend.words import spell

if TYPE_CHECKING:
    from mcalc.frontend.assemble import Assembler


def word(assembler: Assembler, i: int, name: str) -> int:
    """Emits the tokens of an element or of the head of a sum."""
    raw, scope = assembler.raw, assembler.scope
    token = raw[i]
    following = raw[i + 1].type if i + 1 < len(raw) else ""
    ranged = i + 3 < len(raw) and raw[i + 3].type == "WORD" and raw[i + 3].value == "in"
    if name == "sum" and following == "LPAR" and ranged:
        return _total(assembler, i)
    if following != "LSQB" or raw[i + 1].start_pos != token.end_pos:
        return 0
    close = assembler.closing(i + 1)
    span = Span(token.start_pos, raw[close].end_pos)
    two = any(t.type in ("COMMA", "COLON") for t in raw[i + 1 : close])
    if name in scope.indexed:
        if two:
            raise ParseError(f"{token.value} has one index", span, hint=f"{token.value}[t], {token.value}[t-1]")
        index = "".join(spell(t.value) for t in raw[i + 2 : close])
        assembler.out.append(make("ELEMENT", f"{scope.name(token.value)}[{index}]", *span))
        return close + 1
    if not two and scope.known(name):
        hint = f"a sequence is declared {token.value}[1..T] : n x m; an entry of a matrix is {token.value}[1,2]"
        raise NameProblem(f"{token.value} is no sequence, so it has no element {token.value}[…]", span, hint=hint)
    return 0


def without_indices(tokens: list[Any]) -> list[Any]:
    """The tokens without brackets and what is in them: `d` of `d[l]`."""
    out: list[Any] = []
    depth = 0
    for token in tokens:
        depth += token.type == "LSQB"
        if not depth:
            out.append(token)
        depth -= token.type == "RSQB"
    return out


def _total(assembler: Assembler, i: int) -> int:
    """`sum(t in 1..T, `."""
    raw, out = assembler.raw, assembler.out
    start, end = i + 2, assembler.closing(i + 1)
    comma = next((j for j in range(start, end) if raw[j].type == "COMMA"), 0)
    if not comma:
        span = Span(raw[i].start_pos, raw[end].end_pos)
        raise ParseError("a sum over an index has a range and a term", span, hint="sum(t in 1..T, norm(x[t])^2)")
    words = [spell(t.value) for t in raw[start:comma]]
    out.append(make("TOTAL", "sum", raw[i].start_pos, raw[i].end_pos))
    out.append(raw[i + 1])
    text = f"{words[0]} in {''.join(words[2:])}"
    out.append(make("RANGE", text, raw[start].start_pos, raw[comma - 1].end_pos))
    return comma
