"""Readings: which shapes the undeclared names have.

A reading gives each undeclared name a kind: scalar, column vector or matrix. Capitals are matrices; a lower-case Latin
letter is by habit a column vector, a lower-case Greek one a scalar. `read` finds the reading of LANGUAGE.md
("Declarations") and the most general dimensions under which the expression is well-formed.

The search tries kinds first, dimensions last: a rule of shapes is applied to kinds by applying it to fresh dimensions
(`_lift`), and sets of kinds are carried through the program to see early that a partial reading comes to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mcalc.algebra.names import GREEK, parts
from mcalc.algebra.shape import ONE, Shape
from mcalc.errors import AmbiguityError, LimitError
from mcalc.frontend.calls import Type
from mcalc.frontend.checking import Checked, Question, check, fresh, leaf
from mcalc.frontend.dimensions import Dimensions, Misfit
from mcalc.frontend.program import Step
from mcalc.frontend.shapes import FOLDS, RULES

SCALAR_KIND, COLUMN_KIND, MATRIX_KIND = 0, 1, 3
"""Bit 0: more than one row; bit 1: more than one column (bits 2 and 3: `entrywise` and `mixed` of a type)."""

_KINDS = (SCALAR_KIND, COLUMN_KIND, MATRIX_KIND)
_ALL_SHAPES = sum(1 << code for code in (0, 1, 2, 3, 7))
_KIND_WORDS = {SCALAR_KIND: "scalar", COLUMN_KIND: "column vector", MATRIX_KIND: "matrix"}
_EFFORT = 1_000_000
"""Steps that the search may take."""


def habit(name: str) -> int:
    """The kind that a name has by habit."""
    word = parts(name)[0]
    if word[0].isupper():
        return MATRIX_KIND
    return SCALAR_KIND if word in GREEK else COLUMN_KIND


# --- sets of kinds ----------------------------------------------------------------------------------------------------

_CODES: dict[Any, int | None] = {}
_MASKS: dict[Any, int] = {}


def _code(t: Type) -> int:
    matrix = t.rows is not ONE and t.columns is not ONE
    return (t.rows is not ONE) + 2 * (t.columns is not ONE) + 4 * (matrix and t.entrywise) + 8 * t.mixed


def _rule_key(step: Step) -> Any:
    """What of a step its rule of kinds depends on."""
    value = step.value
    match step.kind:
        case "power" | "elementwise_power":
            value = None if value is None else value.denominator == 1
        case "index":
            value = tuple(None if place is None else 1 for place in value)
        case "compare" | "applied":
            value = ">"
    return step.kind, value


def _lift(kind: str, value: Any, codes: tuple[int, ...]) -> int | None:
    """The rule applied to kinds: to fresh dimensions of these kinds."""
    memo = (kind, value, codes)
    if memo not in _CODES:
        s = Dimensions()
        types = [fresh(s, code) for code in codes]
        try:
            _CODES[memo] = _code((FOLDS.get(kind) or RULES[kind])(s, value, *types))
        except Misfit:
            _CODES[memo] = None
    return _CODES[memo]


def _lift_sets(kind: str, value: Any, masks: tuple[int, ...]) -> int:
    memo = (kind, value, masks)
    known = _MASKS.get(memo)
    if known is None:
        known = 0
        for codes in _choices(masks):
            code = _lift(kind, value, codes)
            if code is not None:
                known |= 1 << code
        if len(_MASKS) > 50_000:
            _MASKS.clear()
        _MASKS[memo] = known
    return known


def _choices(masks: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if not masks:
        yield ()
        return
    for code in range(16):
        if masks[0] >> code & 1:
            for rest in _choices(masks[1:]):
                yield (code, *rest)


def possible(question: Question, domains: Mapping[str, int]) -> int:
    """The kinds that the expression can have when the names have kinds of these sets; 0 if none."""
    masks: list[int] = []
    for step in question.program.steps:
        kind, args = step.kind, step.args
        if kind == "symbol":
            mask = domains[step.value]
        elif kind in FOLDS:
            mask = masks[args[0]]
            operators = step.value if kind == "product" else step.value[1:]
            for operator, arg in zip(operators, args[1:], strict=True):
                mask = _lift_sets(kind, operator if kind == "product" else None, (mask, masks[arg]))
            mask = (mask | mask >> 8) & 255
        elif kind in RULES:
            rule, value = _rule_key(step)
            mask = _lift_sets(rule, value, tuple(masks[a] for a in args))
        elif kind == "block":
            mask = _ALL_SHAPES
        else:
            mask = 1 << _code(leaf(Dimensions(), step))
        if not mask:
            return 0
        masks.append(mask)
    return masks[-1]


# --- the search -------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """The reading found: kinds of the undeclared names, and the checked types."""

    kinds: dict[str, int]
    checked: Checked
    aim: str = "the expression has a shape"
    """Why habits were given up."""


class _Search:
    """The readings in which the expression has a kind of the set `wanted`, fewest habits given up first."""

    def __init__(self, question: Question, kinds: dict[str, int], givers: list[str], wanted: int) -> None:
        self.question = question
        self.kinds = kinds
        self.givers = givers
        self.wanted = wanted
        self.effort = _EFFORT
        declared = {name: 1 << _code(Type(*shape, False)) for name, shape in question.declared.items()}
        self.domains = {name: declared.get(name, 1 << kinds.get(name, 0)) for name in question.program.symbols}
        for name in givers:
            self.domains[name] = 1 << SCALAR_KIND | 1 << COLUMN_KIND
            if kinds[name] == COLUMN_KIND:  # a Greek letter is no matrix: `A + lambda` is ambiguous, no sum of matrices
                self.domains[name] |= 1 << MATRIX_KIND

    def possible(self, chosen: Mapping[str, int]) -> bool:
        """Whether the expression can have a wanted kind when these names have these kinds."""
        self.effort -= len(self.question.program.steps)
        if self.effort < 0:
            raise LimitError("too many names are undeclared to find their shapes", hint="declare some of them")
        domains = self.domains | {name: 1 << kind for name, kind in chosen.items()}
        return bool(possible(self.question, domains) & self.wanted)

    def find(self) -> list[Reading]:
        """The best readings: none, one, or several that tie."""
        if not self.possible({}):
            return []
        for name in self.givers:  # drops what is impossible for a name whatever the others are
            kinds = (kind for kind in _KINDS if self.domains[name] >> kind & 1)
            self.domains[name] = sum(1 << kind for kind in kinds if self.possible({name: kind}))
        forced = sum(not self.domains[name] >> self.kinds[name] & 1 for name in self.givers)
        for given_up in range(forced, len(self.givers) + 1):
            for matrices in range(given_up + 1):
                found = list(self.readings(given_up, matrices))
                if found:
                    return found
        return []

    def readings(self, given_up: int, matrices: int) -> Iterator[Reading]:
        """The readings that give up exactly so many habits, so many of them for a matrix."""
        stack: list[tuple[int, int, dict[str, int]]] = [(given_up, matrices, {})]
        while stack:
            given_up, matrices, chosen = stack.pop()
            left = len(self.givers) - len(chosen)
            if given_up > left or (chosen and not self.possible(chosen)):
                continue
            if not left:
                if given_up == matrices == 0:
                    yield from self.exact(chosen)
                continue
            name = self.givers[len(chosen)]
            for kind in reversed(_KINDS):
                gives = kind != self.kinds[name]
                to_matrix = gives and kind == MATRIX_KIND
                if self.domains[name] >> kind & 1 and gives <= given_up and to_matrix <= matrices:
                    stack.append((given_up - gives, matrices - to_matrix, {**chosen, name: kind}))

    def exact(self, chosen: dict[str, int]) -> Iterator[Reading]:
        """The reading with these kinds, if its dimensions fit."""
        kinds = {**self.kinds, **chosen}
        try:
            yield Reading(kinds, check(self.question, kinds))
        except Misfit:
            return


def read(question: Question, wrt: frozenset[str]) -> Reading:
    """The reading of the program; raises `Misfit` where there is none, `AmbiguityError` where two remain."""
    undeclared = [name for name in question.program.symbols if name not in question.declared]
    kinds = {name: habit(name) for name in undeclared}
    givers = [name for name in undeclared if kinds[name] != MATRIX_KIND]
    try:
        habitual = Reading(kinds, check(question, kinds))
    except Misfit as misfit:
        if misfit.ambiguous and question.program.steps[misfit.place].kind != "sum":
            raise
        for wanted in _wanted(question.target):
            found = _only(_Search(question, kinds, givers, wanted).find(), givers)
            if found is not None:
                return found
        raise misfit from None
    root = habitual.checked.types[question.program.root]
    others = [name for name in givers if name not in wrt]
    if question.target is not None or root.is_scalar or not wrt or not others:
        return habitual
    try:
        found = _only(_Search(question, kinds, others, 1 << SCALAR_KIND).find(), others)
    except LimitError:
        return habitual
    return found._replace(aim="the expression is a scalar") if found else habitual


def _wanted(target: Shape | None) -> list[int]:
    """The kinds to look for, the best first."""
    if target is None:
        return [1 << SCALAR_KIND, _ALL_SHAPES]
    code = _code(Type(*target, False))
    return [1 << code | 1 << (code | 4)] if code == MATRIX_KIND else [1 << code]


def _only(readings: list[Reading], givers: list[str]) -> Reading | None:
    """The reading, if there is one; several are an ambiguity."""
    if len(readings) < 2:
        return readings[0] if readings else None
    differing = [name for name in givers if len({r.kinds[name] for r in readings}) > 1]
    count = "two" if len(readings) == 2 else "several"
    raise AmbiguityError(
        f"the shapes can be read in {count} ways",
        notes=tuple(", ".join(f"{name}: {_KIND_WORDS[r.kinds[name]]}" for name in differing) for r in readings[:4]),
        hint="declare one of them",
    )
