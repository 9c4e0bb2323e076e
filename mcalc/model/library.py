"""The shipped models, and models in files: by name or by path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from mcalc.errors import UsageError
from mcalc.frontend.model import read_model
from mcalc.frontend.words import nearest, shorten
from mcalc.model.ir import Model

FILE_LIMIT = 1_000_000
"""The most bytes that a model file may have."""


@cache
def names() -> tuple[str, ...]:
    """The names of the shipped models, sorted."""
    from importlib.resources import files

    return tuple(sorted(p.name[:-3] for p in (files("mcalc") / "models").iterdir() if p.name.endswith(".mc")))


def source(name: str) -> str:
    """The text of a shipped model. Raises `UsageError` for a name that is none."""
    from importlib.resources import files

    if name not in names():
        raise _unknown(name)
    return (files("mcalc") / "models" / f"{name}.mc").read_text(encoding="utf-8")


def load(name_or_path: str, sizes: Mapping[str, int] | None = None) -> Model:
    """The shipped model of this name, or the model in this file; `sizes` gives its `size` statements other values.

    Raises `McalcError`: `UsageError` where there is no such model or file, else what `read_model` raises.
    """
    if name_or_path in names():
        return read_model(source(name_or_path), file=f"{name_or_path}.mc", sizes=sizes)
    if not name_or_path.endswith(".mc") and not os.path.exists(name_or_path):
        raise _unknown(name_or_path)
    return read_model(_file(name_or_path), file=name_or_path, sizes=sizes)


def read(model: str | os.PathLike[str] | Model, sizes: Mapping[str, int] | None = None) -> Model:
    """A model by its name, its path or its text (of several lines); one that was read as it is. Raises as `load`."""
    if isinstance(model, Model):
        return model
    text = os.fspath(model)
    return read_model(text, sizes=sizes) if "\n" in text else load(text, sizes)


def _file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as problem:
        shipped = path.removesuffix(".mc")
        told = f"the shipped model is called {shipped}; its text: mcalc models {shipped}"
        hint = told if shipped in names() else ""
        raise UsageError(f"{path} cannot be read: {(problem.strerror or str(problem)).lower()}", hint=hint) from None
    except ValueError:
        raise UsageError(f"{shorten(path)} is no path") from None
    if len(data) > FILE_LIMIT:
        raise UsageError(f"{path} has more than {FILE_LIMIT} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no UTF-8 text") from None


def _unknown(name: str) -> UsageError:
    message = f"there is no model {shorten(name)}"
    if os.path.exists(f"{name}.mc"):
        return UsageError(message, hint=f"a file is given by its path: {name}.mc")
    near = nearest(name, names())
    hint = f"did you mean {' or '.join(near)}?" if near else "mcalc models lists the shipped ones."
    return UsageError(message, hint=f"{hint} A file is given by its path: model.mc")


def __getattr__(attribute: str) -> tuple[str, ...]:
    if attribute == "SHIPPED":
        return names()
    raise AttributeError(attribute)
