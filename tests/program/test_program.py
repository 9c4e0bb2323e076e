"""Lowering: orders of products, sharing, large expressions, and random expressions against the dense evaluator."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import ONE, SCALAR, dim
from mcalc.errors import InternalError
from mcalc.frontend import parse
from mcalc.program import Array, Definition, Program, check, program_of
from mcalc.program.ir import Graph, arrays
from mcalc.program.settled import Settled
from tests.backends import dense, rig
from tests.generators import Generator
from tests.work import calls

N, M, K = dim("n"), dim("m"), dim("k")


def lowered(f: str, where: str, **more: str) -> Program:
    outputs = {"value": parse(f, where=where).expression}
    outputs.update({name: parse(text, where=where).expression for name, text in more.items()})
    return program(outputs)


def program(outputs: dict[str, Expr]) -> Program:
    found = symbols(*outputs.values())
    sizes = {n: n for s in found for d in s.shape for n in d.names()}
    return program_of(
        outputs, arguments=[(s.name, s) for s in found], sizes=sizes, taken={"value", *sizes},
        derivatives=frozenset(outputs) - {"value"},
    )  # fmt: skip


def operations(p: Program) -> list[str]:
    return [a.op for a in arrays(*(a for _, a in p.outputs))]


def shapes(p: Program, op: str) -> set[tuple[str, ...]]:
    return {tuple(map(str, a.shape)) for a in arrays(*(a for _, a in p.outputs)) if a.op == op}


@pytest.mark.parametrize(
    ("f", "where", "formed"),
    [
        ("A B x", "A, B: n x n; x: n", {("n",)}),
        ("x^T A B", "A, B: n x n; x: n", {("n",)}),
        ("x^T A y (x^T y) + tr(x y^T A)", "A: n x n; x, y: n", {("n",)}),
        ("tr(U V^T X)", "U, V: n x k; X: n x n", {("n", "k")}),
        ("sum(U V^T)", "U: n x k; V: m x k", {("n",)}),
        ("diag(U V^T)", "U, V: n x k", set()),
        ("X W W^T X^T y", "X: n x d; W: d x k; y: n", {("n",), ("d",), ("k",)}),
        ("(A B)[1,2]", "A: n x m; B: m x n", set()),
        ("(A B C)[:,1]", "A: n x m; B: m x n; C: n x k", {("m",), ("n",)}),
        ("tr(x x^T A)", "x: n; A: n x n", {("n",)}),
        ("A (x y^T) B", "A, B: n x n; x, y: n", {("n",)}),
        ("tr(A^T (U V^T))", "A: n x m; U: n x k; V: m x k", {("k", "m")}),
    ],
)
def test_the_order_of_a_product(f: str, where: str, formed: set[tuple[str, ...]]) -> None:
    assert shapes(lowered(f, where), "matmul") <= formed


@pytest.mark.parametrize(
    ("f", "where", "absent"),
    [
        ("diag(u) X diag(v)", "u: n; v: m; X: n x m", {"diagonal", "matmul"}),
        ("X + 1_n b", "X: n x m; b: 1 x m", {"ones", "rows", "outer"}),
        ("(X .* (u b)) w", "X: n x m; u: n; b: 1 x m; w: m", {"outer"}),
        ("1_n^T X", "X: n x m", {"ones", "matmul"}),
        ("X ones(m)", "X: n x m", {"ones", "matmul"}),
        ("S^-1 S x", "S: n x n; x: n", {"solve", "inv", "matmul"}),
        ("D^-1 x", "D: n x n diagonal; x: n", {"solve", "inv"}),
        ("Q^-1 x", "Q: n x n orthogonal; x: n", {"solve", "inv"}),
        ("logdet(L)", "L: n x n lower", {"logdet", "det"}),
        ("K(n,m) vec(X)", "X: n x m", {"commutation", "matmul"}),
        ("tr(kron(A, B))", "A: n x n; B: m x m", {"kron"}),
        ("(A + λ I) x", "A: n x n; x: n; λ: scalar", {"eye"}),
        ("norm(X)^2", "X: n x m", {"norm"}),
    ],
)
def test_what_is_never_formed(f: str, where: str, absent: set[str]) -> None:
    assert not absent & set(operations(lowered(f, where)))


def test_outputs_share_what_they_have_in_common() -> None:
    p = lowered("logdet(S) + x^T S^-1 x", "S: n x n spd; x: n", g="2 S^-1 x", H="S^-1 (S - x x^T) S^-1")
    counts = {op: operations(p).count(op) for op in ("solve", "cholesky", "inv", "logdet")}
    assert counts == {"solve": 1, "cholesky": 1, "inv": 1, "logdet": 0}


def test_a_product_that_one_output_needs_is_not_taken_apart_in_another() -> None:
    p = lowered("sum(softplus(X w)) - y^T X w", "X: n x d; w: d; y: n", g="X^T (sigmoid(X w) - y)")
    assert shapes(p, "matmul") == {("n",), ("d",)}
    assert operations(p).count("matmul") == 2


def test_a_difference_is_formed_before_it_is_multiplied() -> None:
    p = lowered("A^T (A x - b)", "A: m x n; x: n; b: m")
    assert [a.op for a in p.definitions[-1].array.args] == ["T", "sum"]


def test_names() -> None:
    p = lowered("norm(tanh(X W + 1_n b) V - Y)^2", "X: n x d; W: d x m; b: 1 x m; V: m x k; Y: n x k",
                g="((tanh(X W + 1_n b) V - Y) V^T) .* (1 - tanh(X W + 1_n b).^2)")  # fmt: skip
    assert [d.name for d in p.definitions] == ["H", "R", "value", "g"]


def test_a_second_name_of_a_kind_gets_a_digit() -> None:
    p = lowered("norm(x - y)^2 + norm(x - z)^2 + norm(y - z)^2", "x, y, z: n")
    assert [d.name for d in p.definitions] == ["r", "r2", "r3", "value"]


def test_the_same_expressions_give_the_same_program() -> None:
    texts = {
        str(
            [
                (d.name, repr(d.array))
                for d in lowered("tr(A B C D) + norm(A B)^2", "A, C: n x m; B, D: m x n").definitions
            ]
        )
        for _ in range(3)
    }
    assert len(texts) == 1


# --- programs ---------------------------------------------------------------------------------------------------------


def _small() -> tuple[Array, Array]:
    graph = Graph()
    x = graph.node("arg", attrs=("x", (N,)))
    return x, graph.node("exp", graph.node("sum", x, graph.number(1), attrs=(Fraction(1), Fraction(1))))


def test_check_accepts_what_is_in_order_and_refuses_what_is_not() -> None:
    _, e = _small()
    argument = ("x", o.symbol("x", (N, ONE)))
    total = Definition("s", e.args[0])
    check(Program((argument,), {}, (total, Definition("value", e)), (("value", e),)))
    for definitions, outputs in (
        ((Definition("value", e), total), (("value", e),)),
        ((Definition("x", e),), (("x", e),)),
        ((total,), (("value", e),)),
    ):
        with pytest.raises(InternalError):
            check(Program((argument,), {}, definitions, outputs))


def test_dominators() -> None:
    graph = Graph()
    x = graph.node("arg", attrs=("x", (N,)))
    y = graph.node("exp", x)
    z = graph.node("log", y)
    w = graph.node("sin", y)
    top = graph.node("dot", z, w)
    settled = Settled([top, graph.node("cos", x)])
    assert settled.hangs_on(y, top)
    assert not settled.hangs_on(y, z)
    assert not settled.hangs_on(x, y)
    assert settled.hangs_on(z, z)
    assert graph.node("tan", x) not in settled


# --- size -------------------------------------------------------------------------------------------------------------


def test_a_deep_network() -> None:
    made = {}
    assert calls(lambda: made.update(whole=deep_network(500))) < 2.3 * calls(lambda: deep_network(250))
    assert operations(made["whole"]).count("matmul") == 999
    assert operations(made["whole"]).count("outer") == 500


def deep_network(depth):
    x, W = o.symbol("x", (N, ONE)), o.symbol("W", (N, N))
    layers = [x]
    for _ in range(depth):
        layers.append(o.app("tanh", o.mul(W, layers[-1])))
    cotangent, terms = o.mul(o.number(2), layers[-1]), []
    for below, above in zip(layers[-2::-1], layers[:0:-1], strict=True):
        delta = o.had(cotangent, o.sub(o.number(1), o.hpow(above, 2)))
        terms.append(o.mul(delta, o.T(below)))
        cotangent = o.mul(o.T(W), delta)
    return program({"value": o.mul(o.T(layers[-1]), layers[-1]), "g": o.add(*terms)})


def test_long_sums_products_and_chains() -> None:
    many = [o.symbol(f"a{i}") for i in range(3000)]
    e = o.add(*many)
    values = {s.name: np.full((1, 1), 0.5) for s in many}
    assert rig.function_of(e)(*rig.given(e, values)) == 1500.0
    vectors = [o.symbol(f"v{i}", (N, ONE)) for i in range(300)]
    rig.compare(o.had(*vectors), 0, {"n": 2})
    matrices = [o.symbol(f"A{i}", (N, N)) for i in range(60)]
    rig.compare(o.mul(*matrices), 0, {"n": 2})
    rig.compare(o.app("tr", o.mul(*matrices)), 0, {"n": 2})
    p = program({"value": o.mul(*matrices, vectors[0])})
    assert shapes(p, "matmul") == {("n",)}


def test_a_tower_of_functions() -> None:
    e = o.symbol("t", SCALAR)
    for _ in range(3000):
        e = o.app("tanh", e)
    assert abs(rig.function_of(e)(1.0)) < 0.1


# --- random expressions -----------------------------------------------------------------------------------------------

COMPARISONS = ("d", "eq", "ge", "gt", "le", "lt", "sign")
"""Left out: rounding decides a comparison of what is equal."""


@pytest.mark.parametrize("block", range(8))
def test_random_expressions(block: int) -> None:
    compared = 0
    for seed in range(60 * block, 60 * block + 60):
        generator = Generator(seed, without=COMPARISONS)
        e = generator.expression(generator.shape(), 3)
        values, sizes = rig.samples([e], seed, {"n": 4, "m": 3, "k": 5})
        if seed % 3 == 0:
            values = {name: np.abs(v) + 0.1 for name, v in values.items()}
        with np.errstate(all="ignore"):
            try:
                truth = dense.stored(e, dense.value(e, values, sizes))
            except np.linalg.LinAlgError:
                continue
            if not np.all(np.isfinite(truth)) or np.max(np.abs(truth), initial=0) > 1e6:
                continue
            try:
                got = rig.function_of(e)(*rig.given(e, values))
            except np.linalg.LinAlgError:
                continue
        assert np.shape(got) == np.shape(truth), str(e)
        assert got.dtype == np.float64, str(e)
        assert np.max(np.abs(got - truth), initial=0) <= 1e-6 * max(1.0, np.max(np.abs(truth), initial=0)), str(e)
        compared += 1
    assert compared > 20


@pytest.mark.parametrize(
    ("f", "where", "formed"),
    [
        ("A^T diag(exp(x)) A", "A: n x m; x: n", {("n", "m")}),
        ("A diag(exp(x)) A^T", "A: m x n; x: n", {("m", "n")}),
        ("B^T diag(x > 0) B", "B: n x m; x: n", {("n", "m")}),
    ],
)
def test_a_product_with_nonnegative_weights_is_a_gram_matrix(f: str, where: str, formed: set[tuple[str, ...]]) -> None:
    """Z^T Z or Z Z^T, of which NumPy computes one half, Z = diag(sqrt(u)) A or A diag(sqrt(u))."""
    p = lowered(f, where)
    gram = dict(p.outputs)["value"]
    turned, plain = sorted(gram.args, key=lambda a: a.op != "T")
    assert gram.op == "matmul" and turned.op == "T" and turned.args[0] is plain
    assert {tuple(map(str, plain.shape))} == formed
    assert ("sqrt" in operations(p)) == ("exp" in f)


@pytest.mark.parametrize(
    ("f", "where"),
    [
        ("A^T diag(x) A", "A: n x m; x: n"),
        ("A^T diag(exp(x)) B", "A, B: n x m; x: n"),
        ("y^T diag(exp(x)) y", "x, y: n"),
        ("A diag(exp(x)) A", "A: n x n; x: n"),
    ],
)
def test_other_products_take_no_root(f: str, where: str) -> None:
    assert "sqrt" not in operations(lowered(f, where))


def test_an_order_that_loses_little_is_taken_where_sizes_are_guesses() -> None:
    """W^T (W M), since W H and W^T R are there; W^T W costs less if k is small, and much more if it is not."""
    where = "W: m x k; U, V: k x d; X: d x n; Y: m x n"
    more = {"slope": "W^T (W exp(U X) - Y)", "step": "W^T W (exp(U X) .* (V X))"}
    assert ("k", "k") not in shapes(lowered("norm(W exp(U X) - Y)^2", where, **more), "matmul")


def test_a_guess_stands_where_it_loses_much() -> None:
    """Alone, W^T W M is as fast as the habits of the names let it be."""
    assert ("k", "k") in shapes(lowered("sum(M)", "W: m x k; M: k x n", step="W^T W M"), "matmul")
