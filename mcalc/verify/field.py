"""Arithmetic modulo the chain of primes p0 = 19099919, p_{i+1} = 2 p_i + 1, on NumPy arrays.

In: int64 arrays of residues, 0 <= x < p; the last two axes are the matrix, the axes before them run over points.
Out: arrays of the same kind. Every product is reduced before another is added, so nothing overflows.

The mathematics. Eight of the numbers of this Cunningham chain are prime, p0 to p7 = 2444789759. At each level the
quadratic residues modulo p_{i+1} are a cyclic group of order p_i, and a generator g gives an isomorphism from the
additive group at level i onto it:

    exp: x at level i  ->  g^x at level i+1          log: its inverse, a discrete logarithm

so exp(x + y) = exp(x) exp(y) and log(x y) = log x + log y hold exactly. All p_i are 7 modulo 8. Hence -1 is not a
residue, exactly one of x and -x is ("the positive one", |x|), and x^((p+1)/4) is the residue root of |x|: sqrt,
sign and abs cost one power. And p_i = -1 modulo 4, 3, 5, 7, so that 2, 3, 5 and 7 are residues, as positive numbers
should be.

References: discrete logarithms by baby steps and giant steps, Shanks 1971 (Cohen, A Course in Computational
Algebraic Number Theory, 5.4.1). Adjugate and determinant by Faddeev-LeVerrier (Gantmacher, The Theory of Matrices,
IV.5), the pseudo-inverse by Decell's form of it (SIAM Review 7, 1965). splitmix64: Steele, Lea & Flood 2014.
"""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FIRST_PRIME = 19099919
LEVELS = 8

_SMALL = 48
"""Up to this many entries Python's own modular power is faster than a chain of array operations."""
_TABLE = 1 << 16
_HASH_MASK = (1 << 20) - 1


def key_of(*parts: object) -> int:
    """A 64-bit key that depends on the parts alone: the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little")


def scramble(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of splitmix64: a bijection of 64-bit words that looks random."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def words(key: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
    """Random 64-bit words, a function of the key."""
    steps = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return scramble(steps + np.uint64(key)).reshape(shape)


class Field:
    """The integers modulo the prime of one level."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.p: int = (FIRST_PRIME + 1) * (1 << level) - 1
        self.order: int = (self.p - 1) // 2
        """The number of quadratic residues: the prime one level down."""
        self.terms = (2**63 - 1) // (self.p - 1) ** 2
        """How many products may be added before a reduction."""
        self.generator: int = pow(key_of("generator", level) % self.p, 2, self.p)
        self.letter = np.uint64(key_of("function", level))

    def draw(self, key: int, shape: tuple[int, ...]) -> Array:
        """Random residues."""
        return (words(key, shape) % np.uint64(self.p)).astype(np.int64)

    def random_function(self, key: int, x: Array) -> Array:
        """h(x) for a random function h, one for each key."""
        mixed = scramble(scramble(x.astype(np.uint64) ^ self.letter) ^ np.uint64(key))
        return (mixed % np.uint64(self.p)).astype(np.int64)

    def number(self, numerator: int, denominator: int = 1) -> int:
        """The residue of a rational number."""
        return int(numerator * pow(denominator, -1, self.p) % self.p)

    # --- entry by entry -------------------------------------------------------------------------------------------

    def power(self, x: Array, exponent: int) -> Array:
        """x^k entry by entry, k >= 0."""
        if x.size <= _SMALL:
            p = self.p
            flat = [pow(v, exponent, p) for v in x.ravel().tolist()]
            return np.array(flat, dtype=np.int64).reshape(x.shape)
        result: Array | None = None
        for bit in bin(exponent)[2:]:
            if result is not None:
                result = result * result % self.p
            if bit == "1":
                result = x if result is None else result * x % self.p
        return np.ones_like(x) if result is None else result

    def powers(self, x: Array, exponents: Array) -> Array:
        """x^k entry by entry, k an array of nonnegative exponents."""
        x, exponents = np.broadcast_arrays(x, exponents)
        if x.size <= 4 * _SMALL:
            pairs = zip(x.ravel().tolist(), exponents.ravel().tolist(), strict=True)
            return np.array([pow(v, k, self.p) for v, k in pairs], dtype=np.int64).reshape(x.shape)
        result = np.ones_like(x)
        for shift in range(int(exponents.max(initial=0)).bit_length() - 1, -1, -1):
            result = result * result % self.p
            result = np.where((exponents >> shift) & 1 == 1, result * x % self.p, result)
        return result

    def inverse(self, x: Array) -> Array:
        """1/x entry by entry; 0 where x is 0."""
        p = self.p
        if x.size <= 2 * _SMALL:
            flat = [pow(v, -1, p) if v else 0 for v in x.ravel().tolist()]
            return np.array(flat, dtype=np.int64).reshape(x.shape)
        size = 1 << (x.size - 1).bit_length()
        leaves = np.ones(size, dtype=np.int64)
        leaves[: x.size] = np.where(x == 0, 1, x).ravel()
        tree = [leaves]
        while tree[-1].size > 1:
            tree.append(tree[-1][0::2] * tree[-1][1::2] % p)
        below = np.array([pow(int(tree[-1][0]), -1, p)], dtype=np.int64)
        for products in reversed(tree[:-1]):
            nodes = np.empty_like(products)
            nodes[0::2] = below * products[1::2] % p
            nodes[1::2] = below * products[0::2] % p
            below = nodes
        return np.where(x == 0, 0, below[: x.size].reshape(x.shape))

    def root(self, x: Array) -> tuple[Array, Mask]:
        """sqrt|x|, itself a residue, and where x is a residue or 0 ("x >= 0")."""
        root = self.power(x, (self.p + 1) // 4)
        return root, root * root % self.p == x

    def rational_power(self, x: Array, numerator: int, denominator: int) -> tuple[Array, Mask]:
        """|x|^(a/b), and where x >= 0. The group order must be prime to b."""
        root, positive = self.root(x)
        exponent = numerator * pow(denominator, -1, self.order) % self.order
        return self.power(root, 2 * exponent % self.order), positive

    # --- the exponential and the logarithm ------------------------------------------------------------------------

    @cached_property
    def _low(self) -> Array:
        """g^j for 0 <= j < 2^16."""
        return self._powers_of(self.generator, _TABLE)

    @cached_property
    def _high(self) -> Array:
        """g^(2^16 j), as far as the group goes."""
        return self._powers_of(pow(self.generator, _TABLE, self.p), self.order // _TABLE + 1)

    @cached_property
    def _giants(self) -> Array:
        """g^(-2^16 j), as far as the group goes."""
        return self._powers_of(pow(self.generator, -_TABLE, self.p), self.order // _TABLE + 1)

    @cached_property
    def _babies(self) -> tuple[Array, Array, Mask]:
        """The powers g^j sorted, their exponents, and a table of hashes that occur."""
        exponents = np.argsort(self._low)
        values = self._low[exponents]
        present = np.zeros(_HASH_MASK + 1, dtype=np.bool_)
        present[values & _HASH_MASK] = True
        return values, exponents, present

    def _powers_of(self, base: int, count: int) -> Array:
        table = np.ones(count, dtype=np.int64)
        filled = 1
        while filled < count:
            step = min(filled, count - filled)
            table[filled : filled + step] = table[:step] * pow(base, filled, self.p) % self.p
            filled += step
        return table

    def exp(self, x: Array) -> Array:
        """g^x, x a residue of the level below."""
        return np.asarray(self._low[x & (_TABLE - 1)] * self._high[x >> 16] % self.p)

    def log(self, x: Array) -> tuple[Array, Mask, Mask]:
        """log|x|, a residue of the level below; where x is a residue; where x is 0 (the logarithm is then 0)."""
        _, positive = self.root(x)
        zero = x == 0
        wanted = np.where(zero, 1, np.where(positive, x, self.p - x)).ravel()
        distinct, place = np.unique(wanted, return_inverse=True)
        return self._discrete_logarithms(distinct)[place].reshape(x.shape), positive & ~zero, zero

    def _discrete_logarithms(self, values: Array) -> Array:
        babies, exponents, present = self._babies
        found = np.full(values.shape, -1, dtype=np.int64)
        open_ = np.arange(values.size)
        giants = self._giants
        width = 32
        for start in range(0, giants.size, width):
            steps = giants[start : start + width]
            shifted = values[open_, None] * steps % self.p
            query, step = np.nonzero(present[shifted & _HASH_MASK])
            candidates = shifted[query, step]
            place = np.minimum(np.searchsorted(babies, candidates), babies.size - 1)
            hit = babies[place] == candidates
            query, step, place = query[hit], step[hit], place[hit]
            found[open_[query]] = (exponents[place] + (start + step) * _TABLE) % self.order
            open_ = open_[found[open_] < 0]
            if not open_.size:
                break
        assert not open_.size, "a residue has no logarithm"
        return found

    # --- matrices -------------------------------------------------------------------------------------------------

    def matmul(self, a: Array, b: Array) -> Array:
        """A B."""
        inner = a.shape[-1]
        if inner <= self.terms:
            return np.asarray(np.matmul(a, b) % self.p)
        total: Array | None = None
        for start in range(0, inner, self.terms):
            stop = start + self.terms
            part = np.matmul(a[..., start:stop], b[..., start:stop, :]) % self.p
            total = part if total is None else (total + part) % self.p
        assert total is not None
        return total

    def matrix_power(self, a: Array, exponent: int) -> Array:
        """A^k, k >= 0."""
        result: Array | None = None
        for bit in bin(exponent)[2:] if exponent else "":
            if result is not None:
                result = self.matmul(result, result)
            if bit == "1":
                result = a if result is None else self.matmul(result, a)
        return np.broadcast_to(np.eye(a.shape[-1], dtype=np.int64), a.shape) if result is None else result

    def adjugate(self, a: Array) -> tuple[Array, Array]:
        """adj(A) and det(A) (..., 1, 1): M_1 = I, c_k = -tr(A M_k)/k, M_{k+1} = A M_k + c_k I."""
        n = a.shape[-1]
        eye = np.eye(n, dtype=np.int64)
        m = np.broadcast_to(eye, a.shape)
        for k in range(1, n + 1):
            product = self.matmul(a, m)
            trace = np.trace(product, axis1=-2, axis2=-1)[..., None, None] % self.p
            c = trace * (self.p - pow(k, -1, self.p)) % self.p
            if k < n:
                m = (product + c * eye) % self.p
        sign = -1 if n % 2 else 1
        return (-sign * m) % self.p, (sign * c) % self.p

    def pseudo_inverse(self, a: Array) -> Array:
        """pinv(A), of any rank: with B = A A^T and q the last k with c_k != 0, -A^T M_q / c_q (Decell 1965)."""
        rows, columns = a.shape[-2:]
        if rows > columns:
            return np.swapaxes(self.pseudo_inverse(np.swapaxes(a, -1, -2)), -1, -2)
        b = self.matmul(a, np.swapaxes(a, -1, -2))
        eye = np.eye(rows, dtype=np.int64)
        m = np.broadcast_to(eye, b.shape)
        last, scale = m, np.zeros((*b.shape[:-2], 1, 1), dtype=np.int64)
        for k in range(1, rows + 1):
            product = self.matmul(b, m)
            trace = np.trace(product, axis1=-2, axis2=-1)[..., None, None] % self.p
            c = trace * (self.p - pow(k, -1, self.p)) % self.p
            last, scale = np.where(c != 0, m, last), np.where(c != 0, c, scale)
            m = (product + c * eye) % self.p
        factor = (self.p - self.inverse(scale)) % self.p
        return np.asarray(self.matmul(np.swapaxes(a, -1, -2), last) * factor % self.p)


FIELDS = tuple(Field(level) for level in range(LEVELS))
