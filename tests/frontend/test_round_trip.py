"""What is printed parses back to the same node, in every notation."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mcalc.algebra.expr import Expr
from mcalc.algebra.printing import ascii_text, latex_text, unicode_text, where_text
from mcalc.frontend import parse
from tests.generators import Generator

DIMENSIONS = "rows: n x m; more: k"
"""Declares the dimensions that a text may use as numbers."""


def back(text: str, e: Expr) -> Expr:
    return parse(text, where=[where_text(e), DIMENSIONS], shape=e.shape).expression


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**40), depth=st.integers(0, 4))
def test_round_trip(seed: int, depth: int) -> None:
    generator = Generator(seed)
    e = generator.expression(generator.shape(), depth)
    assert back(ascii_text(e), e) is e
    assert back(unicode_text(e), e) is e


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**40), depth=st.integers(0, 4))
def test_round_trip_of_latex(seed: int, depth: int) -> None:
    generator = Generator(seed, without=("sigmoid", "unit"))
    e = generator.expression(generator.shape(), depth)
    assert back(latex_text(e), e) is e


def test_round_trip_of_many() -> None:
    for seed in range(1000):
        generator = Generator(seed)
        e = generator.expression(generator.shape(), 3)
        assert back(ascii_text(e), e) is e, ascii_text(e)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_printing_is_stable(seed: int) -> None:
    generator = Generator(seed)
    e = generator.expression(generator.shape(), 3)
    again = Generator(seed).expression(Generator(seed).shape(), 3)
    assert ascii_text(e) == ascii_text(back(ascii_text(e), e))
    assert where_text(again) == where_text(Generator(seed).expression(Generator(seed).shape(), 3))


def test_differentials() -> None:
    for text in ("dX", "d(y - X W)", "tr((-X dW)^T (y - X W))", "dlambda x + lambda dx", "dW_hh", "d(X^T X)"):
        e = parse(text, differentials=True).expression
        assert ascii_text(e) == text
        assert parse(ascii_text(e), where=where_text(e), differentials=True).expression is e
        assert parse(latex_text(e), where=where_text(e), differentials=True).expression is e
    assert ascii_text(parse("dX").expression) == "d X"
