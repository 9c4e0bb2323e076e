"""From the adjoint program of a model to the text of its module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from mcalc.backends.numpy.model_choice import EXPANDED, RESIDUAL
from mcalc.backends.numpy.model_frame import Frame
from mcalc.backends.numpy.model_module import Program, frame
from mcalc.backends.numpy.module import framed
from mcalc.model.ir import Adjoint, Model
from mcalc.model.stack import Stacked, stack
from mcalc.program.operations import nominal
from mcalc.program.orders import orders
from mcalc.program.procedure import lower_procedure
from mcalc.program.residuals import expanded


def frame_of(
    adjoint: Adjoint, original: Model | None = None, typical: Mapping[str, float] = MappingProxyType({})
) -> Frame:
    """The parts of the module of a model; loops are vectorised where that is possible.

    `typical` are sizes of dimensions for which the code is made to be fast.
    """

    gradients = [e for found in adjoint.gradients.values() for e in found]

    def lowered(told: Mapping[str, float]) -> Program:
        stacked: Stacked = stack(adjoint, lambda d: nominal(d, told))
        given_back = [adjoint.forward.loss, *gradients]
        phases = {"forward": stacked.forward, "backward": stacked.backward}
        return Program(
            adjoint.forward, stacked.forward, stacked.backward, adjoint.gradients, dict(stacked.sequences),
            dict(stacked.elements), stacked.stacks,
            lower_procedure(phases, stacked.elements, given_back, told, stacked.stacks),
        )  # fmt: skip

    programs = orders(lowered, typical)
    usual = next(iter(programs.values()))
    model = original or adjoint.forward
    data = {e for a in model.arguments if a.kind == "input" for e in a.symbols}
    found = expanded(usual.procedure, [adjoint.forward.loss, *gradients], data) if len(programs) == 1 else None
    if found is None:
        return frame(programs, model)
    made = frame({RESIDUAL: usual, EXPANDED: replace(usual, procedure=found.procedure)}, model, found.residuals)
    alike = len({case.rows is None for case in made.cases.values()}) == 1
    return made if alike else frame(programs, model)


def rendered(frame: Frame, command: str, version: str) -> str:
    """The text of a module, neither checked nor formatted."""
    return framed("model.py.jinja", **frame.context(command, version))
