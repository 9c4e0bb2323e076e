"""The comment at a line of a model's module: its mathematics, in the model's names."""

from __future__ import annotations

from mcalc.algebra.printing import ascii_text
from mcalc.backends.numpy.emit import mathematics
from mcalc.program.ir import Array
from mcalc.program.plan import Line, computed


def note(line: Line, shown: dict[Array, str], sign: str = "=") -> str:
    """The comment; `shown` are the names of arrays in comments, among which the line's own is put."""
    name = ascii_text(line.target) if line.target is not None else line.name
    text = f"# {name} {sign} {mathematics(line.array, shown)}"
    if line.target is not None and computed(line.array):
        shown[line.array] = name
    return text
