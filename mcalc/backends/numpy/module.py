"""From the parts of a module to its text, and to its functions.

In: a `Module`, or the text of one; out: text that passed the whitelist, formatted by black or not, or what it defines.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mcalc.backends.numpy.emit import Module
from mcalc.backends.numpy.layout import laid_out
from mcalc.backends.numpy.whitelist import check_code, check_module

if TYPE_CHECKING:
    from jinja2 import Template


def plain(module: Module) -> str:
    """The text, checked, not formatted."""
    text = module.source()
    check_module(text)
    return text


def formatted(module: Module) -> str:
    """The text, framed by the template, formatted by black and checked."""
    return formatted_text(
        framed(
            "module.py.jinja",
            docstring=module.docstring,
            imports=module.imports,
            shapes=module.shapes,
            blocks=module.blocks,
        )
    )


def framed(template: str, **context: object) -> str:
    """A template of this package, filled in."""
    return _template(template).render(**context)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string((files("mcalc.backends.numpy") / name).read_text(encoding="utf-8"))


def formatted_text(rough: str) -> str:
    """A text formatted as black formats it, and checked."""
    text = laid_out(rough, ast.parse(rough))
    check_module(text)
    return text


_COUNT = [0]


def compiled(module: Module, name: str) -> Callable[..., Any]:
    """A function of the module. Its source can be read with `inspect.getsource`."""
    function: Callable[..., Any] = getattr(loaded(module.source(), name, "mcalc.generated"), name)
    return function


def loaded(text: str, title: str, name: str = "") -> ModuleType:
    """The module of a text, which is checked; tracebacks show the title, which is its name if there is no other.

    Its source can be read with `inspect.getsource`.
    """
    _COUNT[0] += 1
    place = f"<mcalc {title} {_COUNT[0]}>"
    code = compile(text, place, "exec", dont_inherit=True)
    check_code(code)
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    module = ModuleType(name or title)
    module.__file__ = place
    exec(code, module.__dict__)
    return module
