"""The lines of a model, as statements; expressions are not read yet.

Goes in: the text of a model file. Comes out: `Statements`: what each line is, with its place in the text; a loop holds
the statements of its block. Names and shapes are not looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from mcalc.algebra.shape import Dim
from mcalc.errors import LimitError, NameProblem, NotSupported, ParseError, Span
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.characters import normalise
from mcalc.frontend.positions import Range, position, read_range
from mcalc.frontend.words import key, nearest, shorten, spell

RESERVED = frozenset(["model", "input", "param", "size", "output", "loss", "for", "in", "sum"])
_STARTS = ("model", "input", "param", "size", "output", "for")
_WORD = re.compile(r"[^\W\d_][^\W_]*(?:_(?:\{[^\W_]+\}|[^\W_]+))?")
_HEAD = re.compile(rf"({_WORD.pattern})(?:\s*\[(.*)\])?", re.DOTALL)
_FUNCTION = re.compile(rf"\s*({_WORD.pattern})\s*\(([^()=]*)\)\s*=(?!=)")
_EQUALS = re.compile(r"(?<![=<>])=(?!=)")
_FOR = re.compile(rf"for\s+({_WORD.pattern})\s+in\s+([^:]*?)\s*:", re.DOTALL)
_FORM = {
    "model": "model NAME", "input": "input X : n x d", "param": "param W : d x m", "size": "size L = 3",
    "output": "output P", "for": "for t in 1..T:",
}  # fmt: skip
_DEPTH_LIMIT = 20
_OPENING, _CLOSING = "([{", ")]}"


class Piece(NamedTuple):
    """A part of the text, and where it begins."""

    text: str
    start: int

    @property
    def span(self) -> Span:
        """Where it stands, without blanks around it."""
        left = len(self.text) - len(self.text.lstrip())
        return Span(self.start + left, self.start + max(len(self.text.rstrip()), left + 1))

    def part(self, start: int, end: int | None = None) -> Piece:
        """A part of it."""
        return Piece(self.text[start:end], self.start + start)


@dataclass(frozen=True, slots=True)
class Head:
    """The name that a statement gives a meaning, and the range or index after it."""

    name: str
    span: Span
    range: Range | None = None
    index: Dim | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """`input NAME, … : SHAPE PROPERTY…`; `declaration` is the text with the ranges blanked."""

    kind: str
    heads: tuple[Head, ...]
    declaration: Piece


@dataclass(frozen=True, slots=True)
class Size:
    """`size NAME = INTEGER`; the value may be missing."""

    head: Head
    value: int | None


@dataclass(frozen=True, slots=True)
class Outputs:
    """`output NAME, …`."""

    names: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class FunctionText:
    """`f(x) = EXPR`."""

    head: Head
    text: Piece


@dataclass(frozen=True, slots=True)
class Definition:
    """`NAME = EXPR` or `NAME[index] = EXPR`."""

    head: Head
    value: Piece
    span: Span


@dataclass(frozen=True, slots=True)
class For:
    """`for index in first..last:` and its block."""

    range: Range
    body: tuple[Definition | For, ...]
    span: Span


Statement: TypeAlias = Arguments | Size | Outputs | FunctionText | Definition | For


class Statements(NamedTuple):
    """A model file: the name, the comment above it, the text without comments, and its statements."""

    name: str
    comment: str
    plain: str
    body: tuple[Statement, ...]


class _Line(NamedTuple):
    indent: int
    piece: Piece


def read_statements(text: str) -> Statements:
    """The statements of a model file. Raises `ParseError` without the text in it."""
    plain = normalise(_without_comments(text))
    lines = list(_lines(plain))
    if not lines:
        raise ParseError("the text has no model", Span(0, 1), hint="a model begins with: model NAME")
    first = lines[0].piece
    found = re.fullmatch(r"model(?:\s+(.*))?", first.text, re.DOTALL)
    if found is None:
        raise ParseError("a model begins with its name", first.span, hint="first line: model NAME")
    name = (found[1] or "").strip()
    if not (name.isidentifier() and name.isascii()):
        raise ParseError(
            f"the name of a model is made of letters, digits and _{f', not {shorten(name)}' if name else ''}",
            first.part(found.start(1)).span if name else first.span,
            hint="model mlp",
        )
    reader = _Block(lines[1:])
    body = reader.block(lines[0].indent, inside=False)
    comment = "\n".join(m[1].rstrip() for m in re.finditer(r"^[ \t]*#[ ]?(.*)$", text[: first.start], re.MULTILINE))
    return Statements(name, comment.strip(), plain, tuple(body))


def _without_comments(text: str) -> str:
    return re.sub(r"#[^\n]*", lambda m: " " * len(m[0]), text)


def _lines(plain: str) -> Iterator[_Line]:
    """The lines that hold something; a line goes on where a bracket is open."""
    at, pending = 0, -1
    open_: list[tuple[str, int]] = []
    for line in plain.split("\n"):
        for i, c in enumerate(line):
            if c in _OPENING:
                open_.append((c, at + i))
            elif c in _CLOSING and open_:
                open_.pop()
        if pending < 0:
            pending = at
        at += len(line) + 1
        if not open_:
            if plain[pending : at - 1].strip():
                yield _line(plain, pending, at - 1)
            pending = -1
    if open_:
        raise ParseError(f"{open_[0][0]} is never closed", Span(open_[0][1], open_[0][1] + 1))


def _line(plain: str, start: int, end: int) -> _Line:
    whole = plain[start:end]
    indent = len(whole) - len(whole.lstrip())
    if "\t" in whole[:indent]:
        at = start + whole.index("\t")
        raise ParseError("a tab indents this line", Span(at, at + 1), hint="indent with spaces")
    piece = Piece(whole[indent:].rstrip(), start + indent)
    semicolon = piece.text.find(";")
    if semicolon >= 0 and "[" not in piece.text[:semicolon]:
        raise ParseError("a line holds one statement", piece.part(semicolon, semicolon + 1).span, hint="use two lines")
    return _Line(indent, piece)


class _Block:
    """Statements from lines, one block after the other."""

    def __init__(self, lines: list[_Line]) -> None:
        self.lines = lines
        self.at = 0
        self.depth = 0

    def block(self, indent: int, inside: bool) -> list[Statement]:
        """The statements that are indented so far, `inside` a loop or not."""
        statements: list[Statement] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.indent < indent and inside:
                break
            if line.indent != indent:
                what = "unindented" if line.indent < indent else "indented"
                hint = (
                    "the lines of a block begin below each other" if inside else "only the block of a loop is indented"
                )
                raise ParseError(f"this line is {what} for no reason", line.piece.span, hint=hint)
            self.at += 1
            statement = self.statement(line, inside)
            statements.append(statement)
        return statements

    def statement(self, line: _Line, inside: bool) -> Statement:
        piece = line.piece
        word = re.match(r"\w*", piece.text)
        first = word[0] if word else ""
        keyword = first in _STARTS and not _EQUALS.match(piece.text[len(first) :].lstrip())
        if inside and keyword and first != "for":
            raise ParseError(f"{first} stands outside of loops", piece.span, hint="a loop holds definitions and loops")
        if keyword and first == "model":
            raise ParseError("a file holds one model", piece.span)
        if keyword and first == "for":
            return self.loop(line)
        if keyword:
            return _READERS[first](piece, first)
        if _FUNCTION.match(piece.text):
            if inside:
                raise ParseError("functions are defined outside of loops", piece.span)
            return _function(piece)
        return _definition(piece, first)

    def loop(self, line: _Line) -> For:
        """`for t in 1..T:` and its block, or a definition in the same line."""
        piece = line.piece
        found = _FOR.match(piece.text)
        if found is None:
            raise ParseError("expected for NAME in FIRST..LAST:", piece.span, hint="for t in 1..T:")
        index = _head(piece.part(found.start(1), found.end(1)))
        bounds = piece.part(found.start(2), found.end(2))
        range_ = replace(read_range(bounds.text, bounds.span), index=index.name)
        span = piece.part(0, found.end()).span
        if self.depth >= _DEPTH_LIMIT:
            raise LimitError(f"loops are nested more than {_DEPTH_LIMIT} deep", span)
        self.depth += 1
        body = self.loop_body(line, piece.part(found.end()), span)
        self.depth -= 1
        return For(range_, tuple(s for s in body if isinstance(s, Definition | For)), span)

    def loop_body(self, line: _Line, rest: Piece, span: Span) -> list[Statement]:
        """What stands after the colon, or the indented lines below."""
        if rest.text.strip():
            start = len(rest.text) - len(rest.text.lstrip())
            return [self.statement(_Line(line.indent, rest.part(start)), inside=True)]
        following = self.lines[self.at] if self.at < len(self.lines) else None
        if following is None or following.indent <= line.indent:
            raise ParseError("a loop has an indented block", span, hint="indent the lines after it by four spaces")
        return self.block(following.indent, inside=True)


def _head(piece: Piece) -> Head:
    """A name, perhaps with a range or an index in brackets."""
    text = piece.text.strip()
    span = piece.span
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ParseError(
            f"{shorten(text)} is not a name" if text else "a name is missing",
            span,
            hint="a name is a letter, letters and digits, and perhaps one subscript: W, W1, hidden, W_hh",
        )
    name = key(spell(found[1]))
    name_span = Span(span.start, span.start + len(found[1]))
    check_name(name, name_span)
    if found[2] is None:
        return Head(name, span)
    inner = Span(span.start + found.start(2), max(span.start + found.end(2), span.start + found.start(2) + 1))
    if "," in found[2]:
        raise NotSupported(f"{name} has one index", inner, hint=f"{name}[t]; for layers in time use one name a layer")
    if ".." in found[2]:
        return Head(name, name_span, read_range(found[2], inner))
    return Head(name, Span(span.start, span.end), None, position(spell(found[2]), inner))


def check_name(name: str, span: Span) -> None:
    """Refuses words of the languages."""
    if name in RESERVED:
        raise NameProblem(f"{name} is a word of the model language", span, hint="choose another name")
    if name in FUNCTION_WORDS and len(name) > 1:
        raise NameProblem(f"{name} is a function of the language", span, hint="choose another name")


def _arguments(piece: Piece, kind: str) -> Arguments:
    colon = piece.text.find(":")
    if colon < 0:
        raise ParseError(f"{kind} needs a shape", piece.span, hint=f"{_FORM[kind]}; a column vector has the shape n")
    heads = [_head(part) for part in _at_commas(piece.part(len(kind), colon))]
    for head in heads:
        if head.index is not None:
            raise ParseError(
                f"{head.name} needs a range", head.span, hint=f"{kind} {head.name}[1..T] : n x d declares a sequence"
            )
    names = re.sub(r"\[[^\[\]]*\]", lambda m: " " * len(m[0]), piece.text[len(kind) : colon])
    rest = piece.text[colon:].replace("\n", " ")
    return Arguments(kind, tuple(heads), Piece(names.replace("\n", " ") + rest, piece.start + len(kind)))


def _at_commas(piece: Piece) -> Iterator[Piece]:
    depth = start = 0
    for i, c in enumerate(piece.text):
        depth += (c in _OPENING) - (c in _CLOSING)
        if c == "," and not depth:
            yield piece.part(start, i)
            start = i + 1
    yield piece.part(start)


def _size(piece: Piece, kind: str) -> Size:
    name, equals, value = piece.text[len(kind) :].partition("=")
    head = _head(Piece(name, piece.start + len(kind)))
    if head.range is not None or head.index is not None:
        raise ParseError("a size has no index", head.span, hint=_FORM["size"])
    if not equals:
        return Size(head, None)
    number = value.strip()
    if not number.isdecimal() or not 0 < int(number[:12]) < 10**9:
        at = len(piece.text) - len(value)
        raise ParseError("a size is a positive integer", piece.part(at).span, hint=f"size {head.name} = 3")
    return Size(head, int(number))


def _outputs(piece: Piece, kind: str) -> Outputs:
    return Outputs(tuple(_at_commas(piece.part(len(kind)))))


def _function(piece: Piece) -> FunctionText:
    found = _FUNCTION.match(piece.text)
    assert found is not None
    if "," in found[2]:
        place = piece.part(found.start(2), found.end(2)).span
        hint = "an elementwise function is defined by f(t) = EXPRESSION; other formulas are definitions, NAME = …"
        raise ParseError(f"{found[1]} has one argument, a scalar", place, hint=hint)
    return FunctionText(_head(piece.part(found.start(1), found.end(1))), piece)


def _definition(piece: Piece, first: str) -> Definition:
    equals = _EQUALS.search(piece.text)
    if equals is None:
        if first == "def":
            hint = "an elementwise function is defined by f(t) = EXPRESSION"
            raise ParseError("def begins no statement", piece.span, hint=hint)
        near = nearest(first, _STARTS, 1)
        if near and first not in _STARTS:
            raise ParseError(f"{first} begins no statement", piece.span, hint=f"did you mean {near[0]}?")
        hint = "NAME = EXPRESSION; other lines begin with input, param, size, output or for"
        raise ParseError("expected a statement", piece.span, hint=hint)
    depth = 0
    for i in range(equals.end(), len(piece.text)):
        depth += (piece.text[i] in _OPENING) - (piece.text[i] in _CLOSING)
        if depth <= 0 and _EQUALS.match(piece.text, i):
            raise ParseError("a line has one =", piece.part(i, i + 1).span, hint="use two lines, or compare with ==")
    left = piece.part(0, equals.start())
    value = piece.part(equals.end())
    if not value.text.strip():
        raise ParseError("an expression follows =", piece.part(equals.start(), equals.end()).span)
    if left.text.strip() == "loss":
        return Definition(Head("loss", left.span), value, piece.span)
    head = _head(left)
    if head.range is not None:
        hint = f"for t in {head.range.first}..{head.range.last}: {head.name}[t] = …"
        raise ParseError("a definition has no range", left.span, hint=hint)
    return Definition(head, value, piece.span)


_READERS: dict[str, Callable[[Piece, str], Statement]] = {
    "input": _arguments,
    "param": _arguments,
    "size": _size,
    "output": _outputs,
}
