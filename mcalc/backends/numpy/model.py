"""From the adjoint program of a model to the text of its module, and to the module itself."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType, ModuleType

from mcalc.backends.numpy.emit import WIDTH
from mcalc.backends.numpy.model_frame import Frame
from mcalc.backends.numpy.model_module import ModelWriter, Program
from mcalc.backends.numpy.whitelist import check_module
from mcalc.errors import InternalError
from mcalc.model.ir import Adjoint, Model
from mcalc.model.stack import Stacked, stack
from mcalc.program.operations import nominal


def frame_of(
    adjoint: Adjoint, original: Model | None = None, typical: Mapping[str, float] = MappingProxyType({})
) -> Frame:
    """The parts of the module of a model; loops are vectorised where that is possible.

    `typical` are sizes of dimensions for which the code is made to be fast.
    """
    stacked: Stacked = stack(adjoint, lambda d: nominal(d, typical))
    program = Program(
        adjoint.forward, stacked.forward, stacked.backward, adjoint.gradients, dict(stacked.sequences),
        dict(stacked.elements), stacked.stacks,
    )  # fmt: skip
    return ModelWriter(program, original or adjoint.forward, typical).frame()


def rendered(frame: Frame, command: str, version: str) -> str:
    """The text of a module, neither checked nor formatted."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    source = (files("mcalc.backends.numpy") / "model.py.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(**frame.context(command, version))


def formatted(text: str) -> str:
    """The text formatted by black, and checked."""
    import black

    made: str = black.format_str(text, mode=black.Mode(line_length=WIDTH))
    if _code(made) != _code(text):
        raise InternalError("formatting changed the generated code")
    check_module(made)
    return made


def _code(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


_COUNT = [0]


def loaded(text: str, name: str) -> ModuleType:
    """The module of a text, which is checked. Its source can be read with `inspect.getsource`."""
    check_module(text)
    _COUNT[0] += 1
    place = f"<mcalc {name} {_COUNT[0]}>"
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    module = ModuleType(name)
    module.__file__ = place
    exec(compile(text, place, "exec"), module.__dict__)
    return module


__all__ = ["Mapping", "formatted", "frame_of", "loaded", "rendered"]
