"""Derivatives of every kind: the corpus, the table of the language, structure, layouts, mixed and joint derivatives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mcalc
from mcalc.algebra.expr import Expr, symbols
from mcalc.algebra.shape import shape_text
from mcalc.algebra.structure import structure
from mcalc.calculus.gradient import differential
from mcalc.critical_points import derive_critical_points
from mcalc.errors import McalcError, NotSupported
from mcalc.frontend import parse
from mcalc.kinds import derive_kind
from mcalc.rewrite.derivation import NUMERATOR, Derived
from mcalc.verify.exact import Prover
from mcalc.verify.proof import verify
from tests.work import calls

MOST_CALLS = 12_000_000
"""Of functions, by one run: the tests are of the growth of cost, not of the machine."""

CORPUS = Path(__file__).parent.parent / "corpus" / "derivatives"
HIGHER: list[dict[str, Any]] = [
    entry for name in ("higher", "more_higher") for entry in json.loads((CORPUS / f"{name}.json").read_text())
]


def derived(text: str, where: str, wrt: str, kind: str, **options: Any) -> Derived:
    """One derivation, through the gate."""
    parsed = parse(text, where=where, wrt=wrt.split())
    found = derive_kind(parsed.expression, parsed.wrt, kind, **options)
    verify(found)
    return found


def read(text: str, where: str, like: Expr) -> Expr:
    """An expected answer, of the shape of the one that was found, its directions declared."""
    declared = {name.strip() for part in where.split(";") for name in part.split(":")[0].split(",")}
    directions = [v for v in symbols(like) if v.name not in declared]
    more = [f"{v.name}: {shape_text(v.shape)} {' '.join(sorted(v.attrs[1]))}" for v in directions]
    return parse(text, where=[where, *more], shape=like.shape).expression


@pytest.mark.parametrize("entry", HIGHER, ids=lambda entry: entry["id"])
def test_corpus(entry: dict[str, Any]) -> None:
    parsed = parse(entry["expression"], where=entry["where"], wrt=[entry["wrt"]])
    found = derive_kind(parsed.expression, parsed.wrt, entry["kind"])
    verify(found)
    (x,) = parsed.wrt
    result = found.answers[0].result
    where = entry["where"]
    if entry["kind"] == "hvp":
        kind = structure(x)
        where += f"; V: {shape_text(x.shape)} {kind.name if kind else ''}"
    expected = parse(entry["expected"], where=where, shape=result.shape).expression
    assert Prover(parsed.expression, variables=[x], expand=differential).prove(result, expected).proved
    assert result.length <= expected.length


# fmt: off
ANSWERS = (
    # text                       where                                    wrt      kind            answers
    ("X^-1",                     "X: n x n",                              "X",     "differential", ["-X^-1 dX X^-1"]),
    ("A X B + C",                "A: p x m; X: m x n; B: n x q; C: p x q", "X",    "differential", ["A dX B"]),
    ("X Y",                      "X: m x n; Y: n x q",                    "X Y",   "differential", ["dX Y + X dY"]),
    ("det(X)",                   "X: n x n invertible",                   "X",     "differential", ["det(X) tr(X^-1 dX)"]),
    ("a^T x",                    "a, x: n",                               "x",     "jacobian",     ["a^T"]),
    ("t^2 b",                    "t: scalar; b: n",                       "t",     "jacobian",     ["2 t b"]),
    ("b",                        "b: m; x: n",                            "x",     "jacobian",     ["zeros(m,n)"]),
    ("A x + B y",                "A: m x n; x: n; B: m x k; y: k",        "x y",   "jacobian",     ["A", "B"]),
    ("X",                        "X: n x n symmetric",                    "X",     "vec-jacobian", ["(I + K(n,n)) / 2"]),
    ("X",                        "X: n x n skew",                         "X",     "vec-jacobian", ["(I - K(n,n)) / 2"]),
    ("X^-1",                     "X: n x n spd",                          "X",     "vec-jacobian",
     ["-kron(X^-1, X^-1) (I + K(n,n)) / 2"]),
    ("diag(X)",                  "X: n x n",                              "X",     "vec-jacobian",
     ["kron(ones(1,n), I(n)) diag(vec(I(n)))"]),
    ("x^T A y",                  "A: n x m; x: n; y: m",                  "x y",   "hessian",      ["zeros(n,n)", "A", "zeros(m,m)"]),
    ("(a^T x)^2 + t a^T x",      "a, x: n; t: scalar",                    "x t",   "hessian",      ["2 a a^T", "a", "0"]),
    ("x^T A y",                  "A: n x m; x: n; y: m",                  "x y",   "hvp",          ["A V_y", "A^T V_x"]),
    ("V^T x x^T V",              "V, x: n",                               "x",     "hvp",          ["2 V V^T V1"]),
    ("a^T x",                    "a, x: n",                               "x",     "hvp",          ["zeros(n)"]),
    ("norm(L)^2",                "L: n x n lower",                        "L",     "hvp",          ["2 V"]),
    ("tr(S A S)",                "S: n x n symmetric; A: n x n symmetric", "S",    "hvp",          ["A V + V A"]),
    ("tr((A - x x^T) S (A - x x^T)^T)", "A: n x n; S: n x n symmetric; x: n", "S", "vec-jacobian",
     ["vec((A - x x^T)^T (A - x x^T))^T"]),
    ("t^3",                      "t: scalar",                             "t",     "hessian",      ["6 t"]),
)
# fmt: on


@pytest.mark.parametrize(("text", "where", "wrt", "kind", "expected"), ANSWERS)
def test_answers(text: str, where: str, wrt: str, kind: str, expected: list[str]) -> None:
    found = derived(text, where, wrt, kind)
    assert len(found.answers) == len(expected)
    for answer, right in zip(found.answers, expected, strict=True):
        if kind == "differential":
            claim = parse(right, where=where, wrt=wrt.split(), differentials=True, shape=found.root.shape).expression
        else:
            claim = read(right, where, answer.result)
        prover = Prover(found.root, variables=answer.variables, expand=differential)
        assert prover.prove(answer.result, claim).proved, answer.result
        assert answer.result.length <= claim.length


def test_labels() -> None:
    assert derived("A x", "A: m x n; x: n", "x", "jacobian").answers[0].label == "jac_x"
    assert derived("A X", "A: m x n; X: n x k", "X", "vec-jacobian").answers[0].label == "vecjac_X"
    hessian = derived("x^T A y", "A: n x m; x: n; y: m", "x y", "hessian")
    assert [a.label for a in hessian.answers] == ["hess_x", "hess_x_y", "hess_y"]
    assert [s.left for s in hessian.steps][-1] == "d2f"
    assert derived("x^T x", "x: n", "x", "hvp").answers[0].label == "hvp_x"
    assert derived("A X", "A: m x n; X: n x k", "X", "differential", name="F").answers[0].label == "dF"


def test_denominator_layout_is_the_transpose() -> None:
    answer = derived("A x", "A: m x n; x: n", "x", "jacobian", layout="denominator").answers[0]
    assert str(answer.result) == "A^T"
    assert str(answer.forms[NUMERATOR]) == "A"


@pytest.mark.parametrize(
    ("text", "where", "wrt", "kind"),
    [
        ("A x", "A: m x n; x: n", "x", "hessian"),
        ("A X", "A: m x n; X: n x k", "X", "jacobian"),
        ("tr(expm(X))", "X: n x n", "X", "hvp"),
    ],
)
def test_not_supported(text: str, where: str, wrt: str, kind: str) -> None:
    with pytest.raises(NotSupported):
        derived(text, where, wrt, kind)


def test_a_given_product_that_occurs_twice() -> None:
    """diag(mean(B)) = diag(sum(B)) / m: one factor for one share of the scalars, in every line."""
    derived("diag(mean(B, axis=1))^3", "B: n x m", "B", "differential")


@pytest.mark.parametrize("detail", ["brief", "full", "none"])
def test_every_detail_passes_the_gate(detail: str) -> None:
    where = "W1: k x n; W2: m x k; x: n; y: m"
    for kind in ("hessian", "hvp"):
        derived("norm(W2 tanh(W1 x) - y)^2", where, "x", kind, detail=detail)
    for kind in ("jacobian", "differential"):
        derived("W2 tanh(W1 x)", where, "x", kind, detail=detail)


# fmt: off
CRITICAL = (
    ("norm(X W - y)^2",                     "X: n x d; W: d x k; y: n x k",                "W", "(X^T X)^-1 X^T y"),
    ("norm(y - X w)^2 + λ norm(w)^2",       "X: n x d; w: d; y: n; λ: scalar positive",    "w", "(X^T X + λ I)^-1 X^T y"),
    ("norm(y - X W)^2 + λ norm(W)^2",       "X: n x d; W: d x k; y: n x k; λ: scalar",     "W", "(X^T X + λ I)^-1 X^T y"),
    ("(y - X b)^T S^-1 (y - X b)",          "X: n x d; b: d; y: n; S: n x n spd",          "b", "(X^T S^-1 X)^-1 X^T S^-1 y"),
    ("n/2 logdet(S) + 1/2 tr(S^-1 X^T X)",  "X: n x p; S: p x p spd",                      "S", "X^T X / n"),
    ("tr(S X) - logdet(X)",                 "S: n x n spd; X: n x n spd",                  "X", "S^-1"),
    ("norm(A .* X - B)^2",                  "A, X, B: n x m",                              "X", "B ./ A"),
    ("1/2 x^T A x - b^T x",                 "A: n x n spd; x, b: n",                       "x", "A^-1 b"),
)
# fmt: on


@pytest.mark.parametrize(("text", "where", "wrt", "expected"), CRITICAL)
def test_critical_points(text: str, where: str, wrt: str, expected: str) -> None:
    parsed = parse(text, where=where, wrt=[wrt])
    found = derive_critical_points(parsed.expression, parsed.wrt)
    verify(found)
    answer = found.answers[0]
    claim = parse(expected, where=where, shape=answer.result.shape).expression
    assert Prover(found.root, variables=parsed.wrt, expand=differential).prove(answer.result, claim).proved


@pytest.mark.parametrize("text", ["sum(exp(x))", "norm(x)", "sum(x.^3 + x)"])
def test_no_closed_critical_point(text: str) -> None:
    parsed = parse(text, where="x: n", wrt=["x"])
    with pytest.raises(NotSupported):
        derive_critical_points(parsed.expression, parsed.wrt)


@pytest.mark.parametrize(
    ("text", "convex"),
    [
        ("norm(A x - b)^2", "f is convex:"),
        ("logsumexp(A x)", "f is convex:"),
        ("sum(softplus(A x))", "f is convex:"),
        ("-norm(x)^2", "f is concave:"),
        ("-sum(log(b - A x))", "f is convex on every convex set"),
        ("x^T P x", ""),
        ("-sum(abs(x))", ""),
        ("sum(x.^3)", ""),
        ("a^T x", ""),
    ],
)
def test_convexity(text: str, convex: str) -> None:
    notes = derived(text, "A: m x n; b: m; x, a: n; P: n x n", "x", "hessian").answers[0].notes
    assert [note for note in notes if note.startswith(convex)] if convex else not notes


@pytest.mark.parametrize(
    ("text", "where", "note"),
    [
        ("-logdet(X)", "X: n x n spd", "f is convex: logdet is concave on positive definite matrices"),
        ("logdet(X + C)", "X: n x n psd; C: n x n spd", "f is concave: logdet is concave"),
        ("tr(S X) - logdet(X)", "X: n x n spd; S: n x n symmetric", "f is convex: logdet is concave"),
        ("tr(X^-1)", "X: n x n spd", "f is convex: the inverse"),
        ("c^T X^-1 c / 2 + norm(X)", "X: n x n spd; c: n", "f is convex: the inverse"),
        ("-3 tr(A^T X^-1 A)", "X: n x n spd; A: n x m", "f is concave: the inverse"),
        ("norm(X)", "X: n", "f is convex: norm is convex"),
        ("norm(A X - b)", "X: n; A: m x n; b: m", "f is convex: norm is convex"),
        ("norm(A X - B) + tr(C^T X)", "X: n x k; A: m x n; B: m x k; C: n x k", "f is convex: norm is convex"),
        ("norm(A X - b)^3", "X: n; A: m x n; b: m", "f is convex: norm is convex, powers are convex"),
        ("exp(norm(X))", "X: n", "f is convex: norm is convex, exp is convex"),
        ("-sum(sqrt(X))", "X: n positive", "f is convex: sqrt is concave"),
        ("-sum(sqrt(A X))", "X: n; A: m x n", "f is convex on every convex set"),
        ("sum(log(1 + X))", "X: n positive", "f is concave: log is concave"),
        ("log(a^T X)", "X, a: n positive", "f is concave: log is concave"),
        ("logsumexp(A X) + norm(X)", "X: n; A: m x n", "f is convex: logsumexp is convex"),
        ("-norm(A X - b)", "X: n; A: m x n; b: m", "f is concave: norm is convex"),
        ("s norm(X)", "X: n; s: scalar positive", "f is convex: norm is convex"),
        ("s norm(X)", "X: n; s: scalar", ""),
        ("norm(X) - norm(A X)", "X: n; A: m x n", ""),
        ("sqrt(norm(X))", "X: n", ""),
        ("norm(tanh(X))", "X: n", ""),
        ("norm(exp(X) - 1)", "X: n", ""),
        ("logdet(X)", "X: n x n", ""),
        ("-logdet(X X^T)", "X: n x n invertible", ""),
        ("tr(B X^-1)", "X: n x n spd; B: n x n symmetric", ""),
        ("a^T X^-1 c", "X: n x n spd; a, c: n", ""),
        ("1 / norm(X)", "X: n", ""),
    ],
)
def test_convexity_by_composition(text: str, where: str, note: str) -> None:
    notes = derived(text, where, "X", "hessian").answers[0].notes
    assert [n for n in notes if n.startswith(note)] if note else not notes


@pytest.mark.parametrize(
    ("wrt", "kind", "message"),
    [
        (["x"], "third", "three indices"),
        (["x", "x", "x"], None, "three indices"),
        (["x", "x", "x"], "hessian", "three indices"),
        ("x, x", None, "named twice"),
        (["x", "y", "x"], "hessian", "named twice"),
    ],
)
def test_a_third_derivative_is_refused(wrt: str | list[str], kind: str | None, message: str) -> None:
    with pytest.raises(McalcError, match=message):
        mcalc.derive("sum(exp(x)) + x^T y", wrt=wrt, where="x, y: n", kind=kind)


def test_the_way_to_a_third_derivative() -> None:
    """What the error says: the differential of H[V]."""
    product = mcalc.derive("sum(exp(x))", wrt="x", where="x: n", kind="hvp")
    assert isinstance(product, mcalc.Derivation)
    third = mcalc.derive(str(product.result), wrt="x", where="x, V: n", kind="differential")
    assert isinstance(third, mcalc.Derivation) and third.verification is not None and third.verification.exact


def test_a_variable_named_twice_is_a_hessian() -> None:
    assert str(mcalc.derive("t^3", wrt=["t", "t"], kind="hessian").results[0].result) == "6 t"


@pytest.mark.parametrize("layers", [4, 6, 20])
def test_deep_networks_take_a_bounded_search(layers: int) -> None:
    """What a search for common factors may spend is counted in the length of the sums that it looks at."""
    text, names = "x", [f"W{i}" for i in range(1, layers + 1)]
    for name in names:
        text = f"tanh({name} {text})"
    parsed = parse(f"norm({text} - y)^2", where=f"{', '.join(names)}: n x n; x, y: n", wrt=["x"])
    for kind in ("hvp", "hessian"):
        made = calls(lambda kind=kind: derive_kind(parsed.expression, parsed.wrt, kind, detail="none"))
        assert made < MOST_CALLS
