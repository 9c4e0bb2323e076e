"""Emitting: a program as the text of a NumPy module.

In: outputs as expressions by label; out: Python. Each definition is one line with its mathematics and its shape in a
comment. User text reaches the module only as names that were made safe and as printed expressions in comments and
docstrings.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import app
from mcalc.algebra.printing import ascii_text
from mcalc.algebra.shape import Dim, shape_text
from mcalc.backends.numpy.arguments import Piece, convert, read_sizes, shapes_table
from mcalc.backends.numpy.helpers import CHECKED, EXPECT, HELPERS, called
from mcalc.backends.numpy.identifiers import RESERVED, identifiers
from mcalc.backends.numpy.text import TEXTS, VIEWING, Place, Text
from mcalc.errors import printable
from mcalc.program import Array, Program, program_of
from mcalc.program.ir import arrays
from mcalc.program.mathematics import expression_of, shape_of
from mcalc.program.names import factorised, right_side, softmax_of, solved
from mcalc.program.operations import ATOMS, VIEWS
from mcalc.program.procedure import stored

WIDTH = 100
"""The longest line that keeps its comment behind the code."""

LONGEST_FORMULA = 300

TUPLES = {
    "Gradients": "One field for each variable, with its shape.",
    "Jacobians": "One field for each variable, the Jacobian by it.",
    "Hessians": "The blocks of the joint Hessian on and above its diagonal: x_y is the one by x and y.",
    "Products": "The blocks of the joint Hessian times the directions, each with the shape of its variable.",
    "CriticalPoints": "One field for each variable, with its shape.",
}
"""The named tuples that a function may give back, and their docstrings."""

_SIZED = frozenset(["size", "eye", "unit", "rows", "columns", "commutation", "permute", "duplication", "elimination",
                    "take", "put"])  # fmt: skip
"""Operations whose text reads the dimensions in their attrs."""


@dataclass(frozen=True, slots=True)
class Module:
    """The parts of a module's text."""

    docstring: tuple[str, ...]
    imports: tuple[str, ...]
    shapes: str
    blocks: tuple[str, ...]

    def source(self) -> str:
        """The text, not yet formatted."""
        body = "\n".join(self.docstring)
        head = f'"""{body}\n"""' if len(self.docstring) > 1 else f'"""{body}"""'
        return "\n\n".join([head, "\n".join(self.imports), self.shapes, *self.blocks]) + "\n"


def module_of(
    name: str,
    outputs: Mapping[str, Expr],
    *,
    arguments: Sequence[Expr],
    returns: Sequence[str | tuple[str, Sequence[str]]],
    summary: Sequence[str],
    derivatives: frozenset[str],
    header: Sequence[str] = (),
) -> Module:
    """The module with one function `name` that computes the outputs.

    `returns` says what it gives back: labels, or (label, labels) for a named tuple.
    """
    taken: set[str] = set(outputs) | {name}
    python = identifiers((s.name for s in arguments), taken)
    dims = dict.fromkeys(n for s in arguments for d in s.shape for n in d.names())
    for e in outputs.values():
        dims.update(dict.fromkeys(n for d in e.shape for n in d.names()))
    sizes = identifiers(dims, taken)
    named = [(python[s.name], s) for s in arguments]
    program = program_of(
        outputs, arguments=named, sizes=sizes, derivatives=derivatives,
        taken=taken | RESERVED | {"length", "_"},
    )  # fmt: skip
    live = list(arrays(*(a for _, a in program.outputs)))
    used = sorted({helper for a in live for helper in called(a)})
    imports = ["import numpy as np"]
    blocks = [helper.code.strip() for helper in map(HELPERS.__getitem__, used) if helper.code]
    imports += [HELPERS[h].imports for h in used if HELPERS[h].imports]
    if any(not isinstance(r, str) for r in returns):
        imports.insert(0, "from typing import NamedTuple\n")
        blocks.append(_tuple_class(returns))
    body = Body(program, python).lines()
    function = [f"def {name}({', '.join(p for p, _ in named)}):"]
    function += _docstring(summary, named, sizes)
    function += [f"    {line}" if line else "" for line in body]
    function.append(f"    return {', '.join(_returned(r) for r in returns)}")
    blocks.append("\n".join(function))
    helpers = [CHECKED.strip()] if arguments else []
    helpers += [EXPECT.strip()] if any(line.startswith("expect(") for line in body) else []
    return Module(
        (*_wrapped(summary[0], ""), *(("", *map(safe, header)) if header else ())),
        tuple(imports),
        shapes_table(named),
        (*blocks, *helpers),
    )


def _returned(item: str | tuple[str, Sequence[str]]) -> str:
    if isinstance(item, str):
        return item
    return f"{item[0]}({', '.join(item[1])})"


def _tuple_class(returns: Sequence[str | tuple[str, Sequence[str]]]) -> str:
    title, labels = next(r for r in returns if not isinstance(r, str))
    fields = "\n".join(f"    {label.partition('_')[2]}: np.ndarray" for label in labels)
    return f'class {title}(NamedTuple):\n    """{TUPLES[title]}"""\n\n{fields}'


def safe(text: str) -> str:
    """A line that cannot end the docstring or comment in which it stands."""
    return printable(text).replace("\\", "\\\\").replace('"""', "'''").replace("\n", " ")


def _wrapped(text: str, indent: str) -> list[str]:
    """A line of a docstring or comment, broken at spaces where it is long."""
    later = "#     " if text.startswith("#") else f"{indent}    "
    return textwrap.wrap(
        safe(text), WIDTH - 4, initial_indent=indent, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    ) or [""]  # fmt: skip


def _docstring(summary: Sequence[str], named: Sequence[tuple[str, Expr]], sizes: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for text in summary:
        lines += _wrapped(text.lstrip(), text[: len(text) - len(text.lstrip())])
    lines[0] = f'"""{lines[0]}'
    if named:
        lines += ["", "Arguments:"]
    width = max((len(p) for p, _ in named), default=0)
    for p, e in named:
        properties = "".join(f" {word}" for word in sorted(e.attrs[1]))
        original = f"  ({safe(e.name)} in the formula)" if p != e.name else ""
        lines.append(f"    {p.ljust(width)} : {shape_text(e.shape)}{properties}{original}")
    lines += [f"    {p} is the dimension {n}" for n, p in sizes.items() if p != n]
    return [f"    {line}" if line else "" for line in [*lines, '"""']]


class Body:
    """The lines between a function's docstring and its return."""

    def __init__(self, program: Program, python: Mapping[str, str]) -> None:
        self.program = program
        self.python = python
        self.names: dict[Array, str] = {}
        for definition in program.definitions:
            if definition.array.op not in VIEWS and definition.array.op not in ATOMS:
                self.names.setdefault(definition.array, definition.name)

        self.copied: set[str] = set()
        """Outputs that would share memory with an argument or with an output before them."""
        owners: set[Array] = set()
        for label, a in program.outputs:
            owner = viewed(a)
            if a.rank and (owner.op == "arg" or owner in owners):
                self.copied.add(label)
            owners.add(owner)

    def lines(self) -> list[str]:
        """The lines, not indented."""
        lines: list[str] = []
        statements = [self._statement(d.array, d.name) for d in self.program.definitions]
        arguments = self.program.arguments
        if arguments:
            lines.append(convert(arguments))
            pieces = [Piece(name, name, stored(e)) for name, e in arguments]
            sizes, checks = read_sizes(pieces, self.program.sizes, self._wanted_sizes())
            lines += [*sizes, *checks]
        if any("dtype" in code for code, _ in statements):
            lines.append(f"dtype = {arguments[0][0]}.dtype" if arguments else "dtype = np.dtype(np.float64)")
        if lines:
            lines.append("")
        for code, comment in statements:
            if len(code) + len(comment) + 8 <= WIDTH:
                lines.append(f"{code}  # {comment}")
            else:
                lines += [*_wrapped(f"# {comment}", ""), code]
        return lines

    def _wanted_sizes(self) -> list[str]:
        wanted: dict[str, None] = {}
        for a in arrays(*(x for _, x in self.program.outputs)):
            dims: list[Dim] = []
            if a.op in _SIZED:
                dims += [d for d in a.attrs if isinstance(d, Dim)]
            if a.op in ("ones", "zeros"):
                dims += a.attrs[0]
            wanted.update(dict.fromkeys(n for d in dims for n in d.names()))
        return list(wanted)

    def _statement(self, a: Array, name: str) -> tuple[str, str]:
        text = Text(self.names[a]) if self.names.get(a, name) != name else self._text(a)
        code = f"{text.atom}.copy()" if name in self.copied else text.code
        return f"{name} = {code}", mathematics(a, self.names)

    def _text(self, root: Array) -> Text:
        memo: dict[Array, Text] = {}
        stack = [root]
        while stack:
            a = stack[-1]
            if a in memo:
                stack.pop()
                continue
            if a.op == "arg":
                memo[a] = Text(self.python[a.attrs[0]])
                continue
            if a in self.names and a is not root:
                memo[a] = Text(self.names[a])
                continue
            missing = [x for x in a.args if x not in memo]
            if missing:
                stack.extend(missing)
                continue
            args = [memo[x] for x in a.args]
            if a.op == "diagonal" and len(args) == 2:
                memo[a] = args[1]
            else:
                memo[a] = TEXTS[a.op](Place(a, self.program.sizes), args)
        return memo[root]


def mathematics(a: Array, names: Mapping[Array, str]) -> str:
    """What an array is, in the arrays that have names, and its shape: a comment."""
    z = softmax_of(a)
    if z is not None:
        axis = 0 if z.rank == 1 else 1 if a.args[1].op == "column" else 0 if a.args[1].rank else "all"
        math = ascii_text(app("softmax", expression_of(z, names, z in names), attrs=(axis,)))
    else:
        math = ascii_text(expression_of(a, names))
    match a.op:
        case "cholesky":
            factor = names[a]
            math = f"{factor} {factor}^T = {math}"
        case "try_cholesky":
            factor = names[a]
            math = f"{factor} {factor}^T = {math}, if it is positive definite"
        case "lower_gram" if (base := factorised(a.args[0])) is not None:
            math += f" = {ascii_text(o.inv(expression_of(base, names, True)))}"
        case "matmul" if (base := solved(a)) is not None:
            right = expression_of(right_side(a), names, True)
            math += f" = {ascii_text(o.mul(o.inv(expression_of(base, names, True)), right))}"
        case "reciprocal_or_zero":
            math += ", 0 at the kink"
        case "largest" if a.rank:
            inner = ascii_text(expression_of(a.args[0], names, True))
            math = f"max of each {'row' if a.attrs[0] == 1 else 'column'} of {inner}"
    if len(math) > LONGEST_FORMULA:
        math = f"{math[:LONGEST_FORMULA]}..."
    shown = shape_text(shape_of(a))
    return safe(math if a.rank == 0 else f"{math} : {shown}")


def viewed(a: Array) -> Array:
    """The array whose memory an array shares."""
    while a.op in VIEWING:
        a = a.args[0]
    return a


__all__ = ["Module", "module_of"]
