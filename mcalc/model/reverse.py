"""Reverse mode: from a prepared model to the program of its cotangents.

For N = V with cotangent N_bar, dloss = tr(N_bar^T dV) + …, and the parts that N hands to the symbols in V are the
gradients of tr(N_bar^T V) (mcalc/model/local.py). Cotangents are gathered per definition, the last statement first, so
the program is linear in the statements.

A loop is reversed (mcalc/model/loops.py): for t from its last index to its first, h_bar[t] is the sum of the parts of
all that read h[t]. What later iterations hand back is read from them, as z_bar[t+1] W^T, with z_bar[T+1] = zeros
defined before; where that is not possible, or where h[T] is read after the loop, it is carried: h_prev_bar[t] is what
iteration t hands to h[t-1], and h_prev_bar[T+1] what comes from after the loop; where nothing else reads h, iteration t
defines h_bar[t-1] itself. What other loops read at other offsets, or statements at a fixed index, comes from a
sequence that is zero elsewhere. A matrix that is read in a loop gets a sum over the loop.

Reference: Werbos 1990, Backpropagation through time: what it does and how to do it.
"""

from __future__ import annotations

from collections.abc import Sequence as Listed
from typing import NamedTuple

from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import Dim, dim
from mcalc.algebra.structure import structure
from mcalc.calculus.vec_laws import zero
from mcalc.errors import UsageError
from mcalc.model.gather import Gathering, joined
from mcalc.model.ir import Adjoint, Argument, Define, Loop, Model
from mcalc.model.loops import reverse_loop
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher
from mcalc.simplify.shorten import shorten


def reverse(model: Model, wrt: Listed[str] | None = None) -> Adjoint:
    """The adjoint program of a prepared model, for the parameters (or inputs) named; for all parameters by default.

    Raises UsageError where an argument of a name does not exist, NotSupported where a definition has no derivative in
    closed form.
    """
    return trace(model, wrt).adjoint


class Trace(NamedTuple):
    """An adjoint program, and why it is what it is."""

    adjoint: Adjoint
    gathering: Gathering


def trace(model: Model, wrt: Listed[str] | None = None) -> Trace:
    """As `reverse`, with what the program was made from."""
    arguments = _wanted(model, wrt)
    wanted = [v for a in arguments for v in (a.symbols or (a.name,))]
    g = Gathering(model, wanted)
    gradients: dict[Expr | str, Expr] = {}
    first_read: dict[int, list[Expr | str]] = {}
    for v in wanted:
        first_read.setdefault(min((use.position for use in g.uses.of.get(v, ())), default=-1), []).append(v)
    for position in range(len(model.statements) - 1, -1, -1):
        statement = model.statements[position]
        if isinstance(statement, Loop):
            reverse_loop(g, position, statement)
        elif g.uses.has_cotangent(statement):
            _reverse_definition(g, statement.target)
        for v in first_read.get(position, ()):
            gradients[v] = _gradient(g, v)
    for v in first_read.get(-1, ()):
        gradients[v] = _gradient(g, v)
    adjoint = Adjoint(
        model,
        tuple(g.statements),
        {a.name: tuple(gradients[v] for v in (a.symbols or (a.name,))) for a in arguments},
        g.made.sequences,
        g.made.elements,
        g.cotangents,
    )
    return Trace(adjoint, g)


def _wanted(model: Model, wrt: Listed[str] | None) -> list[Argument]:
    if wrt is None:
        return list(model.parameters)
    known = {a.name: a for a in model.arguments}
    for name in wrt:
        if name not in known:
            raise UsageError(
                f"the model has no argument {name}", hint=f"parameters: {', '.join(a.name for a in model.parameters)}"
            )
    return [known[name] for name in dict.fromkeys(wrt)]


def _reverse_definition(g: Gathering, target: Expr) -> None:
    """The cotangent of a definition outside loops."""
    bar = g.bar(target)
    if target in g.made.elements:
        element = g.made.elements[target]
        name, place = element.sequence, element.index
        g.cotangents[target] = bar
        if (name, place) not in g.complete:
            g.define(bar, joined(_handed(g, name, target), target.shape))
        return
    inline, sums = g.once(g.uses.of.get(target, ()))
    if len(inline) == 1 and not sums and inline[0].op == "sym":
        g.same[bar] = g.cotangents[target] = inline[0]
        return
    g.cotangents[target] = bar
    g.settle(bar, inline, sums)


def _handed(g: Gathering, name: str, target: Expr) -> list[Expr]:
    """What is handed to one element that was defined outside loops."""
    place = g.made.elements[target].index
    found = g.single(name, place)
    for other in g.singles(name):
        if other is not place and (name, other) not in g.carried and not _apart(other, place):
            found.append(g.made.at(g.spread_single(name, other), place))
    for use in g.uses.of.get(name, ()):
        if g.fixed(use) or g.defines(use, name):
            continue
        first, last = g.reach(use)
        if first.at_most(place) and place.at_most(last):
            found.append(g.at(use, place))
        elif not (place.below(first) or last.below(place)):
            found.append(g.made.at(g.spread_use(use), place))
    return found


def _apart(a: Dim, b: Dim) -> bool:
    """Whether two indices are different whatever the dimensions."""
    return b.below(a) or a.below(b)


# --- parameters -------------------------------------------------------------------------------------------------------


def _gradient(g: Gathering, v: Expr | str) -> Expr:
    """The gradient of a parameter, in the space of its structure; of a sequence, the element at a loop's index."""
    if isinstance(v, str):
        return _sequence_gradient(g, v)
    bar = g.bar(v)
    inline, sums = g.once(g.uses.of.get(v, ()))
    kind = structure(v)
    if kind is None or not (inline or sums):
        g.settle(bar, inline, sums)
        return bar
    value = joined([*inline, *g.totals(bar, sums)], v.shape)
    g.define(bar, projected(v, value))
    return bar


def projected(x: Expr, gradient: Expr) -> Expr:
    """The gradient in the space of the structure that x is declared to have."""
    kind = structure(x)
    if kind is None:
        return gradient
    context = Normaliser()
    polish = Polisher(context, {})
    return shorten(context, polish, context(kind.projection(gradient)))[0]


def _sequence_gradient(g: Gathering, name: str) -> Expr:
    row = g.made.sequences[name]
    index = g.index()
    element = g.made.at(name, dim(index))
    bar = g.bar(element)
    g.cover(g.made.elements[bar].sequence, row.first, row.last)
    parts: list[Expr] = []
    for use in g.uses.of.get(name, ()):
        if g.fixed(use):
            continue
        first, last = g.reach(use)
        if first.at_most(row.first) and row.last.at_most(last):
            parts.append(g.at(use, dim(index)))
        else:
            parts.append(g.made.at(g.spread_use(use), dim(index)))
    parts += [g.made.at(g.spread_single(name, place), dim(index)) for place in g.singles(name)]
    value = projected(element, joined(parts, row.shape)) if parts else zero(row.shape)
    g.statements.append(Loop(index, row.first, row.last, 1, (Define(bar, value),)))
    return bar
