"""Dimensions that are not known yet: unification of sums and products of names.

Goes in: equations between dimensions, in which `?0`, `?1`, … are unknown; comes out: the most general values. An
unknown dimension is never 1: a reading that would force it to be is no reading. Names of the user (`n`) and integers
are rigid. What does not follow at once (`p + q = r + s`) waits until the end and is then matched term by term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

from mcalc.algebra.shape import ONE, Dim, Monomial, Shape, dim, shape_text
from mcalc.errors import LimitError

NAMES = ("n", "m", "d", "k", "p", "q", "r", "s", "t", "u", "v", "h", "l", "j")
"""Names for dimensions that the text leaves free, in this order."""

_TERM_LIMIT, _DEGREE_LIMIT = 200, 64


class Misfit(Exception):
    """Two dimensions differ: what is needed, and which operands are to blame."""

    def __init__(self, message: str, operands: tuple[int, ...] = (), hint: str = "", ambiguous: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.operands = operands
        self.hint = hint
        self.ambiguous = ambiguous
        self.place = -1
        """The step of the program, and the operand of it that was being joined."""
        self.at = 1
        self.types: list[Any] = []
        self.dimensions: Dimensions | None = None


class _Waiting(NamedTuple):
    left: Dim
    right: Dim
    misfit: Misfit


def _is_unknown(d: Dim) -> bool:
    """Whether this is one unknown alone."""
    return d.text[0] == "?" and len(d.terms) == 1 and len(d.terms[0][0]) == 1 and d.terms[0][1] == 1


class Dimensions:
    """Unknown dimensions, their values so far, and equations that wait."""

    def __init__(self) -> None:
        self.values: dict[str, Dim] = {}
        self.waiting: list[_Waiting] = []
        self.made = 0
        self.place = -1
        self.at = 1
        """The step that is being checked, and the operand of it that is joined."""

    def fresh(self) -> Dim:
        """A new unknown."""
        self.made += 1
        return dim(f"?{self.made:05}")

    def value(self, d: Dim) -> Dim:
        """The dimension with what is known put in."""
        while "?" in d.text:
            if _is_unknown(d):
                known = self.values.get(d.text)
                if known is None:
                    return d
                d = known
                continue
            new = self._substitute(d)
            if new is d:
                return d
            d = new
        return d

    def _substitute(self, d: Dim) -> Dim:
        if not any(name in self.values for name in d.names()):
            return d
        total = dim(0)
        for monomial, coefficient in d.terms:
            product = dim(coefficient)
            for name in monomial:
                product = times(product, self.values.get(name, dim(name)))
            total = total + product
        return total

    def equate(self, a: Dim, b: Dim, message: str, operands: tuple[int, ...] = (), hint: str = "") -> None:
        """Makes a and b equal, or raises `Misfit`."""
        if a is b:
            return
        a, b = self.value(a), self.value(b)
        if a is b:
            return
        if _is_unknown(a):
            if _is_unknown(b) and b.text > a.text:
                a, b = b, a
            fits = self._bind(a, b)
        elif _is_unknown(b):
            fits = self._bind(b, a)
        elif "?" in a.text or "?" in b.text:
            misfit = Misfit(message, operands, hint)
            misfit.place, misfit.at = self.place, self.at
            self.waiting.append(_Waiting(a, b, misfit))
            return
        else:
            fits = False
        if not fits:
            misfit = Misfit(message, operands, hint)
            misfit.place, misfit.at = self.place, self.at
            raise misfit

    def _bind(self, unknown: Dim, value: Dim) -> bool:
        if value is ONE or value.number == 0 or unknown.text in value.names():
            return False
        self.values[unknown.text] = value
        return True

    def settle(self) -> None:
        """Solves what waits; where nothing follows any more, term by term."""
        while self.waiting:
            rest = [w for w in self.waiting if not self._solve(w)]
            if len(rest) == len(self.waiting):
                if not self._match(rest[0]):
                    raise rest[0].misfit
                rest = rest[1:]
            self.waiting = rest

    def _difference(self, w: _Waiting) -> dict[Monomial, int]:
        total: Counter[Monomial] = Counter()
        total.update(dict(self.value(w.left).terms))
        total.subtract(dict(self.value(w.right).terms))
        rest = {m: c for m, c in total.items() if c}
        if len(rest) > 1:
            common = Counter(next(iter(rest)))
            for monomial in rest:
                common &= Counter(monomial)
            if common:
                rest = {tuple(sorted((Counter(m) - common).elements())): c for m, c in rest.items()}
        return rest

    def _solve(self, w: _Waiting) -> bool:
        """Whether the equation holds or determines an unknown."""
        rest = self._difference(w)
        if not rest:
            return True
        signs = {c > 0 for c in rest.values()}
        if len(signs) == 1 or not any(name[0] == "?" for m in rest for name in m):
            raise w.misfit
        for monomial, c in rest.items():
            if len(monomial) != 1 or monomial[0][0] != "?":
                continue
            others = {m: v for m, v in rest.items() if m != monomial}
            if any(monomial[0] in m for m in others) or any(v % c or v * c > 0 for v in others.values()):
                continue
            if not self._bind(dim(monomial[0]), _sum((m, -v // c) for m, v in others.items())):
                raise w.misfit
            return True
        return False

    def _match(self, w: _Waiting) -> bool:
        """Equates terms, and factors of terms, in the order in which their unknowns were met."""
        rest = self._difference(w)
        left = sorted((m, c) for m, c in rest.items() if c > 0)
        right = sorted((m, -c) for m, c in rest.items() if c < 0)
        if [(len(m), c) for m, c in left] != [(len(m), c) for m, c in right]:
            return False
        try:
            for (a, _), (b, _) in zip(left, right, strict=True):
                for x, y in zip(a, b, strict=True):
                    self.equate(dim(x), dim(y), w.misfit.message, w.misfit.operands)
        except Misfit:
            return False
        return True

    def name_unknowns(self, shapes: Iterable[Shape], taken: Iterable[str]) -> None:
        """Gives the unknowns that are left the names of `NAMES`, in the order of the shapes."""
        names = free_names(set(taken))
        for shape in shapes:
            for d in shape:
                for name in self.value(d).names():
                    if name[0] == "?":
                        self.values[name] = dim(next(names))

    def shown(self, shape: Shape) -> str:
        """A shape for a message; unknowns get names for the occasion."""
        return shape_text((self.value(shape[0]), self.value(shape[1])))


def times(a: Dim, b: Dim) -> Dim:
    """The product of two dimensions, within limits: Kronecker products of blocks grow without end."""
    if len(a.terms) * len(b.terms) > _TERM_LIMIT or _degree(a) + _degree(b) > _DEGREE_LIMIT:
        raise LimitError("the dimensions of a Kronecker product are too long to write down")
    return a * b


def _degree(d: Dim) -> int:
    return max((len(monomial) for monomial, _ in d.terms), default=0)


def _sum(terms: Iterable[tuple[Monomial, int]]) -> Dim:
    total = dim(0)
    for monomial, coefficient in terms:
        product = dim(coefficient)
        for name in monomial:
            product = product * dim(name)
        total = total + product
    return total


def free_names(taken: set[str]) -> Iterator[str]:
    """Names for dimensions that are not taken, without end."""
    yield from (name for name in NAMES if name not in taken)
    yield from (f"n{i}" for i in count(1) if f"n{i}" not in taken)
