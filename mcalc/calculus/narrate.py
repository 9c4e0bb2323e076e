"""Telling a backward pass as a lecture.

`narrate` turns the peels of a derivation into lines `df = …`. `brief`: a line is a thought: a product rule is written
out before its terms are shifted, an elementwise function comes with its Hadamard swap, and all that is merely constant
goes in one line. `full`: two lines for every operator, the differential and the trace law.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import add, d
from mcalc.calculus.gradient import Backward, Frontier, Peel, advance, collect, pairing
from mcalc.calculus.table import DIFFERENTIALS
from mcalc.rewrite.derivation import Obligation, Step, owed
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher

MOST_LINES = 40
"""A longer derivation is told in about this many lines, each for several operators."""
MOST_TERMS = 2000
"""… and in fewer, where the lines are long: this many terms in all."""
_STRUCTURAL = frozenset({"add", "neg", "div", "mul", "had", "hdiv", "kron", "sum", "mean", "block", "index", "vec",
                         "diagm", "diagv", "tril", "triu"})  # fmt: skip
_SILENT = frozenset({"T", "tr"})


class StepPolisher(Polisher):
    """For the lines of a derivation: signs stay where they arose."""

    def flip(self, e: Expr) -> Expr | None:
        """Never moves a sign into a sum."""
        return None


class Narrator:
    """Writes the df lines of one derivation."""

    def __init__(self, context: Normaliser, polish: Polisher, left: str, moves: Iterable[Expr]) -> None:
        self.context = context
        self.polish = polish
        self.left = left
        self.moving = set(moves)
        self.lines: list[Step] = []
        self.open: list[Obligation] = []
        self.totals: dict[tuple[Expr, tuple[Expr, ...]], Expr] = {}

    def line(self, right: Expr, rules: Iterable[str], note: str = "") -> None:
        """Add a line, unless it repeats the one before."""
        if self.lines and self.lines[-1].right is right:
            last = self.lines[-1]
            self.lines[-1] = Step(last.left, right, last.rules, last.note, (*last.obligations, *self.open))
        else:
            kept = tuple(dict.fromkeys(rules)) or ("linearity",)
            self.lines.append(Step(self.left, right, kept, note, tuple(self.open)))
        self.open = []

    def pair(self, cotangent: Expr, moving: Expr) -> Expr:
        """tr(C^T dN) as it is written in a line."""
        return self.polish(pairing(self.context, cotangent, moving))

    def cotangent(self, node: Expr, parts: tuple[Expr, ...]) -> Expr:
        """The cotangent of a node that is not peeled yet."""
        key = (node, parts)
        if key not in self.totals:
            self.totals[key] = collect(self.context, node, parts)[0]
        return self.totals[key]

    def frontier(self, frontier: Frontier) -> Expr:
        """The sum of what is left."""
        terms = [self.pair(self.cotangent(n, parts), d(n)) for n, parts in frontier.items() if n in self.moving]
        terms = [t for t in terms if t.op != "neg"] + [t for t in terms if t.op == "neg"]
        return add(*terms)

    def written_out(self, peel: Peel, before: Frontier) -> Expr:
        """The line with the peeled operator's differential in place, nothing shifted yet."""
        terms = []
        for node, parts in before.items():
            if node is peel.node:
                terms.append(self.pair(peel.cotangent, peel.differential))
            elif node in self.moving:
                terms.append(self.pair(self.cotangent(node, parts), d(node)))
        return add(*terms)


def narrate(
    context: Normaliser, polish: Polisher, result: Backward, moving: set[Expr], left: str, detail: str
) -> list[Step]:
    """The df lines of a derivation; `detail` is "brief" or "full"."""
    told = Narrator(context, polish, left, moving)
    before: Frontier = {}
    if result.peels:
        first = result.peels[0]
        before = {first.node: (first.cotangent,)}
    width = max((peel.width for peel in result.peels), default=1)
    lines = max(2, min(MOST_LINES, MOST_TERMS // width))
    stride = max(1, -(-len(result.peels) // (3 * lines)))
    waited = 0
    pending: list[str] = []
    constants: dict[str, None] = {}
    after_rule = False

    def flush(frontier: Frontier, last: bool = False) -> None:
        nonlocal pending, after_rule, waited
        waited += 1
        if waited % stride and not last:
            return
        if pending or constants:
            names = list(constants)
            note = ""
            rules = list(dict.fromkeys(pending))
            if not pending and names:
                rules = ["constant"]
                note = _constants(names)
            if frontier:
                told.line(told.frontier(frontier), rules, note)
        pending = []
        constants.clear()
        after_rule = False

    for peel in result.peels:
        op = peel.node.op
        movers = [a for a in peel.node.args if a in moving]
        product = len(movers) > 1 and op not in ("add", "block")
        if detail == "full":
            told.open.extend(owed(peel.rewrites))
            told.line(told.written_out(peel, before), [peel.rule])
        elif (op in _SILENT or (op == "sum" and not told.lines)) and not (
            op == "tr" and peel.node.args[0].op == "expm"
        ):
            told.open.extend(owed(peel.rewrites))
            if op == "T" and told.lines:
                pending.extend(peel.laws)
        elif op in _STRUCTURAL and not product:
            if after_rule:
                flush(before)
            told.open.extend(owed(peel.rewrites))
            constants.update((a.name, None) for a in peel.node.args if a.op == "sym" and a not in moving)
            constants.update((a.args[0].name, None) for a in peel.node.args
                             if a.op == "T" and a.args[0].op == "sym" and a not in moving)  # fmt: skip
            if not constants:
                pending = pending or [DIFFERENTIALS[op].rule]
        else:
            flush(before)
            told.open.extend(owed(peel.rewrites))
            if product and stride == 1:
                told.line(told.written_out(peel, before), [peel.rule])
                pending = list(peel.laws)
            else:
                pending.extend([peel.rule, *(law for law in peel.laws if law == "Hadamard swap")])
            after_rule = True
        advance(before, peel)
        if detail == "full":
            told.line(told.frontier(before), peel.laws)
    if detail != "full":
        flush(before, last=True)
    return told.lines


def _constants(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is constant"
    return f"{', '.join(names[:-1])} and {names[-1]} are constant"
