"""Every derivative of the corpus: right by differences and by proof, its lines true, its length a textbook's."""

from __future__ import annotations

import functools

import pytest

import mcalc
from tests.oracle.corpus import Entry, files, load
from tests.oracle.run_corpus import Outcome, judge
from tests.oracle.syntax import split_definitions

ENTRIES = [entry for path in files() for entry in load(path)]
GRADIENTS = [entry for entry in ENTRIES if entry["kind"] == "gradient"]


@functools.cache
def outcome(place: int) -> Outcome:
    return judge(ENTRIES[place], count=2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("place", range(len(ENTRIES)), ids=[e["id"] for e in ENTRIES])
def test_right(place: int) -> None:
    found = outcome(place)
    assert not found.error
    assert not found.wrong
    assert not found.lines


@pytest.mark.parametrize("entry", GRADIENTS, ids=lambda e: e["id"])
def test_equal_to_the_textbook(entry: Entry) -> None:
    found = mcalc.derive(entry["expression"], wrt=entry["wrt"], where=entry["where"], steps="none", verify=False)
    definitions, _ = split_definitions(entry["expression"])
    text = "; ".join([*(f"{name} = {body}" for name, body in definitions), entry["expected"]])
    expected = mcalc.parse(text, where=entry["where"], shape=found.result.shape).expression
    equality = mcalc.equal(found.result, expected)
    assert equality.status != "refuted" or equality.reason == "only at a kink"


@pytest.mark.parametrize("entry", [e for e in GRADIENTS if e["infer"]], ids=lambda e: e["id"])
def test_without_declarations(entry: Entry) -> None:
    found = judge(entry, infer=True, count=1)
    assert not found.error and not found.wrong and not found.lines


def test_lengths() -> None:
    found = [outcome(place) for place, entry in enumerate(ENTRIES) if entry["kind"] == "gradient"]
    longer = [o for o in found if o.length > o.expected]
    assert len(longer) <= 0.05 * len(found)
    assert [o.entry["id"] for o in found if o.ratio > 1.5] == []
