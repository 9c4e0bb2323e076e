"""What the body of a generated function is: lines, what is given back, which helpers it calls."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.statements import Statements
from mcalc.program.ir import Array

VIEWING = frozenset(["T", "flat", "row", "column", "entry", "diagonal_of"])
"""Operations whose text makes a view of their operand: a result must not share memory with an argument."""


@dataclass(frozen=True, slots=True)
class Body:
    """The lines before the return, the text of each output by its label, and the helpers that they call."""

    lines: Sequence[str]
    returned: Mapping[str, str]
    helpers: frozenset[str]
    rows: RowPass | None = None
    """The same in one pass over the data, for large data."""

    @property
    def names(self) -> set[str]:
        """The names that the lines and the returned texts read."""
        code = "\n".join(["pass", *self.lines, *self.returned.values()])
        found = {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
        return found if self.rows is None else {*found, *self.rows.body.names, *self.rows.sizes}


@dataclass(frozen=True, slots=True)
class RowPass:
    """A body that takes the data in blocks of rows."""

    body: Body
    data: str
    """The argument that is largest."""
    length: str
    """The name of the number of rows of a block."""
    helper: str
    """The function of the module that tells this number."""
    sizes: tuple[str, ...]
    """The dimensions that the helper reads."""


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


def returned(statements: Statements, results: Mapping[str, Array]) -> dict[str, str]:
    """Names and short texts; a copy of what would share memory with an argument or with an output before."""
    texts: dict[str, str] = {}
    owners: set[Array] = set()
    for label, a in results.items():
        text = statements.text(a)
        texts[label] = f"{text.atom}.copy()" if shares(a, owners) else text.code
    return texts


def shares(a: Array, owners: set[Array]) -> bool:
    """Whether a result would share memory with an argument or with one before it, whose `owners` these are."""
    owner = viewed(a)
    shared = bool(a.rank) and (owner.op == "arg" or owner in owners)
    owners.add(owner)
    return shared


def viewed(a: Array) -> Array:
    """The array whose memory an array shares."""
    while a.op in VIEWING:
        a = a.args[0]
    return a
