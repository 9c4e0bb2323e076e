"""The length of a printed expression: every operator and every leaf counts one."""

from __future__ import annotations

from collections.abc import Iterable

from .syntax import parse, split_definitions

POWERS = {"T", "inv", "invT", "neg"}


def length_of(node: tuple, minus: int = 0) -> int:
    """The length of a tree; `minus` is what the minus of a subtraction counts beside its sum."""
    kind = node[0]
    if kind in ("num", "name", "dname", "const"):
        return 1
    if kind == "sum":
        terms = sum(length_of(term, minus) + (minus if sign == "-" else 0) for sign, term in node[1])
        return terms + len(node[1]) - 1
    if kind == "chain":
        return sum(length_of(factor, minus) for _, factor in node[1]) + len(node[1]) - 1
    if kind in POWERS or kind == "d":
        return 1 + length_of(node[1], minus)
    if kind in ("pow", "epow"):
        return 1 + length_of(node[1], minus) + _exponent(node[2], minus)
    if kind == "index":
        return 1 + length_of(node[1], minus)
    if kind == "block":
        parts = [part for row in node[1] for part in row]
        return 1 + sum(length_of(part, minus) for part in parts)
    if kind == "cmp":
        return 1 + length_of(node[2], minus) + length_of(node[3], minus)
    return 1 + sum(length_of(arg, minus) for arg in node[2])


def _exponent(node: tuple, minus: int) -> int:
    literal = node[1] if node[0] == "neg" else node
    return 0 if literal[0] == "num" else length_of(node, minus)


def length(text: str, names: Iterable[str] = (), dims: Iterable[str] = (), minus: int = 0) -> int:
    """The length of an expression, its definitions included; `names` are its declared words."""
    definitions, expression = split_definitions(text)
    known = {*names, *(name for name, _ in definitions)}
    return sum(length_of(parse(part, known, dims), minus) for part in [*(body for _, body in definitions), expression])
