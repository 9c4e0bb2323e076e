"""Statements that are too long for a line, or lie on several, as black lays them out.

The other lines are written as black would write them, so that it need not see them: for a module of thousands of lines
it takes seconds. A test holds that black leaves the whole as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from mcalc.backends.numpy.brackets import opened
from mcalc.backends.numpy.formulas import WIDTH
from mcalc.collector import uncollected
from mcalc.errors import InternalError

INDENT = "    "
_TRAILING_COMMA = re.compile(r",\s*[)\]}]")


def laid_out(text: str, tree: ast.Module) -> str:
    """The text, of which this is the tree, in lines of at most WIDTH characters where that is possible."""
    lines = text.splitlines()
    made: list[str] = []
    done = 0
    with uncollected():
        for first, last in _statements(tree.body, lines):
            statement = lines[first:last]
            if len(statement) > 1 or len(statement[0]) > WIDTH or _TRAILING_COMMA.search(statement[0]):
                made += [*lines[done:first], *_same(statement, _opened(statement) or _by_black(statement))]
                done = last
    made += lines[done:]
    return "".join(f"{line.rstrip() if line.isspace() else line}\n" for line in made)


def _statements(body: Sequence[ast.stmt], lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The first line of each simple statement and of each head of a compound one, and the line after its last."""
    for statement in body:
        first = statement.lineno - 1
        blocks = [b for field in ("body", "orelse", "finalbody") if (b := getattr(statement, field, None))]
        blocks[1:1] = [handler.body for handler in getattr(statement, "handlers", ())]
        if blocks and blocks[0][0].lineno > statement.lineno:
            last = first + 1
            while not lines[last - 1].partition("  #")[0].endswith(":"):
                last += 1
            yield first, last
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield first, statement.end_lineno or statement.lineno
            continue
        for block in blocks:
            yield from _statements(block, lines)


def _same(before: Sequence[str], after: Sequence[str]) -> Sequence[str]:
    """The lines after, which are the same code."""
    if _code(before) != _code(after):
        raise InternalError("formatting changed the generated code")
    return after


def _code(statement: Sequence[str]) -> str:
    """The text of the syntax tree of a statement, or of the head of one."""
    indent = len(statement[0]) - len(statement[0].lstrip())
    source = [line[indent:] for line in statement]
    if source[0].startswith("elif "):
        source[0] = source[0][2:]
    if source[-1].partition("  #")[0].endswith(":"):
        source.append(f"{INDENT}pass")
    return ast.dump(ast.parse("\n".join(source)))


def _opened(statement: Sequence[str]) -> list[str] | None:
    """The lines of a statement that lies on one line, where its form is known."""
    text = statement[0].lstrip()
    return opened(text, len(statement[0]) - len(text)) if len(statement) == 1 else None


def _by_black(statement: Sequence[str]) -> list[str]:
    """The lines of a statement, or of the head of one, at its indentation."""
    import black

    indent = len(statement[0]) - len(statement[0].lstrip())
    source = [line[indent:] for line in statement]
    before, after = [], []
    if source[0].startswith("elif "):
        before = ["if True:", f"{INDENT}pass"]
    if source[-1].partition("  #")[0].endswith(":"):
        after = [f"{INDENT}pass"]
    whole = "".join(f"{line}\n" for line in (*before, *source, *after))
    made = black.format_str(whole, mode=black.Mode(line_length=WIDTH - indent)).splitlines()
    return [" " * indent + line if line else line for line in made[len(before) : len(made) - len(after)]]


def none_of(names: Iterable[str]) -> list[str]:
    """The lines of a function that make names None, each of which fits: black takes seconds for a chain of hundreds."""
    lines: list[str] = []
    for name in names:
        longer = f"{lines[-1].removesuffix('None')}{name} = None" if lines else ""
        if lines and len(longer) + len(INDENT) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"{name} = None")
    return lines
