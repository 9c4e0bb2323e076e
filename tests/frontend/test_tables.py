"""The shipped tables are those of the grammar."""

import pytest

from mcalc.algebra.operators import SHAPES
from mcalc.frontend import _tables, parse, tables
from mcalc.frontend.calls import CALLS
from mcalc.frontend.declarations import PROPERTIES
from mcalc.frontend.elaborate import _BUILDERS
from mcalc.frontend.parser import _parser, digest, grammar_text
from mcalc.frontend.shapes import FOLDS, RULES


def test_the_tables_are_written_from_the_grammar() -> None:
    assert tables.TARGET.read_text(encoding="utf-8") == tables.tables_text(grammar_text())


def test_the_tables_are_used() -> None:
    assert digest(grammar_text()) == _tables.DIGEST
    assert _parser().source_path == "<deserialized>"


def test_without_tables_the_grammar_is_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "R = y - X W; tr(R^T R) + λ ||W||^2"
    expected = parse(text).expression
    monkeypatch.setattr(_tables, "DIGEST", "of another grammar")
    _parser.cache_clear()
    assert parse(text).expression is expected
    assert _parser().source_path != "<deserialized>"
    monkeypatch.undo()
    _parser.cache_clear()


def test_every_operator_can_be_written() -> None:
    """Every operator has a word, or an infix or postfix form."""
    written = {"add", "neg", "mul", "div", "had", "hdiv", "pow", "power", "hpow", "hpower", "T", "eq", "ge", "gt", "le",
               "lt", "maxall", "minall", "diagm", "diagv", "block", "index"}  # fmt: skip
    assert set(SHAPES) - written <= set(CALLS)


def test_every_rule_of_shape_has_a_builder() -> None:
    assert set(RULES) | set(FOLDS) <= set(_BUILDERS) | {"applied"}


def test_property_words_are_not_dimensions() -> None:
    assert len(set(PROPERTIES)) == len(PROPERTIES) == 10
