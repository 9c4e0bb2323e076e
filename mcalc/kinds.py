"""Derivatives of every kind but the gradient: differentials, Jacobians, Hessians, Hessian-vector products.

`derive_kind(F, variables, kind)` is the whole way from a typed expression to the closed form with its lines. All of it
reads the two columns of mcalc/calculus/table.py: a Jacobian is what the laws of vec make of dF, a Hessian the Jacobian
of the gradient, a Hessian-vector product the gradient's differential in the direction V.

    differential    dF, linear in dX                       jacobian        dF = J dx, F and x columns
    vec-jacobian    vec(dF) = J vec(dX)                    hvp             d(grad f) at dX = V, of the shape of X
    hessian         d2f = vec(dX)^T H vec(dX); of several variables the blocks of the joint one

With `vech`, a structured X is stacked by its independent entries: vec(dF) = J vech(dX), d2f = vech(dX)^T H vech(dX).

Reference: Magnus & Neudecker, Matrix Differential Calculus, ch. 5, 6, 9, 10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mcalc.algebra.expr import Expr, postorder, substitute, symbols
from mcalc.algebra.operators import T, add, d, mul, number, symbol
from mcalc.algebra.shape import shape_text
from mcalc.algebra.structure import close, structure
from mcalc.calculus.composition import convexity
from mcalc.calculus.conditions import conditions
from mcalc.calculus.gradient import backward, moving_nodes, zero_of
from mcalc.calculus.jacobian import projection, shorten_fully, shortest
from mcalc.calculus.linear import differential_form, laws_used
from mcalc.calculus.narrate import StepPolisher
from mcalc.calculus.unfold import unfold
from mcalc.calculus.vec_laws import entries, zero
from mcalc.calculus.vech import Frame, half_vectorised, independent, legend, stack_word, stacked, stacking
from mcalc.critical_points import CRITICAL, derive_critical_points
from mcalc.errors import NotSupported
from mcalc.pipeline import derive_gradients
from mcalc.rewrite.derivation import NUMERATOR, Answer, Derived, Step, owed
from mcalc.simplify.identities import recognise
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher


class Wish(NamedTuple):
    """What is asked for: the kind, the name of the function, how much to tell, the layout of a Jacobian, and what is
    stacked by its independent entries."""

    kind: str
    name: str
    detail: str
    layout: str
    vech: tuple[Expr, ...]


class _Desk:
    """One derivation: its normal forms, its two polishers, and the lines that all answers share."""

    def __init__(self, root: Expr, name: str) -> None:
        self.context = Normaliser()
        self.root, found = recognise(root)
        self.steps: list[Step] = []
        if found:
            rules = tuple(dict.fromkeys(r.rule for r in found))
            self.steps.append(Step(name, self.root, rules, "", owed(found)))
        # of the user's own ways of writing a part, those that are not longer: these answers are long enough
        given = {self.context(node): node for node in postorder(self.root, root) if node.args}
        bare = Polisher(self.context, {})
        given = {normal: node for normal, node in given.items() if node.length <= bare(normal).length}
        self.polish = Polisher(self.context, given)
        self.plain = StepPolisher(self.context, given)
        self.context.rewrites.clear()

    def shorten(self, *candidates: Expr) -> Expr:
        """The shortest display form of equal expressions."""
        shown = [shorten_fully(self.context, self.polish, e)[0] for e in dict.fromkeys(candidates)]
        self.context.rewrites.clear()
        return min(shown, key=lambda e: e.length)


def derive_kind(
    root: Expr,
    variables: Sequence[Expr],
    kind: str,
    name: str = "f",
    detail: str = "brief",
    layout: str = "numerator",
    vech: bool = False,
) -> Derived:
    """The derivative of a kind, with its lines. Raises NotSupported where the kind does not fit or no form is known."""
    wanted = tuple(dict.fromkeys(variables))
    _fits(root, wanted, kind)
    if vech and kind not in STACKED:
        raise NotSupported(
            f"vech stacks a matrix, and a {kind} is not of stacked matrices",
            hint=f"with --vech: --kind {' or '.join(STACKED)}",
            code="vech",
        )
    return KINDS[kind](root, wanted, Wish(kind, name, detail, layout, half_vectorised(root, wanted) if vech else ()))


def _fits(root: Expr, variables: tuple[Expr, ...], kind: str) -> None:
    shape = shape_text(root.shape)
    if kind in ("hessian", "hvp") and not root.is_scalar:
        raise NotSupported(
            f"a second derivative is that of a scalar, and the expression is {shape}",
            hint="a third-order array has no matrix form; --kind hvp of a scalar of it does",
            code="shape",
        )
    if kind == "jacobian":
        wide = next((e for e in (root, *variables) if not e.is_column), None)
        if wide is not None:
            raise NotSupported(
                f"a Jacobian is that of a vector by a vector, and {'the expression' if wide is root else wide} is "
                f"{shape_text(wide.shape)}",
                hint="--kind vec-jacobian: vec(dF) = J vec(dX)",
                code="shape",
            )


# --- differentials and Jacobians ------------------------------------------------------------------------------------


def _differential(root: Expr, variables: tuple[Expr, ...], wish: Wish) -> Derived:
    name, detail = wish.name, wish.detail
    desk = _Desk(root, name)
    left = f"d{name}"
    linear = differential_form(desk.context, desk.root, variables)
    result = desk.shorten(linear)
    steps = [*desk.steps, *unfold(desk.context, desk.plain, desk.root, variables, left, detail)]
    desk.context.rewrites.clear()
    found = conditions(desk.root, [result], moving_nodes(desk.root, variables))
    lines = _ending(steps, left, result, "linearity")
    return Derived(root, name, wish.kind, tuple(lines), (Answer(variables, wish.kind, left, result, (), {}, found),))


def _ending(steps: Sequence[Step], left: str, result: Expr, rule: str) -> list[Step]:
    """The lines with the answer as the last."""
    lines = list(steps)
    if not lines or lines[-1].left != left or lines[-1].right is not result:
        lines.append(Step(left, result, (rule,)))
    return lines


def _jacobian(root: Expr, variables: tuple[Expr, ...], wish: Wish) -> Derived:
    kind, name, detail, vech = wish.kind, wish.name, wish.detail, wish.vech
    desk = _Desk(root, name)
    left = f"d{name}"
    linear = differential_form(desk.context, desk.root, variables)
    told = desk.shorten(linear)
    steps = [*desk.steps, *unfold(desk.context, desk.plain, desk.root, variables, left, detail)]
    steps = _ending(steps, left, told, "linearity")
    moving = moving_nodes(desk.root, variables)
    above = stacking(root) if root in vech else None
    answers = []
    for x in variables:
        label = f"{_prefix(kind, root, x, vech)}_{x.name}"
        lines, result = _identified(desk, linear, x, label, Frame(above, _right(x, vech)))
        forms: dict[str, Expr] = {}
        if wish.layout == "denominator" and not result.is_scalar:
            forms[NUMERATOR] = result
            result = desk.shorten(desk.context(T(result)))
            *before, last = (Step(s.left, T(s.right), s.rules) for s in lines)
            before += [last] if last.right is not result else []
            lines = [*before, Step(label, result, (*(last.rules if not before else ()), "denominator layout"))]
        found = conditions(desk.root, [result], moving)
        answers.append(Answer((x,), kind, label, result, tuple(lines), forms, found, legend(x, vech), vech))
    return Derived(root, name, kind, tuple(steps), tuple(answers))


def _prefix(kind: str, root: Expr, x: Expr, vech: tuple[Expr, ...]) -> str:
    if kind == "jacobian":
        return "jac"
    if not vech:
        return "vecjac"
    return f"{stack_word(root, vech)}jac{stack_word(x, vech)}"


def _right(x: Expr, vech: tuple[Expr, ...]) -> Expr | None:
    return independent(x) if x in vech else projection(x)


def _identified(desk: _Desk, linear: Expr, x: Expr, label: str, frame: Frame) -> tuple[list[Step], Expr]:
    """The lines `label` = J, and J: the matrix with vec(linear) = J vec(dX), within a frame."""
    if d(x) not in set(postorder(linear)):
        rows = entries(linear.shape) if frame.left is None else frame.left.shape[0]
        nothing = zero((rows, entries(x.shape) if frame.right is None else frame.right.shape[1]))
        return [Step(label, nothing, ("constant",))], nothing
    raw, result, path = shortest(desk.context, desk.polish, linear, x, frame)
    first = desk.plain(raw)
    laws = (*laws_used(linear, d(x)), "identification")
    if frame.right is not None:
        half = frame.right.shape[0] is not frame.right.shape[1]
        laws = (*laws, "independent entries" if half else "projection of a direction")
    elif frame.left is not None:
        laws = (*laws, "independent entries")
    if first.length <= result.length or first.length > 200:
        return [Step(label, result, laws, "", owed(path))], result
    return [Step(label, first, laws), Step(label, result, ("collect and factor",), "", owed(path))], result


# --- second derivatives ---------------------------------------------------------------------------------------------


def _gradients(desk: _Desk, variables: tuple[Expr, ...], wish: Wish) -> tuple[Derived, dict[Expr, list[Expr]]]:
    """The derivation of the gradients, and for each variable normal forms of its gradient, projected onto its
    structure (which vech does without: dup(n)^T vec(G) is the same for G and its projection)."""
    told = derive_gradients(desk.root, variables, wish.name, wish.detail)
    result = backward(desk.context, desk.root, variables)
    forms: dict[Expr, list[Expr]] = {}
    for x, answer in zip(variables, told.answers, strict=True):
        found = result.gradients[x]
        if found is None:
            forms[x] = [zero_of(x)]
            continue
        kind = structure(x) if x not in wish.vech else None
        whole = found if kind is None else desk.context(kind.projection(found))
        forms[x] = [whole]
        if all(n.op not in ("pinv", "index") for n in postorder(answer.result)):
            forms[x].append(desk.context(answer.result))
    desk.context.rewrites.clear()
    return told, forms


def _shared(told: Derived, desk: _Desk) -> tuple[Step, ...]:
    """The lines of the gradients, which every second derivative begins with."""
    return (*desk.steps, *told.steps, *(step for answer in told.answers for step in answer.steps))


def _hessian(root: Expr, variables: tuple[Expr, ...], wish: Wish) -> Derived:
    kind, name, vech = wish.kind, wish.name, wish.vech
    desk = _Desk(root, name)
    told, forms = _gradients(desk, variables, wish)
    moving = moving_nodes(desk.root, variables)
    answers = []
    for i, x in enumerate(variables):
        for y in variables[i:]:
            joint = f"{x.name}_{y.name}"
            label = f"hess_{x.name if x is y else joint}"
            if x is not y and any(z.name == joint for z in variables):
                label = f"hess_{x.name}__{y.name}"
            if vech:
                half = "".join(stack_word(z, vech) for z in ((x,) if x is y else (x, y)))
                label = f"hess{half}{label[4:]}"
            lines, result = _block(desk, forms[x], x, y, label, vech)
            found = conditions(desk.root, [result], moving)
            pair = (x,) if x is y else (x, y)
            notes = legend(x, vech) if x is y else ()
            if len(variables) == 1:
                notes = (*notes, *filter(None, [convexity(result, root, x)]))
            answers.append(Answer(pair, kind, label, result, tuple(lines), {}, found, notes, vech))
    quadratic = _second(answers)
    steps = (*_shared(told, desk), *([Step(f"d2{name}", quadratic, ("second differential",))] if quadratic else ()))
    return Derived(root, name, kind, steps, tuple(answers))


def _block(
    desk: _Desk, gradients: Sequence[Expr], x: Expr, y: Expr, label: str, vech: tuple[Expr, ...]
) -> tuple[list[Step], Expr]:
    options = []
    above = independent(x) if x in vech else None
    for g in gradients:
        linear = differential_form(desk.context, g, (y,))
        frame = Frame(None if above is None else T(above), _right(y, vech))
        options.append(_identified(desk, linear, y, label, frame))
    return min(options, key=lambda option: option[1].length)


def _second(answers: Sequence[Answer]) -> Expr | None:
    """d2f = vec(dX)^T H vec(dX) + 2 vec(dX)^T H vec(dY) + …"""
    terms = []
    for answer in answers:
        x, y = answer.variables[0], answer.variables[-1]
        if answer.result.op == "zeros" or (answer.result.op == "num" and answer.result.attrs[0] == 0):
            continue
        scalars, factors = [], [answer.result]
        if answer.result.op == "mul" and not answer.result.is_scalar:
            scalars = [a for a in answer.result.args if a.is_scalar]
            factors = [a for a in answer.result.args if not a.is_scalar]
        before, after = (stacked(d(z), z, answer.vech) for z in (x, y))
        form = mul(*scalars, T(before) if not x.is_scalar else before, *factors, after)
        terms.append(form if x is y else mul(number(2), form))
    whole = add(*terms) if terms else number(0)
    return whole if whole.length < 200 else None


def direction(x: Expr, taken: Iterable[str], alone: bool, stem: str = "V") -> Expr:
    """The direction in which a Hessian is applied: `V`, or `V_X` where there are several; of the structure of X."""
    used = set(taken)
    base = stem if alone else f"{stem}_{x.name}"
    name = base
    k = 0
    while name in used:
        k += 1
        name = f"{base}{k}" if alone else f"V{k}_{x.name}"
    kept = close(x.attrs[1]) & {"symmetric", "skew", "diagonal", "lower", "upper"}
    return symbol(name, x.shape, frozenset(kept) if not x.is_scalar else frozenset())


def _hvp(root: Expr, variables: tuple[Expr, ...], wish: Wish) -> Derived:
    kind, name = wish.kind, wish.name
    desk = _Desk(root, name)
    told, forms = _gradients(desk, variables, wish)
    moving = moving_nodes(desk.root, variables)
    taken = [s.name for s in (*symbols(root), *variables)]
    ways = {x: direction(x, taken, len(variables) == 1) for x in variables}
    along = {d(x): v for x, v in ways.items()}
    answers = []
    for x in variables:
        label = f"hvp_{x.name}"
        candidates = []
        for g in forms[x]:
            moved = desk.context(substitute(differential_form(desk.context, g, variables), along))
            candidates.append(moved)
        result = desk.shorten(*candidates)
        first = desk.plain(candidates[0])
        lines = [Step(label, first if result.length < first.length <= 200 else result, ("direction",))]
        if lines[0].right is not result:
            lines.append(Step(label, result, ("collect and factor",)))
        found = conditions(desk.root, [result], moving)
        answers.append(Answer((x,), kind, label, result, tuple(lines), {}, found))
    return Derived(root, name, kind, _shared(told, desk), tuple(answers))


def _critical(root: Expr, variables: tuple[Expr, ...], wish: Wish) -> Derived:
    return derive_critical_points(root, variables, wish.name, wish.detail)


Kind = Callable[[Expr, tuple[Expr, ...], Wish], Derived]
STACKED = ("vec-jacobian", "hessian")
"""The kinds whose matrices belong to vec, and may belong to vech."""
KINDS: dict[str, Kind] = {
    # kind of derivative: the pipeline that makes it
    "differential": _differential,
    "jacobian": _jacobian,
    "vec-jacobian": _jacobian,
    "hessian": _hessian,
    "hvp": _hvp,
    CRITICAL: _critical,
}

__all__ = ["KINDS", "derive_kind", "direction"]
