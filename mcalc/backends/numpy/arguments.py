"""The first lines of a generated function: arguments to arrays, shapes checked, dimensions read off.

In: the arguments with their declared shapes, and the dimensions that the body reads; out: lines of Python. `checked`
(helpers) compares the shapes with the table `SHAPES`, in which a length is a number, a name, or the text of a sum or
product. Such a length is solved for the one name in it that is not known yet, and then checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim
from mcalc.backends.numpy.spelling import size
from mcalc.errors import NotSupported
from mcalc.program.operations import Axes
from mcalc.program.procedure import stored

Argument = tuple[str, Expr]


def shapes_table(arguments: Sequence[Argument]) -> str:
    """`SHAPES = {…}`: the declared shape of every argument."""
    entries = []
    for name, e in arguments:
        lengths = [str(d) if d.number is not None else f'"{d}"' for d in stored(e)]
        entries.append(f'"{name}": ({", ".join(lengths)}{"," if len(lengths) == 1 else ""})')
    return f"SHAPES = {{{', '.join(entries)}}}"


def convert(arguments: Sequence[Argument]) -> str:
    """The line that makes the arguments arrays of one precision and checks their shapes."""
    names = [name for name, _ in arguments]
    given = ", ".join(f"{name}={name}" for name in names)
    target = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
    return f"{target} = checked({given})"


class Piece(NamedTuple):
    """An array that is given: its Python name, the name that messages use, its declared axes."""

    python: str
    name: str
    axes: Axes


def read_sizes(arrays: Sequence[Piece], names: Mapping[str, str], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines that define the wanted dimensions, and those that check lengths that are sums or products."""
    compound = [a for a in arrays if any(_is_compound(d) for d in a.axes)]
    inside = [n for a in compound for d in a.axes for n in d.names()]
    needed = dict.fromkeys([*wanted, *inside])
    lines = _plain_sizes(arrays, names, needed)
    known = {n for a in arrays for d in a.axes if not _is_compound(d) for n in d.names()}
    pending = [n for n in needed if n not in known]
    while pending:
        found = next(((n, s) for n in pending if (s := _solved(n, compound, known, names)) is not None), None)
        if found is None:
            raise NotSupported(f"the dimension {pending[0]} cannot be read off the shapes of the arguments")
        pending.remove(found[0])
        known.add(found[0])
        lines.append(f"{names[found[0]]} = {found[1]}")
    checks = [f'expect("{a.name}", {", ".join([a.python, *(size(d, names) for d in a.axes)])})' for a in compound]
    return lines, checks


def _is_compound(d: Dim) -> bool:
    return d.number is None and str(d) not in d.names()


def _plain_sizes(arrays: Sequence[Piece], names: Mapping[str, str], needed: Iterable[str]) -> list[str]:
    """Dimensions that are lengths themselves: `n, d = X.shape`, `n = y.shape[0]`."""
    lines, left = [], dict.fromkeys(needed)
    for a in arrays:
        here = [str(d) for d in a.axes]
        if len(set(here)) == len(here) > 1 and all(n in left for n in here):
            lines.append(f"{', '.join(names[n] for n in here)} = {a.python}.shape")
        else:
            lines += [f"{names[n]} = {a.python}.shape[{here.index(n)}]" for n in dict.fromkeys(here) if n in left]
        for n in here:
            left.pop(n, None)
    return lines


def _solved(n: str, arrays: Sequence[Piece], known: set[str], names: Mapping[str, str]) -> str | None:
    """A name from a length in which it is the only unknown."""
    for a in arrays:
        for place, d in enumerate(a.axes):
            fresh = [x for x in d.names() if x not in known]
            if fresh == [n] and sum(monomial.count(n) for monomial, _ in d.terms) == 1:
                return _solution(d, n, f"{a.python}.shape[{place}]", names)
    return None


def _solution(d: Dim, name: str, length: str, names: Mapping[str, str]) -> str:
    """The name, from the length that the dimension comes to."""
    rest, factor = [], ""
    for monomial, coefficient in d.terms:
        factors = [str(coefficient)] if coefficient != 1 or not monomial else []
        factors += [names[n] for n in monomial if n != name]
        if name in monomial:
            factor = " * ".join(factors)
        else:
            rest.append(" * ".join(factors))
    top = " - ".join([length, *rest])
    if factor:
        divisor = factor if factor.isdigit() else f"max({factor}, 1)"
        top = f"{f'({top})' if rest else top} // {divisor}"
    return f"max({top}, 0)" if rest else top
