"""Verdicts in small: one table of claims, the notations in which they are written, and what follows from what."""

from __future__ import annotations

import pytest

import mcalc
from mcalc.check import check, check_all, check_derivative, check_identity

P, R = "proved", "refuted"

# fmt: off
CLAIMS = [
    # declarations, definitions, claim, verdict, a word of the slip
    ("A: n x n; x: n",              "f = x^T A x",           "df = x^T (A + A^T) dx",         P, ""),
    ("A: n x n; x: n",              "f = x^T A x",           "df = 2 x^T A dx",               R, "symmetric"),
    ("A: n x n symmetric; x: n",    "f = x^T A x",           "df = 2 x^T A dx",               P, ""),
    ("A: n x n; x: n",              "f = x^T A x",           "df = dx^T A x + x^T A dx = x^T (A + A^T) dx", P, ""),
    ("A: n x n; x: n",              "f = x^T A x",           "grad_x = x^T (A + A^T)",        R, "Jacobian given"),
    ("A: n x n; x: n",              "f = x^T A x",           "hess_x = A + A^T",              P, ""),
    ("A: n x n; x: n",              "f = x^T A x",           "hess_x = 2 A",                  R, "symmetric"),
    ("A: n x n; x: n",              "f = x^T A x",           "d^2 f = 2 dx^T A dx",           P, ""),
    ("A: n x n; x: n",              "f = x^T A x",           "d^2 f = dx^T A dx",             R, "factor 2"),
    ("A: m x n; x: n",              "u = A x",               "jac_x = A",                     P, ""),
    ("A: m x n; x: n",              "u = A x",               "jac_x = A^T",                   R, "layout"),
    ("A: n x n; X: n x n symmetric", "f = tr(A X)",           "grad_X = (A + A^T) / 2",        P, ""),
    ("A: n x n; X: n x n symmetric", "f = tr(A X)",           "grad_X = A^T",                  R, "symmetric form"),
    ("A: n x n; X: n x n skew",     "f = tr(A^T X)",         "grad_X = (A - A^T) / 2",        P, ""),
    ("A: n x n; X: n x n lower",    "f = tr(A^T X)",         "grad_X = tril(A)",              P, ""),
    ("A: n x n; X: n x n lower",    "f = tr(A^T X)",         "grad_X = A",                    R, "lower"),
    ("X: m x n",                    "f = tr(X^T X)",         "hess_X = 2 I",                  P, ""),
    ("X: m x n",                    "f = tr(X^T X)",         "hess_X = 2 I(m*n)",             P, ""),
    ("X: m x n",                    "F = X^T",               "jac_X = K(m,n)",                P, ""),
    ("X: m x n; A: m x n",          "f = tr(A^T A)",         "grad_X = 0",                    P, ""),
    ("X: n x n invertible",         "f = logdet(X)",         "grad_X = X^-1",                 R, "transpose"),
    ("X: n x n; Y: n x n",          "",                      "tr(X Y) = tr(Y X)",             P, ""),
    ("X: n x n; Y: n x n",          "",                      "X Y = Y X",                     R, "order"),
    ("x: scalar",                   "",                      "sin(x)^2 + cos(x)^2 = 1",       P, ""),
    ("x: scalar",                   "",                      "log(exp(x)) = x",               P, ""),
    ("x: scalar",                   "",                      "sqrt(x^2) = x",                 R, ""),
    ("X: n x n symmetric",          "f = tr(expm(X))",       "df = tr(expm(X) dX)",           P, ""),
    ("X: n x n; a: n",              "f = a^T expm(X) a",     "grad_X = expm(X)^T a a^T",      R, ""),
    ("W: m x n; x: n; v: m",        "h = tanh(W x); f = v^T h", "grad_h = v",                    P, ""),
    ("W: m x n; x: n; v: m",        "h = tanh(W x); f = v^T h", "grad_W = v x^T",                R, "elementwise"),
    ("x: n",                        "f = sum(x) / n",        "grad_x = ones(n)",              R, "factor n"),
    ("A: m x n; x: n; b: m",        "f = norm(A x - b)^2",   "grad_x = -6 A^T (A x - b)",     R, "sign lost, and"),
    ("A: n x n; B: n x n; X: n x n", "f = tr(A X B)",         "grad_X = B A",                  R, "whole right-hand side"),
    ("a: m; b: n; X: m x n",        "f = a^T X b",           "grad_X = b a^T",                R, "layout"),
]
# fmt: on


@pytest.mark.parametrize(("where", "definitions", "claim", "verdict", "slip"), CLAIMS, ids=lambda c: str(c)[:40])
def test_claims(where: str, definitions: str, claim: str, verdict: str, slip: str) -> None:
    lines = [f"where {where}", *(d.strip() for d in definitions.split(";") if d.strip()), claim]
    report = check("\n".join(lines))
    assert report.verdict == verdict, str(report)
    if verdict == R:
        assert slip in report[-1].slip, str(report)


SOFTMAX = [
    # declarations, definitions, claim, repair
    ("z: n; a: n", "p = softmax(z); f = a^T p", "grad_z = p .* (1 - p) .* a", "p .* a - p^T a p"),
    ("z: n; a: n", "f = a^T softmax(z)", "grad_z = softmax(z) .* (ones(n) - softmax(z)) .* a", ""),
    ("z: n; a: n", "p = softmax(z); f = a^T p", "df = a^T diag(p .* (1 - p)) dz", "a^T (diag(p) - p p^T) dz"),
    ("z: n", "p = softmax(z)", "dp = (p - p .* p) .* dz", "p .* dz - p^T dz p"),
    ("z: n", "p = softmax(z)", "dp = p .* dz - p .* p .* dz", ""),
    ("z: n", "p = softmax(z)", "jac_z = diag(p .* (1 - p))", "diag(p) - p p^T"),
    ("z: n", "p = softmax(z)", "jac_z = diag(p) - diag(p)^2", "diag(p) - p p^T"),
    ("z: n; y: n", "p = softmax(z); f = norm(p - y)^2", "grad_z = 2 (p - y) .* p .* (1 - p)", ""),
    ("z: n; y: n", "p = softmax(z); f = norm(p - y)^2", "grad_z = 2 p .* (1 - p) .* (p - y)", ""),
    ("Z: n x k; Y: n x k", "P = softmax(Z); f = norm(P - Y)^2", "grad_Z = 2 (P - Y) .* P .* (1 - P)", ""),
    (
        "X: n x d; Y: n x k; W: d x k",
        "P = softmax(X W); f = norm(P - Y)^2",
        "grad_W = 2 X^T ((P - Y) .* P .* (1 - P))",
        "",
    ),
]


@pytest.mark.parametrize(("where", "definitions", "claim", "repair"), SOFTMAX, ids=lambda c: str(c)[:40])
def test_softmax_is_not_elementwise(where: str, definitions: str, claim: str, repair: str) -> None:
    given = [f"where {where}", *(d.strip() for d in definitions.split(";"))]
    report = check("\n".join([*given, claim]))
    assert report.verdict == R
    assert report[-1].slip == "softmax taken as elementwise: its Jacobian is diag(p) - p p^T"
    assert not repair or report[-1].repair == repair
    assert check("\n".join([*given, f"{claim.partition(' = ')[0]} = {report[-1].repair}"])).ok


WHOLE = [
    # declarations, definitions, claim, repair
    ("A: n x n; B: n x n; X: n x n", "f = tr(A X B)", "grad_X = B A", "A^T B^T"),
    ("X: n x d; y: n x d; W: d x d", "f = norm(y - X W)^2", "grad_W = 2 (X W - y)^T X", "2 X^T (X W - y)"),
    ("X: n x n; A: n x n; c: n; d: n", "f = c^T X d + tr(A X)", "grad_X = d c^T + A", "c d^T + A^T"),
    ("W: n x n; x: n; v: n", "h = tanh(W x); f = v^T h", "grad_W = x (v .* (1 - h .* h))^T", "(v .* (1 - h .* h)) x^T"),
    ("A: n x n; X: n x n", "F = A X", "dF = dX^T A^T", "A dX"),
    ("A: n x n; B: n x n", "", "(A B)^T = A B", "B^T A^T"),
]


@pytest.mark.parametrize(("where", "definitions", "claim", "repair"), WHOLE, ids=lambda c: str(c)[:40])
def test_a_whole_side_transposed(where: str, definitions: str, claim: str, repair: str) -> None:
    given = [f"where {where}", *(d.strip() for d in definitions.split(";") if d.strip())]
    report = check("\n".join([*given, claim]))
    assert (report.verdict, report[-1].repair) == (R, repair)
    assert report[-1].slip == "the whole right-hand side is transposed"
    assert check("\n".join([*given, f"{claim.partition(' = ')[0]} = {repair}"])).ok


NOTATIONS = [
    "f = norm(y - X W)^2\ndf = -2 tr((y - X W)^T X dW)\ngrad_W = -2 X^T (y - X W)",
    "f = ‖y − X W‖²\ndf = −2 tr((y − X W)ᵀ X dW)\n∇_W f = −2 Xᵀ (y − X W)",
    "f = ‖y − X W‖²\ndf = 2 ⟨y − X W, −X dW⟩\n∂f/∂W = −2 Xᵀ (y − X W)",
    "f(W) = norm(y - X W)^2\ndf = 2 <y - X W, -X dW>\ngrad_W f = -2 X^T (y - X W)",
    "f = norm(y - X W)^2\ndf = 2 tr((y - X W)^T d(y - X W))\n  = -2 tr((y - X W)^T X dW)\ngrad_W = 2 X^T (X W - y)",
    r"""
\begin{align}
f &= \lVert y - X W \rVert^2 \\
\mathrm{d} f &= 2 \operatorname{tr}\left((y - X W)^\top \mathrm{d}(y - X W)\right) \tag{1} \\
  &= -2 \operatorname{tr}((y - X W)^\top X \, \mathrm{d}W) && \text{since $X$ is constant} \\
\frac{\partial f}{\partial W} &= -2 X^\top (y - X W).
\end{align}
""",
    r"""
\begin{align*}
  f &= \|y - XW\|^2, \\
  df &= -2 \langle X^T (y - X W), dW \rangle, \\
  \nabla_{W} f &= -2 X^T (y - X W)
\end{align*}
""",
]


@pytest.mark.parametrize("text", NOTATIONS, ids=range(len(NOTATIONS)))
def test_notations(text: str) -> None:
    report = check(f"where X: n x d; y: n x k; W: d x k\n{text}")
    assert report.ok, str(report)
    assert len(report) >= 3


def test_declarations_in_latex() -> None:
    report = check(r"""where $A \in \mathbb{R}^{n \times n}$, $x \in \mathbb{R}^n$ and $\lambda \in \mathbb{R}$.
f = \lambda x^T A x
\nabla_x f = \lambda (A + A^T) x
""")
    assert report.ok, str(report)


def test_a_markdown_file_with_several_problems() -> None:
    reports = check_all(
        """# Homework

## Problem 1
Some words, and a = b in them.
```
f = x^T x
df = 2 x^T dx
```
## Problem 2
where A: n x n
$$
f = tr(A X)
$$
so that
$$
grad_X = A
$$
```python
f = 3
```
""",
        markdown=True,
    )
    assert [r.title for r in reports] == ["Problem 1", "Problem 2"]
    assert [r.verdict for r in reports] == [P, R]
    assert [line.line for line in reports[1].wrong] == [16]


def test_a_false_line_that_follows_from_a_false_line() -> None:
    report = check("""where A: m x n; x: n; y: m
r = y - A x
f = r^T r
dr = A dx
df = 2 r^T dr
df = 2 r^T A dx
grad_x = 2 A^T r
grad_x = -2 A^T r
""")
    found = [(line.line, line.verdict, line.follows) for line in report if line.verdict != "definition"]
    assert found == [(4, R, False), (5, P, True), (6, R, True), (7, R, True), (8, P, False)]


def test_a_slip_does_not_condemn_what_follows() -> None:
    report = check("f = x^T x\ndf = x^T dx\ngrad_x = x\ngrad_x = 2 x\nhess_x = 2 I\n")
    found = [(line.line, line.verdict, line.follows) for line in report if line.verdict != "definition"]
    assert found == [(2, R, False), (3, R, True), (4, P, False), (5, P, True)]


def test_a_chain_is_one_claim_after_the_other() -> None:
    report = check("f = x^T x = norm(x)^2 = norm(x)\n")
    assert [(line.verdict, line.right) for line in report] == [
        ("definition", "x^T x"), (P, "norm(x)^2"), (R, "norm(x)"),
    ]  # fmt: skip


def test_counterexamples_are_small_integers() -> None:
    report = check("where A: n x n; x: n\nf = x^T A x\ngrad_x = 2 A x\n")
    text = report[1].counterexample
    assert text.startswith("at ")
    assert "the left side is" in text
    assert "." not in text


@pytest.mark.parametrize(
    ("claim", "detail"),
    [("A", "transpose"), ("2 A^T", "factor 1/2"), ("-A^T", "sign"), ("A^T", "")],
)
def test_a_single_claim(claim: str, detail: str) -> None:
    report = check_derivative("tr(A X)", "X", claim, "A: n x n; X: n x n")
    assert report.ok is (detail == "")
    assert detail in report[-1].detail


def test_equal_for_symmetric_matrices_only() -> None:
    report = check_derivative("x^T A x", "x", "2 A x")
    assert "symmetric A only" in report[-1].detail


def test_identities() -> None:
    assert check_identity("logdet(A B)", "logdet(A) + logdet(B)").ok
    assert check_identity("(A B)^-1", "B^-1 A^-1").ok
    report = check_identity("(A + B)^2", "A^2 + 2 A B + B^2")
    assert not report.ok
    assert report[0].counterexample


def test_the_function_of_the_package() -> None:
    assert mcalc.check("f = x^T x\ngrad_x = 2 x").ok


def test_reports_in_notebooks() -> None:
    bundle = check("f = x^T x\ngrad_x = x")._repr_mimebundle_()
    assert "<table>" in bundle["text/html"]
    assert "factor 2" in bundle["text/plain"]


def test_html_is_escaped() -> None:
    assert "<script>" not in check("# <script>\nf = (x > 0)^T x\ngrad_x = (x > 0)")._repr_html_()


def test_reports_for_programs() -> None:
    value = check("f = x^T x\ngrad_x = x").to_dict()
    assert value["schema"] == 1
    assert value["verdict"] == R
    assert set(value["lines"][1]) >= {
        "line", "left", "right", "verdict", "follows", "method", "slip", "repair", "counterexample",
    }  # fmt: skip
    assert value["lines"][0]["verdict"] == "definition"


AS_PEOPLE_WRITE = [
    "where S: n x n spd\nd logdet(S) = tr(S^-1 dS)\nd tr(S^2) = 2 tr(S dS)",
    "where X: n x d; y: n; w: d\nr := y - X w; f := r^T r\n"
    "=> df = 2 r^T dr\n1. df = -2 r^T X dw;\n(2) ∇_w f = -2 X^T r.",
    "Let A ∈ R^{n×n} be symmetric, x ∈ R^n.\nf = x^T A x // quadratic\n⇒ ∇_x f = 2 A x\n∇²_x f = 2 A",
    "f = x^T A x\ndf/dx = (A + A^T) x\nd²f = 2 dx^T A dx",
    "f(x) = ||A x - b||^2\n∂f/∂x = 2 A' (A x - b)",
    "where x: n\nf = logsumexp(x)\np = softmax(x)\nhess_x = diag(p) - p p^T",
    "where A: n x n; B: n x n; X: n x n\nf = <A, X> + <B, <A, X> X>\ndf = <A, dX> + <B, <A, dX> X + <A, X> dX>",
]


@pytest.mark.parametrize("text", AS_PEOPLE_WRITE, ids=range(len(AS_PEOPLE_WRITE)))
def test_as_people_write(text: str) -> None:
    report = check(text)
    assert report.ok, str(report)
    assert any(line.verdict == P for line in report)


def test_a_claim_without_a_value_is_refuted() -> None:
    report = check("where x: n\nv = x^T x\nf = sqrt(v)\ndf = x^T dx / sqrt(-v)")
    assert report.verdict == R
    assert "no value" in report[-1].detail


def test_differentials_with_names() -> None:
    report = check("f = x^T x\ng = 2 x^T dx\ndf = g\ndg = 2 dx^T dx\ngrad_x = 2 x")
    assert report.ok, str(report)


def test_a_false_differential_of_another_shape() -> None:
    report = check("where A: m x n; x: n; c: m\nz = tanh(A x)\nf = c^T z\ndz = x\ndf = c^T dz\ndf = c^T z")
    assert [line.verdict for line in report[2:]] == [R, P, R]


def test_an_entry_that_small_matrices_do_not_have() -> None:
    assert check("where X: m x n\nf = X[1,2]\ndf = dX[11,2]").verdict == R


def test_factors_that_definitions_hide_can_be_exchanged() -> None:
    where = "where a: n; b: n; x: n; M: n x n"
    report = check(f"{where}\nu = M x\nf = a^T u b^T x\ndf = b^T dx a^T x + a^T M dx b^T x")
    assert report.verdict == R


def test_a_note_where_several_scalars_are_defined() -> None:
    alone = "where X: n x d; w: d; y: n\nf = norm(y - X w)^2\nR = X w - y\ngrad_w = 2 X^T R"
    assert check(alone).ok and "last scalar" not in str(check(alone))
    several = alone.replace("R = ", "g = f / 2\nR = ").replace("2 X^T", "X^T")
    assert check(several).ok and "grad_w is read as that of g, the last scalar defined" in str(check(several))
