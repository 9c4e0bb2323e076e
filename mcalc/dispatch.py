"""From a kind of derivative to the passes that derive it.

Goes in: a typed expression, the variables, the word for the kind. Comes out: the lines and answers. The passes are
imported here when they are needed, so that the command line starts fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import shape_text
from mcalc.errors import NotSupported, UsageError
from mcalc.rewrite.derivation import Derived

if TYPE_CHECKING:
    from mcalc.frontend import Parsed


def default_kind(root: Expr, variables: Sequence[Expr], vech: bool = False) -> str:
    """The kind of derivative that fits the shapes; with `vech`, one that stacks matrices."""
    if root.is_scalar:
        return "vec-jacobian" if vech else "gradient"
    if root.is_column and all(x.is_column for x in variables):
        return "jacobian"
    return "vec-jacobian"


THIRD = ("third", "third-derivative", "third-order")
"""What users call a kind that there is not."""


def third_derivative() -> NotSupported:
    """The error for a third derivative, and the way to its differential form."""
    return NotSupported(
        "a third derivative is an array of three indices, which has no matrix form",
        notes=("in differential form: d(H[V]), linear in dx and in V",),
        hint="--kind hvp gives H[V]; then --kind differential of that expression by the same variable",
        code="third",
    )


def check_order(names: Sequence[str], kind: str | None) -> None:
    """Refuses a variable that is named more than once, unless it is the Hessian by x and x that is asked for."""
    most = max(map(names.count, names), default=0)
    if most < 2 or (kind == "hessian" and len(names) == 2):
        return
    again = next(name for name in names if names.count(name) == most)
    if most > 2:
        raise third_derivative()
    raise UsageError(f"{again} is named twice", hint=f"--wrt {again} --kind hessian is the second derivative")


def differentiate(parsed: Parsed, kind: str, detail: str, layout: str, vech: bool = False) -> Derived:
    """The derivation of a kind; raises NotSupported where the kind does not fit the shape."""
    from mcalc.pipeline import derive_gradients, division_by_zero

    root, name = parsed.expression, free_name(parsed)
    if kind == "gradient" and vech:
        raise NotSupported(
            "vech stacks a matrix, and a gradient has the shape of its variable",
            hint="--kind vec-jacobian gives the derivative by vech; the gradient names that by independent entries",
            code="vech",
        )
    if kind == "gradient":
        if not root.is_scalar:
            raise NotSupported(
                f"a gradient is that of a scalar, and the expression is {shape_text(root.shape)}",
                hint="--kind differential or vec-jacobian, or a scalar of it",
                code="shape",
            )
        return derive_gradients(root, parsed.wrt, name, detail)
    from mcalc.kinds import KINDS, derive_kind

    if kind in THIRD:
        raise third_derivative()
    if kind not in KINDS:
        raise UsageError(f"there is no kind '{kind}'", hint=f"kinds: gradient, {', '.join(KINDS)}")
    try:
        return derive_kind(root, parsed.wrt, kind, name, detail, layout, vech)
    except ZeroDivisionError:
        raise division_by_zero() from None


def free_name(parsed: Parsed) -> str:
    """A letter for what is differentiated that the text does not use: f of a scalar, F of a vector or matrix."""
    used = {*parsed.symbols, *parsed.definitions, *parsed.dimensions, *parsed.functions}
    used.update(f"d{name}" for name in parsed.symbols)
    first = "fghFGHLJ" if parsed.expression.is_scalar else "FGHfghLJ"
    letters: tuple[str, ...] = (*first, *(f"f{k}" for k in range(1, len(used) + 2)))
    return next(name for name in letters if name not in used and f"d{name}" not in used)
