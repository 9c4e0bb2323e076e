"""What a user reads when a text is wrong: the class, the message, the marked part, the hint."""

import pytest

from mcalc.errors import (
    AmbiguityError,
    LimitError,
    McalcError,
    NameProblem,
    NotSupported,
    ParseError,
    ShapeError,
    UsageError,
)
from mcalc.frontend import parse

# fmt: off
TEXTS = [
    # text; where; class; message; the part that the caret marks; part of hint or notes
    # syntax
    ("", "", ParseError, "expected an expression", "", ""),
    ("x +", "", ParseError, "expected an expression after +", "+", ""),
    ("x + * y", "", ParseError, "expected an expression after +, not *", "*", ""),
    ("* y", "", ParseError, "expected an expression, not *", "*", ""),
    ("(x", "", ParseError, "( is never closed", "(", ""),
    ("x)", "", ParseError, ") closes nothing", ")", ""),
    ("(x]", "", ParseError, "] does not close (", "(x]", ""),
    ("()", "", ParseError, "expected an expression after (, not the )", ")", ""),
    ("x, y", "", ParseError, "a comma stands in the arguments", ",", ""),
    ("x = 3", "", ParseError, "an expression follows the definitions", "3", "R = y - X W"),
    ("x + (y = 3)", "", ParseError, "= defines a name at the beginning", "=", "=="),
    ("f(x) = x; f(y)", "", ParseError, "a function is defined apart", "=", "swish"),
    ("A == B == C", "", ParseError, "comparisons do not chain", "==", "parentheses"),
    ("X[2:n,:] A", "", ParseError, "a range of rows or columns is not part of the language", ":", "X[1,:] is a row"),
    ("A X[:,1:3]", "", ParseError, "a range of rows or columns is not part of the language", ":", "a matrix of its own"),
    ("x : n", "", ParseError, "a colon stands in an index or a declaration", ":", "--where"),
    ("x**2", "", ParseError, "a power is written ^", "**", "x^2"),
    ("x^", "", ParseError, "expected an expression after ^", "^", ""),
    ("tr X", "", ParseError, "tr is a function: parentheses follow it", "tr", "tr(…)"),
    ("log det X", "", ParseError, "log det is a function", "log det", ""),
    ("tr(X, Y)", "", ParseError, "tr needs one argument, not 2", "tr(X, Y)", ""),
    ("sum(X, 1)", "", ParseError, "sum needs one argument, not 2", "sum(X, 1)", "sum(X, axis=1)"),
    ("softmax(X, 0)", "", ParseError, "softmax needs one argument, not 2", "softmax(X, 0)", "softmax(X, axis=0)"),
    ("norm(X, 2)", "", ParseError, "norm needs one argument, not 2", "norm(X, 2)", "norm1(X)"),
    ("norm(X, nuc)", "nuc: scalar", ParseError, "norm needs one argument, not 2", "norm(X, nuc)", "norm1(X)"),
    ("dot(x)", "", ParseError, "dot needs two arguments, not 1", "dot(x)", ""),
    ("tr(X, axis=1)", "", ParseError, "tr has no axis", "tr(X, axis=1)", ""),
    ("sum(X, axis=2)", "", ParseError, "an axis is 0 (columns), 1 (rows) or all", "2", ""),
    ("axis=1", "", ParseError, "expected an expression, not axis", "axis=", ""),
    ("X[1]", "", ParseError, "an index has a row and a column", "[1]", "[1,1]"),
    ("X[i,1]", "", ParseError, "an index is a positive integer or :", "i", ""),
    ("X[0,1]", "", ShapeError, "row 0 is outside 1..n", "X", ""),
    ("A[4,1]", "A: 3 x 3", ShapeError, "row 4 is outside 1..3", "A", ""),
    ("|x", "", ParseError, "the bar | has no partner", "|", "abs(x)"),
    ("(|x)|", "", ParseError, "the bar | has no partner", "|", ""),
    ("||x||_3", "", NotSupported, "the norm with subscript 3", "_3", ""),
    ("x⁻", "", ParseError, "a raised minus belongs to a number or T", "⁻", ""),
    ("x 2 3", "", AmbiguityError, "two numbers stand side by side", "2 3", "2 * 3"),
    ("2 .5", "", AmbiguityError, "two numbers stand side by side", "2 .5", ""),
    # characters
    ("x & y", "", ParseError, "a comma stands", "&", ""),
    ("x # y", "", ParseError, "# (U+0023, number sign) is not part of the language", "#", "comments"),
    ("é x", "", ParseError, "is not part of the language", "é", "without accents"),
    ("Α x", "", ParseError, "U+0391, greek capital letter alpha", "Α", "looks like the Latin A"),
    ("xⁿ", "", ParseError, "is not part of the language", "ⁿ", "write ^n"),
    ("xᵢ", "", ParseError, "is not part of the language", "ᵢ", "write _i"),
    ("½ x", "", ParseError, "is not part of the language", "½", "write 1/2"),
    ("x\u202ey", "", ParseError, "the character U+202E, right-to-left override", "\u202e", ""),
    ("x\x00y", "", ParseError, "the character U+0000", "\x00", ""),
    ("ж", "", ParseError, "U+0436, cyrillic small letter zhe", "ж", "Latin"),
    ("x != y", "", ParseError, "! is not part of the language", "!", "compare with"),
    ("__import__('os')", "", ParseError, "a subscript belongs to a letter", "_", ""),
    ("X.T X", "", ParseError, "a transpose is written ^T", ".", "X^T"),
    ("x.y", "", ParseError, "a point stands in a number", ".", ""),
    (r"\foo x", "", ParseError, r"\foo is not part of the language", r"\foo", ""),
    (r"\lamda x", "", ParseError, r"\lamda is not part of the language", r"\lamda", r"\lambda"),
    (r"\hat y", "", ParseError, r"\hat is not part of the language", r"\hat", "y_hat"),
    (r"\frac1", "", ParseError, r"\frac needs a numerator and a denominator", r"\frac", r"\frac{a}{b}"),
    (r"\begin{cases} x \end{cases}", "", ParseError, r"\begin is read of matrices only", r"\begin", "bmatrix"),
    (r"A \ b", "", AmbiguityError, "a backslash between factors can be read in two ways", "\\", "A^-1 b"),
    (r"A\b", "", ParseError, r"\b is not part of the language", r"\b", "A^-1 b is the solution of A x = b"),
    ("X(:,1)", "", ParseError, "expected an expression after (, not the :", ":", "X[:,1]"),
    # names
    ("logdetX", "", NameProblem, "logdetX holds the name of the function logdet", "logdetX", "write logdet(…) X"),
    ("a sofmax(x)", "", NameProblem, "there is no function sofmax", "sofmax", "did you mean softmax?"),
    ("ln(x)", "", NameProblem, "there is no function ln", "ln", "log"),
    ("Tr(X)", "", NameProblem, "there is no function Tr", "Tr", "tr"),
    ("weight'*returns", "", NameProblem, "returns is not declared", "returns", "declare returns: n"),
    ("phiX", "", NameProblem, "phiX holds the Greek letter phi", "phiX", "write phi X"),
    ("svd(X)", "", NameProblem, "there is no function svd", "svd", "not a function of the language"),
    ("std(X)", "", NameProblem, "there is no function std", "std", "not a function of the language"),
    ("argmax(x)", "", NameProblem, "there is no function argmax", "argmax", "not a function of the language"),
    ("silu(x)", "", NameProblem, "there is no function silu", "silu", "did you mean x .* sigmoid(x)?"),
    ("lgamma(x)", "", NameProblem, "there is no function lgamma", "lgamma", "not a function of the language"),
    ("layernorm(X)", "", NameProblem, "there is no function layernorm", "layernorm", "not a function of the language"),
    ("gelu(x)", "", NameProblem, "there is no function gelu", "gelu", "erf"),
    ("log_2(x)", "", NameProblem, "there is no function log_2", "log_2", "did you mean log(x) / log(2)?"),
    ("log_3(x)", "", NameProblem, "there is no function log_3", "log_3", "did you mean log?"),
    ("log_{10}(x)", "", NameProblem, "there is no function log_", "log_{10}", "did you mean log(x) / log(10)?"),
    ("log10(x)", "", NameProblem, "there is no function log10", "log10", "did you mean log(x) / log(10)?"),
    ("norm_1(x)", "", NameProblem, "there is no function norm_1", "norm_1", "did you mean norm1?"),
    ("expm1(x)", "", NameProblem, "there is no function expm1", "expm1", "did you mean exp(x) - 1?"),
    ("median(x)", "", NameProblem, "there is no function median", "median", "not a function of the language"),
    ("masked_softmax(x)", "", NameProblem, "there is no function masked_softmax", "masked_softmax", "not a function"),
    ("hypot(x, y)", "", NameProblem, "there is no function hypot", "hypot", "did you mean sqrt(x.^2 + y.^2)?"),
    ("clip(x)", "", NameProblem, "there is no function clip", "clip", "did you mean min(max(x, a), b)?"),
    ("d/dx x^2", "", NameProblem, "d/dx can be read in two ways", "d/dx", "the expression alone"),
    (r"\frac{d}{dx} x^2", "", NameProblem, "d/dx can be read in two ways", r"\frac{d}{dx", "d: scalar"),
    ("d/dx x^2", "d: scalar", None, "", "", ""),
    (r"\sum x_i", "", ParseError, r"\sum is not part of the language", r"\sum", "sum(x)"),
    (r"\nabla f", "", ParseError, r"\nabla is not part of the language", r"\nabla", "the expression alone"),
    ("λ_max(A)", "", NameProblem, "λ_max(…) may be a function or a product", "λ_max", "declare lambda_max: scalar"),
    ("σ(x)", "", NameProblem, "may be the sigmoid function", "σ", "sigmoid(…)"),
    ("sigma(x)", "", NameProblem, "may be the sigmoid function", "sigma", "sigma: scalar"),
    ("R = R + X; R", "", NameProblem, "R is used before it is defined", "R", ""),
    ("X R; R = X; X", "", ParseError, "expected an expression after the ;, not R", "R", ""),
    ("R = S; S = X; R", "", NameProblem, "S is used before it is defined", "S", ""),
    ("R = X; R = Y; R", "", NameProblem, "R is defined twice", "R", ""),
    ("X = A; X", "X: n x m", NameProblem, "X is declared, so it cannot be defined", "X", ""),
    ("tr = A; A", "", NameProblem, "tr is a function", "tr", ""),
    ("ones(x) + x", "x: n", NameProblem, "x is a symbol, and here a dimension", "x", ""),
    ("ones(n-1)", "", ParseError, "a dimension is a name, a positive integer", "n-1", ""),
    ("e(0,n)", "", ShapeError, "e(i,n) needs a positive integer i", "0", ""),
    ("e(5,n)", "x: n", None, "", "", ""),
    # ambiguities
    ("x^2^3", "", AmbiguityError, "a tower of powers", "x^2^3", "(a^b)^c, or a^(b^c)"),
    ("x^-1^2", "", AmbiguityError, "a tower of powers", "x^-1^2", ""),
    ("x.^-1.^-1", "", AmbiguityError, "a tower of powers", "x.^-1.^-1", ""),
    ("x^2²", "", AmbiguityError, "a tower of powers", "x^2²", ""),
    ("x^ab", "", AmbiguityError, "the power ^ab can be read in two ways", "ab", "^a b, or ^(a b)"),
    ("x^T1", "", AmbiguityError, "^T1 can be read in two ways", "^T1", ""),
    ("|a|b|c|", "", AmbiguityError, "these bars can be paired in two ways", "|a|b|c|", ""),
    ("a ∘ X b", "", AmbiguityError, "a matrix product after an elementwise operator", "X b", "(a ∘ X) b, or a ∘ (X b)"),
    ("A ⊗ B x", "", AmbiguityError, "a matrix product after an elementwise operator", "B x", "(A ⊗ B) x, or A ⊗ (B x)"),
    ("X + 1", "", AmbiguityError, "a scalar added to a matrix", "X + 1", "X + ones(n,m), or X + I"),
    ("A + λ", "", AmbiguityError, "a scalar added to a matrix", "A + λ", "A + λ ones(n,m), or A + λ I"),
    ("tanh(A) + B + 1", "", AmbiguityError, "a scalar added to a matrix", "B + 1", ""),
    ("A x y", "", AmbiguityError, "the shapes can be read in two ways", "A x y", "x: scalar, y: column vector"),
    ("e^X", "", AmbiguityError, "e^X of a matrix can be read in two ways", "X", "expm"),
    # shapes
    ("W1 X", "W1: d x m; X: n x d", ShapeError, "product needs columns(W1) = rows(X)", "W1 X", "did you mean X W1?"),
    ("x x", "x: n", ShapeError, "product needs columns(x) = rows(x)", "x x", "did you mean x^T x?"),
    ("X + Y", "X: n x m; Y: m x n", ShapeError, "sum needs operands of one shape", "X + Y", "X : n x m     Y : m x n"),
    ("X - mean(X, axis=0)", "X: n x m", ShapeError, "sum needs operands of one shape", "X - mean(X, axis=0)",
     "ones(n) mean(X, axis=0) has it in every row"),
    ("X .* sum(X, axis=1)", "X: n x m", ShapeError, "elementwise product needs", "X .* sum(X, axis=1)",
     "sum(X, axis=1) ones(1,m) has it in every column"),
    ("b + X W", "X: n x d; W: d x m; b: 1 x m", ShapeError, "sum needs operands of one shape", "b + X W", "ones(n) b has"),
    ("X W + b", "X: n x d; W: d x m; b: m", ShapeError, "sum needs operands of one shape", "X W + b", "ones(n) b^T has"),
    ("x .* y", "x: n; y: m", ShapeError, "elementwise product needs operands of one shape", "x .* y", ""),
    ("tr(X)", "X: n x m", ShapeError, "tr needs a square matrix", "X", "X : n x m"),
    ("X^2", "X: n x m", ShapeError, "a matrix power needs a square matrix", "X", "elementwise"),
    ("X^(1/2)", "", ShapeError, "a matrix power needs an integer exponent", "X", "X.^(1/2)"),
    ("X^t", "", ShapeError, "a power with a symbolic exponent needs scalars", "X", "X.^t"),
    ("A / B", "", ShapeError, "division needs a scalar on the right", "A / B", "inv(B)"),
    ("|x|", "x: n", ShapeError, "|X| needs a square matrix or a scalar", "x", "||x||"),
    ("[A, B]", "A: n x m; B: d x m", ShapeError, "blocks in a row", "A, B", ""),
    ("[A; B]", "A: n x m; B: n x d", ShapeError, "rows of blocks", "A; B", ""),
    ("diag(X)", "X: 1 x n", ShapeError, "diag needs a column vector or a square matrix", "X", ""),
    ("XYZ", "X, Y, Z: n x m", ShapeError, "product needs columns(X)", "XY", "XYZ was read as the product X Y Z"),
    ("a .* X b", "a, b: n; X: n x n", AmbiguityError, "a matrix product after an", "X b", "(a .* X) b, or a .* (X b)"),
    # declarations: the marked text is that of the declarations
    ("x", "x: vector", NameProblem, "vector is no dimension", "x", "x: n is a column vector"),
    ("x", "x: n y: m", ParseError, "expected name: shape after y", ":", ""),
    ("x", "x: n-1", ParseError, "a dimension is a name", "-", ""),
    ("x", "x: 0", ParseError, "a dimension is a positive integer", "0", ""),
    ("x", "x: n; x: m", NameProblem, "x is declared twice", "x", ""),
    ("x", "x: n; n: m", NameProblem, "n is declared as a symbol and used as a dimension", "n", ""),
    ("x", "tr: n", NameProblem, "tr is a word of the language", "tr", ""),
    ("X", "X: n x n symetric", NameProblem, "symetric is not a property", "symetric", "did you mean symmetric?"),
    ("X", "X: n x m spd", ShapeError, "spd needs a square matrix, not n x m", "spd", ""),
    ("X", "X: n x n skew symmetric", ShapeError, "do not go together", "symmetric", ""),
    # limits
    ("9" * 1001, "", LimitError, "numbers have at most 1000 digits", "9" * 1001, ""),
    ("1e5000", "", LimitError, "numbers have at most 1000 digits", "1e5000", ""),
    ("(" * 201 + "x" + ")" * 201, "", LimitError, "brackets are nested more than 200 deep", "(", ""),
]
# fmt: on


@pytest.mark.parametrize(("text", "where", "kind", "message", "marked", "help_"), TEXTS)
def test_error(text: str, where: str, kind: type[McalcError] | None, message: str, marked: str, help_: str) -> None:
    if kind is None:
        parse(text, where=where)
        return
    with pytest.raises(McalcError) as caught:
        parse(text, where=where)
    error = caught.value
    assert type(error) is kind
    assert message in error.message
    assert error.span is not None and error.text in (text, where)
    assert error.text is not None and error.text[error.span.start : error.span.end] == marked
    assert help_ in "\n".join([*error.notes, error.hint])
    assert error.render().startswith("error: ")


WRT = [
    # text; where; wrt; class; message; part of the hint
    ("norm(X)", "", "x", NameProblem, "there is no x", "did you mean X?"),
    ("tr(I(3))", "", "X", NameProblem, "there is no X", "it has no variables"),
    ("norm(W1)", "", "W", NameProblem, "there is no W", "did you mean W1?"),
    ("norm(weight)", "weight: n", "wieght", NameProblem, "there is no wieght", "did you mean weight?"),
    ("weight' x", "", "weight", NameProblem, "weight is not declared", "declare weight: n"),
    ("R = X; norm(R)", "", "R", NameProblem, "R is defined", ""),
    ("norm(X)", "X: n x m", "n", NameProblem, "n is a dimension", ""),
    ("x", "", "2", UsageError, "2 is not a name", ""),
    ("x", "", "__import__", UsageError, "__import__ is not a name", ""),
]


@pytest.mark.parametrize(("text", "where", "wrt", "kind", "message", "hint"), WRT)
def test_variable_of_differentiation(
    text: str, where: str, wrt: str, kind: type[McalcError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as caught:
        parse(text, where=where, wrt=wrt)
    assert message in caught.value.message
    assert hint in caught.value.hint


DEFINE = [
    ("g(x) = sum(x)", ParseError, "the body of g is taken entry by entry"),
    ("g(x) = x'", ParseError, "the body of g is taken entry by entry"),
    ("g(x) = g(x)", NameProblem, "g is defined by itself"),
    ("g(x) = x y", NameProblem, "y is no scalar"),
    ("tr(x) = x", NameProblem, "tr has a meaning already"),
    ("y(x) = x", NameProblem, "y has a meaning already"),
    ("g(g) = g", NameProblem, "g cannot be a parameter"),
    ("x = 2", ParseError, "expected name(x) = expression"),
    ("g(x, y) = 2", ParseError, "expected name(x) = expression"),
    ("g(x) =", ParseError, "expected an expression after the ="),
]


@pytest.mark.parametrize(("definition", "kind", "message"), DEFINE)
def test_elementwise_function(definition: str, kind: type[McalcError], message: str) -> None:
    with pytest.raises(kind) as caught:
        parse("norm(X)", where="X: n x m; y: n", define=[definition])
    assert message in caught.value.message


def test_long_words_are_cut_in_messages() -> None:
    with pytest.raises(NameProblem) as caught:
        parse("X" * 5000)
    assert len(caught.value.message) < 200
