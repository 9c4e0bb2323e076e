"""Definitions before the expression, elementwise functions of the user, variables of differentiation."""

import pytest

from mcalc.algebra.printing import ascii_text, where_text
from mcalc.errors import NameProblem
from mcalc.frontend import parse


def test_definitions_are_put_in() -> None:
    parsed = parse("R = y - X w; S = R^T R; S / 2 + norm(R)")
    assert ascii_text(parsed.expression) == "(y - X w)^T (y - X w) / 2 + norm(y - X w)"
    assert {name: ascii_text(e) for name, e in parsed.definitions.items()} == {
        "R": "y - X w",
        "S": "(y - X w)^T (y - X w)",
    }
    assert list(parsed.symbols) == ["y", "X", "w"]


def test_a_definition_may_have_a_long_name() -> None:
    parsed = parse("resid = y - X w; resid' resid; ")
    assert ascii_text(parsed.expression) == "(y - X w)^T (y - X w)"


def test_a_defined_name_prints_as_its_name() -> None:
    parsed = parse("R = y - X w; R^T R")
    names = {e: name for name, e in parsed.definitions.items()}
    assert ascii_text(parsed.expression, names) == "R^T R"


def test_scalars_go_to_elementwise_definitions() -> None:
    assert ascii_text(parse("H = tanh(X W); 1 - H.^2").expression) == "1 - tanh(X W).^2"
    assert ascii_text(parse("H = tanh(X W); 1 - H").expression) == "1 - tanh(X W)"


# fmt: off
FUNCTIONS = [
    # definitions; text; expression; symbols
    (["swish(x) = x sigmoid(x)"], "swish(X W)", "(X W) .* sigmoid(X W)", "X: n x m; W: m x d"),
    (["swish(x) = x sigmoid(x)"], "swish(t)", "t .* sigmoid(t)", "t: n"),
    (["swish(x) = x * sigmoid(x)"], "swish(a^T b)", "(a^T b) sigmoid(a^T b)", "a: n; b: n"),
    (["f(x) = 1/(1 + e^(-x))"], "f(X)", "1 ./ (1 + exp(-X))", "X: n x m"),
    (["f(x) = 1/(1 + e^(-x))"], "f(α)", "1 / (1 + exp(-alpha))", "alpha: scalar"),
    (["f(x) = x^2 / 2"], "f(X)", "X.^2 / 2", "X: n x m"),
    (["f(x) = 2 x^3 x"], "f(X)", "2 (X.^3 .* X)", "X: n x m"),
    (["f(x) = x^beta"], "f(X)", "X.^beta", "X: n x m; beta: scalar"),
    (["f(x) = 2^x"], "f(X)", "exp(log(2) X)", "X: n x m"),
    (["f(x) = |x|"], "f(X)", "abs(X)", "X: n x m"),
    (["f(x) = max(0, x) - max(x, beta x)"], "f(X)", "relu(X) - max(X, beta X)", "X: n x m; beta: scalar"),
    (["f(x) = x (x > 0)"], "f(X)", "X .* (X > 0)", "X: n x m"),
    (["f(x) = 3"], "f(X)", "3 ones(n,m)", ""),
    (["f(x) = x"], "f(X)", "X", "X: n x m"),
    (["g(x) = x^2", "f(x) = g(x) + g(2 x)"], "f(X)", "X.^2 + (2 X).^2", "X: n x m"),
    (["σ(x) = sigmoid(x)"], "σ(x)", "sigmoid(x)", "x: n"),
    (["f(y) = y^2"], "f(x) + y", "x.^2 + y", "x: n; y: n"),
]
# fmt: on


@pytest.mark.parametrize(("define", "text", "expression", "symbols"), FUNCTIONS)
def test_elementwise_functions(define: list[str], text: str, expression: str, symbols: str) -> None:
    parsed = parse(text, define=define)
    assert ascii_text(parsed.expression) == expression
    assert where_text(parsed.expression) == symbols


def test_a_free_name_in_a_function_is_a_scalar() -> None:
    parsed = parse("sum(f(X))", where="b: scalar positive", define=["f(x) = log(a + b x^2)"])
    assert parsed.symbols["a"].expr.is_scalar and parsed.symbols["a"].inferred
    assert parsed.symbols["b"].expr.attrs[1] == {"positive"}
    assert parsed.functions["f"].body.op == "log"


@pytest.mark.parametrize("wrt", ["w, X", ["w", "X"], "w;X", [" w ", "X"]])
def test_several_variables(wrt: str | list[str]) -> None:
    parsed = parse("norm(X w - y)", wrt=wrt)
    assert [v.name for v in parsed.wrt] == ["w", "X"]


def test_spellings_of_a_variable() -> None:
    assert parse("λ^2 x", wrt="λ").wrt == parse("lambda^2 x", wrt="lambda").wrt
    assert parse("norm(x_{ij})", wrt="x_ij").wrt[0].name == "x_{ij}"
    assert parse(r"\lambda_1^2", wrt="λ_1").wrt[0].name == "lambda_1"


def test_a_variable_that_does_not_occur() -> None:
    declared = parse("tr(A B)", where="X: p x q", wrt="X")
    assert [str(d) for d in declared.wrt[0].shape] == ["p", "q"]
    assert declared.notes == ("X does not occur in the expression",)
    assert list(declared.symbols) == ["A", "B", "X"]
    with pytest.raises(NameProblem, match="there is no t in the expression"):
        parse("a^T b", wrt="t")


def test_dimensions_are_numbers() -> None:
    parsed = parse("sum(x) / n + m", where="x: n; X: n x m")
    assert ascii_text(parsed.expression) == "sum(x) / n + m"
    assert parsed.dimensions == ("n", "m")
    assert ascii_text(parse("1_n^T x / n").expression) == "ones(n)^T x / n"
