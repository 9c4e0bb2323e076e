"""What the readers of a variable hand back, added up.

`Gathering` holds the adjoint program in the making. A contribution is an expression in cotangents that are already
there, at the index at which it is wanted; what cannot be said so (a sum over a loop, elements that only some indices
have) is put into statements of its own first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, rebuild, substitute
from mcalc.algebra.names import base_and_index
from mcalc.algebra.operators import add, inner, number, symbol
from mcalc.algebra.shape import SCALAR, Dim, Shape, dim
from mcalc.calculus.vec_laws import zero
from mcalc.errors import NotSupported
from mcalc.model.elements import Elements, slope
from mcalc.model.ir import Define, Loop, Model, Sequence, Statement, Total, Variable
from mcalc.model.naming import Names
from mcalc.model.uses import Use, Uses, is_fixed, reach, readers

_ONE = dim(1)
_FEW = 4
"""Up to so many zeros are written one by one."""


class Sum(NamedTuple):
    """A sum over an index that is still to be made a statement."""

    over: str
    first: Dim
    last: Dim
    value: Expr


class Gathering:
    """The adjoint program in the making: statements so far, cotangents, and what is still to be handed back."""

    def __init__(self, model: Model, wanted: Iterable[Variable]) -> None:
        self.model = model
        self.made = Elements(model.sequences, model.elements)
        self.names = Names.of(model)
        self.statements: list[Statement] = []
        self.bars: dict[Variable, str] = {}
        self.cotangents: dict[Expr, Expr] = {}
        self.same: dict[Expr, Expr] = {}
        """Cotangents that are others: N_bar = M_bar."""
        self.owed: dict[tuple[str, Dim], list[Expr]] = {}
        """What reversed loops hand to elements that were defined before them."""
        self.complete: set[tuple[str, Dim]] = set()
        """Elements whose cotangent a reversed loop has defined already."""
        self.carried: set[tuple[str, Dim]] = set()
        """Fixed indices whose part a reversed loop hands on, to the element before it where the loop is empty."""
        self.about: dict[str, Variable] = {}
        """Name of a cotangent, or of a part of one, to the variable whose it is."""
        self._family = {node: name for name, nodes in model.ragged.items() for node in nodes}
        self._single: dict[tuple[str, Dim], list[Expr]] = {}
        self._spread: dict[object, str] = {}
        self._defining: dict[str, list[int]] | None = None
        self._named: dict[int | None, dict[Expr, Expr]] = {None: {}}
        for _, statement, define in readers(model):
            if isinstance(statement, Define) and define.value.args:
                self._named[None].setdefault(define.value, define.target)
        self.uses = Uses(model, self.made, set(wanted), self.bar)

    # --- names ----------------------------------------------------------------------------------------------------

    def bar(self, target: Expr) -> Expr:
        """The cotangent of a symbol, or of an element at its own index."""
        element = self.made.elements.get(target)
        variable: Variable = target if element is None else element.sequence
        if variable not in self.bars:
            if element is None:
                base, index = base_and_index(target.name)
                family = self._family.get(target)
                stem = self.bars.get(f"{family}[]") if family else None
                if stem is None:
                    stem = self._suffixed(base)
                    if family:
                        self.bars[f"{family}[]"] = stem
                self.bars[variable] = f"{stem}{index}"
                self.about[f"{stem}{index}"] = target
            else:
                self.bars[variable] = self.sequence(element.sequence, self._suffixed(element.sequence))
        name = self.bars[variable]
        return symbol(name, target.shape) if element is None else self.made.at(name, element.index)

    def _suffixed(self, base: str) -> str:
        return self.names.fresh(f"{base}_bar", f"{base}_adj", f"{base}_cot")

    def sequence(self, like: str, name: str) -> str:
        """A new sequence of cotangents of the elements of another; its range grows with what is defined."""
        self.about[name] = like
        self.made.sequences[name] = Sequence(name, self.made.sequences[like].shape, *_NOWHERE)
        return name

    def cover(self, name: str, first: Dim, last: Dim) -> None:
        """Lets the sequence reach from `first` to `last` at least."""
        row = self.made.sequences[name]
        if row.first is _NOWHERE[0]:
            low, high = first, last
        else:
            about = self.about[name]
            assert isinstance(about, str)
            like = self.made.sequences[about]
            low = _outer(row.first, first, like.first, Dim.at_most)
            high = _outer(row.last, last, like.last, lambda x, y: y.at_most(x))
        self.made.sequences[name] = Sequence(row.name, row.shape, low, high, row.properties)

    def paired(self, target: Expr, value: Expr) -> Expr:
        """tr(N_bar^T value), N_bar being the cotangent of a definition's target."""
        bar = self.uses.constant.get(target)
        return value if bar is number(1) else inner(bar or self.bar(target), value)

    # --- statements -----------------------------------------------------------------------------------------------

    def define(self, target: Expr, value: Expr) -> None:
        """Adds target = value."""
        if target in self.made.elements:
            element = self.made.elements[target]
            sequence, index = element.sequence, element.index
            self.cover(sequence, index, index)
        self.statements.append(Define(target, value))

    def part(self, use: Use) -> Expr:
        """What a use hands back, at the loop's own index, in the names that the programs have for it."""
        e = use.part
        target = use.reader.target
        if target not in self.uses.constant:
            bar = self.bar(target)
            if bar in self.same:
                e = substitute(e, {bar: self.same[bar]})
        return fold(e, rebuild, self._known(use))

    def _known(self, use: Use) -> dict[Expr, Expr]:
        """Values to the names that the forward program has for them, where the use is."""
        if not isinstance(use.statement, Loop):
            return self._named[None] if isinstance(use.statement, Define) else {}
        if use.position not in self._named:
            known = dict(self._named[None])
            for define in use.statement.body:
                if define.value.args:
                    known.setdefault(define.value, define.target)
            self._named[use.position] = known
        return self._named[use.position]

    def at(self, use: Use, place: Dim) -> Expr:
        """What a use in a loop or sum hands to the element at `place`: the reader's index is found from it."""
        assert use.over is not None
        index = self.made.elements[use.symbol].index
        return self.made.moved(self.part(use), use.over.index, self.inverse(use, place, index))

    def inverse(self, use: Use, place: Dim, index: Dim) -> Dim:
        """The reader's index t for which `index` is `place`."""
        assert use.over is not None
        name = use.over.index
        sign = slope(index, name)
        if sign not in (1, -1):
            raise NotSupported(f"the index {index} of {use.symbol.name} does not move in steps of one")
        rest = index - dim(sign) * dim(name)
        return dim(sign) * (place - rest)

    def reach(self, use: Use) -> tuple[Dim, Dim]:
        """The first and the last element that a use with a moving index reads."""
        return reach(self.made, use)

    def fixed(self, use: Use) -> bool:
        """Whether a use reads one element whatever the loop's index."""
        return is_fixed(self.made, use)

    def defines(self, use: Use, name: str) -> bool:
        """Whether a use is in a loop that defines the sequence (then its own reverse hands the parts on)."""
        return use.position in self.defining(name)

    def defining(self, name: str) -> list[int]:
        """The positions of the loops that define a sequence by what depends on a parameter."""
        if self._defining is None:
            self._defining = {}
            for position, statement, define in readers(self.model):
                if isinstance(statement, Loop) and self.uses.has_cotangent(define):
                    self._defining.setdefault(self.made.elements[define.target].sequence, []).append(position)
        return self._defining.get(name, [])

    # --- sums -----------------------------------------------------------------------------------------------------

    def once(self, uses: Iterable[Use]) -> tuple[list[Expr], list[Sum]]:
        """What uses of one matrix hand back: expressions, and sums over the loops that read it."""
        inline: list[Expr] = []
        groups: dict[tuple[Dim, Dim], list[tuple[str, Expr]]] = {}
        for use in uses:
            if use.over is None:
                inline.append(self.part(use))
            else:
                groups.setdefault(use.over.ends, []).append((use.over.index, self.part(use)))
        sums = []
        for (first, last), parts in groups.items():
            index = parts[0][0]
            values = [self.made.moved(e, other, dim(index)) for other, e in parts]
            sums.append(Sum(index, first, last, joined(values)))
        return inline, sums

    def settle(self, target: Expr, inline: list[Expr], sums: list[Sum]) -> None:
        """Adds the statements of target = the sum of all."""
        if not inline and len(sums) == 1 and target not in self.made.elements:
            self.statements.append(Total(target, *sums[0]))
        else:
            self.define(target, joined([*inline, *self.totals(target, sums)], target.shape))

    def totals(self, target: Expr, sums: Iterable[Sum]) -> list[Expr]:
        """Adds a statement for each sum; their symbols."""
        found = []
        for sum_ in sums:
            base = base_and_index(target.name)[0].removesuffix("_bar")
            total = symbol(self.names.fresh(f"{base}_sum_bar"), target.shape)
            element = self.made.elements.get(target)
            owner = target.name if element is None else element.sequence
            self.about[total.name] = self.about.get(owner, owner)
            self.statements.append(Total(total, *sum_))
            found.append(total)
        return found

    # --- elements of a sequence -----------------------------------------------------------------------------------

    def fixed_uses(self, name: str) -> dict[Dim, list[Use]]:
        """The uses of single elements of a sequence, by index."""
        found: dict[Dim, list[Use]] = {}
        for use in self.uses.of.get(name, ()):
            if self.fixed(use):
                found.setdefault(self.made.elements[use.symbol].index, []).append(use)
        return found

    def single(self, name: str, place: Dim) -> list[Expr]:
        """What is handed to the element at a fixed index by the statements that name it, and by loops before it."""
        if (name, place) not in self._single:
            inline, sums = self.once(self.fixed_uses(name).get(place, []))
            self._single[name, place] = [*inline, *self.totals(self.made.at(name, place), sums)]
        return [*self._single[name, place], *self.owed.get((name, place), ())]

    def singles(self, name: str) -> list[Dim]:
        """The fixed indices at which something is handed back."""
        return list(dict.fromkeys([*self.fixed_uses(name), *(p for n, p in self.owed if n == name)]))

    def spread_use(self, use: Use) -> str:
        """A sequence with what a use hands to each element, zero where it reads none; its name."""
        known = self._spread.get(use)
        if known is not None:
            return known
        assert use.over is not None
        source = self.made.elements[use.symbol].sequence
        name = self._spread[use] = self.sequence(source, self.names.fresh(f"{source}_out_bar"))
        first, last = self.reach(use)
        index = use.over.index
        body = (Define(self.made.at(name, dim(index)), self.at(use, dim(index))),)
        self._fill(source, name, first, last)
        self.statements.append(Loop(index, first, last, 1, body))
        return name

    def spread_single(self, source: str, place: Dim) -> str:
        """A sequence with what is handed to the element at a fixed index, zero elsewhere; its name."""
        known = self._spread.get((source, place))
        if known is not None:
            return known
        name = self._spread[source, place] = self.sequence(source, self.names.fresh(f"{source}_out_bar"))
        target = self.made.at(name, place)
        value = joined(self.single(source, place), target.shape)
        self._fill(source, name, place, place)
        self.define(target, value)
        return name

    def _fill(self, source: str, name: str, first: Dim, last: Dim) -> None:
        """Zeros in the sequence below `first` and above `last`; room for the whole of `source`."""
        row = self.made.sequences[source]
        low, high = row.first, row.last
        self.cover(name, low, high)
        below, above = (first - low).number, (high - last).number
        # where the sequence is shorter than what is left out, the zeros need room beyond its ends
        room_above = max(0, (below or 1) - 1)
        room_below = max(0, (above or 1) - 1)
        self.cover(name, low + dim(-room_below), high + dim(room_above))
        self._zeros(name, low, first - _ONE, below)
        self._zeros(name, last + _ONE, high, above)

    def _zeros(self, name: str, first: Dim, last: Dim, count: int | None) -> None:
        shape = self.made.sequences[name].shape
        if count is not None and count <= _FEW:
            for k in range(count):
                self.define(self.made.at(name, first + dim(k)), zero(shape))
        else:
            index = self.index()
            self.statements.append(Loop(index, first, last, 1, (Define(self.made.at(name, dim(index)), zero(shape)),)))

    def index(self) -> str:
        """A name for the index of a loop that the model does not have."""
        return next((s.index for s in self.model.statements if not isinstance(s, Define)), "t")


def _outer(x: Dim, y: Dim, end: Dim, covers: Callable[[Dim, Dim], bool]) -> Dim:
    """Of two ends of a range the outer one; where that depends on sizes, one that is as far out as `end`, or `end`."""
    if covers(x, y):
        return x
    if covers(y, x):
        return y
    return next((z for z in (x, y) if covers(z, end)), end)


def joined(parts: Iterable[Expr], shape: Shape = SCALAR) -> Expr:
    """The sum, flat, with negative terms last; zero where there is none."""
    terms = [t for part in parts for t in (part.args if part.op == "add" and _plain(part) else (part,))]
    terms = [t for t in terms if t.op not in ("zeros",)]
    if not terms:
        return zero(shape)
    return add(*[t for t in terms if t.op != "neg"], *[t for t in terms if t.op == "neg"])


def _plain(total: Expr) -> bool:
    """Whether no term of the sum is a scalar among matrices."""
    return all(a.shape == total.shape for a in total.args)


_NOWHERE = (dim("never"), dim("never"))
