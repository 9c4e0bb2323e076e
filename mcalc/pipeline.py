"""The passes in order, each with its reason.

`derive_gradients(parsed)` is the whole way from a typed expression to closed-form gradients with their steps. Nothing
here proves or checks: `verify.proof` does.
"""

from __future__ import annotations

from mcalc.algebra.expr import Expr, fold, postorder, rebuild
from mcalc.algebra.operators import add, d, inner, mul, number
from mcalc.algebra.structure import structure
from mcalc.calculus.conditions import conditions
from mcalc.calculus.gradient import backward, moving_nodes, zero_of
from mcalc.calculus.narrate import StepPolisher, narrate
from mcalc.errors import McalcError
from mcalc.rewrite.derivation import Answer, Derived, Obligation, Step, owed
from mcalc.rewrite.rules import projection_rule
from mcalc.simplify.identities import recognise
from mcalc.simplify.normal_form import Normaliser, Rewrite
from mcalc.simplify.polish import Polisher
from mcalc.simplify.shorten import shorten


def derive_gradients(root: Expr, variables: tuple[Expr, ...], name: str = "f", detail: str = "brief") -> Derived:
    """Closed-form gradients of a scalar expression by each variable."""
    try:
        return _gradients(root, variables, name, detail)
    except ZeroDivisionError:
        raise division_by_zero() from None


def division_by_zero() -> McalcError:
    """What is said of an expression with a zero divisor."""
    return McalcError("the expression divides by zero, so it has no value anywhere", code="domain")


def _gradients(root: Expr, variables: tuple[Expr, ...], name: str, detail: str) -> Derived:
    context = Normaliser()
    # what the user spelled out is recognised first: its differential is shorter, and so is every later line
    recognised, found = recognise(root)
    steps: list[Step] = []
    if found:
        rules = tuple(dict.fromkeys(r.rule for r in found))
        steps.append(Step(name, recognised, rules, "", owed(found)))
    # one backward pass for all variables
    result = backward(context, recognised, variables)
    moving = moving_nodes(recognised, variables)
    # the user's own way of writing a part is kept wherever it comes back
    given = {context(node): node for node in postorder(recognised, root) if node.args}
    for rewrite in found:
        if rewrite.before.length < rewrite.after.length:
            given[context(rewrite.after)] = rewrite.before
    context.rewrites.clear()
    if detail != "none":
        told = StepPolisher(context, given)
        steps.extend(narrate(context, told, result, moving, f"d{name}", detail))
        context.rewrites.clear()
    else:
        obligations = [o for peel in result.peels for o in owed(peel.rewrites)]
        steps.append(Step(f"d{name}", _total(result.gradients), ("differential",), "", tuple(obligations)))
    polish = Polisher(context, given)
    plain = StepPolisher(context, given)
    answers = [_read_off(context, polish, plain, x, result.gradients[x], recognised, moving) for x in variables]
    if detail != "none" and steps and steps[-1].left == f"d{name}":
        _collect(context, steps, result.gradients, plain)
    if any(node.op == "sym" and node.name == "d" for node in postorder(root)):
        total = _total({x: None if g is None else plain(g) for x, g in result.gradients.items()})
        steps = _without_compounds(steps, f"d{name}", total)
    return Derived(root, name, "gradient", tuple(steps), tuple(answers))


def _without_compounds(steps: list[Step], left: str, total: Expr) -> list[Step]:
    """The lines in which d stands before a variable only: where d is a symbol, d(A x) would read as a product."""
    kept: list[Step] = []
    owed: list[Obligation] = []
    dropped: list[str] = []
    for step in steps:
        owed.extend(step.obligations)
        if any(node.op == "d" and node.args[0].op != "sym" for node in postorder(step.right)):
            dropped.extend(step.rules)
            continue
        rules = tuple(dict.fromkeys([*dropped, *step.rules]))
        kept.append(Step(step.left, step.right, rules, step.note, tuple(owed)))
        owed, dropped = [], []
    if owed or not any(step.left == left for step in kept):
        kept.append(Step(left, total, tuple(dict.fromkeys(dropped)) or ("differential",), "", tuple(owed)))
    return kept


def _total(gradients: dict[Expr, Expr | None]) -> Expr:
    terms = [inner(g, d(x)) for x, g in gradients.items() if g is not None]
    return add(*terms) if terms else number(0)


def _collect(context: Normaliser, steps: list[Step], finals: dict[Expr, Expr | None], polish: Polisher) -> None:
    """The last df line: tr(G^T dX), one term for each variable (where the lines do not say so already)."""
    if all(g is None or g.is_scalar or context.transpose(g) is g for g in finals.values()):
        return
    shown = {x: polish(g) for x, g in finals.items() if g is not None and not x.is_scalar}
    scalars = {x: polish(g) for x, g in finals.items() if g is not None and x.is_scalar}
    if not shown:
        return
    right = add(*(inner(g, d(x)) for x, g in shown.items()), *(mul(g, d(x)) for x, g in scalars.items()))
    last = steps[-1]
    if all(g.op == "T" for g in shown.values()) and not scalars:
        return
    if right is not last.right and right.length < 400:
        steps.append(Step(last.left, right, ("transpose of a product",) if len(shown) == 1 else ("cyclic shift",)))


def _read_off(
    context: Normaliser, polish: Polisher, plain: Polisher, x: Expr, cotangent: Expr | None, f: Expr, moving: set[Expr]
) -> Answer:
    left = f"grad_{x.name}"
    if cotangent is None:
        zero = zero_of(x)
        step = Step(left, zero, ("constant",), f"f does not depend on {x.name}")
        return Answer((x,), "gradient", left, zero, (step,), {}, ())
    kind = structure(x)
    steps: list[Step] = []
    start = cotangent
    forms: dict[str, Expr] = {}
    rules: tuple[str, ...] = ("read off",)
    if kind is not None:
        projected = context(kind.projection(cotangent))
        made = _take(context)
        unconstrained, extra = shorten(context, polish, cotangent)
        forms["unconstrained"] = unconstrained
        rules = ("read off", projection_rule(kind.name))
        if projected is cotangent:
            note = f"read off; it is {kind.name}, so it is its own projection"
            shown = plain(cotangent)
        else:
            note = ""
            shown = _untwisted(kind.projection(plain(cotangent)))
        steps.append(Step(left, shown, rules, note, (*owed(made), *owed(extra))))
        start = projected
    result, path = shorten(context, polish, start)
    if kind is None:
        shown = plain(start)
        if shown.length > result.length + 1 or not _same_but_sign(shown, result):
            steps.append(Step(left, shown, rules))
    if not steps:
        steps.append(Step(left, result, rules, "", owed(path)))
    elif steps[-1].right is not result:
        names = _named(path)
        steps.append(Step(left, result, names, "", owed(path)))
    if kind is not None:
        forms["projected"] = result
        if kind.name == "symmetric":
            forms["independent entries"] = _independent(context, polish, cotangent)
    found = conditions(f, [result], moving)
    return Answer((x,), "gradient", left, result, tuple(steps), forms, found)


def _untwisted(e: Expr) -> Expr:
    """The expression without double transposes."""

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if node.op == "T" and args[0].op == "T":
            return args[0].args[0]
        return rebuild(node, args)

    return fold(e, combine)


def _same_but_sign(a: Expr, b: Expr) -> bool:
    return (
        a.length >= b.length
        and {n for n in postorder(a) if n.op == "sym"} == {n for n in postorder(b) if n.op == "sym"}
        and a.length - b.length <= 2
    )


def _independent(context: Normaliser, polish: Polisher, g: Expr) -> Expr:
    """G + G^T - G .* I, the derivative by the independent entries of a symmetric matrix (Matrix Cookbook (138))."""
    from mcalc.algebra.operators import T, eye, had, neg

    form = context(add(g, T(g), neg(had(g, eye(g.shape[0])))))
    shown, _ = shorten(context, polish, form)
    context.rewrites.clear()
    return shown


def _take(context: Normaliser) -> list[Rewrite]:
    made = list(context.rewrites)
    context.rewrites.clear()
    return made


def _named(path: list[Rewrite]) -> tuple[str, ...]:
    """The rules of a simplification worth naming in a line."""
    named = [r.rule for r in path if r.rule not in ("write out", "collect and factor", "collect terms", "like terms")]
    kept = tuple(dict.fromkeys(n for n in named if n in ("distribute", "common factor", "inverse cancels")))
    return kept or ("write out",)
