"""Names for temporaries: what a numericist would call them.

In: an array, the names of what it is made of, and what reads it; out: a name that is not taken. A residual is `R` (`r`
where it is a vector), a linear map before an activation `Z`, an activation `H`, a softmax `P`, S^-1 r `S_inv_r`, X^T X
`XtX`. A second one of its kind gets the digit 2, as layers do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mcalc.algebra.functions import ELEMENTWISE
from mcalc.program.ir import Array

COMPOUND = 6
"""The longest name that is put together of the names of two factors."""

_ACTIVATIONS = frozenset(
    (
        "relu", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "arctan", "softmax", "logsumexp", "largest",
        "sigmoid_from", "sigmoid_of_negative_from", "eq", "ge", "gt", "le", "lt",
    )
)  # fmt: skip
_FACTORISATIONS = frozenset(["solve", "inv", "cholesky", "try_cholesky", "det", "logdet"])
_INDICATORS = frozenset(["eq", "ge", "gt", "le", "lt"])

# fmt: off
_ROLES: Mapping[str, tuple[str, str, str]] = {
    # operation: the name of a matrix, of a vector, of a scalar
    "softmax": ("P", "p", "p"),          "sigmoid": ("P", "p", "p"),        "sigmoid_from": ("P", "p", "p"),
    "sigmoid_of_negative_from": ("Q", "q", "q"),
    "softplus_from": ("S", "s", "s"),
    "relu": ("H", "h", "h"),             "tanh": ("H", "h", "h"),           "softplus": ("S", "s", "s"),
    "exp": ("E", "e", "e"),              "times": ("D", "v", "s"),          "quotient": ("Q", "q", "q"),
    "outer": ("C", "c", "c"),            "kron": ("K", "k", "k"),           "block": ("B", "b", "b"),
    "cholesky": ("L", "L", "L"),         "try_cholesky": ("L", "L", "L"),
           "matmul": ("Z", "z", "s"),         "solve": ("U", "u", "s"),
    "logsumexp": ("lse", "lse", "lse"),  "total": ("sums", "sums", "total"), "mean": ("means", "means", "mean"),
    "largest": ("tops", "tops", "top"),  "smallest": ("lows", "lows", "low"),
    "row_dots": ("dots", "dots", "dots"), "first_max": ("first", "first", "first"),
    "first_min": ("first", "first", "first"), "scale": ("M", "v", "s"),     "power": ("W", "w", "s"),
    **dict.fromkeys(_INDICATORS, ("active", "active", "active")),
}
# fmt: on


class Namer:
    """Names that are not taken yet."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        self._numbers: dict[str, int] = {}
        """The last number that was added to a name: those before it are taken."""

    def name(self, a: Array, names: Mapping[Array, str], readers: Sequence[Array]) -> str:
        """A name for an array."""
        return self.claim(*stems(a, names, readers))

    def claim(self, *candidates: str) -> str:
        """The first candidate that is free; a digit is added to the last where none is."""
        candidates = tuple(re.sub("__+", "_", c) for c in candidates)
        for candidate in candidates:
            if candidate not in self.taken:
                self.taken.add(candidate)
                return candidate
        stem = candidates[-1]
        number = self._numbers.get(stem, 2)
        while f"{stem}{number}" in self.taken:
            number += 1
        self._numbers[stem] = number
        self.taken.add(f"{stem}{number}")
        return f"{stem}{number}"


def softmax_of(a: Array) -> Array | None:
    """Z where this is exp(Z - max) over its sum."""
    if a.op != "quotient" or a.args[0].op != "exp" or a.args[0].args[0].op != "sum":
        return None
    total = a.args[1].args[0] if a.args[1].op == "column" else a.args[1]
    return a.args[0].args[0].args[0] if total.op == "total" and total.args[0] is a.args[0] else None


def factorised(m: Array) -> Array | None:
    """K where this is L^-1 and L L^T = K."""
    return m.args[0].args[0] if m.op == "lower_inverse" and m.args[0].op == "cholesky" else None


def solved(a: Array) -> Array | None:
    """K where this is K^-1 B, B the last operand: with L L^T = K, M = L^-1 it is M^T (M B)."""
    if a.op == "matmul" and a.args[0].op == "inv_from":
        return a.args[0].args[1]
    halves = [x.op for x in (a, *a.args)] == ["matmul", "T", "matmul"] and a.args[0].args[0] is a.args[1].args[0]
    return factorised(a.args[1].args[0]) if halves else None


def right_side(a: Array) -> Array:
    """B of the same."""
    return a.args[1] if a.args[0].op == "inv_from" else a.args[1].args[1]


def _names_of_solve(a: Array, first: str, second: str) -> list[str]:
    compound = f"{first}_inv_{second}" if first and second and len(first + second) <= COMPOUND else ""
    return [*([compound] if compound else []), _pick(a, ("U", "u", "s"))]


def _is_backward(a: Array) -> bool:
    """Whether an elementwise product looks like a cotangent times a derivative."""
    return a.rank > 0 and any(x.op in ("matmul", "sum") or x.kind == "bool" for x in a.args)


def _pick(a: Array, roles: tuple[str, str, str]) -> str:
    return roles[0] if a.rank == 2 else roles[1] if a.rank == 1 else roles[2]


def short(a: Array, names: Mapping[Array, str]) -> str:
    """What an operand is called inside a longer name, or nothing."""
    if a in names:
        return re.sub(r"\W", "", names[a]).rstrip("_")
    match a.op:
        case "arg":
            return re.sub(r"[^A-Za-z0-9_]", "", a.attrs[0]).strip("_")
        case "T":
            inner = short(a.args[0], names)
            return f"{inner}t" if inner and (len(inner) == 1 or a.args[0].op == "arg") else ""
        case "flat" | "row" | "column":
            return short(a.args[0], names)
        case "matmul" | "dot" | "vdot":
            return _joined(a, names)
    return ""


def _joined(a: Array, names: Mapping[Array, str]) -> str:
    left, right = (short(x, names) for x in a.args)
    made = f"{left}t{right}" if a.op == "vdot" and left != right else left + right
    clean = made.isidentifier() and made.isascii() and "_" not in made
    return made if left and right and clean and len(made) <= COMPOUND else ""


def stems(a: Array, names: Mapping[Array, str], readers: Sequence[Array]) -> list[str]:
    """Candidates for the name of an array, the best first."""
    role = _ROLES.get(a.op)
    first = short(a.args[0], names) if a.args else ""
    activated = any(r.op in _ACTIVATIONS for r in readers)
    match a.op:
        case "matmul" if (base := solved(a)) is not None:
            return _names_of_solve(a, short(base, names), short(right_side(a), names))
        case "sum" | "times" if activated and a.rank:
            return [_pick(a, ("Z", "z", "z"))]
        case "sum":
            return _names_of_sum(a, readers)
        case "times" if any(r.op in ("matmul", "outer") for r in readers) and _is_backward(a):
            return ["delta"]
        case "power" if a.attrs[0] == 2:
            return [f"{first}{first}" if first and len(first) == 1 and a.rank == 0 else "squares"]
        case "quotient" if softmax_of(a) is not None:
            return [_pick(a, ("P", "p", "p"))]
        case "matmul" | "dot" | "vdot":
            joined = _joined(a, names)
            if a.op == "matmul" and not joined and activated:
                return [_pick(a, ("Z", "z", "z"))]
            if a.rank == 2 and not joined and any(r.op in _FACTORISATIONS for r in readers):
                return ["M"]
            return [*([joined] if joined else []), _pick(a, ("Z", "z", "s"))]
        case "turned":
            return [f"{first}_T" if first else "M"]
        case "solve":
            return _names_of_solve(a, first, short(a.args[1], names))
        case "lower_inverse":
            return [f"{first or 'L'}_inv"]
        case "lower_gram" if (base := factorised(a.args[0])) is not None:
            return [f"{short(base, names) or 'M'}_inv"]
        case "inv_from":
            return [f"{short(a.args[1], names) or 'M'}_inv"]
        case "logdet_from":
            return [f"logdet_{short(a.args[1], names)}".rstrip("_")]
        case "inv" | "pinv":
            return [f"{first or 'M'}_{a.op}"]
        case "norm" | "logdet" | "det" | "trace":
            return [f"{a.op}_{first}" if first else a.op]
        case "log_diagonal":
            return ["half_logdet"]
        case "reciprocal_or_zero":
            return [f"inv_{first}" if first else "reciprocal"]
        case "expm" | "adjugate":
            return [f"{a.op}_{first}" if first else a.op]
        case "diagonal_of":
            return [f"diag_{first}" if first else "diagonal"]
    if role is None and a.op in ELEMENTWISE:
        if first and len(first) <= COMPOUND:
            return [f"{a.op}_{first}"]
        return ["root" if a.op == "sqrt" else a.op[0].upper() if a.rank == 2 else a.op[0]]
    return [_pick(a, role or ("M", "v", "s"))]


def _names_of_sum(a: Array, readers: Sequence[Array]) -> list[str]:
    operations = {r.op for r in readers}
    if a.rank == 0:
        return ["s"]
    if a.rank == 2 and operations & _FACTORISATIONS:
        return ["M"]
    if any(c < 0 for c in a.attrs) and not any(x.op in ("number", "eye") for x in a.args):
        return [_pick(a, ("R", "r", "r"))]
    return [_pick(a, ("S", "s", "s"))]
