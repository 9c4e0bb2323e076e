"""The functions that can be emitted, as outputs with labels: `value_and_grad`, and one for each kind of derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.algebra.expr import Expr
from mcalc.algebra.printing import ascii_text
from mcalc.backends.numpy.emit import Module, module_of
from mcalc.backends.numpy.formulas import formulas
from mcalc.backends.numpy.identifiers import identifiers

LONGEST_TITLE = 88
LONGEST = 400
"""Formulas of more operators and leaves are not written into docstrings."""


def formula(e: Expr) -> str:
    """An expression as a docstring shows it."""
    return ascii_text(e) if e.length <= LONGEST else f"(a formula of {e.length} operators and leaves)"


def value_and_grad_module(
    f: Expr, gradients: Mapping[Expr, Expr], *, arguments: Sequence[Expr], header: Sequence[str] = ()
) -> Module:
    """`value_and_grad(…)` gives (f, gradient), or (f, Gradients) for several variables."""
    names = identifiers((x.name for x in gradients), set())
    labels = {x: f"grad_{names[x.name]}" for x in gradients}
    outputs = {"value": f, **{labels[x]: g for x, g in gradients.items()}}
    one = len(gradients) == 1
    *others, last = (x.name for x in gradients)
    variables = f"{', '.join(others)} and {last}" if others else last
    what = f"its gradient{'' if one else 's'} with respect to {variables}"
    title = f"f = {formula(f)} and {what}."
    summary = [title, ""] if len(title) <= LONGEST_TITLE else [f"f and {what}.", "", f"    f = {formula(f)}", ""]
    fields = ", ".join(f"{names[x.name]}=df/d{x.name}" for x in gradients)
    summary.append(f"Returns (f, {f'df/d{variables}' if one else f'Gradients({fields})'}):")
    summary += [f"    df/d{x.name} = {formula(g)}" for x, g in gradients.items()]
    return module_of(
        "value_and_grad",
        outputs,
        arguments=arguments,
        returns=["value", *labels.values()] if one else ["value", ("Gradients", list(labels.values()))],
        summary=summary,
        derivatives=frozenset(labels.values()),
        header=header,
        write=formulas,
    )


def derivative_module(
    name: str, result: Expr, *, arguments: Sequence[Expr], title: str, header: Sequence[str] = ()
) -> Module:
    """`name(…)` gives one array: a Jacobian, a Hessian, a Hessian-vector product, a differential."""
    return _module(name, {"result": result}, ["result"], [formula(result)], arguments, title, header)


def derivatives_module(
    name: str,
    results: Mapping[str, Expr],
    several: str,
    *,
    arguments: Sequence[Expr],
    title: str,
    header: Sequence[str] = (),
) -> Module:
    """`name(…)` gives results with labels such as `hess_x` as a named tuple; `several` is its name (`emit.TUPLES`)."""
    lines = [f"{label.partition('_')[2]} = {formula(e)}" for label, e in results.items()]
    return _module(name, results, [(several, list(results))], lines, arguments, title, header)


def _module(
    name: str,
    outputs: Mapping[str, Expr],
    returns: Sequence[str | tuple[str, Sequence[str]]],
    formulas: Sequence[str],
    arguments: Sequence[Expr],
    title: str,
    header: Sequence[str],
) -> Module:
    return module_of(
        name,
        outputs,
        arguments=arguments,
        returns=returns,
        summary=[f"{title}:", "", *(f"    {line}" for line in formulas)],
        derivatives=frozenset(outputs),
        header=header,
    )
