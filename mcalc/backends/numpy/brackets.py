"""Long statements with their brackets opened, as black lays them out, without black.

In: a statement on one line; out: its lines, or None where it is of none of the few forms known here: `x = f(…)`,
`return f(…)`, `def f(…):`, lists, dictionaries and tuples, targets `a, b, … = f(…)`, and comparisons with `and` between
them, whose parts are all short, or of these forms. For statements of thousands of characters black takes a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from mcalc.backends.numpy.formulas import WIDTH

INDENT = 4
_HEAD = re.compile(r'(?:return |def |\w+ = |\w+=|"[^"]*": )?(\w*)[(\[{]')
"""What opens the last bracket of a text: at most one word, after a name or a key for it."""
_TARGETS = re.compile(r"\w+(?:, \w+)+")
_ONE_ITEM = re.compile(r"\([^(),]+,\)")
_UNKNOWN = re.compile(r",\s*[)\]}]|  #|\\|'|\blambda\b|\bfor\b|\*(?![ ,])")
"""A trailing comma, a comment, quotes within quotes, what reads names of its own, a star that is no product."""
_COMPARISONS = (" is ", " in ", " == ")
_LOOSER = re.compile(r" (?:if|or|not) |[<>!]")
"""What binds less than `and`, or compares otherwise."""


def opened(text: str, indent: int) -> list[str] | None:
    """The lines of a statement, at an indentation."""
    if _UNKNOWN.search(_ONE_ITEM.sub("()", text)):
        return None
    if indent + len(text) <= WIDTH:
        return [" " * indent + text]
    if text.startswith("def ") and text.endswith("):"):
        return _opened(text[:-1], indent, ":")
    target, _, value = text.partition(" = ")
    if value and _TARGETS.fullmatch(target):
        return _unpacking(target, value, indent)
    if value and target.isidentifier() and " is " in value and not _LOOSER.search(value):
        return _comparisons(target, value, indent)
    return _opened(text, indent, "")


def _unpacking(targets: str, value: str, indent: int) -> list[str] | None:
    """Several targets, each on a line of its own where they do not fit on one."""
    before = []
    last = f"{' ' * indent}{targets} = "
    if len(last) > WIDTH:
        before = [f"{' ' * indent}(", *(f"{' ' * (indent + INDENT)}{name}," for name in targets.split(", "))]
        last = f"{' ' * indent}) = "
        if len(last + value) <= WIDTH and (value.isidentifier() or _is_one_bracket(value)):
            return [*before, last + value]
    lines = None if value.startswith("(") else _opened(value, indent, "")
    if lines is None or len(last + lines[0].lstrip()) > WIDTH:
        return None
    return [*before, last + lines[0].lstrip(), *lines[1:]]


def _comparisons(target: str, value: str, indent: int) -> list[str] | None:
    """Comparisons, in brackets of their own."""
    inner = indent + INDENT
    lines = [" " * inner + value]
    if len(lines[0]) > WIDTH:
        operands = ["and " * (k > 0) + x for k, x in enumerate(_split(value, " and "))]
        lines = [" " * inner + line for x in operands for line in ([x] if inner + len(x) <= WIDTH else _compared(x))]
    whole = [f"{' ' * indent}{target} = (", *lines, f"{' ' * indent})"]
    return whole if all(len(line) <= WIDTH for line in whole) else None


def _compared(text: str) -> list[str]:
    """The operands of comparisons, each with what it is compared by."""
    places = [k for k, depth in _depths(text) if not depth and text.startswith(_COMPARISONS, k)]
    return [text[i:j].lstrip() for i, j in pairwise([0, *places, len(text)])]


def _is_one_bracket(text: str) -> bool:
    """Whether a text ends with the bracket that its head opens."""
    head = _HEAD.match(text)
    closed = (place for place, depth in _depths(text, head.end() - 1) if not depth) if head else iter(())
    return next(closed, -1) == len(text) - 1


def _opened(text: str, indent: int, after: str) -> list[str] | None:
    """Something with a bracket at its end: the items on a line of their own, or each on one."""
    head = _HEAD.match(text)
    if head is None or not _is_one_bracket(text):
        return None
    start, body, end = text[: head.end()], text[head.end() : -1], text[-1]
    items = _split(body, ", ")
    if not body or (start.endswith("[") and head[1]) or (start.endswith("(") and not head[1] and len(items) == 1):
        return None
    inner = indent + INDENT
    lines: list[str] = []
    if inner + len(body) <= WIDTH and (head[1] or len(items) == 1):
        lines.append(" " * inner + body)
    else:
        comma = "," if len(items) > 1 else ""
        for item in items:
            fits = inner + len(item + comma) <= WIDTH
            found = [" " * inner + item + comma] if fits else _opened(item, inner, comma)
            if found is None:
                return None
            lines += found
    first = " " * indent + start
    return [first, *lines, f"{' ' * indent}{end}{after}"] if len(first) <= WIDTH else None


def _split(text: str, by: str) -> list[str]:
    """The parts of a text between separators that are in no brackets and no quotes."""
    places = [k + len(by) for k, depth in _depths(text) if not depth and text.startswith(by, k)]
    return [text[i : j - len(by)] for i, j in pairwise([0, *places, len(text) + len(by)])]


def _depths(text: str, start: int = 0) -> Iterator[tuple[int, int]]:
    """The places outside of quotes, each with how many brackets are open after it."""
    depth, quoted = 0, False
    for place in range(start, len(text)):
        character = text[place]
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character in "([{") - (character in ")]}")
            yield place, depth
