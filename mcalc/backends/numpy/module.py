"""From the parts of a module to its text, and to its functions.

In: a `Module`; out: text that passed the whitelist, formatted by black or not, or a function defined by it.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from mcalc.backends.numpy.emit import WIDTH, Module
from mcalc.backends.numpy.whitelist import check_module
from mcalc.errors import InternalError


def plain(module: Module) -> str:
    """The text, checked, not formatted."""
    text = module.source()
    check_module(text)
    return text


def formatted(module: Module) -> str:
    """The text, framed by the template, formatted by black and checked."""
    import black
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    frame = (files("mcalc.backends.numpy") / "module.py.jinja").read_text(encoding="utf-8")
    rough = environment.from_string(frame).render(
        docstring=module.docstring, imports=module.imports, shapes=module.shapes, blocks=module.blocks
    )
    tree = check_module(rough)
    text: str = black.format_str(rough, mode=black.Mode(line_length=WIDTH))
    if ast.dump(check_module(text)) != ast.dump(tree) and _code(text) != _code(rough):
        raise InternalError("formatting changed the generated code")
    return text


def _code(text: str) -> str:
    """The syntax tree without docstrings, whose indentation black may change."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


_COUNT = [0]


def compiled(module: Module, name: str) -> Callable[..., Any]:
    """A function of the module. Its source can be read with `inspect.getsource`."""
    text = plain(module)
    _COUNT[0] += 1
    place = f"<mcalc {name} {_COUNT[0]}>"
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    namespace: dict[str, Any] = {"__name__": "mcalc.generated"}
    exec(compile(text, place, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function
