"""The gate: nothing is printed as an answer that has not passed here.

In: a derivation (mcalc/rewrite/derivation.py). Out: a `Verification`, or a `VerificationError` that names the line.

A derivation is a list of claims. Its lines `f = …` claim to equal f, its lines `df = …` the differential of f, the
lines of an answer each other; the last claim is the identification that the answer was read off from, such as
df = sum over X of tr(G_X^T dX). Each claim, and each rewrite made on the way (`Obligation`), is put to one `Prover`
(mcalc/verify/exact.py). A refuted claim ends in an error. One that the prover cannot decide is measured in floating
point instead, and the verdict says how many lines rest on that. The answer is measured against central differences in
any case (mcalc/verify/gradient.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mcalc.algebra.expr import Expr, substitute, symbols
from mcalc.algebra.operators import T, add, app, d, inner, mul, number, zeros
from mcalc.calculus.gradient import differential
from mcalc.calculus.vech import independent, stacked
from mcalc.errors import VerificationError
from mcalc.rewrite.derivation import NUMERATOR, Derived, Step
from mcalc.rewrite.rules import rule
from mcalc.verify.exact import Prover
from mcalc.verify.gradient import Check, check_gradient, check_linear


class Verification(NamedTuple):
    """How an answer was verified: points and largest relative error of the measurement, lines and how many of them
    were proved exactly (the others agree in floating point)."""

    points: int
    max_relative_error: float
    steps: int
    steps_proved: int

    @property
    def exact(self) -> bool:
        """Whether every line was proved exactly."""
        return self.steps_proved == self.steps

    def __str__(self) -> str:
        if self.exact:
            proved = "proved: every step, exactly"
        elif self.steps_proved:
            others = self.steps - self.steps_proved
            proved = f"proved: {self.steps_proved} of {self.steps} steps exactly, {others} numerically"
        else:
            proved = f"proved: no step exactly, all {self.steps} numerically"
        return f"{proved} · checked: {self.points} points, relative error {self.max_relative_error:.0e}"


class Claim(NamedTuple):
    """left = right, needed for the line with this index (-1: the identification, which belongs to every answer)."""

    line: int
    left: Expr
    right: Expr
    what: str


def prover_for(derived: Derived) -> Prover:
    """The prover of one derivation."""
    variables = tuple(dict.fromkeys(x for a in derived.answers for x in a.variables))
    return Prover(derived.root, variables=variables, expand=differential)


def prove(derived: Derived, prover: Prover | None = None) -> tuple[int, int]:
    """The number of lines, and how many of them are proved exactly; the others agree in floating point.

    Raises VerificationError where a line is refuted or cannot be tested at all, McalcError where a line cites a rule
    that no table holds.
    """
    prover = prover or prover_for(derived)
    lines = _lines(derived)
    for step in lines:
        for name in (*step.rules, *(o.rule for o in step.obligations)):
            rule(name)
    numeric: set[int] = set()
    for claim in _claims(derived, lines):
        verdict = prover.prove(claim.left, claim.right)
        if verdict.proved:
            continue
        if verdict.status == "undecided" and prover.measure(claim.left, claim.right) == "agree":
            numeric.add(claim.line)
            continue
        word = "is false" if verdict.status == "refuted" else "could not be tested"
        raise VerificationError(
            f"a step of the derivation {word}: {claim.what}",
            notes=(verdict.detail,) if verdict.detail else (),
            hint="no answer is given; please report the expression",
        )
    if -1 in numeric:
        numeric.discard(-1)
        numeric.add(len(lines) - 1)
    return len(lines), len(lines) - len(numeric)


def verify(derived: Derived, seed: int = 0) -> Verification:
    """Proves every line and measures the answers. Raises VerificationError where one fails."""
    steps, proved = prove(derived)
    check = measure(derived, seed)
    if not check.ok:
        raise VerificationError(
            f"the derivative that was found fails its check: {check.message}",
            hint="no answer is given; please report the expression",
        )
    return Verification(check.points, check.max_relative_error, steps, proved)


def measure(derived: Derived, seed: int = 0) -> Check:
    """The answers of a derivation against central differences."""
    return CHECKS[derived.kind](derived, seed)


def _lines(derived: Derived) -> list[Step]:
    return [*derived.steps, *(step for answer in derived.answers for step in answer.steps)]


def _claims(derived: Derived, lines: list[Step]) -> Iterator[Claim]:
    first: dict[str, Expr] = {derived.name: derived.root, f"d{derived.name}": d(derived.root)}
    for index, step in enumerate(lines):
        shown = f"{step.left} = {step.right}" if step.right.length < 200 else f"a line {step.left} = …"
        for o in step.obligations:
            yield Claim(index, o.before, o.after, shown)
        known = first.setdefault(step.left, step.right)
        if known is not step.right:
            yield Claim(index, known, step.right, shown)
    for answer in derived.answers:
        known = first.setdefault(answer.label, answer.result)
        if known is not answer.result:
            yield Claim(-1, known, answer.result, f"{answer.label} = {answer.result}")
    yield from IDENTIFICATIONS[derived.kind](derived)


# --- what an answer of each kind claims ------------------------------------------------------------------------------


def _gradient_claims(derived: Derived) -> Iterator[Claim]:
    terms = [inner(a.result, d(a.variables[0])) for a in derived.answers if a.result.op != "zeros"]
    yield Claim(-1, d(derived.root), add(*terms) if terms else number(0), "the gradient")


def _times(J: Expr, x: Expr, vech: tuple[Expr, ...]) -> Expr:
    """J vec(dX), or J vech(dX)."""
    return mul(J, _column(d(x), x, vech))


def _column(change: Expr, e: Expr | None = None, vech: tuple[Expr, ...] = ()) -> Expr:
    if e is not None and e in vech:
        return stacked(change, e, vech)
    return change if change.is_column else app("vec", change)


def _vech(derived: Derived) -> tuple[Expr, ...]:
    return derived.answers[0].vech


def _image(derived: Derived) -> Expr:
    """The differential that the Jacobians of a derivation claim, as a column."""
    blocks = [(a.forms.get(NUMERATOR, a.result), a.variables[0]) for a in derived.answers]
    vech = _vech(derived)
    terms = [_times(J, x, vech) for J, x in blocks if J.op != "zeros"]
    return add(*terms) if terms else zeros(*_column(derived.root, derived.root, vech).shape)


def _jacobian_claims(derived: Derived) -> Iterator[Claim]:
    yield Claim(-1, _column(d(derived.root), derived.root, _vech(derived)), _image(derived), "the Jacobian")


def _differential_claims(derived: Derived) -> Iterator[Claim]:
    yield Claim(-1, d(derived.root), derived.answers[0].result, "the differential")


def _gradients(derived: Derived) -> dict[Expr, Expr]:
    """The gradients that second derivatives were made from: the last line of each."""
    lines = {step.left: step.right for step in derived.steps}
    variables = dict.fromkeys(x for a in derived.answers for x in a.variables)
    return {x: lines[f"grad_{x.name}"] for x in variables}


def _first(derived: Derived) -> Claim:
    """df = sum over X of tr(grad_X^T dX)."""
    terms = [inner(g, d(x)) for x, g in _gradients(derived).items() if g.op != "zeros"]
    return Claim(-1, d(derived.root), add(*terms) if terms else number(0), "the gradient")


def _rows(derived: Derived) -> Iterator[tuple[Expr, Expr]]:
    """For each variable its gradient as a column, and the differential of that which the Hessian's blocks claim."""
    blocks = {(a.variables[0], a.variables[-1]): a.result for a in derived.answers}
    gradients, vech = _gradients(derived), _vech(derived)
    for x, g in gradients.items():
        row = [(blocks[x, y] if (x, y) in blocks else T(blocks[y, x]), y) for y in gradients]
        terms = [_times(H, y, vech) for H, y in row if H.op != "zeros"]
        claimed = _column(g)
        if x in vech:
            whole = independent(x)
            assert whole is not None
            claimed = mul(T(whole), claimed)
        yield claimed, add(*terms) if terms else zeros(*claimed.shape)


def _hessian_claims(derived: Derived) -> Iterator[Claim]:
    yield _first(derived)
    for g, image in _rows(derived):
        yield Claim(-1, d(g), image, "the Hessian")
    second = [step.right for step in derived.steps if step.left == f"d2{derived.name}"]
    if second:
        known = add(*(inner(d(g), d(x)) for x, g in _gradients(derived).items()))
        yield Claim(len(derived.steps) - 1, known, second[0], "the second differential")


def _products(derived: Derived) -> Iterator[tuple[Expr, Expr]]:
    """For each variable its gradient, and the Hessian-vector product with dX for the direction."""
    given = {*symbols(derived.root), *(x for a in derived.answers for x in a.variables)}
    gradients = _gradients(derived)
    ways: dict[Expr, Expr] = {}
    for answer in derived.answers:
        for way in symbols(answer.result):
            if way not in given:
                meant = [x for x in gradients if len(gradients) == 1 or way.name.endswith(f"_{x.name}")]
                ways[way] = d(max(meant, key=lambda x: len(x.name)))
    for answer in derived.answers:
        yield gradients[answer.variables[0]], substitute(answer.result, ways)


def _product_claims(derived: Derived) -> Iterator[Claim]:
    yield _first(derived)
    for g, product in _products(derived):
        yield Claim(-1, d(g), product, "the Hessian-vector product")


def _check_gradients(derived: Derived, seed: int) -> Check:
    return check_gradient(derived.root, {a.variables[0]: a.result for a in derived.answers}, seed=seed)


def _check_jacobians(derived: Derived, seed: int) -> Check:
    column = _column(derived.root, derived.root, _vech(derived))
    return check_linear(column, _image(derived), [a.variables[0] for a in derived.answers], seed=seed)


def _check_differential(derived: Derived, seed: int) -> Check:
    answer = derived.answers[0]
    return check_linear(derived.root, answer.result, answer.variables, seed=seed)


def _check_second(pairs: Callable[[Derived], Iterator[tuple[Expr, Expr]]]) -> Callable[[Derived, int], Check]:
    def check(derived: Derived, seed: int) -> Check:
        gradients = _gradients(derived)
        worst = check_gradient(derived.root, gradients, seed=seed)
        for g, image in pairs(derived):
            F = _column(g) if image.is_column else g
            if not worst.ok:
                break
            found = check_linear(F, image, tuple(gradients), within=derived.root, seed=seed)
            largest = max(worst.max_relative_error, found.max_relative_error)
            worst = Check(max(worst.points, found.points), largest, found.message)
        return worst

    return check


def _critical_claims(derived: Derived) -> Iterator[Claim]:
    yield _first(derived)
    for answer in derived.answers:
        (x,) = answer.variables
        there = substitute(answer.forms["gradient"], {x: answer.result})
        yield Claim(-1, there, number(0) if x.is_scalar else zeros(*x.shape), "the critical point")


def _check_critical(derived: Derived, seed: int) -> Check:
    return check_gradient(derived.root, {a.variables[0]: a.forms["gradient"] for a in derived.answers}, seed=seed)


Identification = Callable[[Derived], Iterator[Claim]]
IDENTIFICATIONS: dict[str, Identification] = {
    # kind: the claims that the answers were read off from
    "gradient": _gradient_claims,
    "jacobian": _jacobian_claims,
    "vec-jacobian": _jacobian_claims,
    "differential": _differential_claims,
    "hessian": _hessian_claims,
    "hvp": _product_claims,
    "critical-point": _critical_claims,
}
CHECKS: dict[str, Callable[[Derived, int], Check]] = {
    # kind: the answers against central differences
    "gradient": _check_gradients,
    "jacobian": _check_jacobians,
    "vec-jacobian": _check_jacobians,
    "differential": _check_differential,
    "hessian": _check_second(_rows),
    "hvp": _check_second(_products),
    "critical-point": _check_critical,
}
