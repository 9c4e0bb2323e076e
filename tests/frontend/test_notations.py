"""One expression, many spellings: LaTeX, Unicode, MATLAB and matrixcalculus.org."""

import pytest

from mcalc.frontend import parse

WHERE = (
    "A, B: n x n; X: n x m; C: m x n; x, y: n; z: m; lambda, mu, t: scalar; Sigma: n x n; W_hh: n x n; "
    "beta: m; x_1: n; X_1: n x m"
)

# fmt: off
SPELLINGS = [
    # in the ASCII form; the same otherwise
    ("X^T A x", [r"X^\top A x", r"X^{\top} A x", r"X^{T}Ax", "XᵀAx", "X'*A*x", "X'Ax", r"\mathbf{X}^\top \mathbf Ax",
                 r"X^\intercal A\,x", "X.' * A * x", "X^⊤ A x", "X' @ A @ x", r"X^{\mathsf T} A x",
                 r"X^\mathrm{T} A x", "X′ A x", "X^T·A·x", r"X^T \cdot A \cdot x", "X^T × A × x", r"{X}^{T} {A} {x}"]),
    ("A^-1 x", ["A^{-1} x", "A⁻¹x", "inv(A)*x", "inv(A) x", "A^(-1) x"]),
    ("A^-T x", ["A^{-T} x", r"A^{-\top}x", "A⁻ᵀ x", "inv(A)' x", "(A^-1)^T x"]),
    ("A^2", ["A²", "A^{2}", "A^(2)"]),
    ("x^T A x", [r"x^\top A x", "xᵀAx", "x'*A*x", r"\mathbf x^{\top}\!A\;\mathbf x", "𝐱ᵀ𝐀𝐱"]),
    ("1/2 x^T A x", [r"\frac12 x^\top A x", r"\frac{1}{2} x^T A x", r"\tfrac 1 2 x'Ax", r"\frac1{2}x^TAx"]),
    ("0.5 x^T x", ["0.5*x'*x", ".5 x'x", "5e-1 x'x", "0.5xᵀx"]),
    ("(t / lambda) x", [r"\frac{t}{\lambda} x", r"\dfrac t\lambda x", "t/λ x"]),
    ("x .* y", ["x.*y", "x ∘ y", "x ⊙ y", r"x \circ y", r"x \odot y"]),
    ("x ./ y", ["x./y", "x ⊘ y", r"x \oslash y"]),
    ("kron(A, X)", ["A ⊗ X", r"A \otimes X", r"\operatorname{kron}(A, X)"]),
    ("x.^2", [r"x^{\odot 2}", r"x^{\circ 2}", "x.^{2}", "x .^ 2"]),
    ("tr(A B)", [r"\operatorname{tr}(A B)", r"\operatorname{tr}\left(AB\right)", r"\tr(AB)", r"\Tr(A B)", "trace(A*B)",
                 r"\mathrm{tr}(AB)", r"\text{tr}(AB)", r"\operatorname{Tr}\bigl(A B\bigr)", "tr( A  B )"]),
    ("logdet(A)", ["log|A|", r"\log\det(A)", r"\log\left|A\right|", r"\log\det\left(A\right)", "log det(A)",
                   r"\ln \lvert A \rvert", r"\log \det (A)"]),
    ("det(A)", ["|A|", r"\det(A)", r"\lvert A \rvert", r"\left| A \right|"]),
    ("abs(t)", ["|t|", r"\lvert t \rvert"]),
    ("norm(x)^2", ["||x||^2", "‖x‖²", r"\lVert x \rVert^2", r"\|x\|^2", r"\left\| x \right\|_2^2", "norm2(x)^2",
                   r"\Vert x\Vert_2^2", "∥x∥^2"]),
    ("norm(X)", ["||X||_F", r"\lVert X \rVert_{F}", "norm2(X)"]),
    ("norm1(x)", ["||x||_1", r"\lVert x \rVert_1", "‖x‖_1", r"\|x\|_{1}"]),
    ("lambda x", ["λ x", "λx", r"\lambda x", r"\lambda\mathbf{x}", "lambda*x"]),
    ("mu x", ["µ x", "μ x", r"\mu x"]),
    ("Sigma^-1 x", ["Σ⁻¹x", r"\Sigma^{-1} x", r"\boldsymbol{\Sigma}^{-1}x", r"\mathbf\Sigma^{-1} x"]),
    ("X beta", ["X β", "Xβ", r"X \beta", r"\mathbf X \boldsymbol\beta"]),
    ("W_hh x", ["W_{hh} x", r"\mathbf{W}_{hh} x"]),
    ("x_1^T y", ["x_{1}^T y", r"\mathbf x_1^\top y", r"\mathbf{x}_{1}^\top y"]),
    ("ones(n)^T x", ["1_n^T x", "𝟏_n^T x", r"\mathbf{1}_n^\top x", r"\mathbf 1_{n}^\top x", r"\mathbb{1}_n^T x", "𝟏ᵀx",
                     "vector(1)'*x", "1_{n}^T x"]),
    ("A - lambda I", ["A - λI", "A-λI_n", r"A - \lambda I", r"A - \lambda\mathbf{I}"]),
    ("A I x", ["AI x", "AIx", "A I(n) x", "AI(n) x"]),
    ("t exp(t)", ["te^t", "t e^t"]),
    ("A - I", ["A - eye", "A-eye(n)", r"A - I_n", r"A - \mathbf{I}", "A − I", r"A - \mathbf I_{n}"]),
    ("A - ones(n,n)", ["A - matrix(1)", r"A - \mathbf 1_{n \times n}", "A-ones(n,n)"]),
    ("A x - y", ["A*x-y", "Ax − y", r"A\mathbf{x} - \mathbf{y}", "(A x - y)", r"\left(Ax-y\right)", r"\{A x - y\}"]),
    ("sqrt(t)", [r"\sqrt{t}", r"\operatorname{sqrt}(t)"]),
    ("exp(t)", ["e^t", r"\exp(t)", "e^{t}", r"\exp\left(t\right)"]),
    ("exp(-t)", ["e^{-t}", "e^-t", "e^(-t)"]),
    ("relu(A x)", ["max(0, A x)", r"\max(0, A x)", r"\operatorname{relu}(Ax)"]),
    ("[A, X; C, C X]", [r"\begin{bmatrix} A & X \\ C & C X \end{bmatrix}",
                        r"\begin{pmatrix} A & X \\ C & CX \\ \end{pmatrix}",
                        "[A,X;C,C*X]"]),
    ("X[1,2]", ["X_{1,2}", "X[ 1 , 2 ]"]),
    ("(x >= y)", ["x ≥ y", r"x \ge y", r"x \geq y", r"\mathbb{1}[x \ge y]", "x ⩾ y"]),
    ("(x == y)", [r"\mathbb{1}[x = y]"]),
    ("softmax(X, axis=0)", [r"\operatorname{softmax}(X, \mathrm{axis}=0)", "softmax(X,axis=0)"]),
    ("pi t", ["π t", r"\pi t", "πt"]),
]
# fmt: on


@pytest.mark.parametrize(("text", "other"), [(text, other) for text, others in SPELLINGS for other in others])
def test_spellings(text: str, other: str) -> None:
    assert parse(other, where=WHERE).expression is parse(text, where=WHERE).expression
