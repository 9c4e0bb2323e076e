"""Derivatives of texts by automatic differentiation (JAX), or by Richardson extrapolation (NumPy)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from .syntax import OracleError, canonical
from .values import Context, array_of, as_matrix, define, make_context, value_of

try:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    jax.config.update("jax_enable_x64", True)
    HAS_JAX = True
except ImportError:
    HAS_JAX = False

# Extrapolated differences are fast and good to about 1e-10; JAX is exact and slow on small arrays.
# ORACLE_JAX=1: always JAX; 0: never; else JAX decides where the differences seem to disagree.
JAX_ALWAYS = HAS_JAX and os.environ.get("ORACLE_JAX") == "1"
JAX_REFEREE = HAS_JAX and os.environ.get("ORACLE_JAX") != "0"

Array = np.ndarray


def _xp() -> Any:
    if not HAS_JAX:
        return np
    import jax.numpy

    return jax.numpy


def extrapolate(f: Callable[[float], Any], step: float = 2e-2, levels: int = 6) -> Any:
    """The derivative of f at 0 by central differences and Ridders' extrapolation, entry by entry.

    Where the estimates do not settle (a pole is near), smaller steps are tried."""
    best, least = _ridders(f, step, levels)
    for smaller in (step / 12, step / 150):
        if np.all(least <= 1e-9 * np.max(np.abs(best), initial=1.0)):
            break
        value, gap = _ridders(f, smaller, levels)
        best, least = np.where(gap < least, value, best), np.minimum(gap, least)
    return best


def _ridders(f: Callable[[float], Any], step: float, levels: int) -> tuple[Any, Any]:
    row = [(f(step / 2**k) - f(-step / 2**k)) / (2 * step / 2**k) for k in range(levels)]
    best, least = row[-1], np.full(np.shape(row[-1]), np.inf)
    for order in range(1, levels):
        previous = row
        row = [b + (b - a) / (4**order - 1) for a, b in pairwise(previous)]
        for place, value in enumerate(row):
            gap = np.maximum(np.abs(value - previous[place]), np.abs(value - previous[place + 1]))
            best, least = np.where(gap < least, value, best), np.fmin(gap, least)
    return best, least


def vec(matrix: Array) -> Array:
    return np.asarray(matrix).T.reshape(-1, 1)


def unvec(column: Any, shape: tuple[int, int]) -> Any:
    return column.reshape(shape[1], shape[0]).T


def project(matrix: Array, properties: Iterable[str]) -> Array:
    """The orthogonal projection onto the matrices of a structure."""
    properties = set(properties)
    if "diagonal" in properties:
        return matrix * np.eye(len(matrix))
    if properties & {"symmetric", "spd", "psd"}:
        return (matrix + matrix.T) / 2
    if "skew" in properties:
        return (matrix - matrix.T) / 2
    if "lower" in properties:
        return np.tril(matrix)
    return np.triu(matrix) if "upper" in properties else matrix


def projector(shape: tuple[int, int], properties: Iterable[str]) -> Array:
    """The projection as a matrix that acts on vec X."""
    count = shape[0] * shape[1]
    columns = [vec(project(unvec(unit, shape), properties)) for unit in np.eye(count)]
    return np.hstack(columns)


class Function:
    """A text as a function of some of its symbols; definitions may stand before it."""

    def __init__(
        self,
        text: str | tuple,
        env: dict[str, Any],
        sizes: dict[str, int] | None = None,
        definitions: dict[str, str] | None = None,
        shape: tuple[int | None, int | None] = (None, None),
        exact: bool = JAX_ALWAYS,
    ) -> None:
        self.exact = exact and HAS_JAX
        self.context = make_context(env, sizes)
        self.context.definitions.update(definitions or {})
        self.tree = text if isinstance(text, tuple) else self.context.tree(define(self.context, text))
        self.shape = shape

    def __call__(self, values: dict[str, Any], xp: Any = np) -> Any:
        context = self.context.with_env({**self.context.env, **values}, xp)
        return array_of(context, self.tree, self.shape)

    def value(self) -> Array:
        return np.asarray(array_of(self.context, self.tree, self.shape))

    def jvp(self, directions: dict[str, Any]) -> Array:
        """The differential along the directions of the named symbols."""
        directions = {canonical(name): as_matrix(d) for name, d in directions.items()}
        base = {name: self.context.env[name] for name in directions}
        if self.exact:
            _, tangents = jax.jvp(lambda v: self(v, _xp()), (base,), (directions,))
            return np.asarray(tangents)
        return extrapolate(lambda t: self({name: base[name] + t * d for name, d in directions.items()}))

    def jacobian(self, name: str) -> Array:
        """The Jacobian of vec F by vec of the symbol."""
        name = canonical(name)
        at = self.context.env[name]
        if self.exact:
            output = jax.jacrev(lambda x: self({name: x}, _xp()).T.reshape(-1))(at)
            return np.asarray(output).transpose(0, 2, 1).reshape(len(output), -1)
        units = [unvec(unit, at.shape) for unit in np.eye(at.size)]
        return np.hstack([vec(self.jvp({name: unit})) for unit in units])

    def gradient(self, name: str) -> Array:
        value = self.value()
        if value.size != 1:
            raise OracleError(f"the gradient of a value of shape {value.shape}")
        return unvec(self.jacobian(name), self.context.env[canonical(name)].shape)

    def hessian(self, name: str) -> Array:
        """Of vec X."""
        name = canonical(name)
        at = self.context.env[name]
        if self.exact:
            scalar = jax.hessian(lambda v: self({name: unvec(v, at.shape)}, _xp())[0, 0])
            return np.asarray(scalar(np.ravel(vec(at))))
        units = [unvec(unit, at.shape) for unit in np.eye(at.size)]
        return np.hstack([vec(self.hvp(name, unit)) for unit in units])

    def hvp(self, name: str, direction: Array) -> Array:
        """The derivative of the gradient along a direction, with the shape of X."""
        name = canonical(name)
        at = self.context.env[name]
        if self.exact:
            gradient = jax.grad(lambda x: self({name: x}, _xp())[0, 0])
            return np.asarray(jax.jvp(gradient, (at,), (as_matrix(direction),))[1])

        def slope(t: float) -> Array:
            moved = Function(self.tree, {**self.context.env, name: at + t * direction}, self.context.sizes)
            moved.context.definitions.update(self.context.definitions)
            return moved.gradient(name)

        return extrapolate(slope, 4e-2, 5)


def gradient(
    text: str, wrt: str, env: dict[str, Any], sizes: dict[str, int] | None = None, properties: Iterable[str] = ()
) -> Array:
    """The gradient of a scalar expression, projected onto the structure of the variable."""
    return project(Function(text, env, sizes).gradient(wrt), properties)


def derivative(
    kind: str,
    text: str,
    wrt: str,
    env: dict[str, Any],
    sizes: dict[str, int] | None = None,
    properties: Iterable[str] = (),
    direction: Array | None = None,
    exact: bool = JAX_ALWAYS,
) -> Array:
    """The derivative of one of the kinds of the corpus; `direction` for `hvp`."""
    f = Function(text, env, sizes, exact=exact)
    shape = f.context.env[canonical(wrt)].shape
    if kind == "gradient":
        return project(f.gradient(wrt), properties)
    if kind == "hvp":
        assert direction is not None
        return project(f.hvp(wrt, project(as_matrix(direction), properties)), properties)
    projection = projector(shape, properties)
    if kind in ("jacobian", "vec-jacobian"):
        return f.jacobian(wrt) @ projection
    if kind == "hessian":
        return projection @ f.hessian(wrt) @ projection
    raise OracleError(f"no such kind of derivative: {kind}")


def _tree_differential(context: Context, tree: tuple) -> Any:
    """d(…) inside a text: the differential along the directions of the context."""
    f = Function(tree, context.env, context.sizes, context.definitions)
    f.context.denv = context.denv
    return f.jvp(context.denv)


def differential(
    text: str,
    env: dict[str, Any],
    denv: dict[str, Any],
    sizes: dict[str, int] | None = None,
    definitions: dict[str, str] | None = None,
    shape: tuple[int | None, int | None] = (None, None),
) -> Array:
    """The value of a text in which `dX` and `d(…)` occur, along the directions `denv`."""
    context = make_context(env, sizes, denv)
    context.definitions.update(definitions or {})
    context.differentiate = _tree_differential
    value = value_of(context, context.tree(define(context, text)), shape)
    from .values import fit

    return np.asarray(fit(value, shape, np))
