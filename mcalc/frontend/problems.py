"""Problems of shape, as a user reads them: the operands, their shapes, and what may have been meant."""

from __future__ import annotations

from mcalc.algebra.shape import ONE
from mcalc.errors import AmbiguityError, McalcError, ShapeError, Span
from mcalc.frontend.calls import Type
from mcalc.frontend.dimensions import Dimensions, Misfit
from mcalc.frontend.program import Program, Step
from mcalc.frontend.syntax import Node

_SHOWN = 40

_AMBIGUITY_HINTS = {"sum": "write the one that is meant", "product": "use parentheses", "exponential": ""}


def explain(misfit: Misfit, program: Program, text: str) -> McalcError:
    """The error for a misfit."""
    step = program.steps[misfit.place]
    s = misfit.dimensions or Dimensions()
    indices = _operands(misfit, step)
    nodes = [step.node.args[i] for i in indices]
    types = [misfit.types[step.args[i]] for i in indices]
    if not nodes:
        nodes, types = [step.node], misfit.types[misfit.place : misfit.place + 1]
    symbols = (t for t, other in zip(misfit.types, program.steps, strict=False) if other.kind == "symbol")
    s.name_unknowns((t[:2] for t in (*symbols, *types)), [*program.symbols, *program.dimensions])
    span = Span(min(n.start for n in nodes), max(n.end for n in nodes))
    shapes = ("     ".join(f"{_quote(n, text)} : {s.shown(t[:2])}" for n, t in zip(nodes, types, strict=False)),)
    if misfit.ambiguous:
        notes = _readings(misfit, step, nodes, types, s, text) + shapes
        hint = misfit.hint or _AMBIGUITY_HINTS[step.kind]
        return AmbiguityError(misfit.message, span, text=text, notes=notes, hint=hint)
    message, hint = misfit.message, misfit.hint
    if message.startswith("product needs") and len(nodes) == 2:
        left, right = (_quote(n, text) for n in nodes)
        message = f"product needs columns({left}) = rows({right})"
        hint = hint or _repair(left, right, types[0], types[1], s)
    if "needs operands of one shape" in message and len(nodes) == 2 and step.kind in ("sum", "product"):
        hint = hint or _repeated(nodes, types, s, text)
    return ShapeError(message, span, text=text, notes=shapes if types else (), hint=hint)


def _operands(misfit: Misfit, step: Step) -> list[int]:
    """Which operands to show; of a chain, the two that met."""
    if step.kind not in ("sum", "product") or not misfit.operands:
        return [i for i in misfit.operands if i < len(step.args)]
    at = misfit.at
    matrices = [i for i in range(at) if not misfit.types[step.args[i]].is_scalar] or list(range(at))
    return [matrices[0] if step.kind == "sum" and not misfit.ambiguous else matrices[-1], at]


def _quote(node: Node, text: str) -> str:
    shown = " ".join(text[node.start : node.end].split())
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def _repair(left: str, right: str, a: Type, b: Type, s: Dimensions) -> str:
    """A product of the same two factors that has a shape."""
    rows_a, columns_a, rows_b, columns_b = (s.value(d) for d in (a.rows, a.columns, b.rows, b.columns))
    if rows_a is rows_b:
        return f"did you mean {left}^T {right}?"
    if columns_a is columns_b:
        return f"did you mean {left} {right}^T?"
    if columns_b is rows_a:
        return f"did you mean {right} {left}?"
    return ""


def _repeated(nodes: list[Node], types: list[Type], s: Dimensions, text: str) -> str:
    """A row or a column that NumPy would broadcast to the other operand, written with its ones."""
    for node, vector, matrix in zip(nodes, types, types[::-1], strict=True):
        rows, columns, n, m = (s.value(d) for d in (vector.rows, vector.columns, matrix.rows, matrix.columns))
        quoted = _quote(node, text)
        quoted = quoted if node.kind in ("name", "call") else f"({quoted})"
        if n is ONE or m is ONE:
            continue
        if rows is ONE and columns is m:
            return f"ones({n}) {quoted} has it in every row"
        if columns is ONE and rows is n:
            return f"{quoted} ones(1,{m}) has it in every column"
        if columns is ONE and rows is m:
            return f"ones({n}) {quoted}^T has it in every row"
    return ""


def _readings(
    misfit: Misfit, step: Step, nodes: list[Node], types: list[Type], s: Dimensions, text: str
) -> tuple[str, ...]:
    """The two readings of an ambiguity."""
    quoted = [_quote(n, text) for n in nodes]
    if step.kind == "sum":
        matrix, scalar = (0, 1) if not types[0].is_scalar else (1, 0)
        x, t = quoted[matrix], quoted[scalar]
        rows, columns = s.value(types[matrix].rows), s.value(types[matrix].columns)
        factor = "" if t == "1" else f"{t} "
        return (f"{x} + {factor}ones({rows},{columns}), or {x} + {factor}I",)
    if step.kind == "product":
        at = misfit.at
        first, last = step.node.args[0], step.node.args[at - 1]
        before = " ".join(text[first.start : last.end].split())
        operators = [op for op in step.value[: at - 1] if op in (".*", "./", "⊗")]
        if operators:
            sign = max(i for i, op in enumerate(step.value[: at - 1]) if op in (".*", "./", "⊗"))
            head = " ".join(text[first.start : step.node.args[sign].end].split())
            tail = " ".join(text[step.node.args[sign + 1].start : nodes[1].end].split())
            written = text[step.node.args[sign].end : step.node.args[sign + 1].start].strip()
            return (f"({before}) {quoted[1]}, or {head} {written} ({tail})",)
    return ()
