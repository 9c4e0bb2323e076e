"""Sharing exponentials: what is computed of one array by both softplus and sigmoid, or by logsumexp and softmax.

In: arrays; out: the same values, where sigmoid(z) and softplus(z) (or those of -z) read one exp(-|z|), and
softmax(Z) and logsumexp(Z) over one axis read one exp(Z - max).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mcalc.program.builder import Builder, Term
from mcalc.program.ir import Array, arrays


def share_exponentials(b: Builder, roots: Sequence[Array]) -> list[Array]:
    """The roots with shared exponentials."""
    live = list(arrays(*roots))
    replacement: dict[Array, Array] = {}
    logistic: dict[Array, dict[str, list[Array]]] = {}
    for a in live:
        if a.op in ("sigmoid", "softplus") and a.kind == "float":
            logistic.setdefault(_unsigned(a.args[0])[0], {}).setdefault(a.op, []).append(a)
    for z, found in logistic.items():
        if len(found) == 2 or sum(map(len, found.values())) > 1:
            small = b.node("exp", b.array(Term(b.node("abs", z), Fraction(-1))))
            for a in (*found.get("softplus", ()), *found.get("sigmoid", ())):
                replacement[a] = _logistic(b, a, z, small)
    softmaxes = {a for a in live if a.op == "softmax"}
    for a in live:
        if a.op == "logsumexp" and (soft := b.find("softmax", *a.args, attrs=a.attrs)) in softmaxes:
            assert soft is not None
            replacement[a], replacement[soft] = _softmax(b, a.args[0], a.attrs[0])
    memo: dict[Array, Array] = {}
    return [substituted(b, root, replacement, memo) for root in roots] if replacement else list(roots)


def _unsigned(z: Array) -> tuple[Array, bool]:
    if z.op == "scale" and z.attrs == (Fraction(-1), ()):
        return z.args[0], True
    return z, False


def _logistic(b: Builder, a: Array, z: Array, small: Array) -> Array:
    negative = _unsigned(a.args[0])[1]
    if a.op == "sigmoid":
        return b.node("sigmoid_of_negative_from" if negative else "sigmoid_from", z, small)
    return b.node("softplus_from", a.args[0], b.node("log1p", small))


def _softmax(b: Builder, z: Array, axis: int | None) -> tuple[Array, Array]:
    """logsumexp(Z) and softmax(Z) from exp(Z - max)."""
    one = Fraction(1)

    def along(v: Array) -> Array:
        return b.column(v) if axis == 1 else v

    top = b.node("largest", z, attrs=(axis,))
    small = b.node("exp", b.array(b.sum([(one, z), (-one, along(top))])))
    total = b.node("total", small, attrs=(axis,))
    log_total = b.array(b.sum([(one, top), (one, b.node("log", total))]))
    return log_total, b.node("quotient", small, along(total))


def substituted(
    b: Builder, root: Array, replacement: dict[Array, Array], memo: dict[Array, Array] | None = None
) -> Array:
    """The array with others in the place of some below it; the replacements are substituted in, too.

    `memo` shares the work between several arrays.
    """
    memo = {} if memo is None else memo
    stack = [root]
    while stack:
        a = stack[-1]
        if a in memo:
            stack.pop()
            continue
        target = replacement.get(a)
        needed = [target] if target is not None else list(a.args)
        missing = [x for x in needed if x not in memo]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if target is not None:
            memo[a] = memo[target]
        elif all(memo[x] is x for x in a.args):
            memo[a] = a
        else:
            memo[a] = b.node(a.op, *(memo[x] for x in a.args), attrs=a.attrs)
    return memo[root]
