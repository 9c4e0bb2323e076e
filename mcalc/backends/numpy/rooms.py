"""Rooms: places in a workspace for matrices of different shapes, of which one is needed at a time.

The backward phase needs few of its matrices at a time, and less and less of what the forward phase left. In: the bodies
of the two phases; out: the rooms, and their lines in `_buffers`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mcalc.backends.numpy.spelling import axes_text
from mcalc.backends.numpy.storage import Storage
from mcalc.backends.numpy.text import length
from mcalc.program.operations import Axes


@dataclass(frozen=True, slots=True)
class Room:
    """Buffers of a room, by its name; those that are `apart` where what the forward phase left there must stay."""

    name: str
    members: Sequence[str]
    apart: frozenset[str]

    def without(self, names: Collection[str]) -> Room:
        """The room without some of its buffers."""
        return Room(self.name, [member for member in self.members if member not in names], self.apart)

    def line(self, fields: Mapping[str, tuple[Axes, str]], sizes: Mapping[str, str]) -> str:
        """The room as memory, as long as the largest of its buffers."""
        lengths = dict.fromkeys(_length(fields[name][0], sizes) for name in self.members)
        longest = f"max({', '.join(lengths)})" if len(lengths) > 1 else next(iter(lengths))
        return f"{self.name} = np.empty({longest}, dtype)"

    def part(self, name: str, fields: Mapping[str, tuple[Axes, str]], sizes: Mapping[str, str]) -> str:
        """The text of a buffer in the room."""
        axes = fields[name][0]
        shape = axes_text(axes, sizes)
        there = f"{self.name}[: {_length(axes, sizes)}].reshape{shape}"
        return f"np.empty({shape}, dtype) if apart else {there}" if name in self.apart else there


def rooms_of(forward: Storage, backward: Storage, claim: Callable[[str], str]) -> list[Room]:
    """The rooms of a function in two phases."""
    return [
        Room(claim("room"), names, frozenset(names[1:] if first in forward.fields else ()))
        for first, names in backward.rooms.items()
    ]


def _length(axes: Axes, sizes: Mapping[str, str]) -> str:
    return " * ".join(length(d, sizes).atom for d in axes)


__all__ = ["Room", "rooms_of"]
