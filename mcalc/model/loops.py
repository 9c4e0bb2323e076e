"""The reverse of one loop.

`for t in a..b` with the targets h[t] becomes `for t in b..a`: h_bar[t] adds what every reader of h[t] hands back.
Readers in the same loop at a later iteration t + D have been reversed by then. See mcalc/model/reverse.py for the three
ways in which they are read: at their place, carried, or defining h_bar[t-1] directly.
"""

from __future__ import annotations

from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import Dim, dim
from mcalc.calculus.vec_laws import zero
from mcalc.errors import NotSupported
from mcalc.model.gather import Gathering, joined
from mcalc.model.ir import Define, Loop
from mcalc.model.uses import Use


def reverse_loop(g: Gathering, position: int, loop: Loop) -> None:
    """Adds the reverse of a loop, and before it what it needs at its ends."""
    Reversal(g, position, loop).add()


class Reversal:
    """One loop that is being reversed."""

    def __init__(self, g: Gathering, position: int, loop: Loop) -> None:
        self.g = g
        self.position = position
        self.loop = loop
        self.step = dim(loop.step)
        self.own = dim(loop.index)
        self.low, self.high = loop.range.ends
        self.body: list[Define] = []
        self.tail: list[Define] = []
        self.ends: set[tuple[str, Dim]] = set()

    def add(self) -> None:
        """Adds the statements."""
        g, loop = self.g, self.loop
        for define in reversed(loop.body):
            if g.uses.has_cotangent(define):
                self._target(define)
        if self.body or self.tail:
            body = (*self.body, *self.tail)
            g.statements.append(Loop(loop.index, loop.last, loop.first, -loop.step, body, loop.span))

    def _target(self, define: Define) -> None:
        g = self.g
        element = g.made.elements[define.target]
        name, index = element.sequence, element.index
        if index is not self.own:
            raise NotSupported(f"a loop over {self.loop.index} defines {name}[{self.loop.index}], not {name}[{index}]")
        bar = g.bar(define.target)
        g.cover(g.made.elements[bar].sequence, self.low, self.high)
        direct, later = self._contributions(name)
        end = self._end(name)
        if not direct and set(later) <= {1} and later and end is not None and self._only_through(name):
            self._direct(name, later[1], end)
            g.cotangents[define.target] = bar
            return
        for distance, uses in later.items():
            direct += self._later(name, distance, uses, end if distance == 1 else None)
        if end is not None and 1 not in later:
            direct.append(g.made.at(g.spread_single(name, self.loop.last), self.own))
        only = direct[0] if len(direct) == 1 else None
        if only is not None and self._is_cotangent(only) and not self._is_read(g.made.elements[bar].sequence):
            g.same[bar] = only
            g.cotangents[define.target] = only
            return
        g.cotangents[define.target] = bar
        self.body.append(Define(bar, joined(direct, bar.shape)))

    def _is_cotangent(self, e: Expr) -> bool:
        """Whether an expression is a cotangent of this loop, at its own index."""
        element = self.g.made.elements.get(e)
        mine = {self.g.bars.get(self.g.made.elements[d.target].sequence) for d in self.loop.body}
        return element is not None and element.index is self.own and element.sequence in mine

    def _is_read(self, sequence: str) -> bool:
        """Whether what was made of this loop so far, as it carries cotangents on, reads a sequence."""
        made = [d.value for d in (*self.body, *self.tail)] + [e for values in self.g.owed.values() for e in values]
        elements = self.g.made.elements
        return any(s in elements and elements[s].sequence == sequence for e in made for s in symbols(e))

    def _contributions(self, name: str) -> tuple[list[Expr], dict[int, list[Use]]]:
        """What is handed to h[t] at its own place; and the uses in later iterations by their distance."""
        g = self.g
        direct: list[Expr] = []
        later: dict[int, list[Use]] = {}
        for use in g.uses.of.get(name, ()):
            if g.fixed(use):
                continue
            if use.position == self.position:
                distance = (self.step * (self.own - g.made.elements[use.symbol].index)).number
                if distance is None or distance < 0:
                    raise NotSupported(
                        f"{use.symbol.name} in a loop over {self.loop.index} is not of an earlier iteration"
                    )
                if distance:
                    later.setdefault(distance, []).append(use)
                else:
                    direct.append(g.part(use))
                continue
            first, last = g.reach(use)
            if first.at_most(self.low) and self.high.at_most(last):
                direct.append(g.at(use, self.own))
            elif not self._outside(first, last) and not g.defines(use, name):
                direct.append(g.made.at(g.spread_use(use), self.own))
        for place in g.singles(name):
            if place is not self.loop.last and not self._outside(place, place):
                direct.append(g.made.at(g.spread_single(name, place), self.own))
        return direct, later

    def _outside(self, first: Dim, last: Dim) -> bool:
        """Whether no index of the loop is in first..last."""
        return last.below(self.low) or self.high.below(first)

    def _end(self, name: str) -> Expr | None:
        """What statements after the loop hand to the element of its last iteration alone."""
        if self.loop.last not in self.g.singles(name):
            return None
        return joined(self.g.single(name, self.loop.last), self.g.made.sequences[name].shape)

    def _only_through(self, name: str) -> bool:
        """Whether nothing but this loop's next iteration, and its end, hands anything to the sequence."""
        g = self.g
        uses = g.uses.of.get(name, ())
        alone = all(use.position == self.position and not g.fixed(use) for use in uses
                    if not (g.fixed(use) and g.made.elements[use.symbol].index is self.loop.last))  # fmt: skip
        return alone and set(g.singles(name)) == {self.loop.last} and g.defining(name) == [self.position]

    def _direct(self, name: str, uses: list[Use], end: Expr) -> None:
        """h_bar[T] = what comes from after the loop; iteration t defines h_bar[t-1]."""
        g = self.g
        bar = g.bars[name]
        before = self.own - self.step
        g.define(g.made.at(bar, self.loop.last), end)
        g.cover(bar, self.loop.first - self.step, self.loop.first - self.step)
        self.tail.append(Define(g.made.at(bar, before), joined([g.part(use) for use in uses])))
        g.complete.add((name, self.loop.first - self.step))

    def _later(self, name: str, distance: int, uses: list[Use], end: Expr | None) -> list[Expr]:
        """What iteration t + D hands to h[t], as it is read at t; the elements before the loop get theirs noted."""
        g = self.g
        shift = self.step * dim(distance)
        parts = [g.part(use) for use in uses]
        if end is None and all(self._reaches(part, distance) for part in parts):
            for part in parts:
                self._bound(part, distance)
            read = [g.made.moved(part, self.loop.index, self.own + shift) for part in parts]
        else:
            word = "prev" if self.loop.step > 0 else "next"
            number = str(distance) if distance > 1 else ""
            carried = g.sequence(name, g.names.fresh(f"{name}_{word}{number}_bar"))
            g.cover(carried, self.low, self.high)
            for k in range(1, distance + 1):
                value = end if end is not None and k == 1 else zero(g.made.sequences[name].shape)
                g.define(g.made.at(carried, self.loop.last + self.step * dim(k)), value)
            if end is not None:
                g.carried.add((name, self.loop.last))
            self.tail.append(Define(g.made.at(carried, self.own), joined(parts)))
            read = [g.made.at(carried, self.own + shift)]
        for k in range(1, distance + 1):
            place = self.loop.first - self.step * dim(k)
            values = [g.made.moved(e, self.loop.index, place) for e in read]
            g.owed.setdefault((name, place), []).extend(values)
        return read

    def _reaches(self, part: Expr, distance: int) -> bool:
        """Whether everything that the part reads is there beyond the last iteration, cotangents being zero there."""
        g = self.g
        bars = set(g.bars.values())
        for node in symbols(part):
            if node not in g.made.elements or not g.made.has_index(node, self.loop.index):
                continue
            element = g.made.elements[node]
            sequence, index = element.sequence, element.index
            if sequence in bars:
                if index is not self.own:
                    return False
                continue
            row = g.made.sequences[sequence]
            for k in range(1, distance + 1):
                there = g.made.elements[g.made.moved(node, self.loop.index, self.loop.last + self.step * dim(k))].index
                if not (row.first.at_most(there) and there.at_most(row.last)):
                    return False
        return True

    def _bound(self, part: Expr, distance: int) -> None:
        """Zeros beyond the last iteration for the cotangents that the part reads."""
        g = self.g
        bars = set(g.bars.values())
        for node in symbols(part):
            if node not in g.made.elements or g.made.elements[node].sequence not in bars:
                continue
            sequence = g.made.elements[node].sequence
            for k in range(1, distance + 1):
                place = self.loop.last + self.step * dim(k)
                if (sequence, place) not in self.ends:
                    self.ends.add((sequence, place))
                    g.define(g.made.at(sequence, place), zero(g.made.sequences[sequence].shape))
