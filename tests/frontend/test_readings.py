"""What texts mean: the expression, and the shapes that are inferred."""

import pytest

from mcalc.algebra.printing import ascii_text, where_text
from mcalc.frontend import parse

# fmt: off
READINGS = [
    # text; wrt; expression; symbols
    # words
    ("XW", "", "X W", "X: n x m; W: m x d"),
    ("W1X", "", "W1 X", "W1: n x m; X: m x d"),
    ("Xw", "", "X w", "X: n x m; w: m"),
    ("W_hh h", "", "W_hh h", "W_hh: n x m; h: m"),
    ("x_1^T y_1", "", "x_1^T y_1", "x_1: n; y_1: n"),
    ("x_1y", "", "x_1 y", "x_1: scalar; y: scalar"),
    ("lambda x", "", "lambda x", "lambda: scalar; x: n"),
    ("λ x", "", "lambda x", "lambda: scalar; x: n"),
    ("λx", "", "lambda x", "lambda: scalar; x: n"),
    ("λ1 x", "", "lambda1 x", "lambda1: scalar; x: n"),
    ("2x^T x", "", "2 x^T x", "x: n"),
    # transposes and powers
    ("X^TX", "", "X^T X", "X: n x m"),
    ("X^T T", "", "X^T T", "X: n x m; T: n x d"),
    ("X'X", "", "X^T X", "X: n x m"),
    ("(X'X)^{-1}X'y", "", "(X^T X)^-1 X^T y", "X: n x m; y: n"),
    ("X^-1^T", "", "X^-T", "X: n x n"),
    ("X^T^-1", "", "(X^T)^-1", "X: n x n"),
    ("X^{-T}", "", "X^-T", "X: n x n"),
    ("inv(X)'", "", "X^-T", "X: n x n"),
    ("-x^2", "x", "-x^2", "x: scalar"),
    ("x.^-2", "", "x.^-2", "x: n"),
    ("x.^0.5", "", "x.^(1/2)", "x: n"),
    ("x.^(-1/2)", "", "x.^(-1/2)", "x: n"),
    ("e^x", "", "exp(x)", "x: n"),
    ("e^{-x}", "", "exp(-x)", "x: n"),
    ("e^T x", "", "e^T x", "e: n; x: n"),
    ("a^t", "a", "a^t", "a: scalar; t: scalar"),
    # sums
    ("a - b + c", "", "a - b + c", "a: n; b: n; c: n"),
    ("a - (b - c)", "", "a - (b - c)", "a: n; b: n; c: n"),
    ("a - -b", "", "a - (-b)", "a: n; b: n"),
    ("-X y", "", "-X y", "X: n x m; y: m"),
    ("1 - tanh(A).^2", "", "1 - tanh(A).^2", "A: n x m"),
    ("1 + exp(X)'", "", "1 + exp(X)^T", "X: n x m"),
    ("x + 1", "", "x + 1", "x: n"),
    ("softmax(X) / 2 - 1", "", "softmax(X) / 2 - 1", "X: n x m"),
    # products
    ("2 x^T A x (A + A^T) x", "", "2 x^T A x (A + A^T) x", "x: n; A: n x n"),
    ("1/2 x^T A x", "", "1/2 x^T A x", "x: n; A: n x n"),
    ("x^T A x / (x^T x)", "", "x^T A x / (x^T x)", "x: n; A: n x n"),
    ("A (B C)", "", "A (B C)", "A: n x m; B: m x d; C: d x k"),
    ("a .* b .* c", "", "a .* b .* c", "a: n; b: n; c: n"),
    ("2 a .* b ./ c", "", "2 a .* b ./ c", "a: n; b: n; c: n"),
    ("1 ./ x", "", "1 ./ x", "x: n"),
    ("λ .* x", "", "lambda x", "lambda: scalar; x: n"),
    ("x ./ 2", "", "x / 2", "x: n"),
    ("dot(a, b)", "", "a^T b", "a: n; b: n"),
    ("outer(a, b)", "", "a b^T", "a: n; b: m"),
    ("phi*-(1/6)*phi", "", "phi (-1/6) phi", "phi: scalar"),
    # bars
    ("|X|", "", "det(X)", "X: n x n"),
    ("|x|", "x", "abs(x)", "x: scalar"),
    ("log|X|", "", "logdet(X)", "X: n x n"),
    ("log(det(X))", "", "log(det(X))", "X: n x n"),
    ("log det(X)", "", "logdet(X)", "X: n x n"),
    ("|a||b|", "", "abs(a) abs(b)", "a: scalar; b: scalar"),
    ("||x|+|y||", "", "abs(abs(x) + abs(y))", "x: scalar; y: scalar"),
    ("||A x - b||^2 + λ ||x||_1", "", "norm(A x - b)^2 + lambda norm1(x)", "A: n x m; x: m; b: n; lambda: scalar"),
    ("‖X‖", "", "norm(X)", "X: n x m"),
    # functions that are also names
    ("K (y - H x)", "", "K (y - H x)", "K: n x m; y: m; H: m x d; x: d"),
    ("I (A + B) x", "", "I * (A + B) x", "A: n x m; B: n x m; x: m"),
    ("I_n x", "", "I x", "x: n"),
    ("K(m,n) e(1,m*n)", "", "K(m,n) e(1,m*n)", ""),
    ("eye - matrix(1)", "", "I - ones(n,n)", ""),
    ("1_n b", "", "ones(n) b", "b: scalar"),
    ("𝟏^T X", "", "ones(n)^T X", "X: n x m"),
    ("vector(0) + x", "", "zeros(n) + x", "x: n"),
    ("vector(a) + x", "x", "a ones(n) + x", "a: scalar; x: n"),
    ("max(0, X)", "", "relu(X)", "X: n x m"),
    ("max(X, 0)", "", "max(X, 0)", "X: n x m"),
    ("max(X)", "", "max(X)", "X: n x m"),
    ("softmax(x)", "", "softmax(x)", "x: n"),
    ("softmax(X, axis=1)", "", "softmax(X)", "X: n x m"),
    ("sum(X, axis=0)", "", "sum(X, axis=0)", "X: n x m"),
    ("pi", "", "pi", ""),
    # indices and blocks
    ("X[1,2]", "", "X[1,2]", "X: n x m"),
    ("(X A)[1,:] b", "", "(X A)[1,:] b", "X: n x m; A: m x d; b: d"),
    ("X [A, B]", "", "X [A, B]", "X: n x m; A: m x d; B: m x k"),
    ("[A; B] x - [a; b]", "", "[A; B] x - [a; b]", "A: n x m; B: d x m; x: m; a: n; b: d"),
    ("[1, 2; 3, 4]", "", "[1, 2; 3, 4]", ""),
    # habits given up
    ("1/2 x^T A x + b^T x + c", "x", "1/2 x^T A x + b^T x + c", "x: n; A: n x n; b: n; c: scalar"),
    ("tr((y - X W)^T (y - X W))", "W", "tr((y - X W)^T (y - X W))", "y: n x m; X: n x d; W: d x m"),
    ("logdet(A + t B)", "t", "logdet(A + t B)", "A: n x n; t: scalar; B: n x n"),
    ("(y + x) * x", "x", "(y + x) x", "y: scalar; x: scalar"),
    ("norm(y - X β)^2", "β", "norm(y - X beta)^2", "y: n; X: n x m; beta: m"),
    ("tr(kron(A, X))", "X", "tr(kron(A, X))", "A: n x n; X: m x m"),
    ("norm(n A x)", "x", "norm(n A x)", "n: scalar; A: m x d; x: d"),
]
# fmt: on


@pytest.mark.parametrize(("text", "wrt", "expression", "symbols"), READINGS)
def test_reading(text: str, wrt: str, expression: str, symbols: str) -> None:
    parsed = parse(text, wrt=wrt)
    assert ascii_text(parsed.expression) == expression
    assert where_text(parsed.expression) == symbols


# fmt: off
DECLARED = [
    # text; where; expression; its shape
    ("X^Tb", "X: n x m; b: n", "X^T b", ("m", "1")),
    ("x^TX", "x: scalar; TX: scalar", "x^(TX)", ("1", "1")),
    ("K(m,n) vec(X)", "X: m x n", "K(m,n) vec(X)", ("m*n", "1")),
    ("K x", "K: n x n; x: n", "K x", ("n", "1")),
    ("1/n sum(x)", "x: n", "(1 / n) sum(x)", ("1", "1")),
    ("e^x", "e: scalar; x: scalar", "e^x", ("1", "1")),
    ("I x", "I: n x m; x: m", "I x", ("n", "1")),
    ("weight' returns", "weight, returns: n", "weight^T returns", ("1", "1")),
    ("W_1 x", "W1: n x m; x: m", "W1 x", ("n", "1")),
    ("x_{ij} + x_ij", "x_ij: n", "x_ij + x_ij", ("n", "1")),
    ("λ x", "lambda: scalar; x: n", "lambda x", ("n", "1")),
    ("x A b", "x: 1 x n; A: n x m; b: m", "x A b", ("1", "1")),
    ("[X; Y]", "X: n x d; Y: m x d", "[X; Y]", ("m+n", "d")),
    ("kron(X, Y)", "X: n+1 x d; Y: 2*q x d", "kron(X, Y)", ("2*n*q+2*q", "d*d")),
    ("A b", "A: 3x4; b: 4", "A b", ("3", "1")),
    ("A' b", "A: (n, m)\nb: n", "A^T b", ("m", "1")),
    ("sigma (x + y)", "sigma: scalar; x, y: n", "sigma (x + y)", ("n", "1")),
    ("X^(T)", "X: scalar; T: scalar", "X^(T)", ("1", "1")),
    ("a x", "a: scalar positive; x: n positive", "a x", ("n", "1")),
]
# fmt: on


@pytest.mark.parametrize(("text", "where", "expression", "shape"), DECLARED)
def test_declared(text: str, where: str, expression: str, shape: tuple[str, str]) -> None:
    parsed = parse(text, where=where)
    assert ascii_text(parsed.expression) == expression
    assert tuple(str(d) for d in parsed.expression.shape) == shape


def test_properties_are_kept_as_declared() -> None:
    parsed = parse("X x", where="X: n x n spd invertible; x: n positive")
    assert parsed.symbols["X"].expr.attrs == ("X", frozenset({"spd", "invertible"}))
    assert where_text(parsed.expression) == "X: n x n invertible spd; x: n positive"


def test_symbols_say_how_they_were_read() -> None:
    parsed = parse("1/2 x^T A x + b^T x + c + λ s", where="b: m; s: scalar", wrt="x")
    read = {name: (info.inferred, info.reason) for name, info in parsed.symbols.items()}
    assert read == {
        "x": (True, "a lower-case Latin letter is a column vector"),
        "A": (True, "a capital is a matrix"),
        "b": (False, "declared"),
        "c": (True, "a scalar, so that the expression is a scalar"),
        "lambda": (True, "a lower-case Greek letter is a scalar"),
        "s": (False, "declared"),
    }
    assert parsed.dimensions == ("m",)


def test_runs_of_letters_are_noted() -> None:
    assert parse("x' XWz").notes == ("XWz is read as the product X W z; to use one name, declare XWz: n",)
    assert parse("X W z").notes == ()


def test_division_before_a_factor_is_noted() -> None:
    assert parse("a/b c", where="a, b, c: scalar").notes == ("a / b c is read as (a / b) c: from left to right",)
    assert parse("1/2 c").notes == ()


def test_size_from_outside() -> None:
    shape = parse("X", where="X: n x n").expression.shape
    assert parse("I", shape=shape).expression.attrs == (shape[0],)
    assert ascii_text(parse("2 tr(X) I", where="X: n x n", shape=shape).expression) == "2 tr(X) I"
    assert parse("c A x", shape=parse("x").expression.shape).symbols["c"].expr.is_scalar
