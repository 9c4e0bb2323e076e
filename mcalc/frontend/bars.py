"""Bars: which of `|` and `||` open and which close.

    |a||b|   is  |a| |b|          ||x|+|y||   is  | |x| + |y| |          ||x||_1   is the 1-norm

Goes in: the tokens of a text; comes out: the tokens, their bars turned into LBAR, RBAR, LNORM, RNORM. All pairings are
followed at once; `||` is one norm bar where that can be, else two bars. No pairing is an error, two are an ambiguity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mcalc.errors import AmbiguityError, NotSupported, ParseError, Span

MARKS = frozenset(["BAR", "BARS", "LBAR", "RBAR", "LNORM", "RNORM"])
KINDS = MARKS | {"SUBSCRIPT"}
"""Tokens that make this pass necessary."""
ENDS = frozenset(
    ["NUMBER", "NAME", "CONSTANT", "TRANSPOSE", "RAISED", "RPAR", "RSQB", "RBRACE", "RBAR", "RNORM", "ELEMENT"]
)
"""Tokens that end an operand."""
_STARTS = MARKS | {
    "NUMBER", "NAME", "CONSTANT", "FUNCTION", "LPAR", "LSQB", "LBRACE", "MINUS", "FRACTION", "ELEMENT", "TOTAL"
}  # fmt: skip
"""Tokens that may begin one."""
_SEPARATORS = frozenset(["COMMA", "SEMI", "EQUALS"])
_READINGS_LIMIT = 100

# fmt: off
_CHOICES: dict[str, tuple[tuple[str, ...], ...]] = {
    # what a token can be; two bars in place of one norm bar cost one
    "BAR":   (("LBAR",), ("RBAR",)),
    "BARS":  (("LNORM",), ("RNORM",), ("LBAR", "LBAR"), ("RBAR", "RBAR"), ("RBAR", "LBAR")),
    "LBAR":  (("LBAR",),), "RBAR":  (("RBAR",),), "LNORM": (("LNORM",),), "RNORM": (("RNORM",),),
}
_STACKED = {"LBAR": "|", "LNORM": "‖", "RBAR": "|", "RNORM": "‖"}
# fmt: on


class _Way(NamedTuple):
    """How a state of reading was reached: cost, whether in several ways at this cost, choices (a linked list)."""

    cost: int
    several: bool
    choices: tuple[Any, ...]


_State = tuple[str, str]
"""The open marks and brackets, and the last mark."""


def pair(tokens: list[Any], make: Callable[[str, str, int, int], Any]) -> list[Any]:
    """The tokens with every bar opening or closing."""
    ways: dict[_State, _Way] = {("", ""): _Way(0, False, ())}
    for i, token in enumerate(tokens):
        if token.type in MARKS:
            before = tokens[i - 1].type if i else ""
            after = tokens[i + 1].type if i + 1 < len(tokens) else ""
            ways = _continue(ways, token.type, before, after)
            if len(ways) > _READINGS_LIMIT:
                raise _ambiguous(tokens)
        elif token.value in ("(", "[", "{"):
            ways = {(f"{open_}(", last): way for (open_, last), way in ways.items()}
        elif token.value in (")", "]", "}"):
            ways = {(open_[:-1], last): way for (open_, last), way in ways.items() if open_.endswith("(")}
        elif token.type in _SEPARATORS:
            ways = {state: way for state, way in ways.items() if not state[0] or state[0][-1] == "("}
        if not ways:
            raise _unpaired(tokens[: i + 1])
    ends = [way for (open_, _), way in ways.items() if not open_]
    if not ends:
        raise _unpaired(tokens)
    best = min(ends, key=lambda way: way.cost)
    if best.several or sum(way.cost == best.cost for way in ends) > 1:
        raise _ambiguous(tokens)
    return _rewrite(tokens, best.choices, make)


def _continue(ways: dict[_State, _Way], kind: str, before: str, after: str) -> dict[_State, _Way]:
    """The states after a bar, each with its cheapest way."""
    new: dict[_State, _Way] = {}
    for (open_, last), way in ways.items():
        for choice in _CHOICES[kind]:
            state = _apply(choice, open_, last if before in MARKS else before, after)
            if state is None:
                continue
            cost = way.cost + len(choice) - 1
            known = new.get(state)
            if known is None or cost < known.cost:
                new[state] = _Way(cost, way.several, (way.choices, choice))
            elif cost == known.cost:
                new[state] = known._replace(several=True)
    return new


def _apply(choice: tuple[str, ...], open_: str, previous: str, after: str) -> _State | None:
    """The state after these marks, if they can stand here."""
    for position, mark in enumerate(choice):
        if mark[0] == "L":
            following = after if position == len(choice) - 1 else choice[position + 1]
            if following not in _STARTS:
                return None
            open_ += _STACKED[mark]
        elif previous in ENDS and open_.endswith(_STACKED[mark]):
            open_ = open_[:-1]
        else:
            return None
        previous = mark
    return open_, previous


def _rewrite(tokens: list[Any], choices: tuple[Any, ...], make: Callable[[str, str, int, int], Any]) -> list[Any]:
    chosen: list[tuple[str, ...]] = []
    while choices:
        choices, choice = choices
        chosen.append(choice)
    out: list[Any] = []
    for i, token in enumerate(tokens):
        if token.type == "SUBSCRIPT":
            if not out or out[-1].type != "RNORM" or i == 0 or tokens[i - 1].type not in MARKS:
                raise ParseError("a subscript belongs to a name or a norm", Span(token.start_pos, token.end_pos))
            out[-1] = make("RNORM", _which_norm(token), out[-1].start_pos, token.end_pos)
        elif token.type not in MARKS:
            out.append(token)
        else:
            marks = chosen.pop()
            if len(marks) == 2:
                middle = token.start_pos + 1
                out.append(make(marks[0], "|", token.start_pos, middle))
                out.append(make(marks[1], "|", middle, token.end_pos))
            else:
                out.append(make(marks[0], "2", token.start_pos, token.end_pos))
    return out


def _which_norm(token: Any) -> str:
    which = token.value[1:].strip("{} ")
    if which in ("1", "2", "F"):
        return "1" if which == "1" else "2"
    raise NotSupported(
        f"the norm with subscript {which[:20]} is not in the language",
        Span(token.start_pos, token.end_pos),
        hint="||x|| is the 2-norm (Frobenius norm of a matrix), ||x||_1 the sum of absolute entries",
    )


def _unpaired(tokens: list[Any]) -> ParseError:
    token = next(t for t in reversed(tokens) if t.type in MARKS)
    return ParseError(
        f"the bar {token.value} has no partner",
        Span(token.start_pos, token.end_pos),
        hint="write abs(x), det(X) or norm(x)",
    )


def _ambiguous(tokens: list[Any]) -> AmbiguityError:
    marks = [t for t in tokens if t.type in MARKS]
    return AmbiguityError(
        "these bars can be paired in two ways",
        Span(marks[0].start_pos, marks[-1].end_pos),
        notes=("|a| b |c|, or | a |b| c |",),
        hint="write abs(x), det(X) or norm(x)",
    )
