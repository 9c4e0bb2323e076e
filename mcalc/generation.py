"""`generate`: from the text of a model to a NumPy module with its loss and gradients.

text ─ frontend ─▶ model ─ prepare, reverse ─▶ adjoint program ─ stack, lower, plan ─▶ lines ─ backend ─▶ module
"""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from mcalc import __version__
from mcalc.collector import uncollected
from mcalc.errors import UsageError

if TYPE_CHECKING:
    from mcalc.model.examination import Examination
    from mcalc.model.ir import Adjoint, Model


@dataclass(frozen=True, repr=False)
class Generated:
    """The module of a model: made by `generate`."""

    model: Model
    plain: str
    """The text, not formatted."""
    adjoint: Adjoint = field(compare=False)
    """The program that the module was made of."""

    def __repr__(self) -> str:
        return f"<the module of {self.name}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @cached_property
    def text(self) -> str:
        """The text of the module, formatted."""
        from mcalc.backends.numpy.module import formatted_text

        return formatted_text(self.plain)

    @cached_property
    def module(self) -> ModuleType:
        """The module itself: `value_and_grad`, `predict`, `init`, `workspace`, …"""
        from mcalc.backends.numpy.module import loaded

        return loaded(self.plain, self.name)

    @cached_property
    def examination(self) -> Examination:
        """How the module compares with the model at random data. Raises VerificationError where they differ."""
        from mcalc.model.examination import examine

        return examine(self.model, self.adjoint, self.module)

    def test(self, module: str = "") -> str:
        """The text of a test module that checks the gradients of `module` by finite differences."""
        return _TEST.format(name=module or self.name, version=__version__)


_TEST = '''"""The gradients of {name} against central differences.

Written by mcalc {version}: mcalc generate --test. It needs pytest and NumPy.
"""

import pytest

import {name}


@pytest.mark.parametrize("seed", range(3))
def test_gradients(seed):
    assert {name}.check_gradients(seed) < 1e-5
'''


UNCHECKED = "the module was not compared with the model: no data were found at which the loss is finite"


@uncollected()
def generate(
    model: str | os.PathLike[str] | Model,
    *,
    sizes: Mapping[str, int] | None = None,
    typical: Mapping[str, int] | None = None,
    verify: bool = True,
) -> Generated:
    """The module of a model, compared with the model at random data before it is given (unless `verify` is False).

    `model` is the name of a shipped model, the path of a model file (`*.mc`), the text of a model, or a model that was
    read; `sizes` gives its `size` statements other values. `typical` gives dimensions about which the module should be
    fast (it is right for all): orders of products are chosen for them. Raises `McalcError`; of these, VerificationError
    where the module does not compute the loss of the model as it stands and its slopes. Warns where no data were found
    to compare them at.

        >>> import mcalc
        >>> mlp = mcalc.generate("mlp").module
    """
    from mcalc.backends.numpy.model import frame_of, rendered
    from mcalc.model.prepare import prepare
    from mcalc.model.reverse import reverse

    found, command = _read(model, sizes or {})
    command += "".join(f" --typical {shlex.quote(f'{key}={value}')}" for key, value in (typical or {}).items())
    adjoint = reverse(prepare(found, in_code=True))
    frame = frame_of(adjoint, found, typical or {})
    for name in typical or {}:
        if name not in frame.sizes:
            raise UsageError(
                f"typical: the model has no dimension {name}",
                hint=f"its dimensions: {', '.join(frame.sizes) or 'none'}",
            )
    made = Generated(found, rendered(frame, command, __version__), adjoint)
    if verify and not made.examination.points:
        warnings.warn(UNCHECKED, stacklevel=3)
    return made


def _read(model: str | os.PathLike[str] | Model, sizes: Mapping[str, int]) -> tuple[Model, str]:
    """The model, and the command that generates its module."""
    from mcalc.model import library

    found = library.read(model, sizes)
    if model is found:
        return found, f"mcalc generate {found.name}"
    text = os.fspath(model) if isinstance(model, os.PathLike) else str(model)
    name = found.name if "\n" in text else os.path.basename(text)
    settings = "".join(f" --set {shlex.quote(f'{key}={value}')}" for key, value in sizes.items())
    return found, f"mcalc generate {shlex.quote(name)}{settings}"


__all__ = ["Generated", "generate"]
