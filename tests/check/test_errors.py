"""Malformed proofs: what is wrong, the line, and a caret under it; nothing is evaluated."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

import pytest

from mcalc.check import check
from mcalc.errors import McalcError

# fmt: off
MALFORMED = [
    # text, words of the message, the text under the caret
    ("f = x^T x\nhello",                        "equation or a declaration",        "hello"),
    ("f = x^T x\ndf = 2 (x^T dx",               "never closed",                     "("),
    ("f = x^T x\ndf = 2 x^T) dx",               "closes nothing",                   ")"),
    ("where A: n y n\nf = x^T A x",             "not a property",                   "y"),
    ("f = x^T x\ndf =",                         "expected an expression",           "df"),
    ("= 3",                                     "left-hand side",                   "="),
    ("f = x^T x\ndL = 2 x^T dx",                "L is not defined",                 "dL"),
    ("f = x^T x\ngrad_z = 2 z",                 "no variable z",                    "grad_z"),
    ("grad_x = 2 x",                            "last definition",                  "grad_x"),
    ("u = A x\ngrad_x = A",                     "that of a scalar",                 "grad_x"),
    ("where A: n x m; x: m\nf = x^T A x",       "columns",                          "x^T A"),
    ("f = x^T x\ndf = 2 y^T A dx\ng = $",       "not part of the language",         "$"),
    ("f = x^T x\n\\nabla_x g = 2 x",            "g is not defined",                 "\\nabla_x g"),
    ("f = x^T x\ndf = 2 x^T dx +",              "expression after",                 "+"),
    ("",                                        "no proof",                         ""),
    ("# only a comment\n",                      "no proof",                         ""),
]
# fmt: on


@pytest.mark.parametrize(("text", "words", "under"), MALFORMED, ids=lambda c: repr(c)[:30])
def test_malformed(text: str, words: str, under: str) -> None:
    with pytest.raises(McalcError) as caught:
        check(text, source="p.proof")
    error = caught.value
    assert words in error.message
    assert error.exit_code == 2
    if under:
        assert error.span is not None
        shown = text[error.span.start : error.span.end]
        assert shown == under or under in shown
        assert "^" in error.render()


def test_the_place_of_an_error_behind_definitions() -> None:
    with pytest.raises(McalcError) as caught:
        check("where A: m x n; x: n\nr = A x\nf = r^T r   # loss\ndf = 2 r^T x dx\n", source="p.proof")
    assert "p.proof:4:" in caught.value.render()


HOSTILE = ["(" * 10_000, "f = " + "(" * 10_000, "f = " + "-" * 20_000 + "x", "a" * 200_000, "=" * 9000]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_input_is_refused(text: str) -> None:
    with pytest.raises(McalcError):
        check(text)


SLOW = [
    "where x" + " " * 19_000 + "y: n\nf = x^T x",
    "f = " + "<a" * 9_000,
    "\\begin{align}\n" + ("\\text{" * 3_000 + "\n") * 4,
    "\n".join(["f = x^T x"] + ["= x^T x"] * 1_000),
    "f = " + "⟨" * 19_000,
    "#" + " " * 19_000 + "\n" + " " * 19_000 + "a",
    "where " + "x, " * 6_000 + ": n",
]


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_hostile_input_takes_no_time(text: str) -> None:
    start = perf_counter()
    with suppress(McalcError):
        check(text)
    assert perf_counter() - start < 10
