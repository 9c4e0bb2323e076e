"""A derivation as a NumPy module, and as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mcalc.errors import NotSupported

if TYPE_CHECKING:
    from mcalc.derivation import Derivation


def module(results: Sequence[Derivation]) -> str:
    """The module's text."""
    raise NotSupported("no NumPy code is written for this derivative", code="python")


def function(results: Sequence[Derivation]) -> Callable[..., Any]:
    """The function `value_and_grad`."""
    raise NotSupported("no NumPy code is written for this derivative", code="python")
