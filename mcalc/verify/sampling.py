"""Random values for symbols, with the structure that was declared.

In: a symbol, sizes, a key. Out: a stack of matrices (points, rows, columns), residues or floating point, each built
to have the declared properties:

    symmetric, skew, diagonal, lower, upper      by reflecting or masking
    spd, psd                                     L L^T, L lower triangular with a positive diagonal
    orthogonal                                   (I - S)(I + S)^-1, S skew (Cayley), a column's sign changed at random
    positive                                     squares (residues), |g| + 0.3 (floating point)

and combinations: spd and positive A .* A (Schur), symmetric and orthogonal I - 2 u u^T / u^T u (Householder), skew
and orthogonal Q J Q^T, diagonal and orthogonal diag(+-1). The differential d(X) of a variable lies in the subspace of
its structure and is otherwise free.

References: Horn & Johnson, Matrix Analysis, 7.5 (Schur), 2.1 (Cayley and Householder).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mcalc.algebra.expr import Expr
from mcalc.algebra.structure import close, structure
from mcalc.errors import VerificationError
from mcalc.verify.field import Array, Field, key_of, words
from mcalc.verify.layout import AnyArray, Sizes, transpose
from mcalc.verify.numeric import Real, inverse

A = TypeVar("A", bound=AnyArray)


def symbol_key(seed: int, symbol: Expr, *more: object) -> int:
    """A key for the draws of one symbol, or of the differential of one."""
    inner = symbol.args[0] if symbol.op == "d" else symbol
    shape = tuple(dim.text for dim in symbol.shape)
    return key_of(seed, symbol.op, inner.name, sorted(inner.attrs[1]), shape, *more)


def size_of(symbol: Expr, sizes: Sizes) -> tuple[int, int]:
    """Rows and columns."""
    return symbol.shape[0].value(sizes), symbol.shape[1].value(sizes)


def masked(raw: AnyArray, subspace: str) -> AnyArray:
    """The matrix of a subspace with the same upper (or lower) triangle; differences are not reduced."""
    match subspace:
        case "diagonal":
            return np.asarray(raw * np.eye(raw.shape[-1], dtype=raw.dtype))
        case "symmetric":
            return np.triu(raw) + transpose(np.triu(raw, 1))
        case "skew":
            return np.triu(raw, 1) - transpose(np.triu(raw, 1))
        case "lower":
            return np.tril(raw)
        case "upper":
            return np.triu(raw)
    return raw


def differential_subspace(symbol: Expr) -> str:
    """The subspace in which dX lies."""
    found = structure(symbol)
    return "" if found is None else found.name


def is_symbol_differential(node: Expr) -> bool:
    """Whether the node is dX of a symbol X."""
    return node.op == "d" and node.args[0].op == "sym"


class Arithmetic:
    """What building a structured matrix needs: the operations of a field, residues or floating point."""

    def __init__(
        self,
        reduce: Callable[[AnyArray], AnyArray],
        matmul: Callable[[AnyArray, AnyArray], AnyArray],
        inverse: Callable[[AnyArray], AnyArray],
        positive: Callable[[AnyArray], AnyArray],
        coin: Callable[[AnyArray], npt.NDArray[np.bool_]],
    ) -> None:
        self.reduce, self.matmul, self.inverse = reduce, matmul, inverse
        self.positive = positive
        """A positive number from a free one."""
        self.coin = coin
        """A fair coin from a free number."""

    def build(self, symbol: Expr, raw: AnyArray) -> AnyArray:
        """A value of the symbol, from free numbers of its shape."""
        facts = close(symbol.attrs[1])
        if {"skew", "positive"} <= facts:
            raise VerificationError(f"no value of {symbol} is both skew and positive")
        if "orthogonal" in facts:
            return self._orthogonal(symbol, facts, raw)
        if "skew" in facts:
            zero = facts & {"symmetric", "lower", "upper"} or symbol.is_scalar
            return np.zeros_like(raw) if zero else self.reduce(masked(raw, "skew"))
        if facts & {"spd", "psd"}:
            if facts & {"diagonal", "lower", "upper"}:
                return masked(self.positive(raw), "diagonal")
            lower = np.tril(raw, -1) + masked(self.positive(raw), "diagonal")
            square = self.matmul(lower, transpose(lower))
            return self.reduce(square * square) if "positive" in facts else np.asarray(square)
        free = self.positive(raw) if "positive" in facts else raw
        for subspace in ("diagonal", "symmetric", "lower", "upper"):
            if subspace in facts:
                return masked(free, subspace)
        return free

    def _orthogonal(self, symbol: Expr, facts: frozenset[str], raw: AnyArray) -> AnyArray:
        n, columns = raw.shape[-2:]
        if n != columns or (facts & {"positive"} and not symbol.is_scalar):
            raise VerificationError(f"no value of {symbol} has all the properties {', '.join(sorted(facts))}")
        eye = np.eye(n, dtype=raw.dtype)
        if facts & {"spd", "psd", "positive"}:
            return np.asarray(np.zeros_like(raw) + eye)
        if facts & {"diagonal", "lower", "upper"}:
            return self.reduce(np.where(self.coin(raw), 1, -1) * eye)
        if "skew" in facts and n % 2:
            raise VerificationError(f"{symbol} is skew and orthogonal: its order must be even")
        if "symmetric" in facts and "skew" not in facts:
            u = raw[..., :1]
            scale = self.inverse(self.matmul(transpose(u), u))
            reflection = self.reduce(eye - 2 * self.reduce(self.matmul(u, transpose(u)) * scale))
            return self.reduce(np.where(self.coin(raw[..., :1, -1:]), 1, -1) * reflection)
        s = self.reduce(masked(raw, "skew"))
        q = self.matmul(self.reduce(eye - s), self.inverse(self.reduce(eye + s)))
        if "skew" in facts:
            j = np.kron(np.eye(n // 2, dtype=raw.dtype), np.array([[0, 1], [-1, 0]], dtype=raw.dtype))
            return self.matmul(self.matmul(q, self.reduce(j[None])), transpose(q))
        signs = np.where(self.coin(raw[..., :1, :1]) & (np.arange(n) == 0), -1, 1)
        return self.reduce(q * signs)


def residue_arithmetic(field: Field) -> Arithmetic:
    """Arithmetic modulo p: a positive number is a square."""

    def invert(a: AnyArray) -> AnyArray:
        adjugate, determinant = field.adjugate(a)
        return adjugate * field.inverse(determinant) % field.p

    return Arithmetic(
        reduce=lambda a: a % field.p,
        matmul=field.matmul,
        inverse=invert,
        positive=lambda a: a * a % field.p,
        coin=lambda a: a % 2 == 0,
    )


FLOATING = Arithmetic(
    reduce=lambda a: a,
    matmul=np.matmul,
    inverse=inverse,
    positive=lambda a: np.abs(a) + 0.3,
    coin=lambda a: a > 0,
)


def residues(symbol: Expr, sizes: Sizes, field: Field, raw: Array) -> Array:
    """A random value of a symbol modulo p, from free residues of its shape."""
    return np.asarray(residue_arithmetic(field).build(symbol, raw))


def residue_differential(symbol: Expr, field: Field, raw: Array) -> Array:
    """A random dX modulo p."""
    return np.asarray(masked(raw, differential_subspace(symbol)) % field.p)


def gaussians(key: int, shape: tuple[int, ...]) -> Real:
    """Normal numbers, a function of the key (Box & Muller 1958; importing numpy.random would take 10 ms)."""
    count = math.prod(shape)
    uniform = ((words(key % 2**64, (2, (count + 1) // 2)) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.sqrt(-2.0 * np.log(uniform[0])), 2.0 * np.pi * uniform[1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count].reshape(shape)


# fmt: off
STRATEGIES: tuple[Callable[[Real], Real], ...] = (
    # where an unstructured symbol is looked for; the first that puts an expression into its domain is used
    lambda g: g,
    lambda g: np.abs(g) + 0.3,                                      # positive entries
    lambda g: _near_identity(g),                                    # well conditioned, det > 0
    lambda g: 0.3 * g,                                              # small: arcsin, log(1 - x^T x)
    lambda g: _gram(g),                                             # positive definite
    lambda g: 3.0 * g,
    lambda g: -np.abs(g) - 0.3,                                     # negative entries
    lambda g: 0.05 * g,
    lambda g: np.abs(g) + 3.0,                                      # large and positive
)
# fmt: on


def _near_identity(g: Real) -> Real:
    return 0.4 * g + 2.0 * np.eye(g.shape[-2], g.shape[-1]) if min(g.shape[-2:]) > 1 else np.abs(g) + 1.0


def _gram(g: Real) -> Real:
    if g.shape[-1] != g.shape[-2]:
        return 0.5 * np.abs(g) + 0.1
    return np.asarray(g @ transpose(g) / g.shape[-1] + 0.5 * np.eye(g.shape[-1]))


def floats(
    symbols: Sequence[Expr], sizes: Sizes, points: int, seed: int, *, strategies: Sequence[int] | None = None
) -> dict[Expr, Real]:
    """Random values of the symbols, and of the dX among them.

    The points go through `STRATEGIES`: each of the first is one strategy for all symbols, in the rest every symbol
    takes its own. `strategies` restricts the choice.
    """
    allowed = list(range(len(STRATEGIES)) if strategies is None else strategies)
    values: dict[Expr, Real] = {}
    for symbol in symbols:
        shape = (points, *size_of(symbol, sizes))
        key = symbol_key(seed, symbol, "float")
        raw = gaussians(key, shape)
        if symbol.op == "d":
            values[symbol] = masked(raw, differential_subspace(symbol.args[0]))
            continue
        if not symbol.attrs[1] - {"invertible"} and len(allowed) == 1:
            raw = STRATEGIES[allowed[0]](raw)
        elif not symbol.attrs[1] - {"invertible"}:
            own = (words((key + 1) % 2**64, (points,)) % np.uint64(len(allowed))).astype(np.int64)
            shared = np.arange(points) // 2
            choice = np.where(shared < 2 * len(allowed), shared % len(allowed), own)
            for k in range(len(allowed)):
                at = np.flatnonzero(choice == k)
                if at.size:
                    raw[at] = STRATEGIES[allowed[k]](raw[at])
        values[symbol] = np.asarray(FLOATING.build(symbol, raw), dtype=np.float64)
    return values
