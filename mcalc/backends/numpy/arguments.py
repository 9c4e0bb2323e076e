"""The first lines of a generated function: arguments to arrays, shapes checked, dimensions read off.

In: the arguments with their declared shapes, and the dimensions that the body reads; out: lines of Python. A length
that is a sum or product is solved for the one name in it that is not known yet, and then checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        lengths = [f'"{d}"' for d in stored(e)]
        entries.append(f'"{name}": ({", ".join(lengths)}{"," if len(lengths) == 1 else ""})')
    return f"SHAPES = {{{', '.join(entries)}}}"


def convert(arguments: Sequence[Argument]) -> str:
    """The line that makes the arguments arrays of one precision."""
    names = [name for name, _ in arguments]
    given = ", ".join(f"{name}={name}" for name in names)
    return f"{', '.join(names)}{',' if len(names) == 1 else ''} = floats({given})"


def check_shapes(arguments: Sequence[Argument], names: Mapping[str, str], wanted: Sequence[str]) -> list[str]:
    """The lines that check every shape and define the dimensions; `wanted` are read by the body."""
    pending = list(arguments)
    known: set[str] = set()
    lines: list[str] = []
    while pending:
        place = next((i for i, (_, e) in enumerate(pending) if _readable(stored(e), known)), None)
        if place is None:
            raise NotSupported("the dimensions cannot be read off the shapes of the arguments")
        name, e = pending.pop(place)
        later = [d for _, other in pending for d in stored(other)]
        needed = set(wanted) | {n for d in (*later, *stored(e)[1:]) for n in d.names()}
        lines.extend(_check(name, stored(e), known, names, needed))
    missing = [n for n in wanted if n not in known]
    if missing:
        raise NotSupported(f"the dimension {missing[0]} is the length of no argument")
    return lines


def _readable(shape: Axes, known: set[str]) -> bool:
    seen = set(known)
    for d in shape:
        fresh = [n for n in d.names() if n not in seen]
        if len(fresh) > 1 or (fresh and not _linear(d, fresh[0])):
            return False
        seen.update(fresh)
    return True


def _linear(d: Dim, name: str) -> bool:
    return sum(monomial.count(name) for monomial, _ in d.terms) == 1 and not any(
        monomial.count(name) > 1 for monomial, _ in d.terms
    )


def _check(name: str, shape: Axes, known: set[str], names: Mapping[str, str], needed: set[str]) -> list[str]:
    texts: list[str] = []
    targets: list[str] = []
    solved: list[tuple[str, Dim]] = []
    here: set[str] = set()
    for d in shape:
        fresh = [n for n in d.names() if n not in known and n not in here]
        if not fresh:
            repeated = bool(set(d.names()) & here)
            texts.append("None" if repeated else written(d, names))
            targets.append("_")
            if repeated:
                solved.append(("", d))
        else:
            here.update(fresh)
            texts.append("None")
            plain = str(d) == fresh[0]
            targets.append(names[fresh[0]] if plain else "length")
            if not plain:
                solved.append((fresh[0], d))
    known |= here
    call = f'sizes("{name}", {", ".join([name, *texts])})'
    if not here:
        return [call]
    lines = [f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = {call}"]
    if not solved and not (here & needed):
        lines = [call]
    for fresh_name, d in solved:
        if fresh_name:
            lines.append(f"{names[fresh_name]} = {_solution(d, fresh_name, names)}")
    if solved:
        lines.append(f'sizes("{name}", {", ".join([name, *(written(d, names) for d in shape)])})')
    return lines


def _solution(d: Dim, name: str, names: Mapping[str, str]) -> str:
    """The name, from the length that the dimension comes to."""
    rest, factor = [], ""
    for monomial, coefficient in d.terms:
        factors = [str(coefficient)] if coefficient != 1 else []
        factors += [names[n] for n in monomial if n != name]
        if name in monomial:
            factor = " * ".join(factors)
        else:
            rest.append(" * ".join(factors) or "1")
    top = " - ".join(["length", *rest])
    if factor:
        top = f"({top})" if rest else top
        top = f"{top} // {f'max({factor}, 1)' if not factor.isdigit() else factor}"
    return f"max({top}, 0)" if rest else top


def written(d: Dim, names: Mapping[str, str]) -> str:
    """A dimension as Python."""
    return Place(Array(), names).size(d).code
