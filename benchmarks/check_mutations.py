"""Mutants of correct proofs: are they refuted at the right line, and is the slip named?

    python benchmarks/check_mutations.py [--count 1000] [--seed 0] [--verbose]

One line of a correct proof is changed in one way (a sign, a transpose, a factor 2, a term, the order of factors, …),
as a tree, and printed again. A mutant counts where the change really changes the meaning: the independent evaluator of
tests/oracle finds exactly that line false, at random points, with values of its own. Then `mcalc check` must refute
that line and no other. Bars: 99.9 % refuted at the right line, no true line refuted; the share of slips named as what
they are is reported.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mcalc.algebra.expr import Expr, fold  # noqa: E402
from mcalc.algebra.functions import FUNCTIONS  # noqa: E402
from mcalc.algebra.operators import add, app, had, inv, mul, number  # noqa: E402
from mcalc.algebra.printing import ascii_text  # noqa: E402
from mcalc.check import check  # noqa: E402
from mcalc.check.edits import negative, places, put, scaled, transposed  # noqa: E402
from mcalc.check.reading import Claim, Proof, read  # noqa: E402
from mcalc.check.source import problems  # noqa: E402
from mcalc.errors import McalcError  # noqa: E402
from tests.oracle.proofs import false_lines  # noqa: E402
from tests.oracle.syntax import OracleError  # noqa: E402

FOLDERS = ("tests/corpus/hand_proofs", "tests/corpus/more_proofs/right", "tests/hand_proofs")

# fmt: off
NAMED: dict[str, tuple[str, ...]] = {
    # kind of mutation: words of which the name of the slip must hold one
    "sign":        ("sign", "minus"),
    "transpose":   ("transpose", "layout"),
    "factor 2":    ("factor 2",),
    "term":        ("term",),
    "order":       ("order", "cyclic"),
    "hadamard":    ("Hadamard", "matrix product"),
    "inverse":     ("inverse", "exponent"),
    "elementwise": ("elementwise", "factor lost"),
    "factor":      ("factor lost", "inverse lost"),
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Mutant:
    """A proof with one line changed."""

    file: str
    line: int
    kind: str
    text: str
    right: str


def mutations(claim: Claim, names: dict[Expr, str]) -> Iterator[tuple[str, Expr]]:
    """Every right-hand side with one slip in it."""
    root = claim.right
    for path, node in places(root, names):
        changed: list[tuple[str, Expr]] = [("sign", negative(node)), ("factor 2", scaled_by_two(node))]
        if not node.is_scalar and node.op != "eye":
            changed.append(("transpose", transposed(node)))
        if node.op == "add":
            changed += [("term", _without(node, k)) for k in range(len(node.args))]
        if node.op == "mul":
            changed += [("order", swapped) for swapped in _swaps(node)]
            matrices = [a for a in node.args if not a.is_scalar]
            changed += [("factor", mul(*node.args[:k], *node.args[k + 1 :])) for k in range(len(node.args))
                        if len(matrices) > 1 and not node.args[k].is_scalar and node.args[k].is_square
                        and not _moves(node.args[k])]  # fmt: skip
        if node.op == "had":
            changed += [("elementwise", _fewer(node, k)) for k, a in enumerate(node.args) if _is_weight(a)]
        if node.op == "pow" and node.attrs[0] == -1 and not node.is_scalar:
            changed.append(("inverse", node.args[0]))
        elif node.is_square and not node.is_scalar and node.op == "sym":
            changed.append(("inverse", inv(node)))
        for kind, new in changed:
            made = put(root, path, new)
            if made is not None and made.shape == root.shape and made is not root:
                yield kind, made


def scaled_by_two(node: Expr) -> Expr:
    """2 A; of 2 A, A."""
    from fractions import Fraction

    halves = node.op == "mul" and node.args[0] is number(2)
    return scaled(node, Fraction(1, 2) if halves else Fraction(2))


def _without(node: Expr, k: int) -> Expr:
    return add(*node.args[:k], *node.args[k + 1 :])


def _fewer(node: Expr, k: int) -> Expr:
    return had(*node.args[:k], *node.args[k + 1 :])


def _swaps(node: Expr) -> Iterator[Expr]:
    for k in range(len(node.args) - 1):
        a, b = node.args[k], node.args[k + 1]
        if not a.is_scalar and not b.is_scalar and a is not b:
            try:
                yield app("mul", *node.args[:k], b, a, *node.args[k + 2 :])
            except McalcError:
                continue


def _moves(e: Expr) -> bool:
    return fold(e, lambda node, below: node.op == "d" or any(below))


def _is_weight(e: Expr) -> bool:
    """Whether this looks like f'(Z): 1 - h^2, a function, an indicator."""
    return e.op in ("add", "gt", "hpow") or e.op in FUNCTIONS


def mutants(file: Path, rng: random.Random) -> Iterator[Mutant]:
    """The mutants of a file in random order, the kinds taking turns."""
    text = file.read_text(encoding="utf-8")
    proof = read(problems(text)[0], text, file.name)
    found: list[Mutant] = []
    seen: set[str] = set()
    lines = text.split("\n")
    counts = Counter(claim.line for claim in proof.claims)
    for claim in proof.claims:
        if claim.kind == "definition" or counts[claim.line] > 1:
            continue
        for kind, new in mutations(claim, proof.names):
            right = _printed(new, proof)
            if right not in seen:
                seen.add(right)
                changed = list(lines)
                changed[claim.line - 1] = f"{claim.left_text} = {right}"
                found.append(Mutant(file.name, claim.line, kind, "\n".join(changed), right))
    rng.shuffle(found)
    turns: Counter[str] = Counter()
    order: list[tuple[int, Mutant]] = []
    for mutant in found:
        order.append((turns[mutant.kind], mutant))
        turns[mutant.kind] += 1
    yield from (mutant for _, mutant in sorted(order, key=lambda pair: pair[0]))


def _printed(e: Expr, proof: Proof) -> str:
    return ascii_text(e, proof.names)


def changes_meaning(mutant: Mutant) -> bool:
    """Whether the mutant can be read, and the independent evaluator finds its line false, and no other."""
    try:
        read(problems(mutant.text)[0], mutant.text, mutant.file)
        return false_lines(mutant.text) == [mutant.line]
    except (OracleError, ValueError, ZeroDivisionError, KeyError, AttributeError, McalcError):
        return False


def main() -> int:
    """Runs the mutants; 0 if the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    files = [p for folder in FOLDERS for p in sorted((ROOT / folder).glob("*.proof"))]
    queues = [mutants(p, rng) for p in files]
    right = wrong_reject = total = 0
    named: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    start = time.perf_counter()
    while queues and total < options.count:
        for queue in list(queues):
            mutant = next((m for m in queue if changes_meaning(m)), None)
            if mutant is None:
                queues.remove(queue)
                continue
            if total == options.count:
                break
            total += 1
            refuted, slip = _outcome(mutant)
            others = [n for n in refuted if n != mutant.line]
            wrong_reject += len(others)
            caught = mutant.line in refuted
            right += caught
            kinds[mutant.kind] += 1
            good = any(word in slip for word in NAMED[mutant.kind])
            named[mutant.kind] += good
            if not caught or others or (options.verbose and not good):
                print(f"{mutant.file}:{mutant.line} {mutant.kind}: {mutant.right}   refuted {refuted}, slip {slip!r}")
    elapsed = time.perf_counter() - start
    print(f"{total} mutants of {len(files)} proofs in {elapsed:.0f} s")
    print(f"refuted at the right line: {right} ({right / max(total, 1):.2%}); true lines refuted: {wrong_reject}")
    print(f"slip named: {sum(named.values())} ({sum(named.values()) / max(total, 1):.1%})")
    for kind, count in sorted(kinds.items()):
        print(f"  {kind:12} {named[kind]:4} of {count}")
    return 0 if right >= 0.999 * total and wrong_reject == 0 else 1


def _outcome(mutant: Mutant) -> tuple[list[int], str]:
    """The refuted lines, and the slip at the mutated one."""
    try:
        report = check(mutant.text)
    except McalcError as problem:
        return [], f"error: {problem.message}"
    slip = next((line.slip for line in report.wrong if line.line == mutant.line), "")
    return [line.line for line in report.wrong], slip


if __name__ == "__main__":
    sys.exit(main())
