"""Conditions on lines that only some gradients need, so that `wrt` leaves them out.

In: lines in order and what each gradient needs; out: the conditions, which names they may leave undefined, and the
lines that nothing needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcalc.backends.numpy.buffers import tree
from mcalc.program.ir import Array
from mcalc.program.plan import Line

MOST_GUARDED = 3
"""A line that more gradients need is computed whatever `wrt` says."""

LOSS = ""
"""Stands among the parameters that need a line for the loss, which is always wanted."""


@dataclass(slots=True)
class Guards:
    """Conditions by the identity of their lines, names that they may leave undefined, lines without a reader."""

    conditions: dict[int, str] = field(default_factory=dict)
    undefined: list[str] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)
    """By their identity, too."""


def guards_of(
    lines: Sequence[Line],
    names: Mapping[Array, str],
    needs: Mapping[Array, set[str]],
    parameters: Sequence[str],
    always: Callable[[Line], bool],
    final: Callable[[Line], bool],
) -> Guards:
    """The guards of lines in order.

    `needs` says for which parameters, by their Python names, an array is a result. Lines of which `always` is true are
    computed in any case; `final` says whether a line defines a gradient.
    """
    wanted = {a: set(found) for a, found in needs.items()}
    guards = Guards()
    places = {name: place for place, name in enumerate(parameters)}
    for line in reversed(lines):
        need = set(parameters) if always(line) else wanted.get(line.array, set())
        if not need:
            guards.idle.add(id(line))
            continue
        if LOSS not in need and len(need) <= MOST_GUARDED and len(need) < len(parameters):
            tests = [f'"{name}" in wrt' for name in sorted(need, key=places.__getitem__)]
            guards.conditions[id(line)] = f"wrt is None or {' or '.join(tests)}"
            if final(line):
                guards.undefined.insert(0, line.name)
        alias = [line.array] if names.get(line.array, line.name) != line.name else []
        for x in (*tree(line.array, names), *alias):
            held = wanted.setdefault(x, set())
            if LOSS in need or len(held) <= MOST_GUARDED:
                held.update(need)
    return guards


def guarded(written: Sequence[tuple[str, list[str]]]) -> list[str]:
    """The lines with their conditions, each said once for lines that follow each other."""
    lines: list[str] = []
    last = ""
    for guard, code in written:
        if guard and guard != last:
            lines.append(f"if {guard}:")
        lines += [f"    {text}" for text in code] if guard else code
        last = guard
    return lines
