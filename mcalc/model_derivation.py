"""The public result of deriving a model, and `derive_model`, which makes it.

text ─ frontend ─▶ model ─ prepare, reverse ─▶ adjoint program ─ explain ─▶ lines ─ model.proof ─▶ ModelDerivation
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcalc.algebra.expr import Expr
from mcalc.errors import UsageError
from mcalc.rewrite.derivation import Derived

if TYPE_CHECKING:
    from mcalc.model.explain import Explained
    from mcalc.model.ir import Adjoint, Model
    from mcalc.model.proof import ModelVerification
    from mcalc.model.reverse import Trace

STEPS = ("brief", "full", "none")


@dataclass(frozen=True)
class ModelDerivation:
    """The gradients of a model by its parameters, as recurrences. Made by `derive_model`.

    `verification` is None where it was not asked for; `details` holds the derivation of each definition's adjoint,
    where all steps were asked for.
    """

    model: Model = field(repr=False)
    trace: Trace = field(repr=False)
    verification: ModelVerification | None
    steps: str = "brief"
    details: tuple[tuple[Expr, Derived], ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def adjoint(self) -> Adjoint:
        """The adjoint program, with the model as it was prepared (`adjoint.forward`)."""
        return self.trace.adjoint

    @cached_property
    def explained(self) -> Explained:
        """Definitions, cotangents and gradients, line by line, with their rules."""
        from mcalc.model.explain import explain

        return explain(self.trace)

    @cached_property
    def gradients(self) -> dict[str, tuple[Expr, ...]]:
        """Parameter to the symbols of its gradient, which `explained.gradients` define."""
        return dict(self.adjoint.gradients)

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """Under which conditions the gradients hold, as ASCII phrases."""
        from mcalc.calculus.conditions import conditions, strongest
        from mcalc.model.explain import lines_of

        found: dict[str, None] = {}
        for line in lines_of(self.explained.definitions):
            found.update(dict.fromkeys(conditions(line.value, [], self.trace.gathering.uses.moving_nodes(line.value))))
        return strongest(found)

    def text(self, unicode: bool = True, width: int = 100) -> str:
        """The derivation as a person reads it in a terminal."""
        from mcalc.formats.model import text

        return text(self, unicode=unicode, width=width)

    def latex(self) -> str:
        """The derivation as a LaTeX `align*` environment (package amsmath)."""
        from mcalc.formats.model_latex import latex

        return latex(self)

    def markdown(self) -> str:
        """The derivation as Markdown with LaTeX formulas."""
        from mcalc.formats.model_latex import markdown

        return markdown(self)

    def json(self) -> dict[str, Any]:
        """The derivation as the object that `mcalc derive model.mc --format json` prints."""
        from mcalc.formats.model_json import json

        return json(self)

    to_dict = json

    def verify(self, seed: int = 0) -> ModelVerification:
        """Proves and measures the gradients, again. Raises `VerificationError` where that fails."""
        from mcalc.model.proof import verify_model

        return verify_model(self.model, self.trace, seed)

    def __str__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text(), "text/latex": self.latex()}


def derive_model(
    model: str | os.PathLike[str] | Model,
    wrt: str | Sequence[str] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    steps: str = "brief",
    verify: bool = True,
) -> ModelDerivation:
    """The gradients of a model's loss, as recurrences, proved and checked.

    `model` is the name of a shipped model, the path of a model file (`*.mc`), the text of a model, or a model that was
    read; `wrt` names parameters (None: all); `sizes` gives its `size` statements other values; `steps` is "brief",
    "full" (with the derivation of each definition's adjoint) or "none" (the gradients alone).

    Raises `McalcError` as `derive`.

        >>> import mcalc
        >>> print(mcalc.derive_model("rnn").text())
    """
    from mcalc.model import library
    from mcalc.model.prepare import prepare
    from mcalc.model.reverse import trace

    if steps not in STEPS:
        raise UsageError(f"steps is one of {', '.join(STEPS)}, not {steps!r}")
    read = library.read(model, sizes)
    found = trace(prepare(read), [wrt] if isinstance(wrt, str) else wrt)
    details: list[tuple[Expr, Derived]] = []
    verification = None
    if steps == "full":
        details = adjoints(found)
    if verify:
        from mcalc.model.proof import verify_model
        from mcalc.verify.proof import prove

        for _, derived in details:
            prove(derived)
        verification = verify_model(read, found)
    return ModelDerivation(read, found, verification, steps, tuple(details))


def adjoints(trace: Trace) -> list[tuple[Expr, Derived]]:
    """For each definition that hands something back: its target, and the derivation of tr(N_bar^T dV)."""
    from mcalc.model.ir import definitions
    from mcalc.model.proof import claims
    from mcalc.pipeline import derive_gradients

    found = []
    uses = claims(trace.gathering)
    for reader in definitions(trace.adjoint.forward.statements):
        if reader in uses:
            root = trace.gathering.paired(reader.target, reader.value)
            variables = tuple(dict.fromkeys(use.symbol for use in uses[reader]))
            found.append((reader.target, derive_gradients(root, variables, "f")))
    return found


__all__ = ["ModelDerivation", "derive_model"]
