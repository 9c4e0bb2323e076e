"""The gradient checker: right gradients pass, wrong ones do not, domains are found."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mcalc.algebra.expr import Expr, postorder, symbols
from mcalc.algebra.operators import T, add, app, d, div, mul, neg, number
from mcalc.errors import McalcError, ShapeError, VerificationError
from mcalc.frontend.parse import parse
from mcalc.verify.domain import places
from mcalc.verify.gradient import TOLERANCE, check_gradient, check_linear
from mcalc.verify.numeric import evaluate
from mcalc.verify.sampling import floats
from mcalc.verify.sizes import Requirements
from tests.verify.mutation import mutant
from tests.verify.reading import COMMON, corpus, e, pair

NAMES = ("cookbook", "learning", "more")


def read(record: dict[str, str]) -> tuple[Expr, Expr, Expr] | None:
    """f, x and the expected gradient; None for a text that the language no longer reads."""
    try:
        parsed = parse(record["expression"], where=record["where"], wrt=record["wrt"])
        x = parsed.wrt[0]
        return parsed.expression, x, parse(record["expected"], where=record["where"], shape=x.shape).expression
    except McalcError:
        return None


RECORDS = [(name, record["id"], record) for name in NAMES for record in corpus(name, "gradient")]


@pytest.mark.parametrize("name", NAMES)
def test_textbook_gradients_pass(name: str) -> None:
    unread, errors = 0, []
    for _, identifier, record in (r for r in RECORDS if r[0] == name):
        given = read(record)
        if given is None:
            unread += 1
            continue
        f, x, g = given
        check = check_gradient(f, {x: g})
        errors.append(check.max_relative_error)
        assert check.ok and check.points >= 3, (identifier, check)
    assert max(errors) < 1e-7 and np.quantile(errors, 0.98) < 1e-9 and unread <= 2


@pytest.mark.parametrize("part", range(8))
def test_slips_in_gradients_are_found(part: int) -> None:
    """Every wrong gradient is rejected, every one that is right in another form passes."""
    rng = random.Random(part)
    wrong = 0
    for _, identifier, record in RECORDS[part::8]:
        given = read(record)
        changed = None if given is None else mutant((given[2], given[2]), rng)
        if given is None or changed is None:
            continue
        f, x, g = given
        other = changed[1]
        differs = _differ(f, g, other)
        if differs is None:
            continue
        try:
            check = check_gradient(f, {x: other})
        except VerificationError:
            continue
        if differs > 1e-4:
            wrong += 1
            assert not check.ok, (identifier, str(other), differs)
        elif differs < 1e-9:
            assert check.ok, (identifier, str(other), check)
    assert wrong >= 50


def _differ(f: Expr, g: Expr, h: Expr) -> float | None:
    """How much two gradients differ at points in the domain of f, relative to the first."""
    requirements = Requirements()
    requirements.include(f)
    requirements.name(*postorder(g, h))
    worst = 0.0
    try:
        for turn, place in enumerate(places(f, list(dict.fromkeys(symbols(f, g, h))), requirements, 99)):
            a, b = (evaluate(side, place.values, place.sizes) for side in (g, h))
            if not np.isfinite(a).all():
                return None
            if not np.isfinite(b).all():
                return np.inf
            size = max(np.abs(a).max(), np.abs(b).max())
            worst = max(worst, float(np.abs(a - b).max() / size) if size else 0.0)
            if turn == 19:
                return worst
    except VerificationError:
        return None
    return None


@pytest.mark.parametrize(
    ("f", "x", "gradient"),
    [
        ("tr(A X X^T)", "X", "A X"), ("x^T A x", "x", "2 A x"), ("logdet(A)", "A", "A^-1"), ("a^2", "a", "a"),
        ("tr(A^2)", "A", "2 A"), ("sum(softplus(x))", "x", "softplus(x)"), ("norm(x)", "x", "x"),
        ("det(A)", "A", "adj(A)"), ("sum(log(p))", "p", "p"), ("y^T A x", "A", "x y^T"), ("norm1(x)", "x", "x"),
        ("sum(relu(x))", "x", "x >= -1"), ("sum(relu(x))", "x", "x < 0"), ("tr(A B)", "A", "B"),
        ("logsumexp(x)", "x", "exp(x)"), ("tr(expm(A))", "A", "expm(A)"), ("sum(max(x, y))", "x", "y > x"),
        ("max(x)", "x", "x == min(x)"), ("tr(S A)", "S", "A"), ("tr(D A)", "D", "A^T"), ("tr(N A)", "N", "(A + A^T)/2"),
        ("logdet(P)", "P", "2 P^-1"), ("logdet(P)", "P", "2 P^-1 - P^-1 .* I"), ("tr(A S)", "S", "A + A^T - A .* I"),
        ("tr(L A)", "L", "A^T"), ("s", "s", "2"), ("s", "s", "0"), ("x^T y", "x", "y + 1/100000 x"),
        ("sum(x)", "x", "1 + 1/1000 e(2,n)"), ("tr(A^T B)", "A", "B + 1/1000 e(1,n) e(3,n)^T"),
        ("x^T y", "x", "y / (x^T x) * (x^T x) * (1 + 1/100000)"),
    ],
)  # fmt: skip
def test_classic_slips(f: str, x: str, gradient: str) -> None:
    variable = e(x)
    claimed = parse(gradient, where=COMMON, shape=variable.shape).expression
    check = check_gradient(e(f), {variable: claimed})
    assert not check.ok
    assert check.max_relative_error > TOLERANCE or "is not" in check.message


@pytest.mark.parametrize(
    ("f", "x", "gradient"),
    [
        ("tr(S A)", "S", "(A + A^T)/2"), ("logdet(P)", "P", "P^-1"), ("tr(D A)", "D", "A .* I"),
        ("tr(N A)", "N", "(A^T - A)/2"), ("tr(L A)", "L", "tril(A^T)"), ("tr(U A)", "U", "triu(A^T)"),
        ("tr(A Q)", "Q", "A^T"), ("logdet(L)", "L", "L^-1 .* I"), ("x^T P^-1 x", "P", "-P^-1 x x^T P^-1"),
        ("tr(P^2)", "P", "2 P"), ("tr(Q^T A Q)", "Q", "(A + A^T) Q"),
        ("max(S)", "S", "(S == max(S)) / sum(S == max(S))"),
    ],
)  # fmt: skip
def test_structured_variables(f: str, x: str, gradient: str) -> None:
    check = check_gradient(e(f), {e(x): e(gradient)})
    assert check.ok, check


@pytest.mark.parametrize(
    ("f", "x", "gradient"),
    [
        ("logdet(X^T X)", "X", "2 X (X^T X)^-1"),
        ("logdet(X X^T)", "X", "2 (X X^T)^-1 X"),
        ("logdet(X diag(v) X^T)", "v", "diag(X^T (X diag(v) X^T)^-1 X)"),
        ("log(det(A))", "A", "A^-T"),
        ("sum(log(x))", "x", "1 ./ x"),
        ("sum(log(A x))", "x", "A^T (1 ./ (A x))"),
        ("sqrt(x^T y)", "x", "y / (2 sqrt(x^T y))"),
        ("log(1 - x^T x)", "x", "-2 x / (1 - x^T x)"),
        ("sum(arcsin(x))", "x", "1 ./ sqrt(1 - x.^2)"),
        ("sum(log(-x))", "x", "1 ./ x"),
        ("log(s - 5)", "s", "1/(s - 5)"),
        ("sum(sqrt(A x - y))", "x", "A^T (1 ./ (2 sqrt(A x - y)))"),
        ("sum(log(X Z))", "X", "(1 ./ (X Z)) Z^T"),
        ("sum(x .* log(x ./ y))", "x", "log(x ./ y) + 1"),
        ("log(x^T A x)", "x", "(A + A^T) x / (x^T A x)"),
        ("sum(log(1 - x) + log(x))", "x", "1 ./ x - 1 ./ (1 - x)"),
        ("s^t", "s", "t s^(t - 1)"),
        ("s^t", "t", "s^t log(s)"),
        ("norm(x - y)", "x", "(x - y) / norm(x - y)"),
        ("1 / (s - t)", "s", "-1 / (s - t)^2"),
        ("tr(pinv(X) Z^T)", "Z", "pinv(X)"),
        ("log(logdet(I + X^T X))", "X", "2 X (I + X^T X)^-1 / logdet(I + X^T X)"),
        ("sum(exp(10 x))", "x", "10 exp(10 x)"),
        ("exp(x^T x)", "x", "2 exp(x^T x) x"),
        ("exp(-100 s^2)", "s", "-200 s exp(-100 s^2)"),
        ("sum(1 ./ x.^4)", "x", "-4 ./ x.^5"),
        ("X[7,2]", "X", "e(7,n) e(2,m)^T"),
    ],
)
def test_domains_are_found(f: str, x: str, gradient: str) -> None:
    where = "X: n x m; Z: m x n; A: n x n; x, y: n; v: m; s, t: scalar"
    root = e(f, where)
    variable = e(x, where)
    check = check_gradient(root, {variable: parse(gradient, where=where, shape=variable.shape).expression})
    assert check.ok and check.points >= 3 and check.max_relative_error < 1e-8, check


@pytest.mark.parametrize("f", ["log(-exp(s))", "sqrt(-1 - x^T x)", "log(-norm(x))", "arcsin(2 + s^2)", "logdet(x x^T)"])
def test_an_empty_domain_is_an_error(f: str) -> None:
    with pytest.raises(VerificationError):
        check_gradient(e(f), {e("x"): e("x"), e("s"): e("s")})


def test_a_gradient_that_is_not_finite_fails() -> None:
    check = check_gradient(e("x^T x"), {e("x"): e("2 x + 0 log(-x.^2)")})
    assert not check.ok and "not finite" in check.message and check.max_relative_error == np.inf


def test_zero_gradients() -> None:
    assert check_gradient(e("tr(A B) - tr(B A)"), {e("A"): e("zeros(n,n)")}).ok
    assert check_gradient(e("x^T N x"), {e("N"): e("(x x^T - x x^T) / 2")}).ok
    assert check_gradient(e("x^T x"), {e("y"): e("zeros(n,1)", shape=e("y").shape)}).ok
    assert not check_gradient(e("x^T x"), {e("y"): e("y")}).ok
    assert not check_gradient(e("tr(A B) - tr(B A)"), {e("A"): e("B")}).ok
    assert not check_gradient(e("x^T x"), {e("x"): e("0 x")}).ok


def test_a_branch_that_is_rarely_active_is_seen() -> None:
    """relu(s) is zero at half of the points: the zero gradient must not pass."""
    for f in ("relu(s)", "relu(x^T y - 1)", "relu(-x^T x + 1/10)"):
        variable = e("s" if f == "relu(s)" else "x")
        assert not check_gradient(e(f), {variable: mul(number(0), variable)}).ok


def test_several_variables_at_once() -> None:
    f = e("x^T A y")
    right = {e("x"): e("A y"), e("A"): e("x y^T"), e("y"): e("A^T x")}
    assert check_gradient(f, right).ok
    check = check_gradient(f, {**right, e("A"): e("y x^T")})
    assert not check.ok and "A[" in check.message


def test_shapes() -> None:
    with pytest.raises(ShapeError):
        check_gradient(e("x^T x"), {e("x"): T(e("x"))})
    with pytest.raises(ShapeError):
        check_linear(e("X"), T(d(e("X"))), [e("X")])


@pytest.mark.parametrize(
    ("F", "dF", "variables"),
    [
        ("A X", "A dX", "X"),
        ("A X", "dA X + A dX", "AX"),
        ("A^-1", "-A^-1 dA A^-1", "A"),
        ("softmax(x)", "(diag(softmax(x)) - softmax(x) softmax(x)^T) dx", "x"),
        ("kron(X, X)", "kron(dX, X) + kron(X, dX)", "X"),
        ("expm(s A)", "A expm(s A) ds", "s"),
        ("S^2", "dS S + S dS", "S"),
        ("pinv(A)", "-A^-1 dA A^-1", "A"),
        ("x / norm(x)", "dx / norm(x) - x x^T dx / norm(x)^3", "x"),
        ("relu(A x)", "(A x > 0) .* (A dx)", "x"),
        ("sum(X, axis=0)", "ones(n)^T dX", "X"),
        ("A B", "dA B", "A"),
        ("adj(A)", "det(A) (tr(A^-1 dA) A^-1 - A^-1 dA A^-1)", "A"),
    ],
)
def test_differentials_of_matrix_functions(F: str, dF: str, variables: str) -> None:
    a, b = pair(F, dF)
    check = check_linear(a, b, [e(v) for v in variables])
    assert check.ok and check.max_relative_error < 1e-8, check


@pytest.mark.parametrize(
    ("F", "dF", "variables"),
    [
        ("A X", "A dX", "AX"),
        ("A^-1", "A^-1 dA A^-1", "A"),
        ("A^2", "2 A dA", "A"),
        ("kron(X, X)", "2 kron(X, dX)", "X"),
        ("softmax(x)", "softmax(x) .* dx", "x"),
        ("S^2", "2 S dS", "S"),
        ("expm(A)", "expm(A) dA", "A"),
        ("A^T", "dA", "A"),
        ("X", "dX / 2", "X"),
        ("tr(A) A", "tr(A) dA", "A"),
    ],
)
def test_false_differentials_of_matrix_functions(F: str, dF: str, variables: str) -> None:
    a, b = pair(F, dF)
    assert not check_linear(a, b, [e(v) for v in variables]).ok


def test_what_does_not_vary_has_no_differential() -> None:
    a, b = pair("A B", "dA B + A dB")
    assert check_linear(a, b, [e("A")]).ok


def test_large_variables_are_checked_along_dense_directions() -> None:
    where = "X: 60 x 40; Y: 60 x 40"
    f = e("norm(X - Y)^2", where)
    assert check_gradient(f, {e("X", where): e("2 (X - Y)", where)}).ok
    assert not check_gradient(f, {e("X", where): e("2 (X - Y) + 1/1000 e(7,60) e(9,40)^T", where)}).ok


def test_checks_are_reproducible() -> None:
    f, g = e("logdet(I + X^T X)"), {e("X"): e("2 X (I + X^T X)^-1")}
    assert check_gradient(f, g) == check_gradient(f, g)
    assert check_gradient(f, g) != check_gradient(f, g, seed=1)


def test_places_have_different_sizes_and_a_margin() -> None:
    f = e("logdet(X^T X) + sum(log(x))")
    requirements = Requirements()
    requirements.include(f)
    seen = []
    for place, _ in zip(places(f, symbols(f), requirements, 0), range(4), strict=False):
        assert place.sizes["n"] > place.sizes["m"] and place.margin > 0.04
        assert all(value.shape[0] == 1 for value in place.values.values())
        seen.append(tuple(place.sizes.values()))
    assert len(set(seen)) >= 3


def test_a_scaled_gradient_is_wrong_by_that_scale() -> None:
    f, x = e("x^T A x"), e("x")
    for scale in (1, 100, 10**5):
        claimed = div(mul(number(10**6 + scale), add(mul(e("A"), x), mul(T(e("A")), x))), number(10**6))
        check = check_gradient(f, {x: claimed})
        assert check.ok == (scale == 1) or scale == 1
        assert check.max_relative_error == pytest.approx(scale / 10**6, rel=0.2)


def test_points_are_independent_of_the_claim() -> None:
    """The domain is that of f: a gradient with an inverse that does not exist there fails."""
    f, x = e("logdet(X^T X)"), e("X")
    wrong = mul(number(2), app("pow", mul(x, T(x)), attrs=(number(1).attrs[0] * -1,)), x)
    assert not check_gradient(f, {x: wrong}).ok
    assert check_gradient(f, {x: mul(number(2), T(app("pinv", x)))}).ok
    assert not check_gradient(f, {x: neg(mul(number(2), T(app("pinv", x))))}).ok
    assert floats([x], {"n": 4, "m": 3}, 1, 0)[x].shape == (1, 4, 3)
