"""Squares of residuals without the residuals: |A - B C|^2 where the product is thin, as in X - U V^T.

In: a procedure without loops; out: one that expands, or None where there is nothing to expand:

    |A - B C|^2 = |A|^2 - 2 <A, B C> + <B^T B, C C^T>       (A - B C) C^T = A C^T - B (C C^T)

and alike for B^T (A - B C). With A of n x m and B of n x r, these are two products of n m r where the residual takes
three, and nothing of n x m is computed. What is added are products of r x r, so the choice is one of sizes.

The terms cancel where the fit is good: `residual_square` is nan there, and what is made of it has to be computed again
with the residual. (The errors of the products grow with 1 / |A - B C| only, that of the square with 1 / |A - B C|^2.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim
from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array, arrays
from mcalc.program.procedure import Block, Cell, Procedure
from mcalc.program.products import Piece, inner, product

_KEEP_NAN = frozenset(("sum", "scale", "times", "quotient", "sqrt", "log", "exp"))
"""Operations on scalars whose result is nan where an operand is."""


class Thin(NamedTuple):
    """A residual A - B C: A, B, C, each with whether it is the transpose of an argument; A is n x m, B is n x r."""

    factors: tuple[tuple[Expr, bool], ...]
    sizes: tuple[Dim, Dim, Dim]
    """n, m, r."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The procedure with expanded squares, and their residuals."""

    procedure: Procedure
    residuals: tuple[Thin, ...]


class _Residual(NamedTuple):
    """scale (A - B C): the array, the data A and the factors."""

    array: Array
    scale: Fraction
    a: Array
    b: Array
    c: Array


class _Image(NamedTuple):
    """A multiple of a residual, or of its transpose."""

    residual: _Residual
    factor: Term
    turned: bool


def expanded(procedure: Procedure, wanted: Collection[Expr], inputs: Collection[Expr]) -> Expanded | None:
    """The procedure with the squares expanded that pay at nominal sizes; None where there are none.

    `wanted` are the loss, first, and the gradients, `inputs` the symbols of the data. A residual that is read by
    anything but its square and its products with its own factors is computed in any case, and is left as it is.
    """
    if any(block.range is not None for block in procedure.blocks) or any(e not in procedure.bound for e in wanted):
        return None
    roots = [procedure.bound[e] for e in wanted]
    rewriting = _Rewriting(procedure.builder, roots, {a for a, e in procedure.leaves.items() if e in inputs})
    if not rewriting.residuals:
        return None
    memo = rewriting.made()
    blocks = []
    for block in procedure.blocks:
        cells = [Cell(memo[c.array], c.target, c.total) for c in block.cells if c.array in memo]
        blocks.append(Block(block.phase, None, cells))
    bound = {e: memo[a] for e, a in procedure.bound.items() if a in memo}
    made = Procedure(procedure.builder, blocks, procedure.leaves, bound, procedure.elements)
    return Expanded(made, tuple(_thin(r, procedure.leaves) for r in rewriting.residuals))


def _thin(r: _Residual, leaves: Mapping[Array, Expr]) -> Thin:
    factors = tuple((leaves[x.args[0] if x.op == "T" else x], x.op == "T") for x in (r.a, r.b, r.c))
    return Thin(factors, (r.a.shape[0], r.a.shape[1], r.b.shape[1]))


class _Rewriting:
    """Arrays below the roots, with the squares of residuals and the products with residuals expanded."""

    def __init__(self, b: Builder, roots: list[Array], data: Collection[Array]) -> None:
        self.b = b
        self.live = list(arrays(*roots))
        self.images: dict[Array, _Image] = {}
        self.products: dict[Array, set[str]] = {}
        """The products of each residual that are read: "columns" is A C^T, "rows" is A^T B."""
        readers: dict[Array, list[Array]] = {}
        for a in self.live:
            for x in a.args:
                readers.setdefault(x, []).append(a)
        found = [r for a in self.live if (r := self._residual(a, data, readers)) is not None]
        self.residuals = [r for r in found if self._is_free(r, readers, roots)]
        for r in found:
            if r not in self.residuals:
                self.images = {a: image for a, image in self.images.items() if image.residual != r}

    # --- what is expanded ---------------------------------------------------------------------------------------------

    def _residual(self, a: Array, data: Collection[Array], readers: Mapping[Array, list[Array]]) -> _Residual | None:
        """A sum of data and of the product of two parameters, with opposite signs, that pays at nominal sizes."""
        if a.op != "sum" or len(a.args) != 2 or sum(a.attrs):
            return None
        for (x, sign), y in zip(zip(a.args, a.attrs, strict=True), a.args[::-1], strict=True):
            turned = y.op == "T"
            p = y.args[0] if turned else y
            if _leaf(x) not in data or x.rank != 2 or p.op != "matmul" or p.rank != 2:
                continue
            alone = readers[p] == [y if turned else a] and readers[y] == [a]
            if not alone or any(f.rank != 2 or _leaf(f) is None for f in p.args):
                continue
            left, right = (self.b.view(f) for f in reversed(p.args)) if turned else p.args
            n, m, r = self.b.lengths((*x.shape, left.shape[1]))
            if 2 * r * (n + m) < n * m:
                return _Residual(a, sign, x, left, right)
        return None

    def _is_free(self, r: _Residual, readers: Mapping[Array, list[Array]], roots: Sequence[Array]) -> bool:
        """Whether all that reads the residual can be expanded; says what its multiples are."""
        self.images[r.array] = _Image(r, Term(self.b.one, r.scale), False)
        products = self.products[r.array] = set()
        pending = [r.array]
        squares = 0
        while pending:
            x = pending.pop()
            if x in roots:
                return False
            image = self.images[x]
            for reader in readers.get(x, ()):
                match reader.op:
                    case "T":
                        self.images[reader] = image._replace(turned=not image.turned)
                        pending.append(reader)
                    case "scale":
                        self.images[reader] = image._replace(factor=self.b.times_scalars(image.factor, _scale(reader)))
                        pending.append(reader)
                    case "vdot" if _is_square(reader) and _shows_in(roots[0], reader, readers):
                        squares += 1
                    case "matmul" if (kind := self._product(reader, x, image)) is not None:
                        products.add(kind)
                    case _:
                        return False
        return bool(squares and products)

    def _product(self, a: Array, x: Array, image: _Image) -> str | None:
        """Which product with a factor of its own a matmul of a residual is."""
        left, right = a.args
        if x is left and x is right:
            return None
        other, turned = (right, image.turned) if x is left else (self.b.view(left), not image.turned)
        if turned and other is image.residual.b:
            return "rows"
        return "columns" if not turned and other is self.b.view(image.residual.c) else None

    # --- what becomes of it -------------------------------------------------------------------------------------------

    def made(self) -> dict[Array, Array]:
        """Everything below the roots but the residuals and their multiples, rewritten."""
        b = self.b
        memo: dict[Array, Array] = {}
        gone = set(self.images) | {x for r in self.residuals for x in r.array.args if _leaf(x) is None}
        gone |= {x.args[0] for x in gone if x.op == "T"}
        terms: dict[Array, Term] = {}
        """The expanded products, with what multiplies them."""
        for a in self.live:
            if a in gone:
                continue
            if not set(a.args) & set(self.images):
                args = [memo[x] for x in a.args]
                if all(x is y for x, y in zip(args, a.args, strict=True)):
                    memo[a] = a
                elif a.op == "scale" and a.args[0] in terms:
                    terms[a] = b.times_scalars(terms[a.args[0]], _scale(a, args))
                    memo[a] = b.array(terms[a])
                elif a.op == "T" and a.args[0] in terms:
                    terms[a] = _turned(b, terms[a.args[0]])
                    memo[a] = b.array(terms[a])
                elif a.op == "sum":
                    memo[a] = b.array(_factored(b, b.sum(self._spread(a, args, terms))))
                else:
                    memo[a] = b.node(a.op, *args, attrs=a.attrs)
            elif a.op == "vdot":
                residual = self.images[a.args[0]].residual
                factors = (_renewed(self.images[x].factor, memo) for x in a.args)
                memo[a] = b.array(b.times_scalars(b.term(self._square(residual)), *factors))
            else:
                terms[a] = self._expanded_product(a, memo)
                memo[a] = b.array(terms[a])
        return memo

    def _spread(self, a: Array, args: list[Array], terms: Mapping[Array, Term]) -> list[tuple[Fraction, Array]]:
        """The terms of a sum, those of expanded products one by one."""
        pairs: list[tuple[Fraction, Array]] = []
        for x, new, c in zip(a.args, args, a.attrs, strict=True):
            term = terms.get(x)
            if term is not None and not term.scalars:
                inside = zip(term.core.args, term.core.attrs, strict=True)
                pairs += [(c * term.coefficient * e, y) for y, e in inside]
            else:
                pairs.append((c, new))
        return pairs

    def _expanded_product(self, a: Array, memo: Mapping[Array, Array]) -> Term:
        """A matmul with a multiple of a residual, expanded."""
        flipped = a.args[0] not in self.images
        image = self.images[a.args[1 if flipped else 0]]
        r = image.residual
        if image.turned is flipped:
            data, thin = self._columns(r), self._times(r.b, self._gram(r.c, False))
        else:
            data, thin = self._rows(r), self._times(self.b.view(r.c), self._gram(r.b, True))
        core = self.b.node("sum", data, thin, attrs=(Fraction(1), Fraction(-1)))
        term = self.b.times_scalars(Term(core), _renewed(image.factor, memo))
        return _turned(self.b, term) if flipped else term

    def _square(self, r: _Residual) -> Array:
        b = self.b
        kinds = self.products[r.array]
        # the product that sums over the rows of the data as they are stored
        kind = ("rows" if r.a.op != "T" else "columns") if len(kinds) > 1 else next(iter(kinds))
        cross = inner(b, self._rows(r), b.view(r.c)) if kind == "rows" else inner(b, self._columns(r), r.b)
        whole = inner(b, r.a, r.a)
        return b.node("residual_square", whole, cross, self._gram(r.b, True), self._gram(r.c, False))

    def _columns(self, r: _Residual) -> Array:
        return self._times(r.a, self.b.view(r.c))

    def _rows(self, r: _Residual) -> Array:
        return self._times(self.b.view(r.a), r.b)

    def _gram(self, x: Array, first: bool) -> Array:
        """X^T X, or X X^T."""
        return self._times(self.b.view(x), x) if first else self._times(x, self.b.view(x))

    def _times(self, x: Array, y: Array) -> Array:
        left, right = (Piece(z.shape[0], z.shape[1], Term(z)) for z in (x, y))
        return product(self.b, left, right).term.core


def _leaf(a: Array) -> Array | None:
    """The argument that an array is, or is the transpose of."""
    a = a.args[0] if a.op == "T" else a
    return a if a.op == "arg" else None


def _core(a: Array) -> tuple[Array, bool]:
    """What an array is a multiple of, and whether it is a multiple of the transpose."""
    turned = False
    while a.op in ("T", "scale"):
        turned ^= a.op == "T"
        a = a.args[0]
    return a, turned


def _is_square(a: Array) -> bool:
    """Whether a vdot is of two multiples of one array."""
    x, y = a.args
    return _core(x) == _core(y)


def _shows_in(loss: Array, a: Array, readers: Mapping[Array, list[Array]]) -> bool:
    """Whether the loss is nan where an array is."""
    return a is loss or any(
        x.op in _KEEP_NAN and not x.rank and _shows_in(loss, x, readers) for x in readers.get(a, ())
    )


def _scale(a: Array, args: Collection[Array] | None = None) -> Term:
    """What a scaling multiplies by; `args` are its operands, where they are others."""
    _, *scalars = a.args if args is None else args
    return Term(a.args[0], a.attrs[0], tuple(zip(scalars, a.attrs[1], strict=True)))


def _factored(b: Builder, term: Term) -> Term:
    """A sum whose terms all have one coefficient, but for signs, with that taken out."""
    sizes = {abs(c) for c in term.core.attrs} if term.core.op == "sum" else set()
    if len(sizes) != 1:
        return term
    (size,) = sizes
    core = b.node("sum", *term.core.args, attrs=tuple(c / size for c in term.core.attrs))
    return Term(core, term.coefficient * size, term.scalars)


def _renewed(term: Term, memo: Mapping[Array, Array]) -> Term:
    """A scalar term in rewritten scalars."""
    return Term(term.core, term.coefficient, tuple((memo[s], e) for s, e in term.scalars))


def _turned(b: Builder, term: Term) -> Term:
    """The transpose of an expanded product."""
    core = b.node("sum", *(b.view(x) for x in term.core.args), attrs=term.core.attrs)
    return Term(core, term.coefficient, term.scalars)


__all__ = ["Expanded", "Thin", "expanded"]
