"""Random well-typed expressions, all operators of the language, for property tests.

`Generator(seed).expression(shape, depth)` is an expression of that shape, in the form in which the front end would
build it (scalars that a product has come to are grouped, literal powers are `pow`, …); the same seed gives the same
expression. Leave out operators with `without`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from fractions import Fraction

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, Dim, Shape, dim
from mcalc.frontend.elaborate import group

N, M, K = dim("n"), dim("m"), dim("k")
DIMENSIONS: tuple[Dim, ...] = (N, M, K, dim(3), N + M, N * M)
SHAPES: tuple[Shape, ...] = (
    SCALAR, (N, ONE), (M, ONE), (ONE, M), (N, M), (M, N), (N, N), (M, M), (N, K), (N + M, ONE), (N + M, N + M),
    (N * M, ONE), (N * M, N * M), (dim(3), dim(3)), (N, N + M),
)  # fmt: skip
_SCALARS = ("t", "s", "lambda", "alpha1", "w_0", "T")
_COLUMNS = ("x", "y", "b1", "x_{ij}", "mu")
_MATRICES = ("X", "A", "W_hh", "Sigma", "B2", "weight")
_EXPONENTS = (Fraction(2), Fraction(3), Fraction(-1), Fraction(-2), Fraction(1, 2), Fraction(-3, 2), Fraction(1))
_RELATIONS = ("eq", "ge", "gt", "le", "lt")


class Generator:
    """Makes expressions; every symbol has one shape."""

    def __init__(self, seed: int, without: Iterable[str] = ()) -> None:
        self.random = random.Random(seed)
        self.without = frozenset(without)
        self.shapes: dict[str, Shape] = {}

    def shape(self) -> Shape:
        """A shape to start from."""
        return self.random.choice(SHAPES)

    def expression(self, shape: Shape, depth: int) -> Expr:
        """An expression of this shape, at most so many operators deep."""
        if depth <= 0:
            return self.leaf(shape)
        makers = [*_ANY, *(_SCALAR if shape == SCALAR else _MATRIX)]
        for _ in range(20):
            name, make = self.random.choice(makers)
            if name in self.without:
                continue
            made = make(self, shape, depth - 1)
            if made is not None:
                assert made.shape == shape, (name, made)
                return made
        return self.leaf(shape)

    def leaf(self, shape: Shape) -> Expr:
        """A symbol or a constant."""
        rows, columns = shape
        choice = self.random.random()
        if shape == SCALAR:
            if choice < 0.25:
                return o.number(self.random.choice((0, 1, 2, 10, Fraction(1, 2), Fraction(1, 8))))
            if choice < 0.3:
                return o.PI
            if choice < 0.35:
                return o.dimension_number(self.random.choice((N, M)))
        elif choice < 0.1 and "ones" not in self.without:
            return self.random.choice((o.ones, o.zeros))(rows, columns)
        elif choice < 0.3 and rows is columns and "eye" not in self.without:
            if rows is N * M and choice < 0.2 and "K" not in self.without:
                return o.commutation(N, M)
            return o.eye(rows)
        elif choice < 0.2 and columns is ONE and "unit" not in self.without:
            return o.unit(self.random.randint(1, 3), rows)
        names = _SCALARS if shape == SCALAR else _COLUMNS if columns is ONE else _MATRICES
        for name in self.random.sample(names, len(names)):
            if self.shapes.setdefault(name, shape) == shape:
                return o.symbol(name, shape)
        name = f"{'v' if columns is ONE else 'Z'}{len(self.shapes)}"
        self.shapes[name] = shape
        return o.symbol(name, shape)

    def scalar(self, depth: int) -> Expr:
        return self.expression(SCALAR, depth)

    def dimension(self) -> Dim:
        return self.random.choice(DIMENSIONS)

    # --- one method a family of operators; None where it cannot have this shape

    def add(self, shape: Shape, depth: int) -> Expr | None:
        terms = [self.expression(shape, depth) for _ in range(self.random.randint(2, 4))]
        if shape != SCALAR and self.random.random() < 0.3:
            terms.insert(self.random.randint(0, len(terms)), self.scalar(depth))
            if not all(o.takes_scalars(term) for term in terms):
                return None
        return o.add(*(o.neg(t) if i and self.random.random() < 0.4 else t for i, t in enumerate(terms)))

    def neg(self, shape: Shape, depth: int) -> Expr | None:
        return o.neg(self.expression(shape, depth))

    def mul(self, shape: Shape, depth: int) -> Expr | None:
        rows, columns = shape
        factors = [self.scalar(depth) for _ in range(self.random.randint(0, 2))]
        for _ in range(self.random.randint(0, 2)):
            factors += self.chain(ONE, ONE, depth)
        if shape != SCALAR:
            factors += self.chain(rows, columns, depth)
            if self.random.random() < 0.3:
                factors.append(self.scalar(depth))
        return group(factors) if len(factors) > 1 else None

    def chain(self, rows: Dim, columns: Dim, depth: int) -> list[Expr]:
        inner = [self.random.choice((N, M, K)) for _ in range(self.random.randint(0, 2))]
        if rows is ONE and columns is ONE and not inner:
            inner = [N]
        sizes = [rows, *inner, columns]
        return [self.expression((sizes[i], sizes[i + 1]), depth) for i in range(len(sizes) - 1)]

    def div(self, shape: Shape, depth: int) -> Expr | None:
        return o.div(self.expression(shape, depth), self.scalar(depth))

    def pow(self, shape: Shape, depth: int) -> Expr | None:
        if shape[0] is not shape[1]:
            return None
        exponents = [e for e in _EXPONENTS if shape == SCALAR or e.denominator == 1]
        return o.pow_(self.expression(shape, depth), self.random.choice(exponents))

    def power(self, shape: Shape, depth: int) -> Expr | None:
        exponent = self.scalar(depth)
        if exponent.op in ("num", "neg", "div"):
            return None  # may be a literal exponent
        return o.app("power" if shape == SCALAR else "hpower", self.expression(shape, depth), exponent)

    def transpose(self, shape: Shape, depth: int) -> Expr | None:
        return o.T(self.expression((shape[1], shape[0]), depth))

    def function(self, shape: Shape, depth: int) -> Expr | None:
        return o.app(self.random.choice([f for f in FUNCTIONS if f not in self.without]), self.expression(shape, depth))

    def pairwise(self, shape: Shape, depth: int) -> Expr | None:
        op = self.random.choice((*_RELATIONS, "max", "min"))
        if op in self.without:
            return None
        left, right = self.expression(shape, depth), self.expression(shape, depth)
        if shape != SCALAR and self.random.random() < 0.3:
            right = self.scalar(depth)
        if self.random.random() < 0.5:
            left, right = right, left
        if op == "max" and left.op == "num" and left.attrs[0] == 0:
            return None  # it is relu
        return o.app(op, left, right)

    def from_square(self, shape: Shape, depth: int) -> Expr | None:
        op = self.random.choice(("tr", "det", "logdet"))
        size = self.random.choice((N, M, dim(3)))
        return o.app(op, self.expression((size, size), depth))

    def reduction(self, shape: Shape, depth: int) -> Expr | None:
        op = self.random.choice(("sum", "mean", "logsumexp"))
        rows, columns = shape
        if shape == SCALAR:
            if self.random.random() < 0.5:
                op = self.random.choice(("norm", "norm1", "maxall", "minall"))
                return o.app(op, self.expression(self.shape(), depth))
            return o.app(op, self.expression(self.shape(), depth), attrs=(None,))
        if rows is ONE:
            return o.app(op, self.expression((self.dimension(), columns), depth), attrs=(0,))
        if columns is ONE:
            return o.app(op, self.expression((rows, self.dimension()), depth), attrs=(1,))
        return None

    def index(self, shape: Shape, depth: int) -> Expr | None:
        rows, columns = shape
        if rows is not ONE and columns is not ONE:
            return None
        inner = (N if rows is ONE else rows, M if columns is ONE else columns)
        place = tuple(self.random.randint(1, 3) if size is ONE else None for size in shape)
        return o.app("index", self.expression(inner, depth), attrs=place)

    def had(self, shape: Shape, depth: int) -> Expr | None:
        return o.had(*(self.expression(shape, depth) for _ in range(self.random.randint(2, 3))))

    def hdiv(self, shape: Shape, depth: int) -> Expr | None:
        left = self.scalar(depth) if self.random.random() < 0.3 else self.expression(shape, depth)
        return o.hdiv(left, self.expression(shape, depth))

    def hpow(self, shape: Shape, depth: int) -> Expr | None:
        return o.hpow(self.expression(shape, depth), self.random.choice(_EXPONENTS))

    def softmax(self, shape: Shape, depth: int) -> Expr | None:
        return o.app("softmax", self.expression(shape, depth), attrs=(self.random.choice((0, 1, "all")),))

    def same(self, shape: Shape, depth: int) -> Expr | None:
        ops = ["tril", "triu"] + (["adj", "expm"] if shape[0] is shape[1] else [])
        op = self.random.choice([*ops, "pinv"])
        if op in self.without:
            return None
        inner = (shape[1], shape[0]) if op == "pinv" else shape
        return o.app(op, self.expression(inner, depth))

    def kron(self, shape: Shape, depth: int) -> Expr | None:
        rows, columns = shape
        if rows is not N * M:
            return None
        widths = (N, M) if columns is N * M else (ONE, columns)
        return o.app("kron", self.expression((N, widths[0]), depth), self.expression((M, widths[1]), depth))

    def vector(self, shape: Shape, depth: int) -> Expr | None:
        rows, columns = shape
        if rows is columns:
            return o.app("diagm", self.expression((rows, ONE), depth))
        if columns is not ONE:
            return None
        if rows is N * M and self.random.random() < 0.5:
            return o.app("vec", self.expression((N, M), depth))
        return o.app("diagv", self.expression((rows, rows), depth))

    def block(self, shape: Shape, depth: int) -> Expr | None:
        heights, widths = ([N, M] if size is N + M else [size] for size in shape)
        if len(heights) == len(widths) == 1:
            return None
        return o.block(tuple(tuple(self.expression((h, w), depth) for w in widths) for h in heights))


_Maker = tuple[str, Callable[[Generator, Shape, int], Expr | None]]
_ANY: list[_Maker] = [
    ("add", Generator.add), ("neg", Generator.neg), ("mul", Generator.mul), ("mul", Generator.mul),
    ("div", Generator.div), ("pow", Generator.pow), ("power", Generator.power), ("T", Generator.transpose),
    ("function", Generator.function), ("pairwise", Generator.pairwise), ("reduction", Generator.reduction),
    ("index", Generator.index),
]  # fmt: skip
_SCALAR: list[_Maker] = [("from_square", Generator.from_square), ("reduction", Generator.reduction)]
_MATRIX: list[_Maker] = [
    ("had", Generator.had), ("hdiv", Generator.hdiv), ("hpow", Generator.hpow), ("softmax", Generator.softmax),
    ("same", Generator.same), ("kron", Generator.kron), ("vector", Generator.vector), ("block", Generator.block),
]  # fmt: skip
