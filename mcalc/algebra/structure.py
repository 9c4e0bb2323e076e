"""Structure: what is known of a matrix, and how an operator passes it on.

`holds(e, "spd")` answers from declared properties (LANGUAGE.md's words) and from the form of the expression:
X^T X is psd, a sum of symmetric matrices is symmetric, the inverse of a lower triangular matrix is lower
triangular (Horn & Johnson, Matrix Analysis, ch. 0 and 7). It answers True only where that is a theorem; False
means "not known".

`STRUCTURES` says, for each declared structure of a variable, how its gradient is projected (Srinivasan & Panda,
arXiv:1911.06491).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, add, app, div, eye, had, neg, number

PROPERTIES = (
    "symmetric", "skew", "spd", "psd", "diagonal", "lower", "upper", "orthogonal", "invertible", "positive",
)  # fmt: skip
"""The words a declaration may use. `positive`: every entry is positive."""

Facts = frozenset[str]
NOTHING: Facts = frozenset()

_IMPLIED: tuple[tuple[frozenset[str], frozenset[str]], ...] = (
    (frozenset({"spd"}), frozenset({"psd", "symmetric", "invertible"})),
    (frozenset({"psd"}), frozenset({"symmetric"})),
    (frozenset({"psd", "invertible"}), frozenset({"spd"})),
    (frozenset({"diagonal"}), frozenset({"symmetric", "lower", "upper"})),
    (frozenset({"lower", "upper"}), frozenset({"diagonal"})),
    (frozenset({"symmetric", "lower"}), frozenset({"diagonal"})),
    (frozenset({"symmetric", "upper"}), frozenset({"diagonal"})),
    (frozenset({"orthogonal"}), frozenset({"invertible"})),
)


@cache
def close(properties: frozenset[str]) -> Facts:
    """The properties and all that they imply."""
    known = set(properties)
    size = -1
    while size != len(known):
        size = len(known)
        for given, implied in _IMPLIED:
            if given <= known:
                known |= implied
    return frozenset(known)


def holds(e: Expr, fact: str) -> bool:
    """Whether `fact` is known of `e`."""
    return fact in facts(e)


def facts(root: Expr) -> Facts:
    """All that is known of an expression."""
    if root.facts is not None:
        return root.facts
    stack = [root]
    while stack:
        node = stack[-1]
        if node.facts is not None:
            stack.pop()
            continue
        missing = [a for a in node.args if a.facts is None]
        if missing:
            stack.extend(missing)
        else:
            rule = _RULES.get(node.op)
            known = close(rule(node)) if rule is not None else NOTHING
            node.facts = known if node.is_square else known - _OF_SQUARES
            stack.pop()
    assert root.facts is not None
    return root.facts


def of(e: Expr) -> Facts:
    """The facts of an operand, known by the time its operator asks."""
    return e.facts if e.facts is not None else facts(e)


def _common(args: tuple[Expr, ...]) -> Facts:
    shared = of(args[0])
    for arg in args[1:]:
        shared = shared & of(arg)
    return shared


_OF_SQUARES = frozenset({"symmetric", "skew", "spd", "psd", "diagonal", "orthogonal", "invertible"})
_LINEAR = frozenset({"symmetric", "skew", "psd", "diagonal", "lower", "upper", "positive"})
_SIGN_FREE = frozenset({"symmetric", "skew", "diagonal", "lower", "upper"})
_SCALED = frozenset({"spd", "psd", "positive", "invertible"})
_MULTIPLICATIVE = frozenset({"diagonal", "lower", "upper", "orthogonal", "invertible", "positive"})
_KRON = frozenset({"symmetric", "spd", "psd", "diagonal", "lower", "upper", "orthogonal", "invertible", "positive"})
_MOVING = frozenset({"symmetric", "skew", "diagonal", "lower", "upper"})


def partners(a: Expr, b: Expr) -> bool:
    """Whether B is visibly the transpose of A."""
    if a is b:
        return a.is_scalar or "symmetric" in of(a)
    if a.op == "T":
        return a.args[0] is b or (b.op == "pow" and _inverse_partners(b, a))
    return (b.op == "T" and b.args[0] is a) or (a.op == "pow" and _inverse_partners(a, b))


def _inverse_partners(power: Expr, other: Expr) -> bool:
    base = power.args[0]
    match other.op, other.args:
        case "pow", (base2,) if other.attrs == power.attrs:
            return partners(base, base2)
        case "T", (inner,):
            return inner is power
    return False


def _sum(e: Expr) -> Facts:
    matrices = tuple(a for a in e.args if a.shape == e.shape)
    known = set(_common(matrices) & _LINEAR)
    if len(matrices) < len(e.args):
        known &= {"symmetric", "positive"} if all("positive" in of(a) for a in e.args) else {"symmetric"}
    if "psd" in known and any("spd" in of(a) for a in matrices):
        known.add("spd")
    if e.is_square and "symmetric" not in known and len(matrices) <= 16:
        left = list(matrices)
        while left:
            a = left.pop()
            if "symmetric" in of(a):
                continue
            match = next((b for b in left if _terms_are_partners(a, b)), None)
            if match is None:
                break
            left.remove(match)
        else:
            known.add("symmetric")
    if e.is_square and len(matrices) == 2 and matrices[1].op == "neg" and partners(matrices[0], matrices[1].args[0]):
        known.add("skew")
    return frozenset(known)


def _terms_are_partners(a: Expr, b: Expr) -> bool:
    if a.op == "neg" and b.op == "neg":
        return _terms_are_partners(a.args[0], b.args[0])
    if a.op == "mul" and b.op == "mul":
        return mirrored(a.args, b.args)
    return partners(a, b)


def mirrored(left: tuple[Expr, ...], right: tuple[Expr, ...]) -> bool:
    """Whether the product of `right` is visibly the transpose of the product of `left`."""
    a = [f for f in left if not f.is_scalar]
    b = [f for f in right if not f.is_scalar]
    scalars = [f for f in left if f.is_scalar]
    others = [f for f in right if f.is_scalar]
    return (
        len(a) == len(b)
        and set(scalars) == set(others)
        and all(partners(x, y) for x, y in zip(a, reversed(b), strict=True))
    )


def _product(e: Expr) -> Facts:
    scalars = [a for a in e.args if a.is_scalar]
    factors = tuple(a for a in e.args if not a.is_scalar)
    positive = all("positive" in of(s) for s in scalars)
    if not factors:
        return frozenset({"positive"}) if positive else NOTHING
    known: set[str] = set()
    if len(factors) == 1:
        inner = of(factors[0])
        known |= inner & _SIGN_FREE
        if positive:
            known |= inner & _SCALED
        return frozenset(known)
    if all(f.is_square for f in factors) or "positive" in _common(factors):
        known |= _common(factors) & _MULTIPLICATIVE
    if mirrored(factors, factors):
        known.add("symmetric")
        middle = factors[len(factors) // 2]
        if len(factors) % 2 == 0 or "psd" in of(middle):
            known.add("psd")
    if scalars:
        known &= (_SIGN_FREE | _SCALED) if positive else _SIGN_FREE
    return frozenset(known)


def _quotient(e: Expr) -> Facts:
    numerator, denominator = e.args
    known = of(numerator) & _SIGN_FREE
    if "positive" in of(denominator):
        known |= of(numerator) & _SCALED
    return known


def _transpose(e: Expr) -> Facts:
    swap = {"lower": "upper", "upper": "lower"}
    return frozenset(swap.get(f, f) for f in of(e.args[0]))


def _power(e: Expr) -> Facts:
    base, exponent = of(e.args[0]), e.attrs[0]
    if e.is_scalar:
        return base & {"positive"}
    if exponent == 0:
        return frozenset({"spd", "diagonal", "orthogonal"})
    known = set(base & {"symmetric", "spd", "diagonal", "lower", "upper", "orthogonal", "invertible"})
    if exponent < 0:
        known.add("invertible")
        known |= base & {"psd"}
    else:
        known |= base & {"psd", "positive"}
    if "symmetric" in base and exponent % 2 == 0:
        known.add("psd")
    if "skew" in base:
        known.add("symmetric" if exponent % 2 == 0 else "skew")
    return frozenset(known)


def _hadamard(e: Expr) -> Facts:
    known = set(_common(e.args) & {"symmetric", "psd", "spd", "positive"})
    for arg in e.args:
        known |= of(arg) & {"diagonal", "lower", "upper"}
    return frozenset(known)


def _entrywise(e: Expr) -> Facts:
    known = _common(tuple(a for a in e.args if a.shape == e.shape)) & {"symmetric", "positive"}
    return known if all("positive" in of(a) for a in e.args) else known - {"positive"}


def _function(positive: bool) -> Callable[[Expr], Facts]:
    def rule(e: Expr) -> Facts:
        known = of(e.args[0]) & {"symmetric"}
        return known | {"positive"} if positive else known

    return rule


def _trace(e: Expr) -> Facts:
    inner = of(e.args[0])
    return frozenset({"positive"}) if "spd" in inner or "positive" in inner else NOTHING


def _expm(e: Expr) -> Facts:
    known = {"invertible"}
    inner = of(e.args[0])
    if "symmetric" in inner:
        known.add("spd")
    if "skew" in inner:
        known.add("orthogonal")
    return frozenset(known) | (inner & {"diagonal", "lower", "upper"})


def _reduction(e: Expr) -> Facts:
    return of(e.args[0]) & {"positive"}


def _diagonal_matrix(e: Expr) -> Facts:
    return frozenset({"diagonal", "spd"} if "positive" in of(e.args[0]) else {"diagonal"})


def _only(*known: str) -> Callable[[Expr], Facts]:
    return lambda e: frozenset(known)


# fmt: off
_RULES: dict[str, Callable[[Expr], Facts]] = {
    "sym":   lambda e: e.attrs[1] | {"symmetric"} if e.is_scalar else e.attrs[1],
    "num":   lambda e: frozenset({"positive"}) if e.attrs[0] > 0 else NOTHING,
    "pi":    _only("positive"),                  "dim":    _only("positive"),
    "eye":   _only("spd", "diagonal", "orthogonal"),
    "ones":  lambda e: frozenset({"positive", "psd"} if e.is_square else {"positive"}),
    "zeros": lambda e: frozenset({"psd", "skew", "diagonal"}) if e.is_square else NOTHING,
    "K":     lambda e: frozenset({"orthogonal", "symmetric"} if e.attrs[0] is e.attrs[1] else {"orthogonal"}),
    "add":   _sum,                               "mul":    _product,      "div":   _quotient,
    "neg":   lambda e: of(e.args[0]) & (_SIGN_FREE | {"orthogonal", "invertible"}),
    "T":     _transpose,                         "pow":    _power,
    "power": lambda e: of(e.args[0]) & {"positive"},
    "had":   _hadamard,                          "hdiv":   _entrywise,    "hpow":  lambda e: of(e.args[0]) & {"symmetric", "positive"},
    "hpower": lambda e: of(e.args[0]) & {"symmetric", "positive"},
    "max":   lambda e: _entrywise(e),            "min":    lambda e: _entrywise(e),
    "kron":  lambda e: _common(e.args) & _KRON,
    "expm":  _expm,
    "adj":   lambda e: of(e.args[0]) & {"symmetric", "diagonal", "lower", "upper", "spd"},
    "pinv":  lambda e: of(e.args[0]) & {"symmetric", "psd", "spd", "diagonal"},
    "diagm": _diagonal_matrix,
    "diagv": lambda e: frozenset({"positive"}) if "positive" in of(e.args[0]) or "spd" in of(e.args[0]) else NOTHING,
    "tril":  lambda e: frozenset({"lower"}) | (of(e.args[0]) & {"upper"}),
    "triu":  lambda e: frozenset({"upper"}) | (of(e.args[0]) & {"lower"}),
    "tr":    _trace,                             "det":    lambda e: frozenset({"positive"}) if "spd" in of(e.args[0]) else NOTHING,
    "sum":   _reduction,                         "mean":   _reduction,    "vec": _reduction,   "index": _reduction,
    "maxall": _reduction,                        "minall": _reduction,
    "softmax": _only("positive"),
    "d":     lambda e: of(e.args[0]) & _MOVING,
    **{f: _function(True) for f in ("exp", "cosh", "sigmoid", "softplus")},
    **{f: _function(False) for f in ("log", "log1p", "sqrt", "sin", "cos", "tan", "arcsin", "arccos", "arctan",
                                     "sinh", "tanh", "abs", "sign", "relu", "erf")},
}
# fmt: on


class Structure(NamedTuple):
    """A linear subspace of matrices in which a variable may be declared to lie."""

    name: str
    words: frozenset[str]
    """The declared properties that put the variable there."""
    projection: Callable[[Expr], Expr]
    """The orthogonal projection of an unconstrained gradient G."""
    shown: str
    reference: str = "Srinivasan & Panda, arXiv:1911.06491"


def _half(e: Expr) -> Expr:
    return div(e, number(2))


# fmt: off
STRUCTURES: tuple[Structure, ...] = (   # the first that applies
    Structure("diagonal",  frozenset({"diagonal"}),                lambda G: had(G, eye(G.shape[0])),   "G .* I"),
    Structure("symmetric", frozenset({"symmetric", "spd", "psd"}), lambda G: _half(add(G, T(G))),       "(G + G^T) / 2"),
    Structure("skew",      frozenset({"skew"}),                    lambda G: _half(add(G, neg(T(G)))),  "(G - G^T) / 2"),
    Structure("lower",     frozenset({"lower"}),                   lambda G: app("tril", G),            "tril(G)"),
    Structure("upper",     frozenset({"upper"}),                   lambda G: app("triu", G),            "triu(G)"),
)
# fmt: on


def structure(variable: Expr) -> Structure | None:
    """The subspace in which a symbol is declared to lie, or None for all matrices of its shape."""
    if variable.is_scalar:
        return None
    declared = close(variable.attrs[1])
    return next((s for s in STRUCTURES if s.words & declared), None)
