"""Bars: which of `|` and `||` open and which close.

    |a||b|   is  |a| |b|          ||x|+|y||   is  | |x| + |y| |          ||x||_1   is the 1-norm

Goes in: the tokens of a text; comes out: the tokens, their bars turned into LBAR, RBAR, LNORM, RNORM. All pairings are
followed at once; `||` is one norm bar where that can be, else two bars. No pairing is an error, two are an ambiguity.
"""

from __future__ import annotations

from typing import Any

from mcalc.errors import AmbiguityError, NotSupported, ParseError, Span

BAR_TYPES = frozenset(["BAR", "BARS", "LBAR", "RBAR", "LNORM", "RNORM"])
ENDS = frozenset(["NUMBER", "NAME", "CONSTANT", "TRANSPOSE", "RAISED", "RPAR", "RSQB", "RBRACE", "RBAR", "RNORM"])
"""Tokens that end an operand."""
STARTS = frozenset(
    ["NUMBER", "NAME", "CONSTANT", "FUNCTION", "LPAR", "LSQB", "LBRACE", "MINUS", "FRACTION", "LBAR", "LNORM"]
)
"""Tokens that may begin one."""

_OPENS = {"(": ")", "[": "]", "{": "}"}
_READINGS_LIMIT = 200

# fmt: off
_CHOICES: dict[str, tuple[tuple[str, ...], ...]] = {
    # what a token can be; two bars in place of one norm bar cost one
    "BAR":   (("LBAR",), ("RBAR",)),
    "BARS":  (("LNORM",), ("RNORM",), ("LBAR", "LBAR"), ("RBAR", "RBAR"), ("RBAR", "LBAR")),
    "LBAR":  (("LBAR",),), "RBAR":  (("RBAR",),), "LNORM": (("LNORM",),), "RNORM": (("RNORM",),),
}
# fmt: on


class _Way:
    """One way to read the tokens so far: the open marks, the last bar, and the choices made."""

    __slots__ = ("choices", "cost", "last", "open")

    def __init__(self, open_: tuple[Any, ...], last: str, cost: int, choices: tuple[Any, ...]) -> None:
        self.open = open_
        self.last = last
        self.cost = cost
        self.choices = choices


def pair(tokens: list[Any], make: Any) -> list[Any]:
    """The tokens with every bar opening or closing; `make(type, value, start, end)` makes a token."""
    ways = [_Way((), "", 0, ())]
    count = len(tokens)
    for i, token in enumerate(tokens):
        kind = token.type
        if kind in BAR_TYPES:
            before = tokens[i - 1].type if i else ""
            after = tokens[i + 1].type if i + 1 < count else ""
            if after == "SUBSCRIPT":
                after = ""
            ways = [w for way in ways for w in _continue(way, kind, before, after)]
            _limit(ways, token)
        elif kind in ("LPAR", "LSQB", "LBRACE", "LINDEX"):
            for way in ways:
                way.open = (way.open, "[")
        elif kind in ("RPAR", "RSQB", "RBRACE"):
            ways = [way for way in ways if way.open and way.open[1] == "["]
            for way in ways:
                way.open = way.open[0]
        elif kind == "COMMA" or kind == "SEMI" or kind == "EQUALS":
            ways = [way for way in ways if not way.open or way.open[1] == "["]
        if not ways:
            raise _unpaired(tokens, i)
    ways = [way for way in ways if not way.open]
    if not ways:
        raise _unpaired(tokens, count - 1)
    least = min(way.cost for way in ways)
    best = [way for way in ways if way.cost == least]
    if len(best) > 1:
        raise _ambiguous(tokens)
    return _rewrite(tokens, best[0], make)


def _continue(way: _Way, kind: str, before: str, after: str) -> list[_Way]:
    """The ways in which a bar can go on a reading."""
    ways = []
    for choice in _CHOICES[kind]:
        open_, previous = way.open, way.last if before in BAR_TYPES else before
        for position, mark in enumerate(choice):
            following = after if position == len(choice) - 1 else choice[position + 1]
            if mark in ("LBAR", "LNORM"):
                if following not in STARTS and following not in BAR_TYPES:
                    break
                open_ = (open_, mark)
            else:
                if previous not in ENDS or not open_ or open_[1] != "L" + mark[1:]:
                    break
                open_ = open_[0]
            previous = mark
        else:
            ways.append(_Way(open_, previous, way.cost + len(choice) - 1, (way.choices, choice)))
    return ways


def _limit(ways: list[_Way], token: Any) -> None:
    if len(ways) > _READINGS_LIMIT:
        raise AmbiguityError(
            "these bars can be paired in many ways",
            Span(token.start_pos, token.end_pos),
            hint="write abs(x), det(X) or norm(x)",
        )


def _rewrite(tokens: list[Any], way: _Way, make: Any) -> list[Any]:
    chosen: list[tuple[str, ...]] = []
    link: tuple[Any, ...] = way.choices
    while link:
        chosen.append(link[1])
        link = link[0]
    out: list[Any] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        i += 1
        if token.type not in BAR_TYPES:
            if token.type == "SUBSCRIPT":
                raise ParseError("a subscript belongs to a name or a norm", Span(token.start_pos, token.end_pos))
            out.append(token)
            continue
        marks = chosen.pop()
        if len(marks) == 2:
            middle = token.start_pos + 1
            out.append(make(marks[0], "|", token.start_pos, middle))
            out.append(make(marks[1], "|", middle, token.end_pos))
            continue
        value, end = "2", token.end_pos
        if marks[0] == "RNORM" and i < len(tokens) and tokens[i].type == "SUBSCRIPT":
            value, end = _which_norm(tokens[i]), tokens[i].end_pos
            i += 1
        out.append(make(marks[0], value, token.start_pos, end))
    return out


def _which_norm(token: Any) -> str:
    which = token.value[1:].strip("{} ")
    if which in ("1", "2", "F"):
        return "1" if which == "1" else "2"
    raise NotSupported(
        f"the norm with subscript {which} is not in the language",
        Span(token.start_pos, token.end_pos),
        hint="||x|| is the 2-norm (Frobenius norm of a matrix), ||x||_1 the sum of absolute entries",
    )


def _unpaired(tokens: list[Any], stop: int) -> ParseError:
    bars = [t for t in tokens[: stop + 1] if t.type in BAR_TYPES]
    where = bars[-1] if bars else tokens[stop]
    return ParseError(
        f"the bar {where.value} has no partner",
        Span(where.start_pos, where.end_pos),
        hint="write abs(x), det(X) or norm(x)",
    )


def _ambiguous(tokens: list[Any]) -> AmbiguityError:
    bars = [t for t in tokens if t.type in BAR_TYPES]
    return AmbiguityError(
        "these bars can be paired in two ways",
        Span(bars[0].start_pos, bars[-1].end_pos),
        notes=("|a| b |c|, or | a |b| c |",),
        hint="write abs(x), det(X) or norm(x)",
    )
