"""Python names of a module, and the texts of dimensions, shapes and parts of sequences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim, dim
from mcalc.backends.numpy.text import length
from mcalc.model.ir import Sequence as Stored
from mcalc.model.stacked import Stack
from mcalc.program.operations import Axes
from mcalc.program.procedure import axes_as_stored


@dataclass(slots=True)
class Names:
    """Python names: of arguments and definitions by symbol, of sequences, of dimensions."""

    symbols: dict[Expr, str]
    sequences: dict[str, str]
    sizes: dict[str, str]
    stacks: Mapping[Expr, Stack]
    given: frozenset[str]
    """The sequences that are arguments."""
    taken: set[str]
    results: set[str] = field(default_factory=set)
    """Sequences that are given back."""
    variables: dict[tuple[str, int], str] = field(default_factory=dict)
    """(sequence, offset) to the name of its element in a loop."""
    ones: dict[Dim, str] = field(default_factory=dict)
    """Vectors of ones by their lengths."""
    rows: dict[str, str] = field(default_factory=dict)
    """Vectors of ones to their views as rows."""
    steps: dict[str, str] = field(default_factory=dict)
    """Sequences to the lists of their elements."""
    numbers: dict[str, str] = field(default_factory=dict)
    """Zero and one as arrays."""

    def variable(self, sequence: str, index: Dim, loop: str) -> str:
        """The name of an element in the loop over an index."""
        offset = offset_of(index, loop)
        key = (sequence, offset)
        if key not in self.variables:
            word = {0: "t", -1: "prev", 1: "next"}.get(offset, f"{'minus' if offset < 0 else 'plus'}{abs(offset)}")
            self.variables[key] = self.claim(f"{self.sequences[sequence]}_{word}")
        return self.variables[key]

    def fixed(self, found: Stored, index: Dim) -> str:
        """An element of a sequence at a fixed index."""
        name = self.sequences[found.name]
        if index is found.last:
            return f"{name}[-1]"
        place = index - found.first
        return f"{name}[{size(place, self.sizes)}]"

    def index(self, name: str) -> str:
        """The name of a loop's index."""
        if (name, 0) not in self.variables:
            self.variables[name, 0] = self.claim(name)
        return self.variables[name, 0]

    def ones_of(self, d: Dim) -> str:
        """The name of a vector of ones."""
        if d not in self.ones:
            stem = f"ones_{size(d, self.sizes)}"
            self.ones[d] = self.claim(stem if stem.isidentifier() else "ones_")
        return self.ones[d]

    def row_of(self, ones: str) -> str:
        """The name of a vector of ones as a row."""
        if ones not in self.rows:
            self.rows[ones] = self.claim(f"{ones}_row")
        return self.rows[ones]

    def steps_of(self, sequence: str) -> str:
        """The name of the list of a sequence's elements."""
        if sequence not in self.steps:
            self.steps[sequence] = self.claim(f"{self.sequences[sequence]}_steps")
        return self.steps[sequence]

    def claim(self, stem: str) -> str:
        """A name that is free."""
        stem = re.sub("__+", "_", stem)
        name, number = stem, 2
        while name in self.taken:
            name, number = f"{stem}{number}", number + 1
        self.taken.add(name)
        return name


def size(d: Dim, sizes: Mapping[str, str]) -> str:
    """A dimension as Python."""
    return length(d, sizes).code


def axes_text(axes: Axes, sizes: Mapping[str, str]) -> str:
    """The shape of an array."""
    lengths = [size(d, sizes) for d in axes]
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def offset_of(index: Dim, name: str) -> int:
    """How far an index is from that of the loop."""
    rest = index - dim(name)
    number = rest.number
    assert number is not None
    return number


def axes_of_sequence(sequence: Stored) -> Axes:
    """The axes of a sequence as it is stored."""
    return (sequence.last - sequence.first + dim(1), *axes_as_stored(sequence.shape))


def part_of(sequence: Stored, first: Dim, last: Dim, sizes: Mapping[str, str]) -> str:
    """The elements first..last of the storage of a sequence."""
    low = first - sequence.first
    rest = sequence.last - last
    start = "" if low.number == 0 else size(low, sizes)
    if rest.number == 0:
        stop = ""
    elif rest.number is not None:
        stop = str(-rest.number)
    else:
        stop = size(low + last - first + dim(1), sizes)
    return f"[{start}:{stop}]" if start or stop else ""
