"""Variations of equations: some that keep them true, some that rarely do; and the truth at 150 digits."""

from __future__ import annotations

import random
from collections.abc import Callable

import mpmath
import numpy as np

from mcalc.algebra.expr import Expr, postorder, substitute, symbols
from mcalc.algebra.operators import T, add, app, had, mul, neg, number
from mcalc.errors import McalcError
from mcalc.verify.numeric import evaluate
from mcalc.verify.precise import evaluate_mp
from mcalc.verify.sampling import floats
from mcalc.verify.sizes import Requirements
from tests.verify.reading import e

Pair = tuple[Expr, Expr]
_GROUPS = (
    ("exp", "sin", "cos", "tanh", "sigmoid", "softplus", "sinh", "cosh", "erf", "arctan", "abs", "relu", "sign"),
    ("log", "sqrt", "log1p"), ("max", "min"), ("gt", "lt", "ge", "le"), ("tr", "det", "logdet", "norm", "norm1"),
    ("tril", "triu"), ("adj", "pinv", "expm", "T"), ("maxall", "minall"),
)  # fmt: skip


def true_variation(pair: Pair, rng: random.Random) -> Pair:
    """An equation that holds where the given one does."""
    left, right = pair
    if rng.random() < 0.5:
        left, right = right, left
    choices: list[Callable[[Expr], Expr]] = [
        T,
        neg,
        lambda x: add(x, x),
        lambda x: mul(e("s"), x),
        lambda x: app("vec", x),
    ]
    if left.is_square:
        choices.append(lambda x: app("tr", x))
    if left.shape[0].text == "n":
        choices += [lambda x: mul(e("A"), x), lambda x: mul(T(e("y")), x), lambda x: mul(e("S"), x, T(x))]
    if not left.is_scalar:
        choices += [lambda x: had(x, x), lambda x: app("sum", x, attrs=(0,))]
    for _ in range(rng.randint(1, 2)):
        wrap = rng.choice(choices)
        try:
            left, right = wrap(left), wrap(right)
        except McalcError:
            continue
    moves = {s: r for s in symbols(left, right) if (r := _replacement(s, rng)) is not None}
    chosen = {s: moves[s] for s in sorted(moves, key=str) if rng.random() < 0.4}
    return substitute(left, chosen), substitute(right, chosen)


def _replacement(s: Expr, rng: random.Random) -> Expr | None:
    """Another expression with the shape and the properties of a symbol."""
    options = {
        "A": ["A + B", "A B", "S - A^T"], "B": ["B^T", "2 B - C"], "x": ["A x", "x - 3 y", "y .* x"], "y": ["S y"],
        "X": ["A X", "X + 2 Y"], "s": ["x^T y", "s t", "s + 1"], "p": ["p .* q", "exp(x)", "3 p"],
        "r": ["exp(s)", "r^2"], "S": ["A + A^T", "S^2"], "P": ["P^-1", "A P A^T"], "N": ["A - A^T"], "D": ["diag(x)"],
        "Q": ["Q^T"],
    }.get(s.name)  # fmt: skip
    return None if options is None else e(rng.choice(options))


def mutant(pair: Pair, rng: random.Random) -> Pair | None:
    """The equation with one node of its right side changed: the slips that people make."""
    left, right = pair
    nodes = list(postorder(right))
    for _ in range(20):
        node = rng.choice(nodes)
        try:
            changed = _slip(node, right, rng)
            if changed is None or changed is node or changed.shape != node.shape:
                continue
            result = substitute(right, {node: changed})
            return (left, result) if result is not right else None
        except (McalcError, ValueError):
            continue
    return None


def _slip(node: Expr, root: Expr, rng: random.Random) -> Expr | None:
    kind = rng.randrange(6)
    if kind == 0:
        return neg(node)
    if kind == 1:
        return add(node, node) if rng.random() < 0.5 else mul(number(3), node)
    if kind == 2 and node.is_square and not node.is_scalar:
        return node.args[0] if node.op == "T" else T(node)
    if kind == 3 and len(node.args) > 1:
        args = list(node.args)
        i, j = rng.sample(range(len(args)), 2)
        args[i], args[j] = args[j], args[i]
        if node.op == "add" and rng.random() < 0.7:
            args.pop()
        return app(node.op, *args, attrs=node.attrs) if args else None
    if kind == 4:
        if node.op in ("pow", "hpow"):
            return app(node.op, *node.args, attrs=(node.attrs[0] + 1,))
        if node.op == "num":
            return number(node.attrs[0] + 1)
        group = next((g for g in _GROUPS if node.op in g), None)
        return None if group is None else app(rng.choice(group), *node.args)
    if kind == 5:
        same = [n for n in postorder(root) if n.shape == node.shape and n is not node and node not in postorder(n)]
        return rng.choice(same) if same else None
    return None


def _exactly(symbol: Expr, value: np.ndarray) -> np.ndarray:
    """The value, an orthogonal one to 150 digits (Newton's iteration for the polar factor)."""
    if "orthogonal" not in symbol.attrs[1]:
        return value
    with mpmath.workdps(160):
        q = mpmath.matrix(value.tolist())
        for _ in range(5):
            q = q * (3 * mpmath.eye(q.rows) - q.T * q) / 2
        return np.array(q.tolist(), dtype=object)


def truth(left: Expr, right: Expr, seed: int) -> bool | None:
    """Whether two expressions agree to 25 digits at real points; None where they exist nowhere (that was tried)."""
    requirements = Requirements()
    requirements.include(left, right)
    agreed: bool | None = None
    found = 0
    for turn, sizes in enumerate(requirements.choices()):
        if found >= 8 or turn >= 6:
            break
        values = floats(symbols(left, right), sizes, 48, seed + 17 * turn)
        a, b = (evaluate(side, values, sizes) for side in (left, right))
        a, b = (v if v.ndim == 3 else v[None] for v in (a, b))
        good = np.isfinite(a).all(axis=(1, 2)) & np.isfinite(b).all(axis=(1, 2)) & (np.abs(a).max(axis=(1, 2)) < 1e9)
        for k in np.flatnonzero(good)[:: max(1, int(good.sum()) // 4)][:4]:
            point = {s: _exactly(s, v[k]) for s, v in values.items()}
            try:
                c, d = (evaluate_mp(side, point, sizes, digits=150) for side in (left, right))
            except (ZeroDivisionError, ValueError, TypeError):
                continue
            size = max(max(abs(v) for v in c.ravel()), max(abs(v) for v in d.ravel()), 1e-6)
            error = max(abs(v - w) for v, w in zip(c.ravel(), d.ravel(), strict=True)) / size
            if not error < 1e-25:
                return False if error > 1e-12 else None
            agreed, found = True, found + 1
    return agreed
