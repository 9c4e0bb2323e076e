"""Checking hand derivations: is every line true, and if not, which is wrong, and why?

>>> import mcalc
>>> report = mcalc.check("f = x^T A x\\ndf = 2 x^T A dx")
>>> report.ok, report.wrong[0].line
(False, 2)

file ─ source ─▶ problems ─ statements ─▶ equations ─ reading ─▶ claims ─ judge ─▶ report ─ render ─▶ text, …
                                                           questions, search (slips, edits)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mcalc.check.judge import judge
from mcalc.check.reading import read
from mcalc.check.report import Line, Report, Reports
from mcalc.check.single import check_derivative, check_identity
from mcalc.check.source import problems
from mcalc.errors import ParseError


def check(text: str, *, source: str = "", markdown: bool | None = None) -> Report:
    """The verdicts on a derivation, line by line.

    `source` is the name of the file, for messages; `markdown` says that the text is Markdown (it is taken for it where
    it has fenced blocks). Of a text with several derivations this is the first: `check_all` gives all of them. Raises
    McalcError where the text cannot be read; then nothing is evaluated.
    """
    return check_all(text, source=source, markdown=markdown)[0]


def check_all(text: str, *, source: str = "", markdown: bool | None = None) -> Reports:
    """The verdicts on every derivation of a text: one, or those of a Markdown file. Raises as `check`."""
    found = problems(text, markdown)
    if not found:
        raise ParseError("there is no derivation in the text", hint="a fenced block with lines like df = 2 x^T dx")
    proofs = [read(problem, text, source) for problem in found]
    return Reports(judge(proof, source) for proof in proofs)


class _Check(ModuleType):
    """`mcalc.check` is the package and the function: whichever was asked for first, `mcalc.check(text)` checks."""

    def __call__(self, text: str, **options: Any) -> Report:
        return check(text, **options)


sys.modules[__name__].__class__ = _Check

__all__ = ["Line", "Report", "Reports", "check", "check_all", "check_derivative", "check_identity"]
