"""The first lines of a generated function: arguments to arrays, shapes checked, dimensions read off.

In: the arguments with their declared shapes, and the dimensions that the body reads; out: lines of Python. `checked`
(helpers) compares the shapes with the table `SHAPES`, in which a length is a number, a name, or the text of a sum or
product. Such a length is solved for the one name in it that is not known yet, and then checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, Dim
from mcalc.backends.numpy.text import Place
from mcalc.errors import NotSupported
from mcalc.program.ir import Array
from mcalc.program.operations import Axes

Argument = tuple[str, Expr]


def stored(e: Expr) -> Axes:
    """The axes of an argument as it is given: a column has one, a row vector two."""
    if e.is_scalar:
        return ()
    return e.shape[:1] if e.shape[1] is ONE else e.shape


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


def read_sizes(arguments: Sequence[Argument], names: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """The lines that define the wanted dimensions, and check lengths that are sums or products."""
    compound = [(name, e) for name, e in arguments if any(_is_compound(d) for d in stored(e))]
    inside = [n for _, e in compound for d in stored(e) for n in d.names()]
    needed = dict.fromkeys([*wanted, *inside])
    lines = _plain_sizes(arguments, names, needed)
    known = {n for _, e in arguments for d in stored(e) if not _is_compound(d) for n in d.names()}
    pending = [n for n in needed if n not in known]
    while pending:
        found = next(((n, s) for n in pending if (s := _solved(n, compound, known, names)) is not None), None)
        if found is None:
            raise NotSupported(f"the dimension {pending[0]} cannot be read off the shapes of the arguments")
        pending.remove(found[0])
        known.add(found[0])
        lines.append(f"{names[found[0]]} = {found[1]}")
    for name, e in compound:
        lines.append(f'expect("{name}", {", ".join([name, *(written(d, names) for d in stored(e))])})')
    return lines


def _is_compound(d: Dim) -> bool:
    return d.number is None and str(d) not in d.names()


def _plain_sizes(arguments: Sequence[Argument], names: Mapping[str, str], needed: Iterable[str]) -> list[str]:
    """Dimensions that are lengths themselves: `n, d = X.shape`, `n = y.shape[0]`."""
    lines, left = [], dict.fromkeys(needed)
    for name, e in arguments:
        shape = stored(e)
        here = [str(d) for d in shape]
        if len(shape) == 2 and len(set(here)) == 2 and all(n in left for n in here):
            lines.append(f"{names[here[0]]}, {names[here[1]]} = {name}.shape")
        else:
            lines += [f"{names[n]} = {name}.shape[{here.index(n)}]" for n in dict.fromkeys(here) if n in left]
        for n in here:
            left.pop(n, None)
    return lines


def _solved(n: str, arguments: Sequence[Argument], known: set[str], names: Mapping[str, str]) -> str | None:
    """A name from a length in which it is the only unknown."""
    for name, e in arguments:
        for place, d in enumerate(stored(e)):
            fresh = [x for x in d.names() if x not in known]
            if fresh == [n] and sum(monomial.count(n) for monomial, _ in d.terms) == 1:
                return _solution(d, n, f"{name}.shape[{place}]", names)
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


def written(d: Dim, names: Mapping[str, str]) -> str:
    """A dimension as Python."""
    return Place(Array(), names).size(d).code
