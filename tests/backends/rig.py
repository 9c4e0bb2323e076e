"""Values for symbols, and generated functions run on them beside the dense evaluator."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcalc.algebra.expr import Expr, postorder, symbols
from mcalc.algebra.operators import symbol
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.algebra.structure import close
from mcalc.backends.numpy.module import compiled
from mcalc.backends.numpy.values import derivative_module
from tests.backends import dense

SIZES = {"n": 5, "d": 3, "m": 4, "k": 2, "p": 3, "q": 4, "r": 2}


def sizes_of(roots: Sequence[Expr], given: dict[str, int] | None = None) -> dict[str, int]:
    dims = [d for e in postorder(*roots) for d in (*e.shape, *(a for a in e.attrs if isinstance(a, Dim)))]
    names = {n for d in dims for n in d.names()}
    return {n: (given or {}).get(n, SIZES.get(n, 3)) for n in sorted(names)}


def arguments_of(e: Expr) -> list[Expr]:
    """The symbols of an expression, and a vector for each dimension that is no length of one of them."""
    found = list(symbols(e))
    lengths = {d for s in found for d in s.shape}
    return found + [symbol(f"v_{n}", (dim(n), ONE)) for n in sizes_of([e]) if dim(n) not in lengths]


def sample(s: Expr, sizes: dict[str, int], seed: int, positive: bool = False) -> Any:
    """A matrix for a symbol, with its declared properties."""
    shape = tuple(d.value(sizes) for d in s.shape)
    rng = np.random.default_rng([seed, zlib.crc32(s.name.encode())])
    a = rng.normal(size=shape)
    known = close(s.attrs[1])
    if positive or "positive" in known:
        a = np.abs(a) + 0.3
    if "psd" in known and shape[0] == shape[1]:
        a = a @ a.T + (0.5 * np.eye(shape[0]) if "spd" in known else 0)
    if "orthogonal" in known:
        a = np.linalg.qr(a)[0]
    if "symmetric" in known:
        a = (a + a.T) / 2
    if "skew" in known:
        a = (a - a.T) / 2
    if "diagonal" in known:
        a = np.diag(np.diag(a))
    elif "lower" in known:
        a = np.tril(a)
    elif "upper" in known:
        a = np.triu(a)
    if "invertible" in known and not known & {"orthogonal", "spd"}:
        a = a + 2 * np.eye(shape[0])
    return a


def samples(
    roots: Sequence[Expr], seed: int = 0, sizes: dict[str, int] | None = None, positive: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, int]]:
    lengths = sizes_of(roots, sizes)
    found = dict.fromkeys(s for e in roots for s in arguments_of(e))
    return {s.name: sample(s, lengths, seed, s.name in positive) for s in found}, lengths


def function_of(e: Expr) -> Callable[..., Any]:
    """A generated function of the symbols of an expression, in reading order."""
    return compiled(derivative_module("evaluate", e, arguments=arguments_of(e), title="A value"), "evaluate")


def given(e: Expr, values: dict[str, Any], dtype: Any = np.float64) -> list[Any]:
    """The arguments for a generated function."""
    return [np.asarray(dense.stored(s, values[s.name]), dtype=dtype)[()] for s in arguments_of(e)]


def compare(
    e: Expr, seed: int = 0, sizes: dict[str, int] | None = None, dtype: Any = np.float64, tolerance: float = 1e-9,
    positive: Sequence[str] = (),
) -> None:  # fmt: skip
    """The generated function agrees with the dense evaluator, in value, shape and precision."""
    values, lengths = samples([e], seed, sizes, positive)
    values = {name: v.astype(dtype).astype(float) for name, v in values.items()}
    truth = dense.stored(e, dense.value(e, values, lengths))
    with np.errstate(all="raise", under="ignore"):
        got = function_of(e)(*given(e, values, dtype))
    assert isinstance(got, np.ndarray | np.generic), type(got)
    assert got.dtype == (dtype if arguments_of(e) else np.float64), got.dtype
    assert np.shape(got) == np.shape(truth), (np.shape(got), np.shape(truth))
    scale = max(1.0, float(np.max(np.abs(truth), initial=0)))
    assert np.max(np.abs(got - truth), initial=0) <= tolerance * scale, (got, truth)
