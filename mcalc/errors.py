"""Errors that a user reads: one message, the source line, a caret, and a hint.

Every error that mcalc raises on purpose is a `McalcError`; its class says which exit code the command line ends
with (2 unreadable, 3 not supported, 4 a limit, 1 the answer is no).
"""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Where in a text: characters start (inclusive) to end (exclusive), in the text as the user gave it."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The span from the beginning of this to the end of the other."""
        return Span(min(self.start, other.start), max(self.end, other.end))


class McalcError(Exception):
    """A message for a user.

    `message` one line; `span` in `text`, where there is one; `notes` further lines (shapes of the operands, the
    readings of an ambiguity); `hint` what to do; `code` a stable word for programs.
    """

    exit_code = 2
    code = "error"

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        *,
        text: str | None = None,
        source: str = "",
        notes: tuple[str, ...] = (),
        hint: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.text = text
        self.source = source
        self.notes = notes
        self.hint = hint
        if code:
            self.code = code

    def at(self, span: Span | None, text: str | None = None) -> McalcError:
        """The same error, placed where it had no place yet."""
        if self.span is None:
            self.span = span
        if self.text is None:
            self.text = text
        return self

    def render(self) -> str:
        """The error as the command line prints it."""
        lines = [f"error: {printable(self.message)}"]
        if self.span is not None and self.text is not None:
            lines += _excerpt(self.text, self.span, self.source)
        lines += [f"  {printable(note)}" for note in self.notes]
        if self.hint:
            lines.append(f"  hint: {printable(self.hint)}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class ParseError(McalcError):
    """The text cannot be read."""

    code = "syntax"


class NameProblem(McalcError):
    """A name is unknown, doubly declared, or a product read as a word."""

    code = "name"


class ShapeError(McalcError):
    """Shapes do not fit."""

    code = "shape"


class AmbiguityError(McalcError):
    """The text has two readings; both are in `notes`."""

    code = "ambiguous"


class UsageError(McalcError):
    """A command, option or argument that makes no sense."""

    code = "usage"


class NotSupported(McalcError):
    """Understood, but mcalc has no closed form for it."""

    exit_code = 3
    code = "not-supported"


class LimitError(McalcError):
    """A limit on size or depth was hit."""

    exit_code = 4
    code = "limit"


class VerificationError(McalcError):
    """An answer was found and did not pass its check, or no point to check it at was found."""

    exit_code = 1
    code = "verification"


class InternalError(McalcError):
    """A bug in mcalc."""

    exit_code = 70
    code = "internal"


_WIDTH = 100


def printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def _excerpt(text: str, span: Span, source: str) -> list[str]:
    start = min(max(span.start, 0), len(text))
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    line = text[begin : end if end >= 0 else len(text)]
    number = text.count("\n", 0, start) + 1
    column = start - begin
    width = max(1, min(span.end, begin + len(line)) - start)
    if len(line) > _WIDTH:
        first = max(0, column - _WIDTH // 2)
        ahead = "…" if first else ""
        line = ahead + line[first : first + _WIDTH] + ("…" if first + _WIDTH < len(line) else "")
        column = column - first + len(ahead)
    width = max(1, min(width, _WIDTH, len(line) - column))
    place = f"  {source}:{number}:{start - begin + 1} │ " if source or "\n" in text else "  │ "
    shown = "".join(c if c.isprintable() else ("\t" if c == "\t" else "�") for c in line)
    return [place + shown, " " * (len(place) - 2) + "│ " + " " * column + "^" * width]
