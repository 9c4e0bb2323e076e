"""Emitting: a program as the text of a NumPy module.

In: outputs as expressions by label; out: Python. Each definition is one line with its mathematics and its shape in a
comment. User text reaches the module only as names that were made safe and as printed expressions in comments and
docstrings.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import shape_text
from mcalc.backends.numpy.arguments import Piece, convert, read_sizes, shapes_table
from mcalc.backends.numpy.bodies import Body, RowPass, Writer
from mcalc.backends.numpy.buffered import buffered
from mcalc.backends.numpy.comments import safe
from mcalc.backends.numpy.formulas import WIDTH, formulas
from mcalc.backends.numpy.helpers import CHECKED, EXPECT, HELPERS, KEEPING, with_needs
from mcalc.backends.numpy.identifiers import RESERVED, identifiers
from mcalc.backends.numpy.model_arguments import pieces_checked
from mcalc.backends.numpy.model_helpers import WITH_OUT
from mcalc.backends.numpy.rows import NAMES as ROW_NAMES
from mcalc.program.procedure import stored

TUPLES = {
    "Gradients": "One field for each variable, with its shape.",
    "Jacobians": "One field for each variable, the Jacobian by it.",
    "Hessians": "The blocks of the joint Hessian on and above its diagonal: x_y is the one by x and y.",
    "Products": "The blocks of the joint Hessian times the directions, each with the shape of its variable.",
    "CriticalPoints": "One field for each variable, with its shape.",
}
"""The named tuples that a function may give back, and their docstrings."""

FEW = 6
"""Functions of more lines make matrices beside their result at each call."""

HELPER_NAMES = frozenset(["length", "_", "dtype", "checked", "expect", "SHAPES", *HELPERS, *WITH_OUT, "LIMITS"])
"""Names of the module that no temporary has."""


@dataclass(frozen=True, slots=True)
class Module:
    """The parts of a module's text, and what its function computes."""

    name: str
    arguments: tuple[Expr, ...]
    outputs: Mapping[str, Expr]
    """In the order in which they are given back."""
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
    write: Writer = buffered,
) -> Module:
    """The module with one function `name` that computes the outputs.

    `returns` says what it gives back: labels, or (label, labels) for a named tuple.
    """
    taken: set[str] = {*outputs, name, f"{name}_by_rows", "plain", *ROW_NAMES}
    python = identifiers((s.name for s in arguments), taken)
    dims = dict.fromkeys(n for s in arguments for d in s.shape for n in d.names())
    for e in outputs.values():
        dims.update(dict.fromkeys(n for d in e.shape for n in d.names()))
    sizes = identifiers(dims, taken)
    named = [(python[s.name], s) for s in arguments]
    body = write(outputs, arguments=named, sizes=sizes, derivatives=derivatives, taken=taken | RESERVED | HELPER_NAMES)
    used = body.helpers | (body.rows.body.helpers if body.rows is not None else frozenset())
    imports, blocks = _brought(used, {} if write is formulas else WITH_OUT)
    if any(not isinstance(r, str) for r in returns):
        imports.insert(0, "from typing import NamedTuple\n")
        blocks.append(_tuple_class(returns))
    if write is not formulas and sum(not line.lstrip().startswith("#") for line in body.lines) > FEW:
        blocks.insert(0, KEEPING.strip())
    lines = _body(name, body, named, sizes, brief=write is formulas)
    function = [f"def {name}({', '.join(p for p, _ in named)}):"]
    function += _docstring(summary, named, sizes)
    function += [f"    {line}" if line else "" for line in lines]
    function.append(f"    return {', '.join(_given_back(r, body) for r in returns)}")
    blocks.append("\n".join(function))
    if body.rows is not None:
        blocks += [_by_rows(name, body.rows, named, sizes, returns), body.rows.helper.strip()]
    helpers = [CHECKED.strip()] if arguments else []
    helpers += [EXPECT.strip()] if any(line.lstrip().startswith("expect(") for line in lines) else []
    return Module(
        name,
        tuple(arguments),
        outputs,
        (*_wrapped(summary[0], ""), *(("", *map(safe, header)) if header else ())),
        tuple(imports),
        shapes_table(named),
        (*blocks, *helpers),
    )


def _brought(used: frozenset[str], own: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The imports, and the functions that a module brings along, where there is one its own text of it."""
    needed = with_needs(used)
    others = [HELPERS[name] for name in sorted(needed - set(own)) if name in HELPERS]
    blocks = [text.strip() for name, text in own.items() if name in needed]
    blocks += [helper.code.strip() for helper in others if helper.code]
    return ["import numpy as np", *(helper.imports for helper in others if helper.imports)], blocks


def _body(name: str, body: Body, named: Sequence[tuple[str, Expr]], sizes: Mapping[str, str], brief: bool) -> list[str]:
    """The lines between the docstring and the return, not indented; `brief` is how arguments are checked."""
    pieces = [Piece(name, name, stored(e)) for name, e in named]
    lines = _converted(body, named, pieces, sizes) if brief else _checked(body, named, pieces, sizes)
    if body.rows is not None:
        rows, length = body.rows, body.rows.length
        call = ", ".join([*_read(rows, named, sizes), length])
        lines.append(f"{length} = rows_of_block({', '.join([*rows.sizes, f'{rows.data}.itemsize'])})")
        lines += [f"if {length}:", f"    return {name}_by_rows({call})"]
    if lines:
        lines.append("")
    return [*lines, *_commented(body.lines)]


def _commented(lines: Sequence[str]) -> list[str]:
    """The lines, comments broken where they are long."""
    found: list[str] = []
    for line in lines:
        text = line.lstrip()
        found += _wrapped(text, line[: len(line) - len(text)]) if text.startswith("#") else [line]
    return found


def _read(rows: RowPass, named: Sequence[tuple[str, Expr]], sizes: Mapping[str, str]) -> list[str]:
    """The arguments of the pass over rows: what it reads of the arguments and the dimensions."""
    return [p for p in (*(p for p, _ in named), *sizes.values(), "dtype") if p in rows.body.names]


def _by_rows(
    name: str,
    rows: RowPass,
    named: Sequence[tuple[str, Expr]],
    sizes: Mapping[str, str],
    returns: Sequence[str | tuple[str, Sequence[str]]],
) -> str:
    """The function that takes the data in blocks of rows."""
    lines = [
        f'"""`{name}` in one pass over {rows.data}, a block of rows at a time.',
        "",
        "Each block is used by all products while it is in the cache: comments name whole matrices, the code has the",
        "rows of a block.",
        '"""',
        *_commented(rows.body.lines),
        f"return {', '.join(_given_back(r, rows.body) for r in returns)}",
    ]
    head = f"def {name}_by_rows({', '.join([*_read(rows, named, sizes), rows.length])}):"
    return "\n".join([head, *(f"    {line}" if line else "" for line in lines)])


def _converted(
    body: Body, named: Sequence[tuple[str, Expr]], pieces: Sequence[Piece], sizes: Mapping[str, str]
) -> list[str]:
    """Every argument is converted."""
    wanted = [n for n, python in sizes.items() if python in body.names]
    read, checks = read_sizes(pieces, sizes, wanted) if named else ([], [])
    lines = [*([convert(named)] if named else []), *read, *checks]
    if "dtype" in body.names:
        lines.append(f"dtype = {named[0][0]}.dtype" if named else "dtype = np.dtype(np.float64)")
    return lines


def _checked(
    body: Body, named: Sequence[tuple[str, Expr]], pieces: Sequence[Piece], sizes: Mapping[str, str]
) -> list[str]:
    """Well-formed arrays of one precision pass one comparison; all else is converted."""
    shown = {n for p in pieces for d in p.axes for n in d.names()}
    wanted = [n for n, python in sizes.items() if n in shown or python in body.names]
    return pieces_checked(pieces, convert(named) if named else "", sizes, wanted, body.names)


def _given_back(item: str | tuple[str, Sequence[str]], body: Body) -> str:
    if isinstance(item, str):
        return body.returned[item]
    return f"{item[0]}({', '.join(body.returned[label] for label in item[1])})"


def _tuple_class(returns: Sequence[str | tuple[str, Sequence[str]]]) -> str:
    title, labels = next(r for r in returns if not isinstance(r, str))
    fields = "\n".join(f"    {label.partition('_')[2]}: np.ndarray" for label in labels)
    return f'class {title}(NamedTuple):\n    """{TUPLES[title]}"""\n\n{fields}'


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


__all__ = ["Module", "module_of"]
