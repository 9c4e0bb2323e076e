"""Parameters to start from: the lines of `init`.

In: a model; out: for each parameter, by its shape, structure and what it does in the model, the line that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra.expr import Expr, postorder
from mcalc.backends.numpy.arguments import Piece
from mcalc.backends.numpy.model_arguments import Given
from mcalc.backends.numpy.spelling import axes_text
from mcalc.model.ir import Model, definitions


def properties(model: Model, g: Given) -> frozenset[str]:
    """The declared properties of an argument."""
    sequence = model.sequences.get(g.argument.name)
    if sequence is not None:
        return sequence.properties
    return frozenset(g.argument.symbols[0].attrs[1])


def start_lines(model: Model, roles: Mapping[Expr, str], g: Given, sizes: Mapping[str, str]) -> list[str]:
    """The lines that make a parameter to start from."""
    words = properties(model, g)
    lines = []
    for k, p in enumerate(g.pieces):
        symbols = g.argument.symbols
        role = roles.get(symbols[k], "") if k < len(symbols) else ""
        lines.append(f"{p.python} = {_start(p, role, words, sizes)}")
    return lines


def _start(p: Piece, role: str, words: frozenset[str], sizes: Mapping[str, str]) -> str:
    shape = axes_text(p.axes, sizes)
    like_identity = {"spd", "psd", "symmetric", "diagonal", "lower", "upper", "orthogonal", "invertible"}
    if len(p.axes) > 1 and words & like_identity:
        *outer, n, _ = shape[1:-1].split(", ")
        return f"np.tile(np.eye({n}), ({outer[0]}, 1, 1))" if outer else f"np.eye({n})"
    if "skew" in words:
        return f"np.zeros({shape})"
    if not p.axes:
        return (
            "1.0" if "positive" in words or role == "factor" else "0.0" if role == "term" else "rng.standard_normal()"
        )
    if role == "factor" or "positive" in words:
        return f"np.ones({shape})"
    if role == "term":
        return f"np.zeros({shape})"
    inputs = p.axes[-2] if len(p.axes) > 1 else p.axes[0]
    return f"rng.standard_normal({shape}) / np.sqrt(max({axes_text((inputs,), sizes)[1:-2]}, 1))"


def start_value(g: Given) -> str:
    names = ", ".join(p.python for p in g.pieces)
    return f"[{names}]" if g.argument.ragged else names


def roles_of(model: Model) -> dict[Expr, str]:
    """What vectors and scalars do where they occur: "term" of a sum, elementwise "factor"."""
    roles: dict[Expr, str] = {}
    for d in definitions(model.statements):
        for node in postorder(d.value):
            if node.op not in ("add", "had"):
                continue
            for arg in node.args:
                inner = _spread(arg)
                if inner.op == "sym" and (inner.is_scalar or 1 in (inner.shape[0].number, inner.shape[1].number)):
                    roles.setdefault(inner, "term" if node.op == "add" else "factor")
    return roles


def _spread(e: Expr) -> Expr:
    """b, where e is 1 b, b 1^T or b."""
    if e.op == "neg":
        return _spread(e.args[0])
    if e.op == "T":
        return e.args[0]
    if e.op == "mul" and len(e.args) == 2:
        first, second = e.args
        if first.op == "ones":
            return second.args[0] if second.op == "T" else second
        if second.op == "ones" or (second.op == "T" and second.args[0].op == "ones"):
            return first
    return e
