"""Printing in the three notations."""

from fractions import Fraction

import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.names import latex_name, unicode_name
from mcalc.algebra.printing import ascii_text, latex_text, unicode_text, where_text
from mcalc.algebra.shape import ONE, dim
from mcalc.frontend import parse

# fmt: off
TEXTS = [
    # ASCII; Unicode; LaTeX
    ("2 X^T (X w - y)", "2 Xᵀ (X w − y)", r"2 X^\top (X w - y)"),
    ("x^T y / norm(x)^2", "xᵀ y / ‖x‖²", r"\frac{x^\top y}{\lVert x \rVert^{2}}"),
    ("(x^T y / norm(x)^2) x", "(xᵀ y / ‖x‖²) x", r"\frac{x^\top y}{\lVert x \rVert^{2}} x"),
    ("A^-1 + A^-T + (A^T)^-1", "A⁻¹ + A⁻ᵀ + (Aᵀ)⁻¹", r"A^{-1} + A^{-\top} + (A^\top)^{-1}"),
    ("-X w", "−X w", "-X w"),
    ("a - (b - c)", "a − (b − c)", "a - (b - c)"),
    ("1/2 x^T A x", "1/2 xᵀ A x", r"\frac{1}{2} x^\top A x"),
    ("2 x^T A x (A + A^T) x", "2 xᵀ A x (A + Aᵀ) x", r"2 x^\top A x (A + A^\top) x"),
    ("A (x^T y)", "A (xᵀ y)", r"A (x^\top y)"),
    ("(A B) .* C", "(A B) ∘ C", r"(A B) \odot C"),
    ("2 A .* B ./ C", "2 A ∘ B ⊘ C", r"2 A \odot B \oslash C"),
    ("1 ./ x", "1 ⊘ x", r"1 \oslash x"),
    ("x.^2 + x.^(1/2)", "x.^2 + x.^(1/2)", r"x^{\odot 2} + x^{\odot 1/2}"),
    ("kron(A B, C)", "(A B) ⊗ C", r"(A B) \otimes C"),
    ("kron(I(n), A)", "I(n) ⊗ A", r"I_{n} \otimes A"),
    ("2 tr(A) I", "2 tr(A) I", r"2 \operatorname{tr}(A) I"),
    ("tr(I(n))", "tr(I(n))", r"\operatorname{tr}(I_{n})"),
    ("norm(x) norm(y)", "‖x‖ · ‖y‖", r"\lVert x \rVert \lVert y \rVert"),
    ("norm(norm(x) y)", "norm(‖x‖ y)", r"\lVert \lVert x \rVert y \rVert"),
    ("norm1(x)", "‖x‖_1", r"\lVert x \rVert_{1}"),
    ("norm(A)", "‖A‖", r"\lVert A \rVert_{F}"),
    ("logdet(A) - log(det(A))", "logdet(A) − log(det(A))", r"\log\det(A) - \log(\det(A))"),
    ("exp(x^T y / 2)", "exp(xᵀ y / 2)", r"\exp\left(\frac{x^\top y}{2}\right)"),
    ("sqrt(t)", "sqrt(t)", r"\sqrt{t}"),
    ("sigmoid(X w)", "sigmoid(X w)", r"\sigma(X w)"),
    ("softmax(X, axis=0)", "softmax(X, axis=0)", r"\operatorname{softmax}(X, \mathrm{axis}=0)"),
    ("softmax(X)", "softmax(X)", r"\operatorname{softmax}(X)"),
    ("X > 0", "X > 0", r"\mathbb{1}[X > 0]"),
    ("max(X) >= 1", "max(X) ≥ 1", r"\mathbb{1}[\max(X) \ge 1]"),
    ("[A, x; x^T, t]", "[A, x; xᵀ, t]", r"\begin{bmatrix} A & x \\ x^\top & t \end{bmatrix}"),
    ("(X w)[1,1]", "(X w)[1,1]", r"(X w)_{1,1}"),
    ("X[1,:]", "X[1,:]", r"X_{1,:}"),
    ("ones(n) ones(1,m)", "ones(n) ones(1,m)", r"\mathbf 1_{n} \mathbf 1_{1 \times m}"),
    ("K(m,n)", "K(m,n)", r"K_{m,n}"),
    ("e(2,n)", "e(2,n)", "e_{2}"),
    ("diag(x) diag(A)", "diag(x) diag(A)", r"\operatorname{diag}(x) \operatorname{diag}(A)"),
    ("lambda W_hh h_1", "λ W_hh h_1", r"\lambda W_{hh} h_1"),
    ("sin(t)^2", "sin(t)²", r"\sin(t)^{2}"),
    ("t^-3", "t⁻³", r"t^{-3}"),
    ("s^t", "s^t", r"s^{t}"),
    ("t^(s + 1)", "t^(s + 1)", r"t^{(s + 1)}"),
    ("t * 2 * 3", "t · 2 · 3", r"t \cdot 2 \cdot 3"),
    ("0.5 x", "0.5 x", "0.5 x"),
    ("2 * 3^2", "2 · 3²", r"2 \cdot 3^{2}"),
    ("pi t", "π t", r"\pi t"),
    ("A - t I", "A − t I", "A - t I"),
]
# fmt: on
WHERE = "A, B, C: n x n; X: n x m; w: m; x, y, a, b, c: n; t, s, lambda: scalar; W_hh: n x n; h_1: n; M: n x m"


@pytest.mark.parametrize(("ascii_", "unicode_", "latex"), TEXTS)
def test_texts(ascii_: str, unicode_: str, latex: str) -> None:
    e = parse(ascii_, where=WHERE).expression
    assert ascii_text(e) == ascii_
    assert unicode_text(e) == unicode_
    assert latex_text(e) == latex


def test_numbers() -> None:
    assert [ascii_text(o.number(q)) for q in (0, 12, Fraction(1, 2), Fraction(1, 80), Fraction(1, 3))] == [
        "0", "12", "0.5", "0.0125", "(1/3)",
    ]  # fmt: skip


def test_names_of_subexpressions() -> None:
    e = parse("(y - X w)^T (y - X w) + norm(y - X w)", where=WHERE).expression
    r = parse("y - X w", where=WHERE).expression
    assert ascii_text(e, {r: "R"}) == "R^T R + norm(R)"
    assert latex_text(e, {r: "R_hat"}) == r"R_{hat}^\top R_{hat} + \lVert R_{hat} \rVert"
    assert ascii_text(r, {r: "R"}) == "R"


def test_a_symbol_may_have_the_name_of_a_constant() -> None:
    n = dim("n")
    e = o.mul(o.symbol("I", (n, n)), o.eye(n))
    assert ascii_text(e) == "I eye"
    assert latex_text(e) == "I I_{n}"
    assert parse(ascii_text(e), where="I: n x n").expression is e
    assert ascii_text(o.mul(o.symbol("pi"), o.PI)) == "pi arccos(-1)"


def test_noncanonical_scalars_read_well() -> None:
    t = o.symbol("t")
    assert ascii_text(o.had(t, o.add(t, t))) == "t (t + t)"
    assert ascii_text(o.hpow(t, 2)) == "t^2"
    assert ascii_text(o.hdiv(t, t)) == "t / t"


@pytest.mark.parametrize(
    ("name", "unicode_", "latex"),
    [
        ("x", "x", "x"), ("W1", "W1", "W_1"), ("W_1", "W_1", "W_1"), ("W_hh", "W_hh", "W_{hh}"),
        ("x_{ij}", "x_{ij}", "x_{ij}"), ("lambda", "λ", r"\lambda"), ("Sigma_0", "Σ_0", r"\Sigma_0"),
        ("beta12", "β12", r"\beta_{12}"), ("weight", "weight", r"\mathrm{weight}"), ("omicron", "ο", "o"),
        ("x_alpha", "x_alpha", r"x_{\alpha}"), ("W1_h", "W1_h", "W_{1,h}"),
    ],
)  # fmt: skip
def test_names(name: str, unicode_: str, latex: str) -> None:
    assert unicode_name(name) == unicode_
    assert latex_name(name) == latex


def test_declarations_of_symbols() -> None:
    e = parse("tr(S X) + t", where="S: n x n spd invertible; X: n x n; t: scalar").expression
    assert where_text(e) == "S: n x n invertible spd; X: n x n; t: scalar"
    assert where_text(o.symbol("x", (dim("n"), ONE)), o.symbol("y", (ONE, dim("m")))) == "x: n; y: 1 x m"
