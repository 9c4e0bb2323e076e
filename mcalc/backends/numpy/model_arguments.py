"""The arguments of a generated module: what is declared, how it is checked, where dimensions are read.

In: the arguments of a model; out: pieces of Python. Well-formed arrays of one precision pass one comparison; all else
goes through `checked`, which converts what it can and says what is wrong with the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra.expr import symbols
from mcalc.algebra.shape import Dim, dim
from mcalc.backends.numpy.arguments import Piece, read_sizes
from mcalc.backends.numpy.comments import safe
from mcalc.backends.numpy.spelling import axes_of_sequence, axes_text
from mcalc.model.ir import Argument, Loop, Model, definitions
from mcalc.program.operations import Axes
from mcalc.program.procedure import stored


@dataclass(frozen=True, slots=True)
class Given:
    """An argument of the module."""

    python: str
    argument: Argument
    pieces: tuple[Piece, ...]


def axes_of(model: Model, argument: Argument) -> Axes:
    """The axes of an argument that is one array."""
    sequence = model.sequences.get(argument.name)
    return stored(argument.symbols[0]) if sequence is None else axes_of_sequence(sequence)


def unpack(given: Sequence[Given]) -> list[str]:
    """Ragged arguments as single names."""
    return [
        f"{', '.join(p.python for p in g.pieces)}{',' if len(g.pieces) == 1 else ''} = "
        f'listed("{g.python}", {g.python}, {len(g.pieces)})'
        for g in given
        if g.argument.ragged
    ]


def arguments_checked(
    given: Sequence[Given], names: Mapping[str, str], wanted: Sequence[str], used: Collection[str]
) -> list[str]:
    """The lines that check the arguments and read the dimensions; `used` are the names that later lines read."""
    pieces = [p for g in given for p in g.pieces]
    target = ", ".join(p.python for p in pieces) + ("," if len(pieces) == 1 else "")
    table = ", ".join(f'"{p.name}": ({p.python}, {declared(p.axes)})' for p in pieces)
    return [*unpack(given), *pieces_checked(pieces, f"{target} = checked({{{table}}})", names, wanted, used)]


def pieces_checked(
    pieces: Sequence[Piece], conversion: str, names: Mapping[str, str], wanted: Sequence[str], used: Collection[str]
) -> list[str]:
    """As `arguments_checked`, of single arrays; `conversion` is the line that converts them or says what is wrong."""
    arrays = [p for p in pieces if p.axes]
    sizes, rest = read_sizes(pieces, names, wanted)
    shapes = [axes_text(p.axes, names) for p in pieces if p.axes]
    sizes = [_plain(line, used, [*shapes, *rest, *sizes]) for line in sizes]
    if not pieces:
        return ["dtype = np.dtype(np.float64)"] if "dtype" in used else []
    if not arrays:
        dtype = [f"dtype = {pieces[0].python}.dtype"] if "dtype" in used else []
        return [conversion, *dtype]
    first = arrays[0].python
    same = [" is ".join([*(f"type({p.python})" for p in arrays), "np.ndarray"])]
    same += [f"type({p.python}) is float" for p in pieces if not p.axes]
    same += [" is ".join(f"{p.python}.dtype" for p in arrays)] if len(arrays) > 1 else []
    same += [f'{first}.dtype.char in "fd"']
    read = {line.split(" = ")[1].split(".")[0] for line in sizes if line.endswith(".shape")}
    fits = [f"{p.python}.shape == {axes_text(p.axes, names)}" for p in arrays if p.python not in read]
    return [
        "try:",
        *(f"    {line}" for line in sizes),
        f"    plain = {' and '.join([*same, *fits])}",
        "except (AttributeError, TypeError, ValueError, IndexError):",
        "    plain = False",
        "if not plain:",
        *(f"    {line}" for line in [conversion, *sizes, *rest]),
        *([f"dtype = {first}.dtype"] if "dtype" in used or len(arrays) < len(pieces) else []),
        *(f"{p.python} = dtype.type({p.python})" for p in pieces if not p.axes),
    ]


def lengths_checked(model: Model, names: Mapping[str, str]) -> list[str]:
    """Lines that check that sequences have the elements that the model names, as h[T] of h[2..T].

    Only where one dimension decides; `names` are those of the dimensions in the module.
    """
    least: dict[str, tuple[int, str]] = {}

    def need(room: Dim, what: str) -> None:
        (name, *others) = room.names() or ("",)
        missing = (room - dim(name)).number if name in names and not others else None
        if missing is not None and -missing > least.get(name, (0, ""))[0]:
            least[name] = (-missing, what)

    for d in definitions(model.statements):
        for e in symbols(d.value):
            element = model.elements.get(e)
            if element is not None and names.keys() >= set(element.index.names()):
                row = model.sequences[element.sequence]
                what = f"{e.name} of {row.name}[{row.first}..{row.last}]"
                need(element.index - row.first, what)
                need(row.last - element.index, what)
    for s in model.statements:
        if isinstance(s, Loop):
            need(s.range.count, f"the loop over {s.range}")
    return [line for name, (count, what) in least.items() for line in _at_least(name, names[name], count, what)]


def _at_least(name: str, python: str, count: int, what: str) -> list[str]:
    told = safe(f"{name}: at least {count} expected, for {what}").replace("{", "{{").replace("}", "}}")
    return [f"if {python} < {count}:", f'    raise ValueError(f"{told}; got {{{python}}}")']


def _plain(line: str, used: Collection[str], texts: Sequence[str]) -> str:
    """`n, d = X.shape` with `_` for what nobody reads."""
    left, equals, right = line.partition(" = ")
    if "," not in left:
        return line
    counts = Counter(word for text in texts for word in re.findall(r"\w+", text))
    # once in this line, once in the shape that it reads
    return ", ".join(n if n in used or counts[n] > 2 else "_" for n in left.split(", ")) + equals + right


def declared(axes: Axes) -> str:
    """Axes as a tuple of names and numbers."""
    entries = [str(d) if d.number is not None else f'"{d}"' for d in axes]
    return f"({', '.join(entries)}{',' if len(entries) == 1 else ''})"


def readable(d: Dim) -> bool:
    """Whether a length shows its one dimension: n, or n + 1."""
    return len(d.names()) == 1 and (d.names(), 1) in d.terms and len(d.terms) <= 2


def dimensions_of(given: Iterable[Given], alone: bool = False) -> set[str]:
    """The dimensions in the shapes; those that a length shows without others, if `alone`."""
    lengths = [d for g in given for p in g.pieces for d in p.axes]
    return {n for d in lengths if not alone or readable(d) for n in d.names()}
