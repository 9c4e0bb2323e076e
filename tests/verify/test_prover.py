"""The prover over a whole derivation: differentials, sharing, depth, sizes, and what it leaves undecided."""

from __future__ import annotations

import random
import time

import pytest

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, add, app, d, had, hpow, inv, mul, neg, number, sub, symbol, total
from mcalc.algebra.shape import ONE, dim
from mcalc.calculus.gradient import differential
from mcalc.errors import NotSupported
from mcalc.verify.exact import Prover
from tests.generators import Generator
from tests.verify.mutation import mutant, truth
from tests.verify.reading import e, pair
from tests.work import calls

MOST_CALLS = 1_500_000
"""Of functions, by one run: the tests are of the growth of cost, not of the machine."""

n, m = dim("n"), dim("m")


def proves(left: str, right: str, *variables: str) -> str:
    a, b = pair(left, right)
    prover = Prover(a, b, variables=[e(v) for v in variables], expand=differential)
    return prover.prove(a, b).status


@pytest.mark.parametrize(
    ("left", "right", "variables"),
    [
        ("d(A X)", "A dX", "X"),
        ("d(A B)", "dA B + A dB", "AB"),
        ("d(A^-1)", "-A^-1 dA A^-1", "A"),
        ("d(tr(X^T X))", "2 tr(X^T dX)", "X"),
        ("d(logdet(A))", "tr(A^-1 dA)", "A"),
        ("d(det(A))", "tr(adj(A) dA)", "A"),
        ("d(norm(x))", "x^T dx / norm(x)", "x"),
        ("d(softmax(x))", "(diag(softmax(x)) - softmax(x) softmax(x)^T) dx", "x"),
        ("d(sum(softplus(X v)))", "v^T X^T (sigmoid(X v) - sigmoid(X v)) + sigmoid(X v)^T (dX v + X dv)", "Xv"),
        ("d(sigmoid(x))", "sigmoid(x) .* sigmoid(-x) .* dx", "x"),
        ("d(relu(x))", "(x > 0) .* dx", "x"),
        ("d(expm(s A))", "A expm(s A) ds", "s"),
        ("d(tr(expm(A)))", "tr(expm(A) dA)", "A"),
        ("d(x^T expm(A) y)", "x^T d(expm(A)) y", "A"),
        ("dS", "dS^T", "S"),
        ("dP", "dP^T", "P"),
        ("dN", "-dN^T", "N"),
        ("dL", "tril(dL)", "L"),
        ("dD", "dD .* I", "D"),
        ("tr(dN)", "0", "N"),
        ("d(A B) - dA B", "A dB", "AB"),
        ("dA B", "zeros(n,n)", "B"),
        ("d(B)", "zeros(n,n)", "A"),
    ],
)
def test_differentials(left: str, right: str, variables: str) -> None:
    assert proves(left, right, *variables) == "proved"


@pytest.mark.parametrize(
    ("left", "right", "variables"),
    [
        ("d(A B)", "dA B", "AB"),
        ("d(A B)", "A dB", "AB"),
        ("d(A^-1)", "A^-1 dA A^-1", "A"),
        ("d(A^-1)", "-A^-2 dA", "A"),
        ("d(tr(X^T X))", "tr(X^T dX)", "X"),
        ("d(logdet(A))", "tr(A dA)", "A"),
        ("d(logdet(A))", "tr(A^-1 dA^T)", "A"),
        ("d(A^2)", "2 A dA", "A"),
        ("d(x^T A x)", "2 x^T A dx", "x"),
        ("dA", "dA^T", "A"),
        ("dP", "dP .* I", "P"),
        ("dQ", "zeros(n,n)", "Q"),
        ("Q^T dQ", "-dQ^T Q", "Q"),
        ("d(tr(expm(A)))", "tr(expm(A)^T dA)", "A"),
        ("dA", "zeros(n,n)", "A"),
    ],
)
def test_false_differentials(left: str, right: str, variables: str) -> None:
    assert proves(left, right, *variables) == "refuted"


def test_the_differential_of_expm_is_not_written_out_where_it_has_no_closed_form() -> None:
    assert proves("d(expm(A))", "expm(A) dA", "A") == "undecided"
    assert proves("d(expm(A)) B", "d(expm(A)) B + 0 B", "A") == "proved"


def test_differentials_need_rules() -> None:
    a, b = pair("d(A B)", "dA B + A dB")
    verdict = Prover(a, b, variables=[e("A")]).prove(a, b)
    assert verdict.status == "undecided" and "rules" in verdict.detail


def test_a_rule_that_does_not_get_on_is_refused_not_followed() -> None:
    a, b = pair("d(A B)", "dA B + A dB")
    verdict = Prover(a, b, variables=[e("A")], expand=d).prove(a, b)
    assert verdict.status == "undecided" and "not written out" in verdict.detail
    with pytest.raises(NotSupported):
        Prover(variables=[e("A")], expand=lambda x: add(d(x), d(x)))._differentials.write_out(a)


@pytest.mark.parametrize("seed", range(6))
def test_random_expressions(seed: int) -> None:
    """Every operator in every place: the double negative is never refuted, a slip never proved."""
    rng = random.Random(seed)
    undecided = 0
    for k in range(25):
        generator = Generator(1000 * seed + k)
        expression = generator.expression(generator.shape(), rng.choice([2, 3, 4]))
        verdict = Prover(expression).prove(expression, neg(neg(expression)))
        assert verdict.status != "refuted", (str(expression), verdict)
        undecided += verdict.status == "undecided"
        changed = mutant((expression, expression), rng)
        if changed is not None:
            verdict = Prover(*changed).prove(*changed)
            assert verdict.status != "proved" or truth(*changed, k) is not False, (str(changed[1]), verdict)
    assert undecided <= 10


def test_zero_to_a_power() -> None:
    """(x > 0)^t is 0 or 1 for t > 0: the branch where it is 0 is not lost."""
    assert Prover().prove(*pair("(x > 0).^s", "ones(n)")).status != "proved"
    assert Prover().prove(*pair("(x > 0).^r", "x > 0")).proved


def test_shapes_that_differ_are_refuted() -> None:
    assert Prover().prove(e("X"), e("X^T")).method == "shape"


def test_one_node_is_itself() -> None:
    assert Prover().prove(e("X"), e("X")).method == "same"


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        ("abs(s^2 + 1)", "s^2 + 1", "agree in floating point"),
        ("sin(2 s)", "2 sin(s) cos(s)", "agree in floating point"),
        ("det(expm(A))", "exp(tr(A))", "agree in floating point"),
        ("log(-r)", "log(r)", "no real point"),
        ("log(-exp(x))", "x", "no real point"),
        ("(x x^T)^-1", "A", "does not exist"),
    ],
)
def test_outside_the_model_it_is_undecided_with_a_reason(left: str, right: str, why: str) -> None:
    a, b = pair(left, right)
    verdict = Prover(a, b).prove(a, b)
    assert verdict.status == "undecided" and why in verdict.detail


def test_a_chain_shares_its_evaluations() -> None:
    """Two hundred local steps over one graph cost about as much as one evaluation of it."""
    f = e("x")
    for k in range(200):
        f = app("tanh", add(mul(e("A"), f), mul(number(k), e("y"))))
    steps = []
    node = f
    while node.op == "tanh":
        slope = sub(number(1), hpow(node, 2))
        steps.append((had(slope, node), sub(node, had(node, node, node))))
        node = node.args[0].args[0].args[1]
    prover = Prover(f)
    found = []
    made = calls(lambda: found.extend(prover.prove(a, b).proved for a, b in steps))
    assert found and all(found)
    assert made < MOST_CALLS


def test_depth_is_no_limit() -> None:
    deep: Expr = symbol("x", (n, ONE))
    for k in range(2000):
        deep = app("tanh", mul(symbol(f"W{k}", (n, n)), deep))
    assert Prover(deep).prove(neg(deep), mul(neg(number(1)), deep)).proved
    assert Prover(deep).prove(app("sigmoid", neg(deep)), sub(number(1), app("sigmoid", deep))).proved
    assert Prover(deep).prove(deep, app("tanh", deep)).status == "refuted"
    wide = add(*(mul(number(k), e("x")) for k in range(1, 3000)))
    assert Prover(wide).prove(wide, mul(number(2999 * 1500), e("x"))).proved


def test_towers_of_exponentials_and_logarithms() -> None:
    tower, logs = e("x"), e("x")
    for _ in range(12):
        tower, logs = app("exp", tower), app("log", logs)
    assert Prover().prove(app("exp", add(tower, e("y"))), had(app("exp", tower), app("exp", e("y")))).proved
    assert Prover().prove(app("log", tower), tower.args[0]).proved
    assert Prover().prove(add(logs, logs), mul(number(2), logs)).status != "refuted"


def test_large_literal_sizes() -> None:
    big, wide = dim(784), dim(100)
    x, a = symbol("X", (big, wide)), symbol("A", (big, big))
    start = time.perf_counter()
    assert Prover().prove(T(mul(a, x)), mul(T(x), T(a))).proved
    assert Prover().prove(inv(mul(a, T(a))), mul(inv(T(a)), inv(a))).proved
    assert Prover().prove(app("mean", x, attrs=(None,)), app("div", total(x), number(78400))).proved
    assert Prover().prove(mul(T(x), a, x), T(mul(T(x), a, x))).status == "refuted"
    huge = symbol("H", (dim(10**7), dim(10**7)))
    assert Prover().prove(T(mul(huge, huge)), mul(T(huge), T(huge))).proved
    assert Prover().prove(app("tr", huge), app("tr", mul(huge, huge))).status == "undecided"
    assert time.perf_counter() - start < 20  # 0.7 s on an idle machine


def test_the_root_decides_the_sizes() -> None:
    """X^T X has an inverse in this derivation, so X is tall in it, and pinv(X) X = I holds."""
    claim = pair("pinv(X) X", "I")
    assert Prover(e("logdet(X^T X)")).prove(*claim).proved
    assert Prover().prove(*claim).status == "refuted"


def test_symbols_and_dimensions_may_come_later() -> None:
    prover = Prover(e("A B"))
    assert prover.prove(*pair("(A B)^T", "B^T A^T")).proved
    assert prover.prove(*pair("(X Z)^T", "Z^T X^T")).proved
    assert prover.prove(*pair("(X^T X)^-1 X^T X", "I")).proved


def test_verdicts_depend_on_nothing_but_the_question() -> None:
    for text in [("norm(x)^2", "x^T x"), ("exp(log(A x))", "A x"), ("A B", "B A")]:
        a, b = pair(*text)
        assert Prover(a, b).prove(a, b) == Prover(a, b).prove(a, b)


def test_a_typical_derivation_is_proved_in_milliseconds() -> None:
    """The steps of the multi-output least squares gradient."""
    lines = [
        ("d(tr((Y - X B2)^T (Y - X B2)))", "tr(d((Y - X B2)^T) (Y - X B2) + (Y - X B2)^T d(Y - X B2))"),
        ("tr(d((Y - X B2)^T) (Y - X B2))", "tr((Y - X B2)^T d(Y - X B2))"),
        ("2 tr((Y - X B2)^T d(Y - X B2))", "2 tr((Y - X B2)^T (-X dB2))"),
        ("2 tr((Y - X B2)^T (-X dB2))", "-2 tr((X^T (Y - X B2))^T dB2)"),
    ]
    where = "X: n x k; Y: n x m; B2: k x m"
    pairs = [pair(a, b, where) for a, b in lines]
    best = min(_seconds(pairs, e("B2", where)) for _ in range(5))
    assert best < 0.030  # 2 ms on an idle machine


def _seconds(pairs: list[tuple[Expr, Expr]], variable: Expr) -> float:
    start = time.perf_counter()
    prover = Prover(*pairs[0], variables=[variable], expand=differential)
    assert all(prover.prove(a, b).proved for a, b in pairs)
    return time.perf_counter() - start
