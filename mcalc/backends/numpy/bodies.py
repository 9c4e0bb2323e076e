"""What the body of a generated function is: lines, what is given back, which helpers it calls."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcalc.algebra.expr import Expr
from mcalc.program.ir import Array

VIEWING = frozenset(["T", "flat", "row", "column", "entry", "diagonal_of"])
"""Operations whose text makes a view of their operand: a result must not share memory with an argument."""


@dataclass(frozen=True, slots=True)
class Body:
    """The lines before the return, the text of each output by its label, and the helpers that they call."""

    lines: Sequence[str]
    returned: Mapping[str, str]
    helpers: frozenset[str]

    @property
    def names(self) -> set[str]:
        """The names that the lines and the returned texts read."""
        code = "\n".join(["pass", *self.lines, *self.returned.values()])
        return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}


class Writer(Protocol):
    """Writes the body that computes outputs."""

    def __call__(
        self,
        outputs: Mapping[str, Expr],
        *,
        arguments: Sequence[tuple[str, Expr]],
        sizes: Mapping[str, str],
        derivatives: frozenset[str],
        taken: set[str],
    ) -> Body:
        """The body.

        `arguments` and `sizes` give the names that symbols and dimensions go by; `derivatives` are the labels of
        outputs that are derivatives (conventions at kinks); names in `taken` are not used for temporaries. Raises
        NotSupported where an operator has no NumPy form.
        """


def viewed(a: Array) -> Array:
    """The array whose memory an array shares."""
    while a.op in VIEWING:
        a = a.args[0]
    return a
