"""Stable forms across definitions: P = softmax(Z), loss = -sum(Y .* log(P)) becomes the log-softmax form.

In: a model. Out: the same model with what its definitions spell out together recognised. Definitions are put in (in a
loop those of the same iteration), `simplify.identities.recognise` runs once over the whole graph, and the graph is cut
again at the definitions whose value still occurs. Graphs are shared, so this is linear in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mcalc.algebra.expr import Expr, fold, make, rebuild
from mcalc.algebra.shape import SCALAR, Dim, dim
from mcalc.model.elements import Elements
from mcalc.model.ir import Define, Loop, Model, Total, Variable, definitions, with_values
from mcalc.model.liveness import needed
from mcalc.simplify.identities import recognise

Memo = dict[Expr, Expr]


def recognise_each(model: Model, in_code: bool = False) -> Model:
    """The model with what each definition spells out by itself recognised; `in_code`: also what only code has."""
    moving = _parameters(model) if in_code else None
    values = [recognise(d.value, moving)[0] for d in definitions(model.statements)]
    return replace(model, statements=with_values(model.statements, values))


def recognise_together(model: Model, in_code: bool = False) -> Model:
    """The model with what definitions spell out together recognised; what is not touched stays as it is.

    `in_code`: also what only generated code has.
    """
    made = Elements(model.sequences, model.elements)
    whole = _in_scopes(model, made, [d.value for d in definitions(model.statements)], _put_in)
    root, found = recognise(make("block", tuple(whole), (len(whole),), SCALAR), _parameters(model) if in_code else None)
    if not found:
        return model
    recognised = list(root.args)
    cut = _in_scopes(model, made, recognised, _cut)
    values = [
        new if after is not before else define.value
        for define, before, after, new in zip(definitions(model.statements), whole, recognised, cut, strict=True)
    ]
    statements = with_values(model.statements, values)
    return without_unread(replace(model, statements=statements, elements=made.elements))


def _parameters(model: Model) -> set[Expr]:
    """The symbols of the parameters, and the elements of those that are sequences."""
    names = {a.name for a in model.parameters if not a.symbols}
    elements = {node for node, element in model.elements.items() if element.sequence in names}
    return elements | {symbol for a in model.parameters for symbol in a.symbols}


def _put_in(memo: Memo, target: Expr, value: Expr) -> Expr:
    """The value with the definitions put in; from now on the target stands for it."""
    whole = fold(value, rebuild, memo)
    memo[target] = whole
    return whole


def _cut(memo: Memo, target: Expr, value: Expr) -> Expr:
    """The value in terms of the definitions before; from now on the value is read by its name."""
    cut = fold(value, rebuild, memo)
    if value.args:
        memo[value] = target
    return cut


def _in_scopes(
    model: Model, made: Elements, values: list[Expr], step: Callable[[Memo, Expr, Expr], Expr]
) -> list[Expr]:
    """`step` for every definition in order, with what is known where it stands."""
    top: Memo = {}
    result: list[Expr] = []
    rest = iter(values)
    looped: dict[tuple[Dim, Dim], list[tuple[str, str, Expr]]] = {}
    for statement in model.statements:
        if isinstance(statement, Define):
            result.append(step(top, statement.target, next(rest)))
            continue
        ends = (statement.first, statement.last)
        memo = dict(top)
        _known_elements(made, memo, statement, looped.get(ends, []), step)
        if isinstance(statement, Total):
            result.append(step(memo, statement.target, next(rest)))
            continue
        for define in statement.body:
            value = next(rest)
            result.append(step(memo, define.target, value))
            element = made.elements[define.target]
            if element.index is dim(statement.index):
                key = statement.range.ends
                kept = result[-1] if step is _put_in else value
                looped.setdefault(key, []).append((element.sequence, statement.index, kept))
    return result


def _known_elements(
    made: Elements,
    memo: Memo,
    statement: Loop | Total,
    known: list[tuple[str, str, Expr]],
    step: Callable[[Memo, Expr, Expr], Expr],
) -> None:
    """What loops over the same range have defined, at the index of this one."""
    here = dim(statement.index)
    for name, index, value in known:
        moved = made.moved(value, index, here)
        if step is _put_in:
            memo[made.at(name, here)] = moved
        elif moved.args:
            memo[moved] = made.at(name, here)


def without_unread(model: Model) -> Model:
    """The model without the definitions that neither the loss nor an output needs."""
    wanted: set[Variable] = {model.loss, *model.outputs}
    wanted.update(node for name in model.outputs for node in model.ragged.get(name, ()))
    wanted.update(d.target for d in definitions(model.statements) if d.target.name in model.outputs)
    live, read = needed(model.statements, wanted, model.elements)
    while len(read) > len(wanted):
        # a sequence of which an element is read stays whole, whatever defines the others later
        wanted = read
        live, read = needed(model.statements, wanted, model.elements)
    kept = {*read, *(a.name for a in model.arguments)}
    sequences = {name: row for name, row in model.sequences.items() if name in kept}
    return replace(model, statements=tuple(s for s in live if s is not None), sequences=sequences)
