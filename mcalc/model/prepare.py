"""A model made ready for differentiation: stable forms recognised, what the adjoint shares named.

In: a model as it was read. Out: a model with the same arguments, outputs and loss, whose definitions are those that
`reverse` wants (mcalc/model/recognise.py, mcalc/model/split.py).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, rebuild, symbols
from mcalc.algebra.names import base_and_index
from mcalc.algebra.operators import symbol
from mcalc.algebra.shape import ONE, dim
from mcalc.algebra.structure import PROPERTIES, facts
from mcalc.errors import Span
from mcalc.model.chunks import in_parts
from mcalc.model.elements import Elements
from mcalc.model.ir import Define, Loop, Model, Sequence, Statement, Total, variable_of
from mcalc.model.naming import Names
from mcalc.model.recognise import Memo, recognise_each, recognise_together
from mcalc.model.split import PREACTIVATION, Piece, Splitter
from mcalc.model.uses import moving_variables, readers

_LETTERS = {
    # what is named: its letter, in a model that does not use it yet
    PREACTIVATION: "z", "add": "r", "softmax": "p", "exp": "e", "mul": "q", "had": "q", "block": "q", "pow": "k",
    "norm": "s", "tr": "s", "sum": "s", "logdet": "s", "det": "s", "logsumexp": "s",
}  # fmt: skip
_ACTIVATION = "a"


def prepare(model: Model, in_code: bool = False) -> Model:
    """The model as `reverse` wants it; `in_code`: with forms that only generated code has (CODE_FUNCTIONS)."""
    # what one definition spells out is recognised before its parts get names of their own
    model = split(recognise_each(in_parts(model), in_code))
    # the names of the parts serve the forms that are found across definitions; those may have new parts
    return with_facts(split(recognise_together(model, in_code)))


def with_facts(model: Model) -> Model:
    """The model with what is known of its definitions' values as properties of their names.

    Then K^-T is K^-1 for K = A A^T + I, and the sampler of a proof draws K as it is.
    """
    memo: Memo = {}
    statements: list[Statement] = []
    for statement in model.statements:
        if isinstance(statement, Loop):
            body = tuple(replace(d, value=fold(d.value, rebuild, memo)) for d in statement.body)
            statements.append(replace(statement, body=body))
            continue
        value = fold(statement.value, rebuild, memo)
        target = statement.target
        known = _known(value) if isinstance(statement, Define) and target not in model.elements else frozenset()
        if known - target.attrs[1]:
            memo[target] = symbol(target.name, target.shape, known | target.attrs[1])
            target = memo[target]
        statements.append(replace(statement, target=target, value=value))
    if not memo:
        return model
    ragged = {name: tuple(memo.get(node, node) for node in nodes) for name, nodes in model.ragged.items()}
    return replace(model, statements=tuple(statements), ragged=ragged, loss=memo.get(model.loss, model.loss))


class Wish(NamedTuple):
    """A piece that wants a name, for the first definition that reads it."""

    position: int
    target: Expr
    piece: Piece


def split(model: Model, pieces: type[Splitter] = Splitter) -> Model:
    """The model with definitions for what its adjoint would compute again (or for other pieces)."""
    return _Split(model, pieces).result()


class _Split:
    def __init__(self, model: Model, pieces: type[Splitter]) -> None:
        self.model = model
        self.pieces = pieces
        self.made = Elements(model.sequences, model.elements)
        self.names = Names.of(model)
        self.ragged = dict(model.ragged)
        self.members = {(name, node.name) for name, nodes in model.ragged.items() for node in nodes}
        """Of ragged names: the name, and that of one of its symbols."""
        self.family = {node: name for name, nodes in model.ragged.items() for node in nodes}
        self.bases: dict[tuple[str, str, int], str] = {}
        self.wishes = self._wishes()
        self.alike: dict[str, list[str]] = {}
        """Letter to the names of those for which something of this letter is split off."""
        for wish in self.wishes:
            if not wish.target.is_scalar:
                bases = self.alike.setdefault(_letter(wish.piece), [])
                bases += [b for b in [self._base(wish.target)] if b not in bases]

    def _base(self, target: Expr) -> str:
        if target in self.made.elements:
            return self.made.elements[target].sequence
        return self.family.get(target) or base_and_index(target.name)[0]

    def _wishes(self) -> list[Wish]:
        rows = list(readers(self.model))
        wanted = {v for a in self.model.parameters for v in (a.symbols or (a.name,))}
        moving = moving_variables(self.made, [(d, symbols(d.value)) for _, _, d in rows], wanted)

        def moves(*values: Expr) -> list[Expr]:
            return [s for s in symbols(*values) if variable_of(self.made.elements, s) in moving]

        found: list[Wish] = []
        top = [d.value for _, s, d in rows if isinstance(s, Define)]
        outside = self.pieces(top, moves(*top))
        inside: dict[int, Splitter] = {}
        for position, statement, define in rows:
            splitter = outside
            if not isinstance(statement, Define):
                if position not in inside:
                    values = [d.value for d in statement.body] if isinstance(statement, Loop) else [statement.value]
                    inside[position] = self.pieces(values, moves(*values))
                splitter = inside[position]
            found += [Wish(position, define.target, piece) for piece in splitter.pieces(define.value)]
        return found

    def result(self) -> Model:
        """The model with the pieces defined."""
        if not self.wishes:
            return self.model
        by_target: dict[tuple[int, Expr], list[Piece]] = {}
        for wish in self.wishes:
            by_target.setdefault((wish.position, wish.target), []).append(wish.piece)
        top: Memo = {}
        statements: list[Statement] = []
        for position, statement in enumerate(self.model.statements):
            if isinstance(statement, Define):
                self._define(statement, by_target.get((position, statement.target), []), top, statements)
                continue
            memo = dict(top)
            if isinstance(statement, Total):
                self._total(statement, by_target.get((position, statement.target), []), memo, top, statements)
            else:
                self._loop(position, statement, by_target, memo, top, statements)
        return replace(
            self.model,
            statements=tuple(statements),
            sequences=self.made.sequences,
            elements=self.made.elements,
            ragged=self.ragged,
        )

    def _define(self, statement: Define, pieces: list[Piece], memo: Memo, out: list[Statement]) -> None:
        for piece in pieces:
            self._piece(statement.target, piece, memo, out, statement.span)
        value = fold(statement.value, rebuild, memo)
        out.append(replace(statement, value=value))
        if statement.value.args:
            memo[statement.value] = statement.target

    def _piece(self, target: Expr, piece: Piece, memo: Memo, out: list[Statement], span: Span | None) -> None:
        """A definition outside loops for a piece, if it has none yet."""
        value = fold(piece.node, rebuild, memo)
        if value.op == "sym":
            return
        family = self.family.get(target)
        base, index = self._name(target, piece), ""
        if family is not None:
            index = base_and_index(target.name)[1]
        new = symbol(f"{base}{index}", piece.node.shape, _known(piece.node))
        if index:
            self.ragged[base] = (*self.ragged.get(base, ()), new)
            self.members.add((base, new.name))
        out.append(Define(new, value, span))
        memo[piece.node] = new

    def _loop(
        self,
        position: int,
        loop: Loop,
        pieces: dict[tuple[int, Expr], list[Piece]],
        memo: Memo,
        top: Memo,
        out: list[Statement],
    ) -> None:
        body: list[Define] = []
        for define in loop.body:
            for piece in pieces.get((position, define.target), []):
                body += self._element(define, piece, loop, memo, top, out)
            body.append(replace(define, value=fold(define.value, rebuild, memo)))
            if define.value.args:
                memo[define.value] = define.target
        out.append(replace(loop, body=tuple(body)))

    def _total(self, total: Total, pieces: list[Piece], memo: Memo, top: Memo, out: list[Statement]) -> None:
        body: list[Define] = []
        for piece in pieces:
            body += self._element(total, piece, total, memo, top, out)
        if body:
            out.append(Loop(total.index, total.first, total.last, 1, tuple(body)))
        out.append(replace(total, value=fold(total.value, rebuild, memo)))

    def _element(
        self, reader: Define | Total, piece: Piece, where: Loop | Total, memo: Memo, top: Memo, out: list[Statement]
    ) -> list[Define]:
        """A definition in a loop (or before it, where it is the same for every index) for a piece."""
        value = fold(piece.node, rebuild, memo)
        if value.op == "sym":
            return []
        if not self.made.varies(piece.node, where.index):
            self._piece(reader.target, piece, top, out, reader.span)
            memo[piece.node] = top[piece.node]
            return []
        name = self._name(reader.target, piece)
        self.made.sequences[name] = Sequence(name, piece.node.shape, *where.range.ends, _known(piece.node))
        new = self.made.at(name, dim(where.index))
        memo[piece.node] = new
        return [Define(new, value, reader.span)]

    def _name(self, target: Expr, piece: Piece) -> str:
        """A name without index: z for what is inside an activation, else a letter for what it is."""
        base = self._base(target)
        family = self.family.get(target)
        key = (base, piece.role, 0)
        if family is not None:
            # the pieces of one layer have the names of those of the other layers
            index = base_and_index(target.name)[1]
            while (known := self.bases.get(key)) is not None and (known, f"{known}{index}") in self.members:
                key = (base, piece.role, key[2] + 1)
            if known is not None:
                return known
        name = self.names.fresh(*self._wished(target, base, piece))
        if family is not None:
            self.bases[key] = name
        return name

    def _wished(self, target: Expr, base: str, piece: Piece) -> list[str]:
        """z for h; zi, zf for the gates i, f; Z1, Z2 for H1, H2; for a part of a number z, then z1."""
        letter, node = _letter(piece), piece.node
        if target.is_scalar:
            matrix = not node.is_column and node.shape[0] is not ONE
            looped = any(s in self.made.elements for s in symbols(node))
            return [letter.upper() if matrix and not looped else letter]
        others = self.alike[letter]
        if base[0].isupper() and not node.is_scalar:
            letter = letter.upper()
        if len(others) == 1:
            return [letter, f"{letter}{base}"]
        numbered = [re.fullmatch(r"([A-Za-z]+)([0-9]+)", other) for other in others]
        own = re.fullmatch(r"([A-Za-z]+)([0-9]+)", base)
        if own and all(numbered) and len({m[1] for m in numbered if m}) == 1:
            return [f"{letter}{own[2]}", f"{letter}{base}"]
        return [f"{letter}{base}"]


def _letter(piece: Piece) -> str:
    return _LETTERS.get(piece.role, _ACTIVATION)


def _known(node: Expr) -> frozenset[str]:
    """What is known of a value, as the properties of its name."""
    return frozenset(p for p in PROPERTIES if p in facts(node) and not (node.is_scalar and p != "positive"))
