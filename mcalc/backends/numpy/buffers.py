"""Which buffer each line writes into: memory is used again as soon as nobody reads it.

In: lines in the order of execution, and the arrays that outlive the function; out: for each line the name of the array
whose memory it takes over, or a buffer of its own. A line takes over an operand where its first operation is done
entry by entry and nothing else on the line reads the operand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from mcalc.backends.numpy.statements import ENTRYWISE, WITH_OUT, inner
from mcalc.program.ir import Array
from mcalc.program.plan import Line, Section
from mcalc.program.schedule import base

Pool: TypeAlias = dict[tuple[object, ...], list[tuple[str, str, bool]]]
"""Shape and kind to names of arrays, each with the condition under which it is there, and whether its rows are
contiguous for certain: what NumPy computes from transposed or foreign arrays may be laid out by columns."""


OWNED = frozenset(["cholesky"])
"""Operations that cannot write into a buffer, but whose result is new memory with contiguous rows."""

PRODUCTS = frozenset(["matmul", "chain", "outer", "lower_inverse", "lower_gram", "inv_from"])
"""Operations that want contiguous rows to write to."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory of a line: `fresh` is whether it is a buffer of its own, of that name."""

    name: str
    fresh: bool
    lender: str = ""
    """The buffer whose memory it may have, where what lies there is not needed a second time."""
    overwritten: Array | None = None
    """What lies there, if the first operation reads it."""
    room: str = ""
    """A buffer of another shape that is not needed any more when this one is written to: both may lie in one place."""


def tree(a: Array, names: Mapping[Array, str]) -> list[Array]:
    """What is read on the line of an array: named arrays and leaves, as often as they are read."""
    found: list[Array] = []
    stack = list(a.args)
    while stack:
        x = stack.pop()
        if x in names or x.op == "arg":
            found.append(x)
        else:
            stack.extend(x.args)
    return found


def buffers(
    lines: Sequence[Line | Section],
    names: Mapping[Array, str],
    kept: Collection[Array],
    guards: Mapping[int, str] = MappingProxyType({}),
    spare: Pool | None = None,
    empty: bool = False,
    lent: Mapping[Array, str] = MappingProxyType({}),
    rooms: bool = False,
) -> dict[Array, Buffer]:
    """The buffers of the lines that write into one; a loop among the lines reads, and has buffers of its own.

    `guards` are conditions on lines, by their identity: the memory of a line that may be left out is taken over by
    lines under the same condition only. `spare` is memory that nobody reads any more; what is left over is added to it.
    `empty` says that fresh memory is allocated before it is written to, and not by the first operation. `lent` are
    arrays from before, and their buffers, whose memory is free after they are read here for the last time. With
    `rooms`, matrices of different shapes may have one room.
    """
    last: dict[Array, int] = {}
    for place, item in enumerate(lines):
        for line in [item] if isinstance(item, Line) else item.lines:
            reads = [line.array] if line.total or names.get(line.array, line.name) != line.name else []
            for x in (*tree(line.array, names), *reads):
                last[x] = place
    own = {item.array for item in lines if isinstance(item, Line) and not item.total}
    free: Pool = {} if spare is None else spare
    under: dict[Array, str] = {}
    by_rows: set[Array] = set()
    found: dict[Array, Buffer] = {}
    ending: dict[int, list[Array]] = {}
    for a, place in last.items():
        if (a in own or a in lent) and a not in kept:
            ending.setdefault(place, []).append(a)
    idle: dict[tuple[object, ...], list[str]] = {}
    vacant = _Rooms()
    for place, item in enumerate(lines):
        taken: Array | None = None
        borrowed: Array | None = None
        if isinstance(item, Line):
            a = item.array
            if not item.total and a not in found and a.rank and a.op in WITH_OUT and names.get(a) == item.name:
                under[a] = guards.get(id(item), "")
                open_to = ("", under[a])
                ends = [x for x in ending.get(place, ()) if x in under and under[x] in open_to]
                taken = operand(a, names, ends)
                pool = free.get(_memory(a), [])
                first = _first(a, names)
                fits = (p for p in reversed(pool) if p[1] in open_to and (p[2] or first.op not in PRODUCTS))
                there = next(fits, None)
                if taken is not None:
                    found[a] = Buffer(names[taken], False)
                    certain = taken in by_rows
                elif there is not None:
                    pool.remove(there)
                    found[a] = Buffer(there[0], False)
                    certain = there[2]
                else:
                    if a not in kept:
                        borrowed = operand(a, names, [x for x in ending.get(place, ()) if x in lent])
                    waiting = idle.get(_memory(a), []) if a not in kept else []
                    lender = lent[borrowed] if borrowed is not None else waiting.pop() if waiting else ""
                    room = "" if lender or not rooms or a in kept else vacant.room(a)
                    found[a] = Buffer(names[a], True, lender, borrowed, room)
                    vacant.settle(names[a], room or lender or names[a])
                    certain = empty or _lies_by_rows(first, by_rows)
                vacant.settle(names[a], vacant.room_of.get(found[a].name, ""))
                if certain:
                    by_rows.add(a)
            elif not item.total and a.op in OWNED and names.get(a) == item.name:
                under.setdefault(a, guards.get(id(item), ""))
                by_rows.add(a)
        for x in ending.get(place, ()):
            if x in lent and x is not borrowed:
                idle.setdefault(_memory(x), []).append(lent[x])
                vacant.settle(lent[x], lent[x])
                vacant.leave(x, lent[x], idle[_memory(x)], lent[x])
            elif x is not taken and x in under:
                there = (names[x], under[x], x in by_rows)
                free.setdefault(_memory(x), []).append(there)
                vacant.leave(x, names[x], free[_memory(x)], there)
    return found


class _Rooms:
    """Memory of matrices that matrices of other shapes may have."""

    def __init__(self) -> None:
        self.room_of: dict[str, str] = {}
        """Names of arrays to the first buffer that lay where they lie."""
        self._shared: set[str] = set()
        self._vacant: tuple[list[tuple[str, list[Any], object]], ...] = ([], [])
        """Rooms that are free, first those of several buffers: each with the pool of its shape and the entry there."""

    def settle(self, name: str, room: str) -> None:
        """An array lies in a room."""
        if room:
            self.room_of[name] = room

    def leave(self, a: Array, name: str, pool: list[Any], entry: object) -> None:
        """An array, whose memory is in a pool now, is not read any more."""
        room = self.room_of.get(name, "")
        if room and a.rank == 2 and a.kind == "float":
            self._vacant[0 if room in self._shared else 1].append((room, pool, entry))

    def room(self, a: Array) -> str:
        """The first buffer of a room that is free, and is in no pool any more; "" where there is none.

        If there is one that several buffers have, it is that: few rooms are enough.
        """
        if a.rank == 2 and a.kind == "float":
            for vacant in self._vacant:
                while vacant:
                    room, pool, entry = vacant.pop()
                    if entry in pool:
                        pool.remove(entry)
                        self._shared.add(room)
                        return room
        return ""


def _memory(a: Array) -> tuple[object, ...]:
    return (*a.shape, a.kind)


def operand(a: Array, names: Mapping[Array, str], ending: Sequence[Array]) -> Array | None:
    """An array that is read here for the last time, and whose memory the line may take over."""
    if not ending:
        return None
    first = _first(a, names)
    if first.op not in ENTRYWISE or _reads_late(first):
        return None
    reads = [base(x) for x in tree(a, names)]
    for x in first.args:
        if x in ending and reads.count(x) == 1 and _memory(x) == _memory(a):
            return x
    return None


def _first(a: Array, names: Mapping[Array, str]) -> Array:
    """The operation of a line that is done first."""
    while (found := inner(a, names)) is not None:
        a = found
    return a


def _lies_by_rows(first: Array, by_rows: Collection[Array]) -> bool:
    """Whether the result of an operation without a buffer is certain to have contiguous rows."""
    constants = ("number", "pi", "size", "ones", "zeros", "eye")
    return (
        first.rank < 2
        or first.op in PRODUCTS
        or first.op == "turned"
        or all(x.rank < 2 or x in by_rows or x.op in constants for x in first.args)
    )


def _reads_late(a: Array) -> bool:
    """Whether an operand is read again after the first call has written."""
    helpers = ("softplus_from", "sigmoid_from", "sigmoid_of_negative_from", "sigmoid", "softplus")
    return a.op in helpers or (a.op == "power" and a.attrs[0] == 3)
