"""Every operator of the language has NumPy code, and it computes what the operator means."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.shape import ONE, SCALAR, dim
from mcalc.backends.numpy.helpers import HELPERS, USES
from mcalc.backends.numpy.text import TEXTS
from mcalc.errors import InternalError
from mcalc.program.lower import RULES
from mcalc.program.mathematics import _WRITERS
from mcalc.program.operations import OPERATIONS
from tests.backends import rig

N, M, K = dim("n"), dim("m"), dim("k")
X, Y = o.symbol("X", (N, M)), o.symbol("Y", (N, M))
A, B = o.symbol("A", (N, N)), o.symbol("B", (M, K))
P = o.symbol("P", (N, N), frozenset({"spd"}))
S = o.symbol("S", (N, N), frozenset({"symmetric"}))
D = o.symbol("D", (N, N), frozenset({"diagonal", "positive"}))
L = o.symbol("L", (N, N), frozenset({"lower", "invertible"}))
Q = o.symbol("Q", (N, N), frozenset({"orthogonal"}))
u, v, w = o.symbol("u", (N, ONE)), o.symbol("v", (N, ONE)), o.symbol("w", (M, ONE))
b, c = o.symbol("b", (ONE, M)), o.symbol("c", (ONE, N))
s, t = o.symbol("s", SCALAR), o.symbol("t", SCALAR, frozenset({"positive"}))
PX = o.symbol("PX", (N, M), frozenset({"positive"}))
one, two, half = o.number(1), o.number(2), o.number(Fraction(1, 2))


def f(name: str, e: Expr) -> Expr:
    return o.app(name, e)


def over(name: str, e: Expr, axis: object) -> Expr:
    return o.app(name, e, attrs=(axis,))


def squeezed(e: Expr) -> Expr:
    """A matrix with entries inside (-1, 1)."""
    return f("tanh", e)


EXAMPLES: dict[str, list[Expr]] = {
    "sym": [X, u, b, s],
    "num": [o.mul(o.number(Fraction(1, 3)), X), o.number(3), o.add(u, half)],
    "pi": [o.mul(o.PI, X), o.mul(f("sqrt", o.PI), u), o.PI, f("log", o.mul(two, o.PI))],
    "dim": [o.div(X, o.dimension_number(N)), o.mul(o.dimension_number(N * M), s), o.dimension_number(N)],
    "eye": [o.eye(N), o.add(A, o.mul(s, o.eye(N))), o.had(A, o.eye(N)), o.had(o.mul(X, o.T(Y)), o.eye(N))],
    "ones": [o.ones(N), o.ones(N, M), o.mul(o.ones(N), b), o.mul(o.ones(N, M), w), o.mul(o.T(o.ones(N)), X)],
    "zeros": [o.zeros(N), o.zeros(N, M), o.add(X, o.zeros(N, M)), o.mul(X, o.zeros(M)), o.had(X, o.zeros(N, M))],
    "unit": [o.unit(2, N), o.mul(X, o.unit(1, M)), o.mul(o.T(o.unit(2, N)), X), o.mul(o.unit(1, N), b)],
    "K": [o.commutation(N, M), o.mul(o.commutation(N, M), f("vec", X)), o.mul(o.T(w), o.T(X), o.ones(N)),
          o.mul(o.T(f("vec", X)), o.commutation(M, N))],
    "add": [o.add(X, Y), o.sub(X, Y), o.add(u, s), o.add(X, o.neg(o.mul(o.ones(N), b)), o.mul(u, o.ones(ONE, M))),
            o.add(s, t, one), o.add(f("exp", X), one), o.add(b, o.T(w)), o.neg(o.add(X, Y)), o.add(u, o.neg(u)),
            o.add(o.mul(u, b), X)],
    "neg": [o.neg(X), o.neg(o.mul(X, w)), o.neg(s)],
    "mul": [o.mul(X, w), o.mul(c, X), o.mul(c, u), o.mul(u, b), o.mul(s, X), o.mul(A, X, B), o.mul(c, A, u),
            o.mul(o.T(u), A, v), o.mul(o.mul(o.T(u), v), X), o.mul(o.T(X), X), o.mul(f("diagm", u), X), o.mul(D, X),
            o.mul(X, f("diagm", w)), o.mul(o.inv(A), u), o.mul(o.inv(A), X), o.mul(o.T(u), o.inv(A)),
            o.mul(o.T(X), o.inv(P), X), o.mul(o.inv(D), X), o.mul(o.inv(Q), X), o.mul(o.add(A, o.T(A)), u),
            o.mul(o.inv(P), o.sub(P, o.mul(u, o.T(u))), o.inv(P)), o.mul(s, t), o.mul(A, o.inv(A), u),
            o.mul(f("diagm", u), f("diagm", v)), o.mul(o.inv(f("diagm", o.add(f("exp", u), one))), X)],
    "div": [o.div(X, s), o.div(o.mul(X, w), o.dimension_number(N)), o.div(s, t), o.div(X, o.number(3)),
            o.div(X, f("norm", X)), o.div(o.mul(o.number(Fraction(2, 3)), X), t)],
    "had": [o.had(X, Y), o.had(X, Y, X), o.had(u, v), o.had(b, o.T(w)), o.had(X, o.mul(u, b)), o.had(s, t),
            o.had(X, o.mul(o.ones(N), b)), o.had(X, o.mul(u, o.ones(ONE, M))), o.had(X, o.hpow(PX, -1)),
            o.had(X, o.app("gt", Y, o.number(0)))],
    "hdiv": [o.hdiv(X, PX), o.hdiv(one, PX), o.hdiv(u, o.add(f("exp", v), one)), o.hdiv(X, o.mul(f("exp", u), o.ones(ONE, M)))],
    "pow": [o.inv(A), o.pow_(A, 2), o.pow_(A, 3), o.pow_(A, 5), o.pow_(A, -2), o.pow_(A, -5), o.pow_(s, 3),
            o.pow_(t, Fraction(1, 2)), o.pow_(t, Fraction(-3, 2)), o.pow_(t, -1), o.pow_(f("norm", u), 2),
            o.pow_(f("norm", u), -3), o.inv(D), o.inv(o.T(A)), o.pow_(t, Fraction(1, 3)), o.inv(o.mul(A, P)), o.pow_(D, 4)],
    "power": [o.app("power", t, s), o.app("power", two, s)],
    "hpow": [o.hpow(X, 2), o.hpow(X, 3), o.hpow(X, 4), o.hpow(PX, -1), o.hpow(PX, Fraction(1, 2)), o.hpow(X, 5),
             o.hpow(PX, Fraction(-1, 2)), o.hpow(PX, -2), o.hpow(u, 3), o.hpow(o.mul(two, X), 2), o.hpow(t, -2)],
    "hpower": [o.app("hpower", PX, s)],
    "T": [o.T(X), o.T(u), o.T(b), o.T(o.mul(X, B)), o.T(o.inv(A)), o.T(o.neg(X)), o.T(S), o.T(o.mul(u, b))],
    "kron": [o.app("kron", X, B), o.app("kron", u, w), o.app("kron", b, c), o.app("kron", u, b), o.app("kron", b, u),
             o.app("kron", X, u), o.app("kron", b, X), o.app("kron", s, X), o.app("kron", o.eye(N), X)],
    "eq": [o.app("eq", X, X), o.app("eq", X, f("maxall", X)), o.app("eq", f("minall", u), u), o.app("eq", s, t)],
    "ge": [o.app("ge", X, Y), o.app("ge", s, X)],
    "gt": [o.app("gt", X, o.number(0)), o.mul(o.app("gt", s, t), X), o.neg(o.app("gt", X, Y)), o.app("gt", u, v),
           o.add(o.app("gt", X, Y), X), o.mul(two, o.app("gt", X, Y)), o.T(o.app("gt", X, Y)), o.app("gt", s, t),
           o.mul(f("diagm", o.app("gt", u, v)), X), o.mul(o.T(o.app("gt", X, Y)), u), o.total(o.app("gt", X, Y))],
    "le": [o.app("le", X, o.mul(o.ones(N), b))],
    "lt": [o.app("lt", u, s)],
    "max": [o.app("max", X, Y), o.app("max", X, o.number(0)), o.app("max", s, u), o.app("max", s, t)],
    "min": [o.app("min", X, Y), o.app("min", one, u)],
    "tr": [f("tr", A), f("tr", o.mul(X, o.T(Y))), f("tr", o.mul(o.T(X), Y)), f("tr", o.mul(A, P, A)), f("tr", o.inv(P)),
           f("tr", o.mul(o.inv(P), S)), f("tr", o.add(A, o.mul(X, o.T(X)))), f("tr", o.mul(f("diagm", u), A)),
           f("tr", o.eye(N)), f("tr", o.mul(u, o.T(v))), f("tr", o.mul(o.T(X), A, X)), f("tr", o.app("kron", A, P)),
           f("tr", o.mul(o.sub(A, P), o.inv(P))), f("tr", o.T(A)), f("tr", o.mul(D, A)), f("tr", o.pow_(A, 3))],
    "det": [f("det", A), f("det", o.mul(o.T(X), X)), f("det", o.inv(A)), f("det", o.mul(A, P))],
    "logdet": [f("logdet", A), f("logdet", P), f("logdet", D), f("logdet", L), f("logdet", o.mul(two, P)),
               f("logdet", f("diagm", u)), f("logdet", o.add(P, o.eye(N))), f("logdet", o.inv(A)), f("logdet", o.mul(A, P)),
               f("logdet", o.mul(t, A))],
    "norm": [f("norm", X), f("norm", u), f("norm", b), f("norm", s), f("norm", o.mul(o.number(3), X))],
    "norm1": [f("norm1", X), f("norm1", u)],
    "maxall": [f("maxall", X), f("maxall", u)],
    "minall": [f("minall", X), f("minall", s)],
    "sum": [o.total(X), o.total(X, 0), o.total(X, 1), o.total(u, 0), o.total(u, 1), o.total(b, 0), o.total(b, 1),
            o.total(o.had(X, Y)), o.total(o.had(X, Y), 1), o.total(o.had(X, Y), 0), o.total(o.mul(X, B)),
            o.total(o.mul(X, B), 0), o.total(o.mul(X, B), 1), o.total(o.hpow(X, 2)), o.total(o.hpow(X, 4)),
            o.total(o.neg(X)), o.total(o.mul(o.ones(N), b)), o.total(o.mul(o.ones(N), b), 0), o.total(o.T(X), 0),
            o.total(o.had(u, o.hpow(o.sub(u, v), 2))), o.total(o.had(X, o.mul(u, b))), o.total(o.ones(N, M)),
            o.total(o.had(X, o.mul(o.ones(N), b))), o.total(o.had(X, o.mul(A, Y))), o.total(o.mul(s, X), 1)],
    "mean": [over("mean", X, None), over("mean", X, 0), over("mean", X, 1), over("mean", u, None), over("mean", u, 1),
             over("mean", o.mul(X, B), None), over("mean", o.mul(two, X), None), over("mean", o.hpow(X, 2), None)],
    "logsumexp": [over("logsumexp", X, None), over("logsumexp", X, 0), over("logsumexp", X, 1),
                  over("logsumexp", u, None), over("logsumexp", u, 1), over("logsumexp", b, 1), over("logsumexp", o.T(X), 1)],
    "softmax": [over("softmax", X, 0), over("softmax", X, 1), over("softmax", X, "all"), over("softmax", u, 0),
                over("softmax", u, 1), over("softmax", b, 1), over("softmax", b, 0), over("softmax", o.T(X), 0),
                o.add(over("softmax", X, 1), o.mul(over("logsumexp", X, 1), o.ones(ONE, M))),
                o.add(over("softmax", X, 0), o.mul(o.ones(N), over("logsumexp", X, 0))),
                o.add(over("softmax", u, 0), over("logsumexp", u, None))],
    "adj": [f("adj", A), f("adj", o.mul(u, o.T(v))), f("adj", P)],
    "pinv": [f("pinv", X), f("pinv", u), f("pinv", b), f("pinv", o.T(X)), o.mul(f("pinv", X), u)],
    "expm": [f("expm", A), f("expm", S), o.mul(f("expm", o.mul(s, A)), u)],
    "vec": [f("vec", X), f("vec", u), f("vec", b), o.mul(o.T(f("vec", X)), f("vec", Y))],
    "tril": [f("tril", A), f("tril", X), f("tril", u), f("tril", b)],
    "triu": [f("triu", A), f("triu", X), f("triu", u), f("triu", b)],
    "diagm": [f("diagm", u), f("diagm", o.mul(s, u)), o.add(A, f("diagm", u)), o.T(f("diagm", u))],
    "dup": [o.duplication(N), o.T(o.duplication(N)), o.mul(o.duplication(N), o.elimination(N), f("vec", A)),
            o.mul(o.T(o.duplication(N)), o.app("kron", A, P), o.duplication(N)), o.mul(o.T(f("vec", A)), o.duplication(N)),
            o.mul(o.T(o.duplication(N)), f("vec", A)), o.mul(o.app("kron", A, P), o.duplication(N))],
    "elim": [o.elimination(N), o.T(o.elimination(N)), o.mul(o.T(o.elimination(N)), o.elimination(N), f("vec", A)),
             o.mul(o.elimination(N), o.app("kron", A, P), o.T(o.elimination(N))),
             o.mul(o.T(f("vec", A)), o.T(o.elimination(N)))],
    "diagv": [f("diagv", A), f("diagv", o.mul(X, o.T(Y))), f("diagv", o.mul(o.inv(P), S)), f("diagv", f("diagm", u)),
              f("diagv", o.mul(u, o.T(v))), f("diagv", o.mul(D, A)), f("diagv", o.T(A)), f("diagv", o.inv(A))],
    "block": [o.block(((X, A),)), o.block(((X,), (Y,))), o.block(((A, u), (c, s))), o.block(((u,), (s,), (w,))),
              o.block(((c, s, b),)), o.block(((X, u),)), o.block(((s, t),)), o.block(((X,), (b,)))],
    "index": [o.app("index", X, attrs=(2, 1)), o.app("index", X, attrs=(1, None)), o.app("index", X, attrs=(None, 2)),
              o.app("index", u, attrs=(2, 1)), o.app("index", b, attrs=(None, 1)), o.app("index", b, attrs=(1, 2)),
              o.app("index", o.mul(X, B), attrs=(2, 1)), o.app("index", o.inv(A), attrs=(1, None)),
              o.app("index", o.inv(A), attrs=(2, 1)), o.app("index", u, attrs=(None, 1)), o.app("index", o.T(X), attrs=(1, None)),
              o.mul(o.app("index", o.inv(A), attrs=(None, 1)), b)],
    **{name: [f(name, squeezed(X)), f(name, squeezed(u)), f(name, squeezed(s)), f(name, o.mul(o.ones(N), squeezed(b)))]
       for name in FUNCTIONS if name not in ("log", "sqrt")},
    "log": [f("log", PX), f("log", t), o.neg(f("log", PX))],
    "sqrt": [f("sqrt", PX), f("sqrt", t), f("sqrt", f("exp", u))],
}  # fmt: skip

CASES = [pytest.param(e, id=f"{op}-{i}") for op, examples in EXAMPLES.items() for i, e in enumerate(examples)]


def test_every_operator_has_a_rule_and_an_example() -> None:
    operators = set(o.SHAPES) | {"sym", "num", "pi", "dim", "eye", "ones", "zeros", "unit", "K", "dup", "elim"}
    assert sorted(operators - set(RULES)) == []
    assert sorted(operators - {"d"} - set(EXAMPLES)) == []


def test_every_operation_has_text_and_mathematics() -> None:
    assert sorted(set(OPERATIONS) - {"arg"} - set(TEXTS)) == []
    assert sorted(set(OPERATIONS) - set(_WRITERS)) == []
    assert sorted(set(USES.values()) - set(HELPERS)) == []
    assert sorted(set(USES) - set(OPERATIONS)) == []


@pytest.mark.parametrize("e", CASES)
def test_float64(e: Expr) -> None:
    for seed, sizes in ((0, None), (1, {"n": 3, "m": 2, "k": 4}), (2, {"n": 4, "m": 5, "k": 1})):
        rig.compare(e, seed, sizes)


@pytest.mark.parametrize("e", CASES)
def test_float32(e: Expr) -> None:
    rig.compare(e, 3, dtype=np.float32, tolerance=2e-3)


EMPTY_FAILS = frozenset(
    ["index", "maxall", "minall", "mean", "logsumexp", "softmax", "adj", "pinv", "expm", "unit", "eq"]
)
"""Operators that have no value without rows: an entry, an extreme, an average."""


def _has_value_without_rows(e: Expr) -> bool:
    from mcalc.algebra.expr import postorder

    return not any(
        node.op in EMPTY_FAILS or (node.op in ("pow", "hpow") and node.attrs[0] < 0 and node.is_scalar)
        or node.op in ("div", "power") for node in postorder(e)
    )  # fmt: skip


@pytest.mark.parametrize("e", [c for c in CASES if _has_value_without_rows(c.values[0])])  # type: ignore[arg-type]
def test_no_rows(e: Expr) -> None:
    rig.compare(e, 0, {"n": 0, "m": 3, "k": 2})


def test_shapes_of_operations_are_checked() -> None:
    from mcalc.program.ir import Graph

    graph = Graph()
    a = graph.node("arg", attrs=("a", (N,)))
    x = graph.node("arg", attrs=("x", (N, M)))
    with pytest.raises(InternalError, match="no product"):
        graph.node("matmul", x, a)
    with pytest.raises(InternalError, match="broadcast"):
        graph.node("sum", x, a, attrs=(Fraction(1), Fraction(1)))
