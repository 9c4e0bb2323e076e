"""How a module chooses between programs when it is called: by the dimension that is the smallest, or by what pays.

In: the keys of the programs, or the sizes of thin residuals; out: the words and texts that the template writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra.expr import Expr
from mcalc.backends.numpy.spelling import size
from mcalc.program.residuals import Thin

RESIDUAL, EXPANDED = "residual", "expanded"


@dataclass(frozen=True, slots=True)
class Choice:
    """The words of a choice: the variable, the table, the call that gives the key, the function that it calls."""

    variable: str
    table: str
    about: str
    """The docstring of the entries of the table."""
    call: str
    note: str
    """What is said of the table."""
    function: str
    title: Callable[[Sequence[str]], str]
    """What is said of a program, from its keys."""
    may_cancel: bool
    """Whether the loss of one program may be nan for that of the other: both have their pass over rows, and the
    workspace is for both."""


def by_smallest(names: Sequence[str]) -> Choice:
    """The choice by the dimension, of these in Python, that is the smallest."""
    call = f"smallest({', '.join(f'{name}={name}' for name in names)})"
    return Choice(
        "order",
        "ORDERS",
        "The functions with one order of products.",
        call,
        "By the dimension that is the smallest: the products are taken from there outwards.",
        SMALLEST.strip(),
        lambda served: f"{' or '.join(served)} is the smallest of the dimensions",
        False,
    )


def by_thinness(found: Sequence[Thin], sizes: Mapping[str, str], symbols: Mapping[Expr, str]) -> Choice:
    """The choice between residuals and the expansion of their squares.

    `sizes` are the dimensions in Python, `symbols` the arguments.
    """
    used = {n for thin in found for d in thin.sizes for n in d.names()}
    called = ", ".join(python for name, python in sizes.items() if name in used)
    test = " and ".join(map(_test, *zip(*((size(d, sizes) for d in thin.sizes) for thin in found), strict=True)))
    residuals = (", ".join(f"{symbols[e]}{'.T' * turned}" for e, turned in thin.factors) for thin in found)
    return Choice(
        "form",
        "FORMS",
        "The functions with one form of the squares of residuals.",
        f"cheaper({called}, {', '.join(f'({residual})' for residual in residuals)})",
        "Without the residuals there is less to compute where the product that is fitted is thin.",
        CHEAPER.replace("SIZES", called).replace("TEST", test).strip(),
        lambda served: TITLES[served[0]],
        True,
    )


def _test(rows: str, columns: str, thin: str) -> str:
    return f"{thin} * ({rows} * {columns} - 2 * {thin} * ({rows} + {columns})) > LEAST_SAVED"


TITLES = {
    RESIDUAL: "the residuals are computed",
    EXPANDED: "the residuals are not computed: |X - U V|^2 = |X|^2 - 2 <X, U V> + <U^T U, V V^T>",
}

SMALLEST = '''
def smallest(**sizes):
    """The name of the smallest dimension."""
    return min(sizes, key=sizes.get)
'''

CHEAPER = '''
LEAST_SAVED = 300_000
"""So many multiplications take as long as the calls that the expanded form has more."""


def cheaper(SIZES, *residuals):
    """The form that takes less time; where a residual X - U V is small, the one that does not cancel.

    Expanded, a product with X is saved, and there are four of U or V with a square matrix as thin as they are.
    """
    thin = TEST
    return "expanded" if thin and not any(fits(*residual) for residual in residuals) else "residual"
'''
