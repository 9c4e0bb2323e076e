"""Printing: an expression as ASCII, Unicode or LaTeX text.

Goes in: an expression, and optionally names for some of its subexpressions (printed as that name wherever they
occur). Comes out: text with as few parentheses as the language needs. The ASCII and Unicode texts parse back to the
same node; so does the LaTeX text, but for unit vectors and for sigmoid, which it writes as the letter sigma.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra.expr import Expr, fold, symbols
from mcalc.algebra.notations import LatexWriter, UnicodeWriter
from mcalc.algebra.shape import shape_text
from mcalc.algebra.writer import Text, Writer, plain

_CONSTANTS = frozenset(["eye", "pi"])
_CONSTANT_NAMES = frozenset(["I", "pi"])


def _write(notation: type[Writer], e: Expr, names: Mapping[Expr, str] | None) -> str:
    writer = notation()
    memo: dict[Expr, Text] = {node: plain(writer.name(name)) for node, name in names.items()} if names else {}
    given = dict(memo)
    text = fold(e, writer, memo).known
    if not _CONSTANTS.isdisjoint([node.op for node in memo]):
        taken = _CONSTANT_NAMES & {node.name for node in memo if node.op == "sym"}
        if taken:
            return fold(e, notation(taken), given).known
    return text


def ascii_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression in the language's ASCII form; `parse` of it, with the symbols declared, is `e`."""
    return _write(Writer, e, names)


def unicode_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression with mathematical characters; it parses back as the ASCII form does."""
    return _write(UnicodeWriter, e, names)


def latex_text(e: Expr, names: Mapping[Expr, str] | None = None) -> str:
    """The expression as LaTeX math (without dollar signs)."""
    return _write(LatexWriter, e, names)


def where_text(*roots: Expr) -> str:
    """The declarations of the symbols below the roots, as `where` takes them: `X: n x m symmetric; t: scalar`."""
    return "; ".join(" ".join([f"{s.name}: {shape_text(s.shape)}", *sorted(s.attrs[1])]) for s in symbols(*roots))
