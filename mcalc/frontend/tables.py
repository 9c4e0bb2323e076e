"""Writes `_tables.py`, the parser's tables: run `python -m mcalc.frontend.tables` after the grammar changes.

Goes in: grammar/mcalc.lark. Comes out: a module with the tables as Python literals, the same on every run.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from mcalc.frontend.parser import build, digest, grammar_text

TARGET = Path(__file__).with_name("_tables.py")

_HEAD = (
    '"""The parser\'s tables for grammar/mcalc.lark. Written by `python -m mcalc.frontend.tables`: do not edit."""\n\n'
    "# ruff: noqa\n# fmt: off\n\nfrom typing import Any\n\n"
)


def tables_text(grammar: str) -> str:
    """The text of the module that holds the tables of this grammar."""
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    data, memo = build(grammar).memo_serialize([TerminalDef, Rule])
    for option in ("postlex", "transformer"):
        data["options"][option] = None
    table = data["parser"]["parser"]
    _number(table)
    states = table.pop("states")
    return (
        f'{_HEAD}DIGEST = "{digest(grammar)}"\n\n'
        f"MEMO: Any = {_lines(memo)}\n\nSTATES: Any = {_lines(states)}\n\nDATA: Any = {_literal(data)}\n"
        'DATA["parser"]["parser"]["states"] = STATES\n'
    )


def _number(table: dict[str, Any]) -> None:
    """Numbers states and tokens in an order of their own: the analysis of the grammar takes them from sets."""
    tokens = {name: i for i, name in enumerate(sorted(table["tokens"].values()))}
    shift = 0  # lark's mark of a shift, whose argument is a state; the argument of a reduction is a rule
    old = {
        state: sorted((table["tokens"][t], action, to) for t, (action, to) in row.items())
        for state, row in table["states"].items()
    }
    order = list(dict.fromkeys(table["start_states"][start] for start in sorted(table["start_states"])))
    seen = set(order)
    for state in order:
        for _, action, to in old[state]:
            if action == shift and to not in seen:
                seen.add(to)
                order.append(to)
    number = {state: i for i, state in enumerate(order)}
    table["states"] = {
        number[state]: {tokens[t]: (action, number[to] if action == shift else to) for t, action, to in old[state]}
        for state in order
    }
    table["tokens"] = {i: name for name, i in tokens.items()}
    for ends in ("start_states", "end_states"):
        table[ends] = {start: number[state] for start, state in sorted(table[ends].items())}


def _literal(value: Any) -> str:
    """The value on as many lines as it needs, broken at spaces."""
    return "\n".join(textwrap.wrap(repr(value), 116, break_long_words=False, break_on_hyphens=False))


def _lines(table: dict[int, Any]) -> str:
    """A table, one entry a line."""
    return "{\n" + "".join(f"    {number}: {entry!r},\n" for number, entry in table.items()) + "}"


if __name__ == "__main__":
    TARGET.write_text(tables_text(grammar_text()), encoding="utf-8")
