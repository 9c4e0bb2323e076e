"""Sources: pieces of a file that remember where each character came from.

A proof is read from comments, LaTeX rows and Markdown blocks, and its lines are put behind the definitions before
them; wherever a piece ends up, an error in it is shown at its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mcalc.errors import LimitError, McalcError, Span


@dataclass(frozen=True, slots=True)
class Source:
    """A text, and for each of its characters the position in the file (as long as the text)."""

    text: str
    places: tuple[int, ...]

    @staticmethod
    def of(text: str, start: int = 0) -> Source:
        """A stretch of the file that begins at `start`."""
        return Source(text, tuple(range(start, start + len(text))))

    def __getitem__(self, part: slice) -> Source:
        return Source(self.text[part], self.places[part])

    def __add__(self, other: Source) -> Source:
        return Source(self.text + other.text, self.places + other.places)

    def strip(self) -> Source:
        """Without white space at both ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : start + len(self.text.strip())]

    def glue(self, text: str) -> Source:
        """The source and then a text that is not in the file."""
        at = self.places[-1] if self.places else 0
        return Source(self.text + text, self.places + (at,) * len(text))

    def replace(self, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> Source:
        """Every match replaced; the new characters stand where the match stood."""
        text, places, at = "", list[int](), 0
        for match in pattern.finditer(self.text):
            made = new(match)
            start = match.start()
            text += self.text[at:start] + made
            places.extend(self.places[at:start])
            stand = self.places[start : match.end()] or (0,)
            places.extend(stand[min(i, len(stand) - 1)] for i in range(len(made)))
            at = match.end()
        return Source(text + self.text[at:], (*places, *self.places[at:]))

    def span(self, span: Span | None = None) -> Span:
        """A span of the text (all of it, by default), in the file."""
        if not self.places:
            return Span(0, 0)
        last = len(self.places) - 1
        start, end = (0, last + 1) if span is None else (span.start, max(span.end, span.start + 1))
        first = self.places[min(start, last)]
        return Span(first, max(first, self.places[min(end - 1, last)]) + 1)


def placed(error: McalcError, source: Source, file: str, name: str) -> McalcError:
    """An error in a source, shown in the file."""
    inside = error.text is None or error.text == source.text
    error.span = source.span(error.span if inside else None)
    error.text, error.source = file, name or "proof"
    return error


@dataclass(frozen=True, slots=True)
class Problem:
    """One derivation: its title, and its text, one statement in each source."""

    title: str
    sources: tuple[Source, ...]


LINE_LIMIT, WIDTH_LIMIT = 5000, 20_000

# --- statements of a text -----------------------------------------------------------------------------------------

_MATH = r"align\*?|aligned|alignat\*?|equation\*?|gather\*?|gathered|eqnarray\*?|multline\*?|split|flalign\*?"
_ENVIRONMENT = re.compile(rf"\\(?:begin|end)\{{(?:{_MATH})\}}(?:\[[^\]]*\]|\{{\d+\}})?|\\\[|\\\]|\$\$")
_LATEX = re.compile(rf"\\begin\{{(?:{_MATH})\}}|\\\[|\\\\\s*(?:\n|$)|\\begin\{{document\}}")
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")
_ASIDE = re.compile(
    r"\\(?:text|intertext|shortintertext|mbox|textrm|textit|tag|label|qquad|quad|notag|nonumber|displaystyle)\*?"
    r"(?:\{(?:[^{}]|\{[^{}]{0,400}\}){0,2000}\})?|(?<!\\)%[^\n]*|&&(?!\s*=)[\s\S]*$|&"
)
_HASH = re.compile(r"(?:#|//)[^\n]*")
_WHERE_LINE = re.compile(r"^[ \t%]*(?:\\text\{)?(?:where|let)\b[^\n]*", re.IGNORECASE | re.MULTILINE)
_DECLARES = re.compile(r"\s*(?:where|let)\b.*(?::|\\in\b|∈)", re.IGNORECASE)
_FENCE = re.compile(r"\s*(```+|~~~+)\s*([\w+-]*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*)")
_BLANK = re.compile("[^\n]")
_PROOF_LANGUAGES = frozenset(["", "proof", "mcalc", "math", "text", "txt", "latex", "tex"])


def problems(text: str, markdown: bool | None = None) -> list[Problem]:
    """The derivations of a text: one, or those of a Markdown file."""
    _check_size(text)
    if markdown is None:
        markdown = any(_FENCE.match(line) for line in text.split("\n"))
    if not markdown:
        return [Problem(_title(text), tuple(_sources(text)))]
    return [Problem(title, tuple(_sources(section))) for title, section in _sections(text)]


def _check_size(text: str) -> None:
    lines = text.split("\n")
    if len(lines) > LINE_LIMIT:
        raise LimitError(f"the text has {len(lines)} lines; the limit is {LINE_LIMIT}")
    longest = max(map(len, lines))
    if longest > WIDTH_LIMIT:
        raise LimitError(f"a line has {longest} characters; the limit is {WIDTH_LIMIT}")


def _title(text: str) -> str:
    for line in text.split("\n"):
        plain = line.strip()
        if plain and plain[0] not in "#%":
            return ""
        words = plain.lstrip("#% ")
        if words and not words.startswith("bad line"):
            return words
    return ""


def _sources(text: str) -> list[Source]:
    return _rows(text) if _LATEX.search(text) else _lines(text)


def _lines(text: str) -> list[Source]:
    """One statement a line; a line that begins with = or (without =) with a sign continues the one before."""
    found: list[Source] = []
    at = 0
    for line in text.split("\n"):
        source = Source.of(line, at).replace(_HASH, lambda m: "").replace(_ASIDE, lambda m: " ").strip()
        at += len(line) + 1
        if not source.text:
            continue
        if _continues(source.text) and found:
            found[-1] = found[-1].glue("\n") + source
        else:
            found.append(source)
    return found


def _continues(text: str) -> bool:
    """Whether a line goes on with the equation of the line above."""
    return (text[0] == "=" and text[1:2] not in ("=", ">")) or (text[0] in "+-*" and "=" not in text)


def _rows(text: str) -> list[Source]:
    """LaTeX: the rows of the mathematics, and the lines that begin with `where`."""
    declared: list[Source] = []
    masked = text
    for match in _WHERE_LINE.finditer(text):
        declared.append(Source.of(match[0], match.start()).replace(re.compile(r"^[ \t%]*(?:\\text\{)?"), _nothing))
        masked = masked[: match.start()] + " " * len(match[0]) + masked[match.end() :]
    mathematics = _mathematics(masked)
    rows: list[Source] = []
    for start, end in mathematics:
        at = start
        inside = masked[start:end]
        for row in [*_ROW_END.finditer(inside), None]:
            stop = end if row is None else start + row.start()
            source = Source.of(masked[at:stop], at).replace(_ASIDE, lambda m: " ").strip()
            at = end if row is None else start + row.end()
            source = source.replace(re.compile(r"(?:(?<!\d)[.,;])\s*$|(?<=\d)[.,;]\s*$"), _nothing).strip()
            if not source.text:
                continue
            if _continues(source.text) and rows:
                rows[-1] = rows[-1].glue("\n") + source
            else:
                rows.append(source)
    return declared + rows


def _nothing(match: re.Match[str]) -> str:
    return ""


def _mathematics(text: str) -> list[tuple[int, int]]:
    """The stretches inside environments; all of the text where there is none."""
    found: list[tuple[int, int]] = []
    depth, start, dollars = 0, 0, False
    for match in _ENVIRONMENT.finditer(text):
        opens = match[0].startswith(("\\begin", "\\[")) or (match[0] == "$$" and not dollars)
        if match[0] == "$$":
            dollars = not dollars
        if depth:
            found.append((start, match.start()))
        depth = depth + 1 if opens else max(0, depth - 1)
        start = match.end()
    if depth:
        found.append((start, len(text)))
    if not _ENVIRONMENT.search(text):
        found = [(0, len(text))]
    return [(a, b) for a, b in found if text[a:b].strip()]


# --- Markdown -----------------------------------------------------------------------------------------------------


def _sections(text: str) -> list[tuple[str, str]]:
    """Each heading with mathematics below it, as the whole text with everything else blank (lines keep their number).

    A block that begins with declarations begins a problem of its own.
    """
    sections: list[tuple[str, list[str]]] = []
    lines = text.split("\n")
    title, fence, kept = "", "", False
    begun = display = False
    for number, line in enumerate(lines):
        opening = _FENCE.match(line)
        heading = None if fence else _HEADING.match(line)
        shown = _BLANK.sub(" ", line)
        if heading is not None:
            title, begun = heading[1].strip(), False
        elif opening is not None and not fence:
            fence, kept = opening[1], opening[2].lower() in _PROOF_LANGUAGES
            if kept and _begins_with_where(lines, number + 1):
                begun = False
        elif fence and line.strip().startswith(fence):
            fence = ""
        elif (fence and kept) or (not fence and (display or "$$" in line or _DECLARES.match(line))):
            if not begun:
                sections.append((title, [_BLANK.sub(" ", before) for before in lines[:number]]))
                begun = True
            display = display != (line.count("$$") % 2 == 1 and not fence)
            shown = line.replace("$$", "  ")
        if sections and (begun or len(sections[-1][1]) == number):
            sections[-1][1].append(shown)
    return [(name, "\n".join(kept_lines)) for name, kept_lines in sections if any(k.strip() for k in kept_lines)]


def _begins_with_where(lines: list[str], number: int) -> bool:
    for line in lines[number:]:
        plain = line.strip()
        if plain and plain[0] not in "#%":
            return _WHERE_LINE.match(line) is not None
    return False
