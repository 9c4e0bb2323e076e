"""Derivatives by independent entries: against finite differences of those entries, and the language of vech."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import mcalc
from mcalc.algebra import operators as o
from mcalc.algebra.expr import postorder
from mcalc.algebra.shape import dim, triangular
from mcalc.errors import NotSupported, ParseError
from mcalc.frontend import parse
from mcalc.verify.layout import duplication, elimination
from mcalc.verify.proof import prove

N = 3
BELOW = [(i, j) for j in range(N) for i in range(j, N)]


def vech(Z: Any) -> Any:
    """The entries on and below the diagonal, column by column."""
    return np.array([Z[i, j] for i, j in BELOW])


def unstacked(structure: str, entries: Any) -> Any:
    """The matrix with these independent entries."""
    Z = np.zeros((N, N))
    for (i, j), value in zip(BELOW, entries, strict=True):
        Z[i, j] = value
    return {"lower": Z, "upper": Z.T}.get(structure, Z + Z.T - np.diag(np.diag(Z)))


def differences(f: Callable[[Any], Any], at: Any, h: float = 1e-5) -> Any:
    """The Jacobian of a function of a vector."""
    steps = h * np.eye(len(at))
    return np.stack([(f(at + step) - f(at - step)) / (2 * h) for step in steps], axis=-1)


def compiled(text: str, where: str) -> tuple[Callable[..., Any], list[str]]:
    """The expression as a function of its symbols."""
    from mcalc.backends.numpy.module import compiled as defined
    from mcalc.backends.numpy.values import derivative_module

    parsed = parse(text, where=where)
    arguments = [s.expr for s in parsed.symbols.values()]
    made = defined(derivative_module("F", parsed.expression, arguments=arguments, title="F"), "F")
    return made, [a.name for a in arguments]


def values(parsed: Any, rng: np.random.Generator) -> dict[str, Any]:
    sizes = {"n": N, "m": 2}
    made = {}
    for name, symbol in parsed.symbols.items():
        rows, columns = (d.value(sizes) for d in symbol.expr.shape)
        value = rng.normal(size=(rows, columns) if columns > 1 else rows)
        made[name] = value @ value.T + np.eye(rows) if rows == columns > 1 else value
    return made


# fmt: off
CASES = (
    # text                     where                                        structure    the stack of F
    ("X^-1",                   "X: n x n spd",                              "symmetric", "vech"),
    ("A X A^T",                "X: n x n symmetric; A: m x n",              "symmetric", "vech2"),
    ("A X B",                  "X: n x n symmetric; A: m x n; B: n x m",    "symmetric", "vec"),
    ("X a",                    "X: n x n symmetric; a: n",                  "symmetric", "vec"),
    ("X^2 + X",                "X: n x n symmetric",                        "symmetric", "vech"),
    ("logdet(X)",              "X: n x n spd",                              "symmetric", "vec"),
    ("a^T X^-1 a",             "X: n x n spd; a: n",                        "symmetric", "vec"),
    ("X X^T",                  "X: n x n lower",                            "lower",     "vech"),
    ("X^-1",                   "X: n x n lower invertible",                 "lower",     "vech"),
    ("X^T A X",                "X: n x n upper; A: n x n symmetric",        "upper",     "vech"),
    ("X A",                    "X: n x n upper; A: n x n",                  "upper",     "vec"),
    ("tr(X A X)",              "X: n x n lower; A: n x n",                  "lower",     "vec"),
)
# fmt: on


@pytest.mark.parametrize(("text", "where", "structure", "stack"), CASES)
def test_jacobians(text: str, where: str, structure: str, stack: str) -> None:
    found = mcalc.derive(text, wrt="X", where=where, kind="vec-jacobian", vech=True)
    assert isinstance(found, mcalc.Derivation)
    F, names = compiled(text, where)
    given = values(found.parsed, np.random.default_rng(0))
    start = vech(given["X"] if structure != "upper" else given["X"].T)

    def of(entries: Any) -> Any:
        Z = np.asarray(F(**{**{n: given[n] for n in names}, "X": unstacked(structure, entries)}))
        if stack.startswith("vech"):
            k = Z.shape[0]
            return np.array([Z[i, j] for j in range(k) for i in range(j, k)])
        return Z.reshape(-1, order="F")

    expected = differences(of, start)
    given["X"] = unstacked(structure, start)
    result = found.compile()(**given)
    assert found.label.startswith("vech") == stack.startswith("vech")
    np.testing.assert_allclose(np.reshape(result, expected.shape), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "where", "structure"),
    [
        ("logdet(X)", "X: n x n spd", "symmetric"),
        ("tr(X A X B)", "X: n x n symmetric; A, B: n x n", "symmetric"),
        ("a^T X^-1 a", "X: n x n spd; a: n", "symmetric"),
        ("tr(X A X^T)", "X: n x n lower; A: n x n", "lower"),
        ("tr(X A X)", "X: n x n upper; A: n x n", "upper"),
        ("tr(A X)", "X: n x n symmetric; A: n x n", "symmetric"),
    ],
)
def test_hessians(text: str, where: str, structure: str) -> None:
    found = mcalc.derive(text, wrt="X", where=where, kind="hessian", vech=True)
    assert isinstance(found, mcalc.Derivation)
    f, names = compiled(text, where)
    given = values(found.parsed, np.random.default_rng(1))
    start = vech(given["X"] if structure != "upper" else given["X"].T)

    def of(entries: Any) -> Any:
        return f(**{**{n: given[n] for n in names}, "X": unstacked(structure, entries)})

    expected = differences(lambda at: differences(of, at, 1e-3), start, 1e-3)
    given["X"] = unstacked(structure, start)
    np.testing.assert_allclose(found.compile()(**given), expected, rtol=1e-3, atol=1e-4)


# fmt: off
ANSWERS = (
    ("X^-1",        "X: n x n spd",                       "X",   "vec-jacobian", ["-elim(n) kron(X^-1, X^-1) dup(n)"]),
    ("X",           "X: n x n symmetric",                 "X",   "vec-jacobian", ["I(n*(n+1)/2)"]),
    ("X",           "X: n x n lower",                     "X",   "vec-jacobian", ["elim(n) elim(n)^T"]),
    ("A X",         "X: n x n symmetric; A: m x n",       "X",   "vec-jacobian", ["kron(I(n), A) dup(n)"]),
    ("a",           "X: n x n symmetric; a: m",           "X",   "vec-jacobian", ["zeros(m,n*(n+1)/2)"]),
    ("logdet(X)",   "X: n x n spd",                       "X",   "vec-jacobian", ["vec(X^-1)^T dup(n)"]),
    ("logdet(X)",   "X: n x n spd",                       "X",   "hessian",      ["-dup(n)^T kron(X^-1, X^-1) dup(n)"]),
    ("tr(X A X)",   "X, A: n x n symmetric",              "X",   "hessian",      ["dup(n)^T (kron(A, I) + kron(I, A)) dup(n)"]),
    ("y^T X y",     "X: n x n symmetric; y: n",           "X y", "hessian",
     ["zeros(n*(n+1)/2,n*(n+1)/2)", "dup(n)^T (kron(y, I) + kron(I, y))", "2 X"]),
)
# fmt: on


@pytest.mark.parametrize(("text", "where", "wrt", "kind", "expected"), ANSWERS)
def test_answers(text: str, where: str, wrt: str, kind: str, expected: list[str]) -> None:
    found = mcalc.derive(text, wrt=wrt.split(), where=where, kind=kind, vech=True)
    for result, right in zip(found.results, expected, strict=True):
        claim = parse(right, where=where, shape=result.result.shape).expression
        assert mcalc.equal(result.result, claim), result.result
        assert result.result.length <= claim.length
        assert parse(str(result.result), where=where, shape=result.result.shape).expression is result.result


@pytest.mark.parametrize("kind", ["vec-jacobian", "hessian"])
def test_a_wrong_matrix_is_refuted(kind: str) -> None:
    found = mcalc.derive("a^T X^-1 a", wrt="X", where="X: n x n spd; a: n", kind=kind, vech=True)
    derived = found.results[0].derived
    answer = derived.answers[0]
    wrong = answer._replace(result=o.neg(answer.result), steps=())
    with pytest.raises(mcalc.errors.VerificationError):
        prove(derived._replace(answers=(wrong,)))


@pytest.mark.parametrize(
    ("where", "wrt", "options", "message"),
    [
        ("X: n x n", "X", {}, "not declared as one"),
        ("X: n x n diagonal", "X", {}, "its diagonal"),
        ("X: n x n skew", "X", {}, "below its diagonal"),
        ("X: n x n spd", "X", {"kind": "gradient"}, "shape of its variable"),
        ("X: n x n spd", "X", {"kind": "hvp"}, "stacks a matrix"),
        ("X: n x n spd", "X", {"kind": "differential"}, "stacks a matrix"),
    ],
)
def test_where_there_is_no_vech(where: str, wrt: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotSupported, match=message):
        mcalc.derive("tr(X)", wrt=wrt, where=where, vech=True, **options)


def test_what_it_is_called() -> None:
    found = mcalc.derive("X^T X", wrt="X", where="X: n x n upper", vech=True)
    assert isinstance(found, mcalc.Derivation)
    assert found.label == "vechjacvecht_X"
    legend = "vech(X^T) has the entries of X on and above the diagonal: vec(X) = K(n,n) elim(n)^T vech(X^T)"
    assert found.answer.notes == (legend,)
    assert found.layout == "numerator, vech(dF) = vechjacvecht_X vech(dX^T)"
    assert "∂vech(F)/∂vech(Xᵀ)" in found.text()
    assert r"\operatorname{vech} X^\top" in found.latex()
    mixed = mcalc.derive("y^T X y", wrt=["X", "y"], where="X: n x n spd; y: n", kind="hessian", vech=True)
    assert [r.label for r in mixed.results] == ["hessvech_X", "hessvechvec_X_y", "hessvec_y"]
    assert "∂²f/∂vech(X)∂vec(y)" in mixed.text()
    assert mixed.results[1].layout == "second derivative by vech(X) and vec(y)"


# --- dimensions and the language --------------------------------------------------------------------------------------


def test_half_a_square_is_a_dimension() -> None:
    n, m = dim("n"), dim("m")
    assert str(triangular(n)) == "n*(n+1)/2"
    assert triangular(dim(4)) is dim(10)
    assert triangular(n) * dim(2) is n * n + n
    assert triangular(n + m) is triangular(n) + triangular(m) + n * m
    assert (n * n + n).over(2) is triangular(n)
    assert n.over(2) is None and (n * dim(6)).over(3) is n * dim(2)
    assert triangular(n).value({"n": 5}) == 15 and triangular(n).names() == ("n",)


@pytest.mark.parametrize("text", ["n*(n+1)/2", "n (n + 1) / 2", "(n*n + n)/2"])
def test_it_is_read(text: str) -> None:
    assert parse(f"zeros({text})", where="X: n x n").expression.shape[0] is triangular(dim("n"))


def test_it_can_be_declared() -> None:
    read = parse("dup(n) v", where="v: n*(n+1)/2; X: n x n")
    assert read.expression.shape[0] is dim("n") * dim("n")
    assert parse("vech(X)^T v", where="X: n x n").symbols["v"].expr.shape[0] is triangular(dim("n"))
    with pytest.raises(ParseError, match="dimension"):
        parse("v", where="v: n/2")


def test_matrices() -> None:
    for n in (1, 2, 4):
        D, L = duplication(n)[0], elimination(n)[0]
        Z = np.random.default_rng(n).normal(size=(n, n))
        S = Z + Z.T
        stacked = np.array([S[i, j] for j in range(n) for i in range(j, n)])
        np.testing.assert_array_equal(D @ stacked, S.reshape(-1, order="F"))
        np.testing.assert_array_equal(L @ S.reshape(-1, order="F"), stacked)
        np.testing.assert_array_equal(L.T @ L @ Z.reshape(-1, order="F"), np.tril(Z).reshape(-1, order="F"))
        np.testing.assert_array_equal(L @ D, np.eye(n * (n + 1) // 2))


def test_generated_code_forms_no_duplication_matrix() -> None:
    found = mcalc.derive("X^-1", wrt="X", where="X: n x n spd", vech=True)
    source = found.python()
    assert "np.eye" not in source and "put(" in source
    assert {n.op for n in postorder(found.results[0].result)} >= {"dup", "elim"}


def test_names_stay_free() -> None:
    """D and L are ordinary names, and so are the letters of words that are no functions."""
    for text, where in product(("D(x)", "L(x)"), ("x: n", "")):
        assert parse(text, where=where).expression.op == "mul"
