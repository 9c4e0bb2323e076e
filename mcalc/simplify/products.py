"""Reducing a chain of matrix factors: powers merge, inverses cancel, scalars come out.

`reduce_chain(context, factors)` takes normal-form factors of a conformable product and returns
(coefficient scalars, factors): what is left as matrices, with the scalars that came out of it. It is one pass with a
stack; each time two neighbours merge, the result meets its new neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import T, app, dimension_number, hpow, mul, number, ones, pow_
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import holds
from mcalc.simplify import kronecker
from mcalc.simplify.terms import base_and_exponent

if TYPE_CHECKING:
    from mcalc.simplify.normal_form import Normaliser


def reduce_chain(context: Normaliser, factors: Sequence[Expr]) -> tuple[list[Expr], list[Expr]] | None:
    """(scalars, factors) equal to the product; None where the product is zero."""
    scalars: list[Expr] = []
    chain = _split_ones(context, list(factors))
    while True:
        stack: list[Expr] = []
        for factor in chain:
            if not _push(context, stack, scalars, factor):
                return None
        run = _scalar_run(stack)
        if run is None:
            return scalars, stack
        start, end = run
        if start == 0 and end == len(stack):
            if len(stack) > 1 or not stack[0].is_scalar:
                scalars.append(scalar_group(context, stack))
            else:
                scalars.append(stack[0])
            return scalars, []
        scalars.append(scalar_group(context, stack[start:end]))
        context.because("scalar factor")
        chain = stack[:start] + stack[end:]


def _split_ones(context: Normaliser, chain: list[Expr]) -> list[Expr]:
    """ones(n,m) = ones(n) ones(m)^T where a vector stands in the product: half of it comes to a scalar."""
    if len(chain) < 2 or (chain[0].shape[0] is not ONE and chain[-1].shape[1] is not ONE):
        return chain
    result: list[Expr] = []
    for factor in chain:
        if factor.op == "ones" and factor.shape[0] is not ONE and factor.shape[1] is not ONE:
            context.because("ones as a product")
            result.extend((ones(factor.shape[0]), ones(ONE, factor.shape[1])))
        else:
            result.append(factor)
    return result


def _scalar_run(chain: list[Expr]) -> tuple[int, int] | None:
    """The first shortest run of factors that is 1 x 1."""
    start: int | None = None
    for index, factor in enumerate(chain):
        if factor.shape[0] is ONE:
            start = index
        if factor.shape[1] is ONE and start is not None:
            return start, index + 1
    return None


def _push(context: Normaliser, stack: list[Expr], scalars: list[Expr], factor: Expr) -> bool:
    """Put a factor on the stack, merging it with what is there; False where the product is zero."""
    pending = [factor]
    while pending:
        new = pending.pop()
        if new.op == "zeros":
            context.because("zero factor")
            return False
        if new.op == "eye":
            context.because("identity factor")
            continue
        if new.is_scalar:
            if new.op == "num" and not new.attrs[0]:
                return False
            scalars.append(new)
            continue
        if not stack:
            stack.append(new)
            continue
        merged = _pair(context, stack[-1], new)
        if merged is not None:
            stack.pop()
            pending.extend(reversed(merged))
            continue
        if _absorb(context, stack, new, pending):
            continue
        stack.append(new)
    return True


def _pair(context: Normaliser, left: Expr, right: Expr) -> list[Expr] | None:
    """What two neighbouring factors make together, or None where they stay two."""
    base, transposed, exponent = base_and_exponent(left)
    other, transposed2, exponent2 = base_and_exponent(right)
    if base is other and base.is_square:
        if transposed == transposed2:
            context.because("powers of one matrix" if exponent + exponent2 else "inverse cancels")
            if not exponent + exponent2:
                return []
            power = context.apply("pow", base, (exponent + exponent2,))
            return [context.transpose(power) if transposed else power]
        if holds(base, "orthogonal"):
            context.because("orthogonal")
            return [matrix_power(base, transposed, int(exponent - exponent2))] if exponent != exponent2 else []
    if left.op in kronecker.OPS or right.op in kronecker.OPS:
        joined = kronecker.pair(context, left, right)
        if joined is not None:
            return joined
    if left.op == "diagm":
        if right.op == "diagm":
            context.because("diagonal factors")
            return [context.apply("diagm", context.had([left.args[0], right.args[0]], left.args[0].shape))]
        if right.shape[1] is ONE:
            context.because("diagonal times vector")
            return [context.had([left.args[0], right], right.shape)]
    if right.op == "diagm" and left.shape[0] is ONE:
        context.because("diagonal times vector")
        return [context.had([left, context.transpose(right.args[0])], left.shape)]
    if left.op == "ones" and right.op == "ones":
        context.because("ones times ones")
        n, m, k = left.shape[0], left.shape[1], right.shape[1]
        rest = [] if n is ONE and k is ONE else [ones(n, k)]
        return [dimension_number(m), *rest]
    if left.op == "ones" and _selects(right, column=True):
        context.because("product of blocks")
        return [ones(left.shape[0], right.shape[1])]
    if right.op == "ones" and _selects(left, column=False):
        context.because("product of blocks")
        return [ones(left.shape[0], right.shape[1])]
    if left.op == "T" and left.args[0].op == "unit" and right.op == "unit":
        context.because("unit vectors")
        return [] if left.args[0] is right else [number(0)]
    if left.op == "block" and right.op == "block":
        product = _blocks(context, left, right)
        if product is not None:
            context.because("product of blocks")
            return [product]
    return None


def _selects(e: Expr, column: bool) -> bool:
    """Whether a block column [0; I; 0] (or row) selects one block."""
    return (
        e.op == "block"
        and all(a.op in ("eye", "zeros") for a in e.args)
        and sum(a.op == "eye" for a in e.args) == 1
        and (set(e.attrs) == {1} if column else len(e.attrs) == 1)
    )


def _blocks(context: Normaliser, left: Expr, right: Expr) -> Expr | None:
    """[A, B] [C; D] with an identity and a zero among C, D (or A, B): the block that they select."""
    for one, other, rest in ((right, left, right.args), (left, right, left.args)):
        if not all(a.op in ("eye", "zeros") for a in rest) or sum(a.op == "eye" for a in rest) != 1:
            continue
        position = next(i for i, a in enumerate(rest) if a.op == "eye")
        if one is right and set(right.attrs) == {1}:
            count = len(right.attrs)
            if set(left.attrs) != {count} or [a.shape[1] for a in left.args[:count]] != [a.shape[0] for a in rest]:
                continue
            picked = [left.args[r * count + position] for r in range(len(left.attrs))]
            return picked[0] if len(picked) == 1 else app("block", *picked, attrs=tuple(1 for _ in picked))
        if one is left and len(left.attrs) == 1:
            count = len(left.args)
            if len(other.attrs) != count:
                continue
            width = other.attrs[0]
            if set(other.attrs) != {width} or [other.args[i * width].shape[0] for i in range(count)] != [
                a.shape[1] for a in rest
            ]:
                continue
            row = other.args[position * width : (position + 1) * width]
            return row[0] if width == 1 else app("block", *row, attrs=(width,))
    return None


def _absorb(context: Normaliser, stack: list[Expr], new: Expr, pending: list[Expr]) -> bool:
    """Cancel (A B)^k against neighbouring factors A, B; true where it did."""
    base, transposed, exponent = base_and_exponent(new)
    if base.op == "mul":
        parts = _chain_of(context, base, transposed)
        if parts and len(stack) >= len(parts) and stack[-len(parts) :] == parts:
            del stack[-len(parts) :]
            context.because("inverse cancels" if exponent == -1 else "powers of one matrix")
            if exponent != -1:
                pending.append(matrix_power(base, transposed, int(exponent) + 1))
            return True
    for back in range(1, min(len(stack), 8) + 1):
        candidate = stack[-back]
        base, transposed, exponent = base_and_exponent(candidate)
        if candidate.op not in ("pow", "T") or base.op != "mul" or exponent == 1:
            continue
        parts = _chain_of(context, base, transposed)
        if parts and [*stack[len(stack) - back + 1 :], new] == parts:
            del stack[-back:]
            context.because("inverse cancels" if exponent == -1 else "powers of one matrix")
            if exponent != -1:
                pending.append(matrix_power(base, transposed, int(exponent) + 1))
            return True
    return False


def _chain_of(context: Normaliser, base: Expr, transposed: bool) -> list[Expr]:
    product = context.transpose(base) if transposed else base
    if product.op != "mul" or any(a.is_scalar for a in product.args):
        return []
    return list(product.args)


def matrix_power(base: Expr, transposed: bool, exponent: int) -> Expr:
    """base^exponent or its transpose, exponent not 0."""
    if base.op == "diagm" and exponent != 1:
        return app("diagm", hpow(base.args[0], exponent))
    power = base if exponent == 1 else pow_(base, exponent)
    return T(power) if transposed else power


_ELEMENTWISE = frozenset({"had", "hdiv", "hpow"})


def scalar_group(context: Normaliser, chain: Sequence[Expr]) -> Expr:
    """The scalar that a chain of factors (1 x … x 1) comes to: one atom, the same for a chain and its transpose."""
    if len(chain) == 1:
        return chain[0]
    if len(chain) == 2 and chain[0].shape[0] is ONE and chain[1].shape[1] is ONE:
        left, right = context.transpose(chain[0]), chain[1]
        if left.op == right.op == "vec" and left.args[0].shape == right.args[0].shape:
            context.because("vec as an inner product")
            return context(app("tr", mul(T(left.args[0]), right.args[0])))
        if left.op in _ELEMENTWISE or right.op in _ELEMENTWISE:
            together = context.had([left, right], right.shape)
            if together.length + 1 < left.length + right.length:
                context.because("sum of entries")
                return context.apply("sum", together, (None,))
    backwards = [context.transpose(f) for f in reversed(chain)]
    half = _half(context, list(chain), backwards)
    if half is not None:
        context.because("a vector's squared norm")
        return pow_(app("norm", half), 2)
    if (chain[0].op == "T" and chain[0].args[0].op == "ones") or chain[0].op == "ones":
        context.because("sum of entries")
        rest = list(chain[1:])
        if rest[-1].op == "ones" and len(rest) > 1:
            rest.pop()
        return context.apply("sum", context.product(rest), (None,))
    if chain[-1].op == "ones":
        context.because("sum of entries")
        return context.apply("sum", context.product(chain[:-1]), (None,))
    forward, backward = mul(*chain), mul(*backwards)
    known = context.first.get(("group", forward))
    if known is None:
        known = forward if forward.length <= backward.length else backward
        context.first[("group", forward)] = context.first[("group", backward)] = known
    if known is not forward:
        context.because("transpose of a scalar")
    return known


def _half(context: Normaliser, chain: list[Expr], backwards: list[Expr]) -> Expr | None:
    """v where the chain is v^T v."""
    if chain != backwards:
        return None
    middle = len(chain) // 2
    if len(chain) % 2 == 0:
        return context.product(chain[middle:])
    base, transposed, exponent = base_and_exponent(chain[middle])
    if exponent % 2 == 0 and holds(base, "symmetric"):
        return context.product([matrix_power(base, transposed, int(exponent) // 2), *chain[middle + 1 :]])
    return None
