"""The meaning of every operator modulo the chain of primes: a model in which true identities hold exactly.

In: a node and the residues of its operands at random points. Out: its residues, one rule for each operator.
`Points` (mcalc/verify/points.py) walks the expression and draws the symbols.

A value has a residue at every level of the chain (mcalc/verify/field.py), independent of the others. Sums, products,
inverses and all that is rational act level by level. Between the levels:

    exp      at level i from its argument at level i - 1        sigmoid, tanh, sinh, cosh, softmax: by definition
    log|x|   at level i from its argument at level i + 1        log1p, logdet, softplus, logsumexp: by definition
    s^t      at level i from s at level i and t at level i - 1, which is exp(t log s)

"Positive" is "a quadratic residue": sqrt(x) is the root that is a residue, |x| the residue among x and -x, and sign,
relu, comparisons, max and min follow. This order is compatible with products, not with sums. So a law of the model is
a law of the reals, but not the other way round (abs(x^2 + 1) = x^2 + 1 is not proved): the model can fail to prove,
it does not prove falsely.

sin, cos and tan are (2 t, 1 - t^2, 2 t)/(1 + t^2) with t odd and random, t(x) = x h(x^2): symmetry and
sin^2 + cos^2 = 1 hold, the addition theorems are not modelled (-1 is not a square, so the circle has p + 1 points,
and no homomorphism comes onto it from a lower level). erf, arctan and arcsin are odd random functions, arccos is
pi/2 - arcsin, pi is a random positive number. expm(A) = N(A) N(-A)^-1 with a random cubic N: it commutes with all
that commutes with A, expm(-A) is its inverse and expm(A)^T = expm(A^T). max(A) and min(A) are the largest and
smallest entry by the representative in (-p/2, p/2).

Points carry two kinds of marks. `dead`: the value does not exist there (a singular inverse, a zero divisor).
`soft`: an argument of log, or a radicand, is not a residue, and |x| was used in its place. An identity that holds at
soft points holds with log|x|, sqrt|x| for log x, sqrt x, hence wherever the latter exist; one that fails there may
still be true, and mcalc/verify/exact.py asks only the other points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mcalc.algebra.expr import Expr
from mcalc.verify.field import FIELDS, Array, Field, Mask, key_of
from mcalc.verify.layout import kron
from mcalc.verify.numeric import axes
from mcalc.verify.sampling import residue_differential, residues, size_of

if TYPE_CHECKING:
    from mcalc.verify.points import Points

Rule: TypeAlias = "Callable[[Points, Expr, Field, Sequence[Array]], Array]"

# fmt: off
SHIFTS: dict[str, tuple[int, ...]] = {
    # the level of each operand relative to that of the result; 0 where nothing is said
    "exp": (-1,),   "sigmoid": (-1,),   "tanh": (-1,),    "sinh": (-1,),    "cosh": (-1,),  "softmax": (-1,),
    "power": (0, -1),                   "hpower": (0, -1),
    "log": (1,),    "log1p": (1,),      "logdet": (1,),
}
# fmt: on
INSIDE = frozenset({"softplus", "logsumexp"})
"""Operators that go one level up and come back by themselves."""

BRANCHING = frozenset(
    {"abs", "sign", "relu", "sqrt", "norm", "norm1", "eq", "ge", "gt", "le", "lt", "max", "min", "maxall", "minall"}
)
"""Operators that tell positive from negative: an identity may hold on one branch and fail on another."""


FAITHFUL = frozenset(
    {
        "sym",
        "d",
        "num",
        "dim",
        "eye",
        "ones",
        "zeros",
        "unit",
        "K",
        "dup",
        "elim",
        "add",
        "neg",
        "mul",
        "div",
        "had",
        "hdiv",
        "T",
        "kron",
    }
    | {"tr", "det", "sum", "mean", "adj", "vec", "tril", "triu", "diagm", "diagv", "block", "index"}
)
"""Rational operators: residues that differ prove that values differ."""

_LARGEST_INTEGER_POWER = 10_000
"""A constant exponent with a residue up to this is that integer (det(A)^n): the base may then be negative."""


def branches(node: Expr) -> bool:
    """Whether the node tells positive from negative."""
    match node.op:
        case "pow" | "hpow":
            return bool(node.attrs[0].denominator != 1)
        case "power" | "hpower":
            return node.args[1].op != "dim"
        case "sym":
            return "orthogonal" in node.attrs[1]
    return node.op in BRANCHING


def _symbol(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    return residues(e, b.sizes, f, b.raw(e, f))


def _differential(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    symbol = e.args[0]
    if symbol.op == "sym" and symbol in b.moving:
        return residue_differential(symbol, f, b.raw(e, f))
    rows, columns = size_of(e, b.sizes)
    return np.zeros((1, rows, columns), dtype=np.int64)


def _number(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    value = e.attrs[0]
    if value.denominator % f.p == 0:
        b.refuse(np.ones((1, 1, 1), dtype=np.bool_))
        return np.zeros((1, 1, 1), dtype=np.int64)
    return np.array([[[f.number(value.numerator, value.denominator)]]], dtype=np.int64)


def _pi(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    root = f.draw(key_of(b.key, "pi", f.level), (b.count, 1, 1))
    return np.asarray(root * root % f.p)


def _add(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    total = args[0]
    for value in args[1:]:
        total = total + value
    return np.asarray(total % f.p)


def _had(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    total = args[0]
    for value in args[1:]:
        total = total * value % f.p
    return total


def _mul(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    matrix: Array | None = None
    scale: Array | None = None
    for arg, value in zip(e.args, args, strict=True):
        if arg.is_scalar:
            scale = value if scale is None else scale * value % f.p
        else:
            matrix = value if matrix is None else f.matmul(matrix, value)
    if matrix is None or scale is None:
        result = scale if matrix is None else matrix
        assert result is not None
        return result
    return np.asarray(scale * matrix % f.p)


def _div(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    return np.asarray(args[0] * b.reciprocal(f, args[1]) % f.p)


def _hpow(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    exponent, x = e.attrs[0], args[0]
    if exponent < 0:
        b.refuse(x == 0)
    if exponent.denominator == 1:
        return f.power(x if exponent >= 0 else f.inverse(x), abs(exponent.numerator))
    result, positive = f.rational_power(x, exponent.numerator, exponent.denominator)
    b.soften(~positive)
    return result


def _pow(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    if e.is_scalar:
        return _hpow(b, e, f, args)
    exponent = e.attrs[0].numerator
    base = args[0] if exponent >= 0 else b.inverse_matrix(e, f, args[0])
    return f.matrix_power(base, abs(exponent))


def _symbolic_power(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    if args[1].shape[0] == 1:
        exponent = int(_centred(FIELDS[f.level - 1], args[1])[0, 0, 0])
        if abs(exponent) <= _LARGEST_INTEGER_POWER:
            if exponent < 0:
                b.refuse(args[0] == 0)
            return f.power(args[0] if exponent >= 0 else f.inverse(args[0]), abs(exponent))
    root, positive = f.root(args[0])
    b.soften(~positive)
    if f.level and not args[0].all():
        # 0^t is 0 where t > 0 and 1 where t = 0, as for real numbers
        b.refuse((args[0] == 0) & ~FIELDS[f.level - 1].root(args[1])[1])
    return f.powers(root * root % f.p, args[1])


def _sqrt(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    root, positive = f.root(args[0])
    b.soften(~positive)
    return root


def _norm(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    squares = (args[0] * args[0] % f.p).sum(axis=(1, 2), keepdims=True) % f.p
    return _sqrt(b, e, f, [squares])


def _absolute(f: Field, x: Array) -> Array:
    _, positive = f.root(x)
    return np.where(positive, x, f.p - x)


def _sign(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    _, positive = f.root(args[0])
    return np.where(args[0] == 0, 0, np.where(positive, 1, f.p - 1))


def _relu(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    _, positive = f.root(args[0])
    return np.where(positive, args[0], 0)


def _order(choose: Callable[[Mask, Mask, Array, Array], Any]) -> Rule:
    """An operator of (a >= b, a = b, a, b)."""

    def rule(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
        difference = (args[0] - args[1]) % f.p
        _, at_least = f.root(difference)
        return np.asarray(choose(at_least, difference == 0, args[0], args[1])).astype(np.int64)

    return rule


def _centred(f: Field, x: Array) -> Array:
    return np.where(x > f.order, x - f.p, x)


def _sigmoid(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    g = f.exp(args[0])
    return np.asarray(g * b.reciprocal(f, (1 + g) % f.p) % f.p)


def _tanh(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    g = f.power(f.exp(args[0]), 2)
    return np.asarray((g - 1) * b.reciprocal(f, (g + 1) % f.p) % f.p)


def _hyperbolic(sign: int) -> Rule:
    def rule(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
        g = f.exp(args[0])
        return np.asarray((g + sign * f.inverse(g)) % f.p * ((f.p + 1) // 2) % f.p)

    return rule


def _softmax(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    weights = f.exp(args[0])
    totals = weights.sum(axis=axes(e.attrs[0]), keepdims=True) % f.p
    return np.asarray(weights * b.reciprocal(f, totals) % f.p)


def _logsumexp(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    up = FIELDS[f.level + 1]
    return b.log(f, up.exp(args[0]).sum(axis=axes(e.attrs[0]), keepdims=True) % up.p)


def _softplus(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    up = FIELDS[f.level + 1]
    return b.log(f, (1 + up.exp(args[0])) % up.p)


def _log1p(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    return b.log(f, (1 + args[0]) % FIELDS[f.level + 1].p)


def _logdet(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    return b.log(f, b.adjugate(e, FIELDS[f.level + 1], args[0])[1], strict=False)


def _odd(name: str) -> Callable[[Field, Array], Array]:
    key = key_of("odd function", name)
    return lambda f, x: x * f.random_function(key, x * x % f.p) % f.p


def _circle(combine: Callable[[Points, Field, Array, Array], Array]) -> Rule:
    """A function of t and t^2, t the tangent of half the angle."""
    half_tangent = _odd("tan(x/2)")

    def rule(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
        t = half_tangent(f, args[0])
        return np.asarray(combine(b, f, t, t * t % f.p) % f.p)

    return rule


def _random_odd(name: str) -> Rule:
    function = _odd(name)
    return lambda b, e, f, args: function(f, args[0])


def _arccos(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    return np.asarray((b.pi(f) * ((f.p + 1) // 2) - _odd("arcsin")(f, args[0])) % f.p)


def _expm(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    a = args[0]
    c = f.draw(key_of(b.key, "expm", f.level), (4, b.count, 1, 1))
    square = f.matmul(a, a)
    even = (c[0] * np.eye(a.shape[-1], dtype=np.int64) + c[2] * square) % f.p
    odd = (c[1] * a + c[3] * f.matmul(square, a) % f.p) % f.p
    adjugate, determinant = f.adjugate((even - odd) % f.p)
    scaled = adjugate * b.reciprocal(f, determinant) % f.p
    return f.matmul((even + odd) % f.p, scaled)


def _mean(b: Points, e: Expr, f: Field, args: Sequence[Array]) -> Array:
    along = axes(e.attrs[0])
    count = int(np.prod([args[0].shape[k] for k in along]))
    return np.asarray(args[0].sum(axis=along, keepdims=True) % f.p * f.number(1, count) % f.p)


# fmt: off
RESIDUES: dict[str, Rule] = {
    "sym":   _symbol,      "d": _differential,     "num": _number,    "pi": _pi,
    "dim":   lambda b, e, f, args: np.array([[[e.attrs[0].value(b.sizes) % f.p]]], dtype=np.int64),
    "add":   _add,         "had": _had,            "mul": _mul,       "div": _div,
    "neg":   lambda b, e, f, args: -args[0] % f.p,
    "hdiv":  _div,         "pow": _pow,            "hpow": _hpow,
    "power": _symbolic_power,                      "hpower": _symbolic_power,
    "kron":  lambda b, e, f, args: kron(args[0], args[1]) % f.p,
    "eq":    _order(lambda ge, eq, x, y: eq),      "ge":    _order(lambda ge, eq, x, y: ge),
    "gt":    _order(lambda ge, eq, x, y: ge & ~eq), "le":   _order(lambda ge, eq, x, y: ~ge | eq),
    "lt":    _order(lambda ge, eq, x, y: ~ge),     "max":   _order(lambda ge, eq, x, y: np.where(ge, x, y)),
    "min":   _order(lambda ge, eq, x, y: np.where(ge & ~eq, y, x)),
    "abs":   lambda b, e, f, args: _absolute(f, args[0]),
    "sign":  _sign,        "relu": _relu,          "sqrt": _sqrt,     "norm": _norm,
    "norm1": lambda b, e, f, args: _absolute(f, args[0]).sum(axis=(1, 2), keepdims=True) % f.p,
    "exp":   lambda b, e, f, args: f.exp(args[0]),
    "log":   lambda b, e, f, args: b.log(f, args[0]),
    "log1p": _log1p,       "sigmoid": _sigmoid,    "tanh": _tanh,     "softplus": _softplus,
    "sinh":  _hyperbolic(-1),                      "cosh":  _hyperbolic(1),
    "sin":   _circle(lambda b, f, t, tt: 2 * t * f.inverse((1 + tt) % f.p)),
    "cos":   _circle(lambda b, f, t, tt: (1 - tt) % f.p * f.inverse((1 + tt) % f.p)),
    "tan":   _circle(lambda b, f, t, tt: 2 * t * b.reciprocal(f, (1 - tt) % f.p)),
    "arcsin": _random_odd("arcsin"),               "arctan": _random_odd("arctan"),       "erf": _random_odd("erf"),
    "arccos": _arccos,
    "tr":    lambda b, e, f, args: np.trace(args[0], axis1=1, axis2=2)[:, None, None] % f.p,
    "det":   lambda b, e, f, args: b.adjugate(e, f, args[0])[1],
    "adj":   lambda b, e, f, args: b.adjugate(e, f, args[0])[0],
    "logdet": _logdet,     "expm": _expm,
    "pinv":  lambda b, e, f, args: f.pseudo_inverse(args[0]),
    "sum":   lambda b, e, f, args: args[0].sum(axis=axes(e.attrs[0]), keepdims=True) % f.p,
    "mean":  _mean,        "softmax": _softmax,    "logsumexp": _logsumexp,
    "maxall": lambda b, e, f, args: _centred(f, args[0]).max(axis=(1, 2), keepdims=True) % f.p,
    "minall": lambda b, e, f, args: _centred(f, args[0]).min(axis=(1, 2), keepdims=True) % f.p,
}
# fmt: on


def reach(node: Expr, operands: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How many levels below and above its own a node needs, from the same of its operands."""
    low, high = 0, 1 if node.op in INSIDE else 0
    if node.op in ("pow", "hpow") and gcd(node.attrs[0].denominator, FIELDS[0].order) > 1:
        low = -1
    shifts = SHIFTS.get(node.op)
    for k, (below, above) in enumerate(operands):
        shift = 0 if shifts is None else shifts[k]
        low, high = min(low, below + shift), max(high, above + shift)
    return low, high
