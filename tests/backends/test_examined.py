"""A function is compared with the expressions it was made of, on every way through it, before it is given."""

from __future__ import annotations

import re
from dataclasses import replace
from types import FunctionType

import pytest

import mcalc
from mcalc.backends.numpy.emit import Module
from mcalc.backends.numpy.module import compiled
from mcalc.errors import VerificationError
from mcalc.formats import python
from mcalc.formats.examined import examine

NETWORK = "norm(V tanh(U b + W tanh(U a + W h)) - y)^2"
CASES = [
    ("sum(log(1 + exp(X w)))", "w", "gradient"),
    ("sum(log(1 + exp(X w)))", "w", "hessian"),
    ("tr(A X B X^T C)", "X", "gradient"),
    ("norm(tanh(X W) - Y)^2", "W", "hvp"),
    (NETWORK, "W", "hvp"),
]


def parts(text: str, wrt: str, kind: str) -> tuple[mcalc.Derivation, Module]:
    found = mcalc.derive(text, wrt=wrt, kind=kind, where="w : d" if "w" in text else "", steps="none", verify=False)
    assert isinstance(found, mcalc.Derivation)
    return found, python._module([found], [])


@pytest.mark.parametrize(("text", "wrt", "kind"), CASES)
def test_a_wrong_statement_is_found(text: str, wrt: str, kind: str) -> None:
    """With each of its operators in turn another, a function is not what was derived."""
    found, made = parts(text, wrt, kind)
    examine(made, compiled(made, made.name), found.expression)
    place = next(k for k, block in enumerate(made.blocks) if f"def {made.name}(" in block)
    mutants = 0
    for k in (place, place + 1):
        block = made.blocks[k] if k < len(made.blocks) else ""
        if made.name not in block:
            continue
        body = block.index("dtype") if "dtype" in block else 0
        for operator in re.finditer(r"^ +(?!#)\w[^#\n]*? (\+=|-=|\*=) ", block[body:], re.M):
            start = body + operator.start(1)
            other = {"+=": "-=", "-=": "+=", "*=": "+="}[operator[1]]
            changed = f"{block[:start]}{other}{block[start + 2 :]}"
            wrong = replace(made, blocks=(*made.blocks[:k], changed, *made.blocks[k + 1 :]))
            with pytest.raises(VerificationError, match="fails its check"):
                examine(wrong, compiled(wrong, made.name), found.expression)
            mutants += 1
    assert mutants or kind == "gradient"


def test_what_is_wrong_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    right = python._module

    def wrong(*arguments: object) -> Module:
        made = right(*arguments)  # type: ignore[arg-type]
        return replace(made, blocks=tuple(b.replace("return ", "return 2 * ", 1) for b in made.blocks))

    monkeypatch.setattr(python, "_module", wrong)
    found = mcalc.derive("x^T A x", wrt="x", kind="hessian")
    with pytest.raises(VerificationError, match="result is off"):
        found.python()
    with pytest.raises(VerificationError, match="result is off"):
        found.compile()
    assert mcalc.derive("x^T A x", wrt="x", kind="hessian", verify=False).python()


def test_memory_of_a_pass_over_rows_is_there_before_it_is_used() -> None:
    run = mcalc.derive(NETWORK, wrt="W", kind="hvp", steps="none").compile()
    assert isinstance(run, FunctionType) and "rows_of_block" in run.__globals__
