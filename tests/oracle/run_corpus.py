"""`python -m tests.oracle.run_corpus [files] [--kind KIND] [--infer] [--id TEXT] [--worst N] [--details] [--help]`.

Runs mcalc on the corpus: the answer against differentiation and against the textbook, every line, the length.
"""

from __future__ import annotations

import argparse
import statistics
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .answers import answer
from .corpus import Entry, Point, files, load, points, tolerance
from .length import length
from .sampling import dimension_names
from .steps import check_at, declared_of, sizes_from
from .syntax import OracleError, parse_where, split_definitions

Result = dict[str, Any]


@dataclass
class Outcome:
    """What came of one entry."""

    entry: Entry
    got: str = ""
    error: str = ""
    wrong: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0
    length: int = 0
    expected: int = 1

    @property
    def ratio(self) -> float:
        return self.length / self.expected


def measure(text: str, declared: Any) -> int:
    return length(text, declared, dimension_names(declared))


def judge(entry: Entry, infer: bool = False, count: int = 3, verify: bool = True) -> Outcome:
    """Derives one entry and tests the answer, its lines and its length."""
    outcome = Outcome(entry)
    try:
        result, outcome.seconds = answer(entry, infer, verify)
    except Exception as problem:
        outcome.error = f"{type(problem).__name__}: {problem}".splitlines()[0]
        if type(problem).__module__.split(".")[0] != "mcalc":
            outcome.error += " @ " + traceback.format_exc().splitlines()[-3].strip()
        return outcome
    outcome.got = result["result"]
    outcome.expected = measure(entry["expected"], parse_where(entry["where"]))
    try:
        declared = declared_of(result)
        outcome.length = measure(outcome.got, declared)
        for point in points(entry, count):
            judge_at(outcome, result, point)
    except (OracleError, KeyError, ValueError, IndexError) as problem:
        outcome.wrong.append(f"{type(problem).__name__}: {problem}")
    return outcome


def judge_at(outcome: Outcome, result: Result, point: Point) -> None:
    declared = declared_of(result)
    point.sizes = {**point.sizes, **sizes_from(declared, point.values)}
    definitions, _ = split_definitions(outcome.entry["expression"])
    got = "; ".join([*(f"{name} = {body}" for name, body in definitions), outcome.got])
    wrong = point.error(got)
    if wrong > tolerance(outcome.entry["kind"]):
        outcome.wrong.append(f"error {wrong:.1e} at sizes {point.sizes}")
    if outcome.entry["kind"] in ("gradient", "jacobian"):
        outcome.lines += [line for line in check_at(result, point.values, point.sizes, 7) if line not in outcome.lines]


def table(outcomes: list[Outcome], worst: int, details: bool) -> str:
    """The summary, and the worst offenders with what was got and what was expected."""
    derived = [o for o in outcomes if not o.error]
    longer = [o for o in derived if o.length > o.expected]
    shorter = [o for o in derived if o.length < o.expected]
    rows = [
        ("entries", len(outcomes)),
        ("errors", sum(bool(o.error) for o in outcomes)),
        ("wrong answers", sum(bool(o.wrong) for o in outcomes)),
        ("false lines", sum(bool(o.lines) for o in outcomes)),
        ("shorter than expected", len(shorter)),
        ("as short as expected", len(derived) - len(longer) - len(shorter)),
        ("longer than expected", len(longer)),
        ("more than 1.25 x", sum(o.ratio > 1.25 for o in derived)),
        ("more than 1.5 x", sum(o.ratio > 1.5 for o in derived)),
    ]
    text = [f"{name:22}{value:6}" for name, value in rows]
    if derived:
        times = [o.seconds * 1e3 for o in derived]
        text.append(f"{'median / max ms':22}{statistics.median(times):6.1f} / {max(times):.0f}")
        text.append(f"{'mean length ratio':22}{statistics.mean(o.ratio for o in derived):6.3f}")
    for title, chosen in (
        ("errors", [o for o in outcomes if o.error]),
        ("wrong", [o for o in outcomes if o.wrong]),
        ("false lines", [o for o in outcomes if o.lines]),
    ):
        text += [f"\n{title}:"] if chosen else []
        for o in chosen:
            text.append(f"  {o.entry['id']}: {o.error or (o.wrong or o.lines)[0]}")
            text += [f"      {o.entry['expression']}  [{o.entry['where']}]  got {o.got}"] if details else []
    longer.sort(key=lambda o: -o.ratio)
    if details:
        text += ["\nshorter than expected:"] if shorter else []
        for o in shorter:
            text += [
                f"  {o.length}/{o.expected} {o.entry['id']}: got {o.got}",
                f"        expected {o.entry['expected']}",
            ]
    text += ["\nlongest against the expected:"] if longer[:worst] else []
    for o in longer[:worst]:
        text.append(f"  {o.ratio:.2f} {o.length:3}/{o.expected:<3} {o.entry['id']}: {o.entry['expression']}")
        text += [f"        got      {o.got}", f"        expected {o.entry['expected']}"]
    return "\n".join(text)


def run(
    paths: list[Path],
    kind: str | None = None,
    infer: bool = False,
    part: str = "",
    count: int = 3,
    verify: bool = True,
) -> list[Outcome]:
    entries = [entry for path in paths for entry in load(path)]
    chosen = [
        entry
        for entry in entries
        if kind in (None, entry["kind"]) and (entry["infer"] or not infer) and part in entry["id"]
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return [judge(entry, infer, count, verify) for entry in chosen]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--kind", choices=["gradient", "jacobian", "vec-jacobian", "hessian", "hvp"])
    parser.add_argument("--infer", action="store_true", help="without declarations, where the corpus says they infer")
    parser.add_argument("--id", default="", help="only entries whose identifier contains this")
    parser.add_argument("--worst", type=int, default=25)
    parser.add_argument("--points", type=int, default=3)
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--no-verify", action="store_true", help="without mcalc's own proof and check")
    options = parser.parse_args()
    outcomes = run(
        options.files or files(), options.kind, options.infer, options.id, options.points, not options.no_verify
    )
    print(table(outcomes, options.worst, options.details))
    return int(any(o.error or o.wrong or o.lines for o in outcomes))


__all__ = ["Outcome", "judge", "run", "table"]

if __name__ == "__main__":
    raise SystemExit(main())
