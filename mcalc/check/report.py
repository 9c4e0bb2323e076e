"""Reports: what `check` found, as objects, as JSON, and as a table in notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["definition", "proved", "refuted", "undecided"]


@dataclass(frozen=True, slots=True)
class Line:
    """One equality of a proof.

    `follows`: whether it follows from the line above it (given the differentials that were claimed before);
    `method`: how it was decided ("exact", modulo primes; "differentials and numerics"; …); `slip`: the mistake that
    explains a refuted line; `repair`: what would be right; `counterexample`: values at which the line fails;
    `detail`: a remark; `shape`: of the right-hand side, `expected`: of the left.
    """

    line: int
    left: str
    right: str
    verdict: Verdict
    follows: bool = True
    method: str = ""
    slip: str = ""
    repair: str = ""
    counterexample: str = ""
    detail: str = ""
    shape: str = ""
    expected: str = ""
    latex: tuple[str, str] = ("", "")
    """Both sides as LaTeX."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON; what does not apply is null."""
        return {
            "line": self.line, "left": self.left, "right": self.right, "verdict": self.verdict,
            "follows": self.follows, "method": self.method or None, "slip": self.slip or None,
            "repair": self.repair or None, "counterexample": self.counterexample or None,
            "detail": self.detail or None, "shape": self.shape or None, "expected_shape": self.expected or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report(Sequence[Line]):
    """The verdicts of one derivation, line by line. True if all of it is proved."""

    lines: tuple[Line, ...]
    title: str = ""
    source: str = ""
    """The file."""
    notes: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    """Shapes that no `where` gave."""
    moving: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """Of the whole: refuted if a line is, undecided if a line is, else proved."""
        found = {line.verdict for line in self.lines}
        if "refuted" in found:
            return "refuted"
        return "undecided" if "undecided" in found else "proved"

    @property
    def ok(self) -> bool:
        """Whether every line is proved."""
        return self.verdict == "proved"

    @property
    def wrong(self) -> tuple[Line, ...]:
        """The refuted lines."""
        return tuple(line for line in self.lines if line.verdict == "refuted")

    def __bool__(self) -> bool:
        return self.ok

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, place: Any) -> Any:
        return self.lines[place]

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __str__(self) -> str:
        from mcalc.check.render import text

        return text([self])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {"schema": 1, "verdict": self.verdict}
        if self.title:
            found["title"] = self.title
        if self.source:
            found["source"] = self.source
        return found | {"lines": [line.to_dict() for line in self.lines]}

    def _repr_html_(self) -> str:
        from mcalc.check.render import html

        return html([self])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from mcalc.check.render import html, text

        return {"text/plain": text([self]), "text/html": html([self])}


class Reports(tuple[Report, ...]):
    """The derivations of a text with several problems."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether every line of every derivation is proved."""
        return all(report.ok for report in self)

    def __bool__(self) -> bool:
        return self.ok

    def _repr_html_(self) -> str:
        from mcalc.check.render import html

        return html(list(self))
