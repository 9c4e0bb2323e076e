"""Single claims: one derivative of one expression, or one identity.

    check_derivative("tr((y - X W)^T (y - X W))", "W", "2 X^T (X W - y)")
    check_identity("tr(A B)", "tr(B A)")

Goes in: texts of the language. Comes out: a `Report` of one line, as for a proof.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import d
from mcalc.algebra.shape import SCALAR, shape_text
from mcalc.check.judge import judge
from mcalc.check.reading import Claim, Proof
from mcalc.check.report import Report
from mcalc.errors import McalcError, ShapeError, UsageError
from mcalc.frontend import Parsed, parse

KINDS = ("gradient", "jacobian", "hessian", "differential")
_SHORT = {"gradient": "grad", "jacobian": "jac", "vec-jacobian": "jac", "hessian": "hess", "differential": "equality"}


def check_derivative(
    expression: str, wrt: str, claim: str, where: str | Sequence[str] = (), *, kind: str = ""
) -> Report:
    """Whether `claim` is the derivative of `expression` with respect to `wrt`.

    The kind, if it is not given: a differential if the claim has one, a Hessian if it has the shape of one (and not
    that of a gradient), else a gradient of a scalar and a Jacobian of anything else. Raises McalcError.
    """
    parsed = parse(expression, where=where, wrt=wrt)
    if len(parsed.wrt) != 1:
        raise UsageError("a claim is about one variable", hint="--wrt X")
    x, f = parsed.wrt[0], parsed.expression
    right = _claimed(parsed, claim, where, kind, x)
    chosen = _SHORT[kind] if kind else _kind(f, x, right)
    if chosen in ("grad", "hess") and not f.is_scalar:
        raise ShapeError(f"a {'gradient' if chosen == 'grad' else 'Hessian'} is that of a scalar, "
                         f"and the expression is {shape_text(f.shape)}", hint="--kind jacobian")  # fmt: skip
    label = "df" if chosen == "equality" else f"{chosen}_{x.name}"
    definition = Claim(1, "definition", "f", expression, f, f)
    target = d(f) if chosen == "equality" else f
    one = Claim(1, chosen, label, claim, target, right, None if chosen == "equality" else x)
    return _report(parsed, (definition, one), (x,))


def _claimed(parsed: Parsed, claim: str, where: str | Sequence[str], kind: str, x: Expr) -> Expr:
    """The claimed derivative, with the names of the expression, and of its shape where the claim leaves it open."""
    declared = [where] if isinstance(where, str) else list(where)
    declared += [f"{name}: {shape_text(info.expr.shape)}" for name, info in parsed.symbols.items() if info.inferred]
    known = [text for text in declared if text]
    behind = _definitions(parsed)
    try:
        read = parse(behind + claim, where=known, differentials=True)
        if read.expression.shape != x.shape and kind in ("", "gradient") and parsed.expression.is_scalar:
            read = _of_shape(behind + claim, known, x) or read
        return read.expression
    except McalcError as error:
        if behind and error.span is not None and error.text is not None and error.text.endswith(claim):
            from mcalc.errors import Span

            at = len(behind)
            error.span, error.text = Span(error.span.start - at, error.span.end - at), claim
        raise


def _of_shape(text: str, where: list[str], x: Expr) -> Parsed | None:
    try:
        return parse(text, where=where, differentials=True, shape=x.shape)
    except McalcError:
        return None


def _definitions(parsed: Parsed) -> str:
    """The definitions before the expression, as they were written."""
    if not parsed.definitions:
        return ""
    at = parsed.text.rstrip().rstrip(";").rfind(";")
    return parsed.text[: at + 1] + " "


def _kind(f: Expr, x: Expr, right: Expr) -> str:
    if any(node.op == "d" for node in postorder(right)):
        return "equality"
    if not f.is_scalar:
        return "jac"
    entries = x.shape[0] * x.shape[1]
    hessian = right.shape == (entries, entries) and right.shape != x.shape and x.shape != SCALAR
    return "hess" if hessian else "grad"


def check_identity(left: str, right: str, where: str | Sequence[str] = ()) -> Report:
    """Whether two expressions are equal. Raises McalcError."""
    together = parse(f"({left}) - ({right})", where=where, differentials=True) if _reads(left, right, where) else None
    declared = [where] if isinstance(where, str) else list(where)
    if together is not None:
        declared += [f"{n}: {shape_text(i.expr.shape)}" for n, i in together.symbols.items() if i.inferred]
    known = [text for text in declared if text]
    first = parse(left, where=known, differentials=True)
    second = parse(right, where=known, differentials=True)
    if first.expression.shape != second.expression.shape:
        for text, other in ((right, first), (left, second)):
            try:
                again = parse(text, where=known, differentials=True, shape=other.expression.shape)
            except McalcError:
                continue
            first, second = (first, again) if text is right else (again, second)
            break
    moving = tuple(dict.fromkeys(
        n.args[0] for n in postorder(first.expression, second.expression) if n.op == "d" and n.args[0].op == "sym"
    ))  # fmt: skip
    claim = Claim(1, "equality", left, right, first.expression, second.expression)
    return _report(together or first, (claim,), moving)


def _reads(left: str, right: str, where: str | Sequence[str]) -> bool:
    try:
        parse(f"({left}) - ({right})", where=where, differentials=True)
    except McalcError:
        return False
    return True


def _report(parsed: Parsed, claims: tuple[Claim, ...], moving: tuple[Expr, ...]) -> Report:
    names = {e: name for name, e in parsed.definitions.items() if e.args}
    symbols = {name: info.expr for name, info in parsed.symbols.items()}
    inferred = tuple(f"{n}: {shape_text(i.expr.shape)}" for n, i in parsed.symbols.items() if i.inferred)
    return judge(Proof("", claims, moving, names, symbols, parsed.notes, inferred))
