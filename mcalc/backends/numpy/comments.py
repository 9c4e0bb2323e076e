"""Comments of generated modules: the mathematics of a line, in the names of the formula or the model."""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra import operators as o
from mcalc.algebra.operators import app
from mcalc.algebra.printing import ascii_text
from mcalc.algebra.shape import shape_text
from mcalc.errors import printable
from mcalc.program.ir import Array
from mcalc.program.mathematics import expression_of, shape_of
from mcalc.program.names import factorised, right_side, softmax_of, solved
from mcalc.program.plan import Line, computed

LONGEST_FORMULA = 300


def note(line: Line, shown: dict[Array, str], sign: str = "=") -> str:
    """The comment; `shown` are the names of arrays in comments, among which the line's own is put."""
    called = line.label if line.target is None else line.target
    name = line.name if called is None else called.name
    text = f"# {name} {sign} {mathematics(line.array, shown)}"
    if called is not None and computed(line.array):
        shown[line.array] = name
    return text


def safe(text: str) -> str:
    """A line that cannot end the docstring or comment in which it stands."""
    return printable(text).replace("\\", "\\\\").replace('"""', "'''").replace("\n", " ")


def mathematics(a: Array, names: Mapping[Array, str]) -> str:
    """What an array is, in the arrays that have names, and its shape: a comment."""
    z = softmax_of(a)
    if z is not None:
        axis = 0 if z.rank == 1 else 1 if a.args[1].op == "column" else 0 if a.args[1].rank else "all"
        math = ascii_text(app("softmax", expression_of(z, names, z in names), attrs=(axis,)))
    else:
        math = ascii_text(expression_of(a, names))
    match a.op:
        case "cholesky":
            factor = names[a]
            math = f"{factor} {factor}^T = {math}"
        case "try_cholesky":
            factor = names[a]
            math = f"{factor} {factor}^T = {math}, if it is positive definite"
        case "lower_gram" if (base := factorised(a.args[0])) is not None:
            math += f" = {ascii_text(o.inv(expression_of(base, names, True)))}"
        case "matmul" if (base := solved(a)) is not None:
            right = expression_of(right_side(a), names, True)
            math += f" = {ascii_text(o.mul(o.inv(expression_of(base, names, True)), right))}"
        case "reciprocal_or_zero":
            math += ", 0 at the kink"
        case "largest" if a.rank:
            inner = ascii_text(expression_of(a.args[0], names, True))
            math = f"max of each {'row' if a.attrs[0] == 1 else 'column'} of {inner}"
    if len(math) > LONGEST_FORMULA:
        math = f"{math[:LONGEST_FORMULA]}..."
    shown = shape_text(shape_of(a))
    return safe(math if a.rank == 0 else f"{math} : {shown}")
