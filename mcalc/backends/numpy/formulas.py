"""The body of a function as formulas: one expression for each definition, as one writes it by hand.

In: outputs as expressions by label; out: lines, each a definition with its mathematics and its shape in a comment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.bodies import Body, shares
from mcalc.backends.numpy.comments import mathematics
from mcalc.backends.numpy.helpers import called
from mcalc.backends.numpy.text import TEXTS, Place, Text
from mcalc.program import Array, Program, program_of
from mcalc.program.ir import arrays, folded
from mcalc.program.operations import ATOMS, VIEWS

WIDTH = 100
"""The longest line that keeps its comment behind the code."""


def formulas(
    outputs: Mapping[str, Expr],
    *,
    arguments: Sequence[tuple[str, Expr]],
    sizes: Mapping[str, str],
    derivatives: frozenset[str],
    taken: set[str],
) -> Body:
    """The body that computes the outputs, with a temporary for every operation."""
    program = program_of(outputs, arguments=arguments, sizes=dict(sizes), derivatives=derivatives, taken=taken)
    lines = _Formulas(program).lines()
    used = {helper for a in arrays(*(a for _, a in program.outputs)) for helper in called(a)}
    return Body(lines, {label: label for label in outputs}, frozenset(used))


class _Formulas:
    """The lines between a function's docstring and its return."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.python = {e.name: name for name, e in program.arguments}
        self.names: dict[Array, str] = {}
        for definition in program.definitions:
            if definition.array.op not in VIEWS and definition.array.op not in ATOMS:
                self.names.setdefault(definition.array, definition.name)

        self.copied: set[str] = set()
        """Outputs that would share memory with an argument or with an output before them."""
        owners: set[Array] = set()
        self.copied.update(label for label, a in program.outputs if shares(a, owners))

    def lines(self) -> list[str]:
        """The lines, not indented."""
        lines: list[str] = []
        statements = [self._statement(d.array, d.name) for d in self.program.definitions]
        for code, comment in statements:
            if len(code) + len(comment) + 8 <= WIDTH:
                lines.append(f"{code}  # {comment}")
            else:
                lines += [f"# {comment}", code]
        return lines

    def _statement(self, a: Array, name: str) -> tuple[str, str]:
        text = Text(self.names[a]) if self.names.get(a, name) != name else self._text(a)
        code = f"{text.atom}.copy()" if name in self.copied else text.code
        return f"{name} = {code}", mathematics(a, self.names)

    def _text(self, root: Array) -> Text:
        def known(a: Array) -> Text | None:
            if a.op == "arg":
                return Text(self.python[a.attrs[0]])
            return Text(self.names[a]) if a in self.names and a is not root else None

        def combine(a: Array, args: list[Text]) -> Text:
            return args[1] if a.op == "diagonal" and len(args) == 2 else TEXTS[a.op](Place(a, self.program.sizes), args)

        return folded(root, known, combine)
