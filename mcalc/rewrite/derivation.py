"""Steps: the lines of a derivation, and what has to be true for each.

A `Step` is one line as a person reads it: left = right, the rules that lead to it from the line above. Its
`obligations` are the rewrites that were made on the way, each a pair of expressions that must be equal; a derivation is
proved when every obligation and every line is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.rewrite.rules import rule

NUMERATOR = "numerator layout"
"""The name of the form of an answer in denominator layout that dF = J dx holds for."""


class Obligation(NamedTuple):
    """before = after, by a rule."""

    rule: str
    before: Expr
    after: Expr


def owed(rewrites: Iterable[tuple[str, Expr, Expr]]) -> tuple[Obligation, ...]:
    """What rewrites (rule, before, after) oblige a derivation to prove."""
    return tuple(Obligation(*rewrite) for rewrite in rewrites)


class Step(NamedTuple):
    """left = right, by `rules` from the line above. `left` is "f", "df", "grad_W", … ."""

    left: str
    right: Expr
    rules: tuple[str, ...]
    note: str = ""
    obligations: tuple[Obligation, ...] = ()

    @property
    def rule(self) -> str:
        """The rules' names, as one text."""
        return "; ".join(self.rules)

    @property
    def reason(self) -> str:
        """What is printed beside the line."""
        return self.note or self.rule

    @property
    def reference(self) -> str:
        """Where the rules are proved."""
        return "; ".join(dict.fromkeys(rule(name).reference for name in self.rules))


class Answer(NamedTuple):
    """One closed-form derivative: `label` = `result`, its own lines, and the conditions under which it holds.

    `variables` are those of differentiation (two for a mixed second derivative); `forms` names the forms in use where
    the variable is structured (unconstrained, projected, independent entries); `notes` say what else is known of the
    answer, such as that it is positive semidefinite, and why; `vech` holds what is stacked by its independent entries
    instead of by vec: variables, and what is differentiated.
    """

    variables: tuple[Expr, ...]
    kind: str
    label: str
    result: Expr
    steps: tuple[Step, ...]
    forms: dict[str, Expr]
    conditions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    vech: tuple[Expr, ...] = ()


class Derived(NamedTuple):
    """One derivation: the lines that its answers share (f = …, df = …), and the answers."""

    root: Expr
    name: str
    kind: str
    steps: tuple[Step, ...]
    answers: tuple[Answer, ...]
