"""Verdicts: every line by itself, and against the line above it.

A claim is true if its identity (mcalc/check/questions.py) is proved modulo primes. Where that arithmetic does not
decide, 50-digit numbers do, and derivatives without a closed form are measured with central differences; the method
says which. A line is refuted only with a counterexample, a shape that differs, or both exact arithmetic and floating
point against it.

A refuted line is looked at again as a consequence: of the line above it, and of the differentials that earlier lines
claim. If it is one, the mistake was made before, and `follows` is true.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import d, mul
from mcalc.algebra.shape import shape_text
from mcalc.check.examples import counterexample_text
from mcalc.check.numerics import agree_precisely, nowhere_defined
from mcalc.check.questions import Calculus, Question, has_differential, question, vec
from mcalc.check.reading import Claim, Proof
from mcalc.check.render import left_latex, right_latex
from mcalc.check.report import Line, Report, Verdict
from mcalc.check.search import Context, Repair, right_answer, search
from mcalc.errors import McalcError, NotSupported, VerificationError
from mcalc.verify.equality import Counterexample, counterexample
from mcalc.verify.exact import Prover
from mcalc.verify.gradient import check_gradient, check_linear


@dataclass(frozen=True, slots=True)
class Decision:
    """Of one identity: "proved", "refuted" or "undecided"; how; and why not."""

    status: str
    method: str = ""
    detail: str = ""
    found: Counterexample | None = None


@dataclass(slots=True)
class _Judged:
    claim: Claim
    status: str


@dataclass(slots=True)
class Judge:
    """One proof under judgement."""

    proof: Proof
    file: str = ""
    calculus: Calculus = field(default_factory=Calculus)
    judged: list[_Judged] = field(default_factory=list)
    claimed: dict[Expr, Expr] = field(default_factory=dict)
    """Expressions whose differentials a refuted line claims."""
    prover: Prover = field(init=False)

    def __post_init__(self) -> None:
        roots = [c.left for c in self.proof.claims if c.kind == "definition"][:40]
        self.prover = Prover(*roots, variables=self.proof.moving, expand=self.calculus.expand(self.proof.moving))

    def report(self) -> Report:
        """The verdicts of all lines."""
        lines = tuple(self._line(claim) for claim in self.proof.claims)
        moving = tuple(x.name for x in self.proof.moving)
        return Report(lines, self.proof.title, self.file, self.proof.notes, self.proof.inferred, moving)

    # --- one line

    def _line(self, claim: Claim) -> Line:
        shape, expected = shape_text(claim.right.shape), shape_text(claim.shape)
        latex = (left_latex(claim, self.proof), right_latex(claim, self.proof))
        if claim.kind == "definition":
            self.judged.append(_Judged(claim, "proved"))
            texts = (claim.left_text, claim.right_text)
            return Line(claim.line, *texts, "definition", shape=shape, expected=expected, latex=latex)
        asked, decision = self._decide(claim)
        follows = self._follows(claim, decision.status)
        self.judged.append(_Judged(claim, decision.status))
        refuted = decision.status == "refuted" and claim.right.shape == claim.left.shape
        if refuted and claim.kind == "equality" and claim.left.op == "d":
            self.claimed[claim.left.args[0]] = claim.right
        common = (claim.line, claim.left_text, claim.right_text)
        if decision.status != "refuted":
            status: Verdict = "proved" if decision.status == "proved" else "undecided"
            detail = decision.detail if status == "undecided" else ""
            return Line(
                *common, status, follows, decision.method, detail=detail, shape=shape, expected=expected, latex=latex
            )  # fmt: skip
        context = self._context(claim, asked)
        found = Repair("", right_answer(context)) if follows else search(context)
        example = "" if decision.found is None else self._counterexample(claim, asked, decision.found)
        remark = "; ".join(part for part in (decision.detail, found.remark) if part)
        return Line(
            *common, "refuted", follows, decision.method, found.slip, found.text, example, remark, shape, expected,
            latex,
        )  # fmt: skip

    def _decide(self, claim: Claim) -> tuple[Question | None, Decision]:
        if claim.right.shape != claim.shape:
            detail = f"the shapes differ: {shape_text(claim.shape)} and {shape_text(claim.right.shape)}"
            asked = None
            with suppress(McalcError):
                asked = question(claim, self.proof.moving, self.calculus)
            return asked, Decision("refuted", "shape", detail)
        try:
            asked = question(claim, self.proof.moving, self.calculus)
            return asked, decide(asked.target, asked.wrap(claim.right), self.prover, self._written)
        except NotSupported as problem:
            return None, self._measure(claim, problem.message)
        except VerificationError as problem:
            return None, Decision("undecided", "", problem.message)

    def _written(self, e: Expr) -> Expr:
        return self.calculus.write_out(e, self.proof.moving)

    def _measure(self, claim: Claim, reason: str) -> Decision:
        """Against central differences, where a differential has no closed form."""
        method = "differentials and numerics"
        try:
            check = None
            x = claim.variable
            if claim.kind == "grad" and x is not None and x.op == "sym":
                check = check_gradient(claim.left, {x: claim.right})
            elif claim.kind == "jac" and x is not None and x.op == "sym":
                check = check_linear(vec(claim.left), mul(claim.right, vec(d(x))), [x])
            elif claim.kind == "equality" and claim.left.op == "d" and not has_differential(claim.left.args[0]):
                check = check_linear(claim.left.args[0], self._written(claim.right), self.proof.moving)
            if check is None:
                return Decision("undecided", "", reason)
            return Decision("proved", method) if check.ok else Decision("refuted", method, check.message)
        except McalcError as problem:
            return Decision("undecided", "", problem.message)

    # --- against the line above

    def _follows(self, claim: Claim, status: str) -> bool:
        """Whether a claim follows from what stands above it."""
        before = self._above(claim)
        wrong = [j for j in before if j.status != "proved"]
        if status == "proved":
            if not before or before[0].status == "proved":
                return True
            return self._consequence(claim, before[0])
        if not wrong and not self.claimed:
            return False
        return any(self._consequence(claim, j) for j in wrong[:3]) or (
            bool(self.claimed) and self._consequence(claim, before[0] if before else None)
        )

    def _above(self, claim: Claim) -> list[_Judged]:
        """The lines above that say the same kind of thing of the same function, nearest first."""
        return [earlier for earlier in reversed(self.judged) if _above(earlier.claim, claim)]

    def _consequence(self, claim: Claim, above: _Judged | None) -> bool:
        """Whether the claim follows from a line, or from its left-hand side, under the differentials claimed so far."""
        for claimed in [{}, self.claimed] if self.claimed else [{}]:
            calculus = Calculus(claimed)
            moving = self.proof.moving
            try:
                if above is not None and above.claim.kind == claim.kind:
                    left, right = above.claim.right, claim.right
                else:
                    base = None
                    if above is not None and above.claim.kind in ("equality", "grad"):
                        base = above.claim.right
                    asked = question(claim, moving, calculus, base)
                    left, right = asked.target, asked.wrap(claim.right)
                prover = Prover(left, right, variables=moving, expand=calculus.expand(moving))
                if left.shape == right.shape and prover.prove(left, right).proved:
                    return True
            except McalcError:
                continue
        return False

    # --- what is wrong with it

    def _context(self, claim: Claim, asked: Question | None) -> Context:
        above = next((j.claim.right for j in self._above(claim) if j.claim is not claim), None)
        return Context(claim, asked, self.proof, self.calculus, self.prover, above)

    def _counterexample(self, claim: Claim, asked: Question | None, found: Counterexample) -> str:
        if asked is None:
            return str(found)
        return counterexample_text(claim, self._written(asked.target), self._written(claim.right), found)


def decide(left: Expr, right: Expr, prover: Prover, written: Callable[[Expr], Expr]) -> Decision:
    """Whether left = right."""
    verdict = prover.prove(left, right)
    if verdict.proved:
        return Decision("proved", "exact" if verdict.method == "same" else verdict.method)
    a, b = written(left), written(right)
    found = counterexample(a, b)
    if verdict.status == "refuted":
        return Decision("refuted", verdict.method, "" if found is not None else verdict.detail, found)
    if found is not None:
        return Decision("refuted", "floating point", "", found)
    if agree_precisely(a, b):
        return Decision("proved", "numerics to 40 digits")
    if nowhere_defined(a, b):
        return Decision("refuted", "floating point", "the right side has no value where the left side has one")
    return Decision("undecided", "", verdict.detail)


def _above(earlier: Claim, claim: Claim) -> bool:
    """Whether a claim continues an earlier one: of the same left-hand side, a derivative read off a differential."""
    if claim.kind == "equality" or earlier.kind == claim.kind:
        same = earlier.left is claim.left and earlier.variable is claim.variable
        return earlier.kind == claim.kind and same
    if claim.kind in ("grad", "jac"):
        return earlier.kind == "equality" and earlier.left is d(claim.left)
    return (
        claim.kind == "hess" and earlier.kind == "grad"
        and earlier.left is claim.left and earlier.variable is claim.variable
    )  # fmt: skip


def judge(proof: Proof, file: str = "") -> Report:
    """The report on a proof."""
    return Judge(proof, file).report()


__all__ = ["Decision", "decide", "judge"]
