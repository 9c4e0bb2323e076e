"""What is nonnegative: so that A^T diag(u) A may be computed as Z^T Z, Z = diag(sqrt(u)) A, at half the cost.

In: arrays; out: how sure it is that every entry is >= 0. What is declared (`Facts`) comes from the expressions that
arrays are lowered from; the rest is read off operations. A quadratic form x^T M x with M positive semidefinite is
nonnegative, but rounding may make it less than zero, and everything that is made of it with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcalc.program.ir import Array, folded, is_gram

UNKNOWN, EXACTLY, COMPUTED = range(3)
"""Nothing is known; every entry is >= 0 in exact arithmetic; and so it is as computed."""

_ALWAYS = frozenset(
    ("exp", "abs", "relu", "sigmoid", "softplus", "cosh", "sqrt", "softmax", "sigmoid_from", "sigmoid_of_negative_from",
     "softplus_from", "erfcx", "norm", "eq", "ge", "gt", "le", "lt", "ones", "zeros", "eye", "unit", "size", "pi",
     "first_max", "first_min")
)  # fmt: skip
_MONOTONE = frozenset(
    ("times", "quotient", "minimum", "T", "turned", "flat", "row", "column", "rows", "columns", "entry", "lift", "vec",
     "total", "total_row", "mean", "largest", "smallest", "dot", "vdot", "row_dots", "matmul", "outer", "diagonal",
     "diagonal_of", "trace", "float", "truth", "log1p", "sinh", "tanh", "arctan", "erf", "powers", "reciprocal_or_zero",
     "tril", "triu", "kron", "block", "concatenate", "permute")
)  # fmt: skip
"""Operations that make entries >= 0 of entries >= 0, also as computed: rounding is monotone."""


@dataclass(slots=True)
class Facts:
    """What is known of arrays from the expressions that they come from."""

    positive: set[Array] = field(default_factory=set)
    """Arrays all of whose entries are positive."""
    semidefinite: set[Array] = field(default_factory=set)
    """Matrices that are symmetric and positive semidefinite."""


def nonnegative(facts: Facts, root: Array) -> int:
    """How sure it is that every entry of the array is >= 0: UNKNOWN, EXACTLY or COMPUTED."""

    def known(a: Array) -> int | None:
        if a in facts.positive or a.op in _ALWAYS:
            return COMPUTED
        return None

    def combine(a: Array, below: list[int]) -> int:
        least = min(below, default=UNKNOWN)
        match a.op:
            case "number":
                return COMPUTED if a.attrs[0] >= 0 else UNKNOWN
            case "power":
                return COMPUTED if a.attrs[0].denominator == 1 and a.attrs[0] % 2 == 0 else least
            case "sum":
                return least if all(c > 0 for c in a.attrs) else UNKNOWN
            case "scale":
                coefficient, exponents = a.attrs
                odd = [sure for sure, e in zip(below[1:], exponents, strict=True) if e % 2]
                return min([below[0], *odd]) if coefficient >= 0 else UNKNOWN
            case "maximum":
                return max(below)
            case "vdot" | "dot" | "row_dots" if a.args[0] is a.args[1]:
                return COMPUTED
            case "row_dots" | "dot" if any(_is_form(facts, *pair) for pair in (a.args, a.args[::-1])):
                return EXACTLY
        return least if a.op in _MONOTONE else UNKNOWN

    return folded(root, known, combine)


def _is_form(facts: Facts, x: Array, y: Array) -> bool:
    """Whether x is M y, of vectors, or y M, of matrices whose rows are the vectors, M positive semidefinite."""
    before: Array | None = None
    if x.op == "T" and x.args[0].op == "solve":
        matrix, right = x.args[0].args
        before = matrix if _turned(right, y) or _turned(y, right) else None
    elif x.op == "solve":
        before = x.args[0] if x.rank == 1 and x.args[1] is y else None
    elif x.op == "matmul":
        left, right = x.args
        before = right if left is y else left if right is y and x.rank == 1 else None
    return before is not None and _is_semidefinite(facts, before)


def _turned(x: Array, y: Array) -> bool:
    return x.op == "T" and x.args[0] is y


def _is_semidefinite(facts: Facts, a: Array) -> bool:
    while a.op in ("inv", "T"):
        a = a.args[0]
    return a in facts.semidefinite or is_gram(a)
