"""Checking: the shapes of all steps of a program, when the kinds of the undeclared names are given.

A kind says where a name has more than one row (bit 0) and more than one column (bit 1). Goes in: a question, and
kinds; comes out: the most general types, or `Misfit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mcalc.algebra.shape import ONE, Shape, shape_text, triangular
from mcalc.frontend.calls import SCALAR, Type
from mcalc.frontend.dimensions import Dimensions, Misfit
from mcalc.frontend.program import Program, Step
from mcalc.frontend.shapes import AMBIGUOUS_PRODUCT, FOLDS, RULES, block


class Checked(NamedTuple):
    """A well-formed reading: the types of all steps and the dimensions in them."""

    dimensions: Dimensions
    types: list[Type]
    symbols: dict[str, Type]


class Question(NamedTuple):
    """What is to be read: the program, the declared shapes, and the shape that the expression must have, if any."""

    program: Program
    declared: Mapping[str, Shape]
    target: Shape | None
    entrywise: frozenset[str] = frozenset()
    """The declared names to which a scalar may be added, since they are defined entry by entry."""


def check(question: Question, kinds: Mapping[str, int]) -> Checked:
    """The types under these kinds of the undeclared names, or `Misfit`."""
    s = Dimensions()
    symbols: dict[str, Type] = {}
    for name in question.program.symbols:
        shape = question.declared.get(name)
        symbols[name] = Type(*shape, name in question.entrywise) if shape is not None else fresh(s, kinds[name])
    types: list[Type] = []
    for place, step in enumerate(question.program.steps):
        s.place = place
        try:
            types.append(_type(s, step, types, symbols))
        except Misfit as misfit:
            misfit.place, misfit.at = place, s.at
            if step.kind == "product":
                _look_ahead(misfit, step, types)
            misfit.types = types
            misfit.dimensions = s
            raise
    s.place = question.program.root
    try:
        if question.target is not None:
            for have, want in zip(types[s.place][:2], question.target, strict=True):
                s.equate(have, want, f"the expression is not {shape_text(question.target)}")
        s.settle()
    except Misfit as misfit:
        misfit.types = types
        misfit.dimensions = s
        raise
    return Checked(s, types, symbols)


def _look_ahead(misfit: Misfit, step: Step, types: list[Type]) -> None:
    """An elementwise operator that fails before a matrix product (`a .* X b`) may have been meant to come last."""
    if step.value[misfit.at - 1] not in (".*", "./", "⊗"):
        return
    for at in range(misfit.at + 1, len(step.args)):
        if step.value[at - 1] in ("", "*") and not types[step.args[at]].is_scalar:
            misfit.message, misfit.hint, misfit.ambiguous, misfit.at = AMBIGUOUS_PRODUCT, "", True, at
            return


def fresh(s: Dimensions, kind: int) -> Type:
    """A type of this kind, its dimensions unknown."""
    return Type(s.fresh() if kind & 1 else ONE, s.fresh() if kind & 2 else ONE, bool(kind & 4), bool(kind & 8))


def _type(s: Dimensions, step: Step, types: list[Type], symbols: Mapping[str, Type]) -> Type:
    kind, args = step.kind, step.args
    rule = RULES.get(kind)
    if rule is not None:
        return rule(s, step.value, *[types[a] for a in args])
    fold = FOLDS.get(kind)
    if fold is not None:
        total = types[args[0]]
        operators = step.value if kind == "product" else step.value[1:]
        for at, (operator, arg) in enumerate(zip(operators, args[1:], strict=True), 1):
            s.at = at
            total = fold(s, operator, total, types[arg])
        return total._replace(mixed=False) if total.mixed else total
    if kind == "symbol":
        return symbols[step.value]
    if kind == "block":
        return block(s, step.value, [types[a] for a in args])
    return leaf(s, step)


def leaf(s: Dimensions, step: Step) -> Type:
    """The type of a constant."""
    if step.kind == "unsized":
        n = s.fresh()
        return Type(n, n if step.value == "eye" else ONE, False)
    if step.kind == "sized":
        op, attrs = step.value
        if op == "unit":
            return Type(attrs[1], ONE, False)
        if op == "K":
            size = attrs[0] * attrs[1]
            return Type(size, size, False)
        if op in ("dup", "elim"):
            long, short = attrs[0] * attrs[0], triangular(attrs[0])
            return Type(long, short, False) if op == "dup" else Type(short, long, False)
        return Type(attrs[0], attrs[-1], False)
    return SCALAR
