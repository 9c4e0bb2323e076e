"""mcalc: matrix calculus from a line of text to a proved closed form.

    >>> import mcalc
    >>> print(mcalc.derive("tr((y - X W)^T (y - X W))", wrt="W").result)
    2 X^T (X W - y)

Public names are loaded when they are first used, so that `import mcalc` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mcalc.algebra.expr import Expr
    from mcalc.check import check
    from mcalc.derivation import Derivation, Derivations, derive
    from mcalc.errors import McalcError
    from mcalc.frontend import Parsed, parse
    from mcalc.generation import Generated, generate
    from mcalc.interop import equal, from_sympy, to_sympy
    from mcalc.model_derivation import ModelDerivation, derive_model

_PLACES = {
    # public name: the module that has it
    "Derivation": "mcalc.derivation",
    "Derivations": "mcalc.derivation",
    "Expr": "mcalc.algebra.expr",
    "Generated": "mcalc.generation",
    "McalcError": "mcalc.errors",
    "ModelDerivation": "mcalc.model_derivation",
    "Parsed": "mcalc.frontend",
    "check": "mcalc.check",
    "derive": "mcalc.derivation",
    "derive_model": "mcalc.model_derivation",
    "equal": "mcalc.interop",
    "from_sympy": "mcalc.interop",
    "generate": "mcalc.generation",
    "parse": "mcalc.frontend",
    "to_sympy": "mcalc.interop",
}

__all__ = [
    "Derivation",
    "Derivations",
    "Expr",
    "Generated",
    "McalcError",
    "ModelDerivation",
    "Parsed",
    "__version__",
    "check",
    "derive",
    "derive_model",
    "equal",
    "from_sympy",
    "generate",
    "parse",
    "to_sympy",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'mcalc' has no attribute '{name}'")
    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
