"""The search for the slip: guesses are screened in floating point, what passes is proved, the first proof names it.

Also: what the line should have been, where no single slip explains it (`right_answer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from mcalc.algebra.expr import Expr, postorder, substitute
from mcalc.algebra.operators import add, app, d, div, had, inner, mul, neg, symbol, total
from mcalc.algebra.printing import ascii_text
from mcalc.algebra.structure import close, structure
from mcalc.calculus.gradient import differential
from mcalc.check.edits import negative, scaled, transposed, turned
from mcalc.check.guess import Guess, Wrong
from mcalc.check.numerics import Screen
from mcalc.check.questions import Calculus, Question, has_differential
from mcalc.check.reading import Claim, Proof
from mcalc.check.slips import WHOLE_RATIOS, factor_name, guesses
from mcalc.errors import McalcError
from mcalc.verify.exact import Prover

_MOST_GUESSES = 2000
_ENOUGH = 12
_ANSWERED = ("symmetric form", "Jacobian given")
"""Slips that are told with mcalc's own answer, which is plainer than the line repaired."""
_STRUCTURED = frozenset(["symmetric", "skew", "diagonal", "lower", "upper"])
_MOST_PIECES = 40
_DIFFERENTIAL = re.compile(r"\bd\(([A-Za-z]\w*)\)")
_LARGEST_DENOMINATOR = 12
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Repair:
    """The name of the slip ("" if none explains the line), and what would be right ("" if unknown)."""

    slip: str
    text: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A refuted claim, with what is needed to try others in its place."""

    claim: Claim
    asked: Question | None
    proof: Proof
    calculus: Calculus
    prover: Prover
    above: Expr | None

    def text(self, e: Expr) -> str:
        """An expression with the proof's names in it."""
        return _DIFFERENTIAL.sub(r"d\1", ascii_text(e, self.proof.names))


def search(context: Context) -> Repair:
    """The repair of a refuted line."""
    found = _search(context)
    remark = found.remark or symmetric_only(context)
    return Repair(found.slip, found.text, remark)


def symmetric_only(context: Context) -> str:
    """`true for symmetric A only`, where that is so."""
    asked, right = context.asked, context.claim.right
    if asked is None or right.shape != context.claim.shape:
        return ""
    wrapped, moving = _wrapped(context, asked, right), context.proof.moving
    if wrapped is None:
        return ""
    target = context.calculus.write_out(asked.target, moving)
    square = [
        n for n in postorder(target, wrapped)
        if n.op == "sym" and n.is_square and not n.is_scalar and not close(n.attrs[1]) & _STRUCTURED
        and n not in moving and n is not context.claim.variable and not n.name.endswith("_")
    ]  # fmt: skip
    square = list(dict.fromkeys(square))[:6]
    for chosen in [*([n] for n in square), square if len(square) > 1 else []]:
        if not chosen:
            continue
        put = {n: symbol(n.name, n.shape, n.attrs[1] | {"symmetric"}) for n in chosen}
        left, other = substitute(target, put), substitute(wrapped, put)
        if Prover(left, other, variables=moving).prove(left, other).proved:
            return f"true for symmetric {', '.join(n.name for n in chosen)} only"
    return ""


def _search(context: Context) -> Repair:
    asked, claim = context.asked, context.claim
    answer = right_answer(context)
    if asked is None or claim.right.length > _LONGEST:
        return Repair("", answer)
    known = _known_form(context)
    if known:
        return Repair(known, answer)
    try:
        target = context.calculus.write_out(asked.target, context.proof.moving)
        screen = Screen(target, _example(context, asked))
    except McalcError:
        return Repair("", answer)
    if not screen.ready:
        return Repair("", answer)
    wrong = Wrong(claim, context.proof, context.above, pieces(context))
    for group in guesses(wrong):
        found = _first(context, asked, screen, group)
        if found is not None:
            own = found.slip.startswith(_ANSWERED) and claim.kind == "grad"
            text = answer if own and answer else context.text(found.right)
            return Repair(found.slip, text, _up_to(claim, found, context.proof))
    return _by_ratio(context, asked, screen) or Repair("", answer)


def _up_to(claim: Claim, found: Guess, proof: Proof) -> str:
    """What a claim is right up to, where the whole of it is off."""
    if found.right in (transposed(claim.right), turned(claim.right, proof.names)):
        return "equal up to a transpose: the other layout" if "layout" in found.slip else "equal up to a transpose"
    if found.right is negative(claim.right):
        return "equal up to the sign"
    for c in WHOLE_RATIOS:
        if found.right is scaled(claim.right, c):
            return f"equal up to the constant factor {c}"
    return ""


def _first(context: Context, asked: Question, screen: Screen, group: Iterator[Guess]) -> Guess | None:
    """The shortest right guess of a group, the first of these."""
    passed: list[Guess] = []
    for guess in islice(group, _MOST_GUESSES):
        if guess.right.shape == context.claim.shape:
            wrapped = _wrapped(context, asked, guess.right)
            if wrapped is not None and screen.passes(wrapped):
                passed.append(guess)
                if len(passed) == _ENOUGH:
                    break
    for guess in sorted(passed, key=lambda g: (g.right.length, _raised(g.right))):
        if _proves(context, asked, guess.right):
            return guess
    return None


def _raised(e: Expr) -> int:
    """How many products are transposed as a whole."""
    return sum(node.op == "T" and node.args[0].op == "mul" for node in postorder(e))


def _wrapped(context: Context, asked: Question, right: Expr) -> Expr | None:
    try:
        return context.calculus.write_out(asked.wrap(right), context.proof.moving)
    except McalcError:
        return None


def _proves(context: Context, asked: Question, right: Expr) -> bool:
    return context.prover.prove(asked.target, asked.wrap(right)).proved


def _example(context: Context, asked: Question) -> Expr:
    """An expression with all symbols that a guess may have, of any shape."""
    claim = context.claim
    named = [e for e in context.proof.names if not has_differential(e)]
    parts = [*context.proof.symbols.values(), *(d(x) for x in context.proof.moving), *named]
    if claim.right.shape == claim.shape:
        wrapped = _wrapped(context, asked, claim.right)
        if wrapped is not None:
            parts.append(wrapped)
    parts = [total(e) for e in parts]
    return add(*parts) if len(parts) > 1 else parts[0]


def _by_ratio(context: Context, asked: Question, screen: Screen) -> Repair | None:
    """The right-hand side times a number."""
    right = context.claim.right
    if right.shape != context.claim.shape:
        return None
    wrapped = _wrapped(context, asked, right)
    ratio = None if wrapped is None else screen.ratio(wrapped)
    if ratio is None or ratio == 0:
        return None
    c = Fraction(abs(ratio)).limit_denominator(_LARGEST_DENOMINATOR)
    if c == 0:
        return None
    made = scaled(right, c)
    name = factor_name(c)
    if ratio < 0:
        made, name = negative(made), f"sign lost, and {name}"
    return Repair(name, context.text(made)) if _proves(context, asked, made) else None


# --- known answers ----------------------------------------------------------------------------------------------------


def _known_form(context: Context) -> str:
    """The other derivative of a structured variable that was given."""
    claim = context.claim
    x = claim.variable
    if claim.kind != "grad" or x is None or x.op != "sym" or structure(x) is None or has_differential(claim.left):
        return ""
    try:
        from mcalc.pipeline import derive_gradients

        forms = derive_gradients(claim.left, (x,), detail="none").answers[0].forms
    except McalcError:
        return ""
    for form, name in (
        ("independent entries", "symmetric form: the derivative by the independent entries, G + G^T - G .* I"),
    ):
        if form in forms and context.prover.prove(claim.right, forms[form]).proved:
            return name
    return ""


def right_answer(context: Context) -> str:
    """What the right-hand side should have been, if mcalc can derive it."""
    claim = context.claim
    if has_differential(_function(claim)):
        return ""
    try:
        from mcalc.pipeline import derive_gradients

        x = claim.variable
        if claim.kind == "grad" and x is not None and x.op == "sym":
            return context.text(derive_gradients(claim.left, (x,), detail="none").answers[0].result)
        if claim.kind in ("jac", "hess") and x is not None and x.op == "sym":
            result = _derived(claim)
            return "" if result is None else context.text(result)
        if claim.kind == "equality" and claim.left.op == "d":
            f = claim.left.args[0]
            if f.is_scalar and f.op != "d":
                answers = derive_gradients(f, context.proof.moving, detail="none").answers
                found = [inner(a.result, d(a.variables[0])) for a in answers if a.result.op != "zeros"]
                found = [e for e in found if not (e.op == "mul" and e.args[0].op == "num" and e.args[0].attrs[0] == 0)]
                return context.text(add(*found)) if found else "0"
            return context.text(differential(f, context.proof.moving))
    except McalcError:
        return ""
    return ""


def _function(claim: Claim) -> Expr:
    """What a claim differentiates."""
    return claim.left.args[0] if claim.kind == "equality" and claim.left.op == "d" else claim.left


def _derived(claim: Claim) -> Expr | None:
    """mcalc's own derivative."""
    from mcalc.kinds import derive_kind
    from mcalc.pipeline import derive_gradients

    x = claim.variable
    assert x is not None
    if claim.kind == "grad":
        return derive_gradients(claim.left, (x,), detail="none").answers[0].result
    kind = "hessian" if claim.kind == "hess" else "jacobian"
    if kind == "jacobian" and not (x.is_column and claim.left.is_column):
        kind = "vec-jacobian"
    result = derive_kind(claim.left, (x,), kind, detail="none").answers[0].result
    return result if result.shape == claim.shape else None


# --- pieces of the true differential ----------------------------------------------------------------------------------


def pieces(context: Context) -> tuple[Expr, ...]:
    """Terms of the true differential (or gradient), at every depth of writing out."""
    claim = context.claim
    moving = context.proof.moving
    found: dict[Expr, None] = {}
    if has_differential(_function(claim)):
        return ()
    try:
        if claim.kind == "equality" and claim.left.op == "d":
            roots = [claim.left.args[0], *(e for e in context.proof.names if e in set(postorder(claim.left))
                                             and not has_differential(e))]  # fmt: skip
            for root in roots:
                _collect(root, moving, context.proof.names, found)
        elif claim.kind in ("grad", "jac", "hess") and claim.variable is not None and claim.variable.op == "sym":
            result = _derived(claim)
            if result is not None:
                found.update(dict.fromkeys(_spread(result)))
    except McalcError:
        pass
    return tuple(found)[:_MOST_PIECES]


def _collect(root: Expr, moving: tuple[Expr, ...], names: dict[Expr, str], found: dict[Expr, None]) -> None:
    queue = list(_spread(differential(root, moving)))
    while queue and len(found) < _MOST_PIECES:
        term = queue.pop(0)
        if term in found:
            continue
        if not any(n.op == "d" and n.args[0].op in ("T", "neg") for n in postorder(term)):
            found[term] = None
        inside = next((n for n in postorder(term) if n.op == "d" and n.args[0].op != "sym"), None)
        if inside is not None and inside.args[0].op != "d":
            written = differential(inside.args[0], moving)
            for part in _spread(written):
                if part.shape == inside.shape:
                    queue.extend(_spread(substitute(term, {inside: part})))


def _spread(e: Expr) -> list[Expr]:
    """The terms of e, products and traces of sums multiplied out one level at a time."""
    done: list[Expr] = []
    queue = [e]
    while queue and len(done) < _MOST_PIECES:
        node = queue.pop(0)
        split = _split(node)
        if split is None:
            done.append(node)
        else:
            queue = split + queue
    return done


def _split(node: Expr) -> list[Expr] | None:
    if node.op == "add":
        return list(node.args) if all(a.shape == node.shape for a in node.args) else None
    wrap: Callable[[Expr], Expr]
    if node.op == "neg":
        inside, wrap = node.args[0], negative
    elif node.op in ("tr", "T", "sum", "diagv", "diagm", "vec"):
        op, attrs = node.op, node.attrs
        inside, wrap = node.args[0], lambda a: app(op, a, attrs=attrs)
    elif node.op == "div":
        s = node.args[1]
        inside, wrap = node.args[0], lambda a: div(a, s)
    elif node.op in ("mul", "had"):
        return _split_product(node)
    else:
        return None
    parts = _split(inside)
    return None if parts is None else [wrap(p) for p in parts]


def _split_product(node: Expr) -> list[Expr] | None:
    make = mul if node.op == "mul" else had
    for k, a in enumerate(node.args):
        sign = a.op == "neg"
        inside = a.args[0] if sign else a
        if inside.op == "add" and all(t.shape == inside.shape for t in inside.args):
            made = [make(*node.args[:k], t, *node.args[k + 1 :]) for t in inside.args]
            return [negative(m) if sign else m for m in made]
        if sign and len(node.args) > 1:
            return [neg(make(*node.args[:k], inside, *node.args[k + 1 :]))]
    return None
