"""Expanding and factoring sums of terms.

`expand` distributes products over sums (bounded); `factor` takes out what terms share: numbers and scalars, factors on
the left and on the right, elementwise factors, and the inverse in P^-1 - P^-1 A P^-1 = P^-1 (P - A) P^-1. Neither knows
which form is shorter: `shorten` tries both and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.shape import SCALAR, Shape
from mcalc.simplify import kronecker
from mcalc.simplify.congruence import congruences
from mcalc.simplify.diagonal import diagonal_factor
from mcalc.simplify.expand import MOST_TERMS, sum_inside, summands
from mcalc.simplify.normal_form import Normaliser, Rewrite
from mcalc.simplify.products import matrix_power
from mcalc.simplify.shared import common_factor, common_scalars, hadamard_view, powers_of, settled, strip, sum_of, whole
from mcalc.simplify.terms import ONE_Q, Term, base_and_exponent, build, merge, raised, term_of

MOST_EFFORT = 150
"""Sums that one search for common factors may look at; a long one counts as several."""
LONG = 60


def factor(context: Normaliser, root: Expr, worth: Callable[[Expr], int]) -> Expr:
    """Every sum below the root with what its terms share taken out; `worth` is the length that decides."""

    context.effort = MOST_EFFORT

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if not args:
            return node
        before = make(node.op, tuple(args), node.attrs, node.shape)
        normal = context(before)
        if normal.op not in ("add", "neg", "div", "mul") or normal.length > 4000:
            return normal
        return _factored_term(context, normal, worth)

    return fold(root, combine)


def _factored_term(context: Normaliser, e: Expr, worth: Callable[[Expr], int]) -> Expr:
    """A sum, or a numerical multiple of one, factored."""
    term = term_of(e)
    inner = sum_inside(term) if e.op != "add" else e
    if inner is None or inner.shape != e.shape or len(inner.args) > MOST_TERMS:
        return e
    result = _factored(context, [term_of(whole(a, inner.shape)) for a in inner.args], inner.shape, worth)
    if result is inner:
        return e
    context.rewrites.append(Rewrite("common factor", inner, result))
    if e is inner:
        return result
    if inner.is_scalar:
        rest = tuple(s for s in term.scalars if s[0] is not inner)
        return context.product([build(term.coefficient, rest, (), SCALAR), result])
    return context.product([build(term.coefficient, term.scalars, (), SCALAR), result])


def _factored(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr:
    # the same sums come back on many ways
    key = ("factored", tuple(terms), shape)
    if key not in context.first:
        context.first[key] = _factored_anew(context, terms, shape, worth)
    return context.first[key]


def _factored_anew(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr:
    plain = sum_of(context, terms, shape)
    context.effort -= 1 + plain.length // LONG
    if len(terms) < 2 or context.effort < 0:
        return plain
    shared = common_scalars(terms)
    if shared:
        rest = [Term(t.coefficient, merge(t.scalars, raised(shared, -ONE_Q)), t.factors) for t in terms]
        rest = [settled(t) for t in rest]
        return context.product([build(ONE_Q, shared, (), SCALAR), _factored(context, rest, shape, worth)])
    if shape == SCALAR:
        return _grouped_scalars(context, terms, worth)
    if len({t.factors for t in terms}) == 1:
        scalar = _factored(context, [Term(t.coefficient, t.scalars, ()) for t in terms], SCALAR, worth)
        return context.product([scalar, build(ONE_Q, (), terms[0].factors, shape)])
    for side in (0, -1):
        shared_factor = common_factor(terms, side)
        if shared_factor is not None:
            taken_out = _with_factor(context, terms, shared_factor, side, shape, worth)
            options = [plain, taken_out]
            longer = [t for t in terms if strip(t, shared_factor, side).factors]
            if 1 < len(longer) < len(terms):
                grouped = _with_factor(context, longer, shared_factor, side, shape, worth)
                others = [build(*t, shape) for t in terms if t not in longer]
                options.insert(1, context.sum([grouped, *others], shape))
            return min(options, key=worth)
    options = [plain]
    hadamard = _hadamard_factor(context, terms, shape, worth)
    if hadamard is not None:
        scaled_rows = any(f.op == "diagm" and f.args[0].op in ("diagv", "sum") for t in terms for f in t.factors)
        options.insert(0 if scaled_rows else 1, hadamard)
    resolvent = _resolvent(context, terms, shape, worth)
    if resolvent is not None:
        options.insert(0, resolvent)
    if len(terms) > 2:
        options.extend(_partial(context, terms, shape, worth))
    if any(len(t.factors) == 1 and t.factors[0].op == "T" and t.factors[0].args[0].op in _ENTRYWISE for t in terms):
        turned = [term_of(context.transpose(build(*t, shape))) for t in terms]
        hadamard = _hadamard_factor(context, turned, (shape[1], shape[0]), worth)
        if hadamard is not None:
            options.append(context.transpose(hadamard))
    for side in (0, -1):
        diagonal = diagonal_factor(context, terms, side, hadamard_view, powers_of)
        if diagonal is not None:
            front, without = diagonal
            inner = _factored(context, [term_of(r) for r in without], without[0].shape, worth)
            options.append(context.product([front, inner] if side == 0 else [inner, front]))
    for parts in congruences(context, terms, shape):
        options.append(_factored(context, [term_of(e) for e in parts], shape, worth))
    for joined in kronecker.joined(context, terms, shape):
        options.append(_factored(context, joined, shape, worth))
    return min(options, key=worth)


_ENTRYWISE = frozenset({"had", "hdiv", "hpow"})


def _shared_vector(context: Normaliser, terms: list[Term], worth: Callable[[Expr], int]) -> Expr | None:
    """x^T A y + x^T B z = x^T (A y + B z), transposing scalars where that helps."""
    chains: list[list[tuple[Term, list[Expr]]]] = []
    for t in terms:
        groups = [a for a, e in t.scalars if e == 1 and a.op == "mul" and not any(f.is_scalar for f in a.args)]
        if len(groups) != 1:
            return None
        rest = Term(t.coefficient, merge(t.scalars, ((groups[0], -ONE_Q),)), ())
        forward = list(groups[0].args)
        chains.append([(rest, forward), (rest, [context.transpose(f) for f in reversed(forward)])])
    best: Expr | None = None
    for _, first in chains[0]:
        v = first[0]
        picked = [next(((r, c) for r, c in versions if c[0] is v), None) for versions in chains]
        parts = [context.product([build(*r, SCALAR), *chain[1:]]) for r, chain in (p for p in picked if p is not None)]
        if len(parts) < len(terms) or any(p.is_scalar for p in parts):
            continue
        inner = _factored(context, [term_of(p) for p in parts], parts[0].shape, worth)
        candidate = context.product([v, inner])
        if best is None or worth(candidate) < worth(best):
            best = candidate
    return best


def _grouped_scalars(context: Normaliser, terms: list[Term], worth: Callable[[Expr], int]) -> Expr:
    """a b + a c + d = a (b + c) + d, where that is shorter."""
    plain = sum_of(context, terms, SCALAR)
    joined = _shared_vector(context, terms, worth)
    if joined is not None and worth(joined) < worth(plain):
        return joined
    if len(terms) < 3:
        return plain
    counts: dict[Expr, int] = {}
    for t in terms:
        for atom, exponent in t.scalars:
            if exponent > 0:
                counts[atom] = counts.get(atom, 0) + 1
    best = plain
    for atom, count in counts.items():
        if count < 2:
            continue
        inside = [t for t in terms if dict(t.scalars).get(atom, 0) > 0]
        outside = [t for t in terms if dict(t.scalars).get(atom, 0) <= 0]
        rest = [Term(t.coefficient, merge(t.scalars, ((atom, -ONE_Q),)), ()) for t in inside]
        grouped = context.product([atom, _factored(context, rest, SCALAR, worth)])
        candidate = _factored(context, [*map(term_of, [grouped]), *outside], SCALAR, worth)
        if worth(candidate) < worth(best) - 1:
            best = candidate
    return best


def _with_factor(
    context: Normaliser, terms: list[Term], shared: tuple[Expr, bool, int], side: int, shape: Shape,
    worth: Callable[[Expr], int],
) -> Expr:  # fmt: skip
    outer = matrix_power(*shared)
    rest = [strip(t, shared, side) for t in terms]
    if any(not t.factors for t in rest):
        size = outer.shape[1] if side == 0 else outer.shape[0]
        inner_shape = (size, shape[1]) if side == 0 else (shape[0], size)
        if inner_shape == SCALAR:
            inner = _factored(context, rest, SCALAR, worth)
            return context.product([inner, outer])
        if inner_shape[0] is not inner_shape[1]:
            return sum_of(context, terms, shape)
    else:
        first, last = rest[0].factors[0], rest[0].factors[-1]
        inner_shape = (first.shape[0], last.shape[1])
    if inner_shape == SCALAR:
        pieces = [context.product([build(t.coefficient, t.scalars, (), SCALAR), *t.factors]) for t in rest]
        inner = _factored(context, [term_of(p) for p in pieces], SCALAR, worth)
        return context.product([inner, outer])
    inner = _factored(context, rest, inner_shape, worth)
    return context.product([outer, inner] if side == 0 else [inner, outer])


def _hadamard_factor(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr | None:
    views = [hadamard_view(t, shape) for t in terms]
    shared: dict[Expr, Fraction] = {}
    for atom, exponent in views[0].items():
        if atom.op == "eye":
            continue
        exponents = [exponent] + [v.get(atom, Fraction(0)) for v in views[1:]]
        if all(e > 0 for e in exponents):
            shared[atom] = min(exponents)
        elif all(e < 0 for e in exponents):
            shared[atom] = max(exponents)
    over = dict(shared)
    for view in views:
        for atom, exponent in view.items():
            if exponent < 0:
                over[atom] = min(over.get(atom, Fraction(0)), exponent)
    options = []
    if shared:
        options.append(_taken_out(context, terms, views, shared, shape, worth))
    if over != shared:
        options.append(_taken_out(context, terms, views, over, shape, worth))
    return min(options, key=worth) if options else None


def _taken_out(
    context: Normaliser, terms: list[Term], views: list[dict[Expr, Fraction]], shared: dict[Expr, Fraction],
    shape: Shape, worth: Callable[[Expr], int],
) -> Expr:  # fmt: skip
    """The elementwise factors `shared` in front of the sum of what is left."""
    rest = []
    for t, view in zip(terms, views, strict=True):
        atoms = dict.fromkeys([*view, *shared])
        left = [(atom, view.get(atom, Fraction(0)) - shared.get(atom, Fraction(0))) for atom in atoms]
        rest.append(context.product([build(t.coefficient, t.scalars, (), SCALAR), powers_of(context, left, shape)]))
    spread = [s for r in rest for s in summands(context, r, frozenset())]
    inner = _factored(context, [term_of(r) for r in rest], shape, worth)
    if len(spread) > len(rest):
        flat = _factored(context, [term_of(whole(s, shape)) for s in spread], shape, worth)
        inner = min(inner, flat, key=worth)
    return context.had([powers_of(context, list(shared.items()), shape), inner], shape)


def _resolvent(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr | None:
    """c I + B P^-1 = (c P + B) P^-1, and on the left."""
    bare = [t for t in terms if not t.factors]
    rest = [t for t in terms if t.factors]
    if len(bare) != 1 or shape[0] is not shape[1]:
        return None
    for side in (-1, 0):
        base, transposed, exponent = base_and_exponent(rest[0].factors[side])
        if exponent != -1 or len({base_and_exponent(t.factors[side]) for t in rest}) != 1:
            continue
        p = matrix_power(base, transposed, 1)
        if transposed and p.op == "T" and base.op == "add":
            p = context.transpose(base)
        coefficient = build(bare[0].coefficient, bare[0].scalars, (), SCALAR)
        others = [build(t.coefficient, t.scalars, t.factors[:-1] if side else t.factors[1:], shape) for t in rest]
        inner = context.sum([context.product([coefficient, p]), *others], shape)
        outer = matrix_power(base, transposed, -1)
        return context.product([inner, outer] if side else [outer, inner])
    return None


def _partial(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> list[Expr]:
    """Groups of terms that share their first or last factor, taken together."""
    options: list[Expr] = []
    plain = worth(sum_of(context, terms, shape))
    for side in (-1, 0):
        groups: dict[tuple[Expr, bool, bool], list[int]] = {}
        for index, t in enumerate(terms):
            if t.factors:
                base, transposed, exponent = base_and_exponent(t.factors[side])
                groups.setdefault((base, transposed, exponent > 0), []).append(index)
        if all(len(g) < 2 for g in groups.values()):
            continue
        parts: list[Expr] = []
        done: set[int] = set()
        for members in groups.values():
            if len(members) < 2:
                continue
            chosen = [terms[i] for i in members]
            done.update(members)
            shared = common_factor(chosen, side)
            assert shared is not None
            parts.append(_with_factor(context, chosen, shared, side, shape, worth))
        parts.extend(build(*terms[i], shape) for i in range(len(terms)) if i not in done)
        result = context.sum(parts, shape)
        if worth(result) < plain - 1:
            options.append(result)
    atoms: dict[Expr, list[int]] = {}
    for index, t in enumerate(terms):
        for atom, exponent in t.scalars:
            if exponent > 0:
                atoms.setdefault(atom, []).append(index)
    for atom, members in atoms.items():
        if not 2 <= len(members) < len(terms):
            continue
        inside = [
            Term(terms[i].coefficient, merge(terms[i].scalars, ((atom, -ONE_Q),)), terms[i].factors) for i in members
        ]
        grouped = context.product([atom, _factored(context, inside, shape, worth)])
        others = [build(*terms[i], shape) for i in range(len(terms)) if i not in members]
        result = context.sum([*others, grouped], shape)
        if worth(result) < plain - 1:
            options.append(result)
    hadamard: dict[Expr, list[int]] = {}
    for index, t in enumerate(terms):
        for atom in hadamard_view(t, shape):
            hadamard.setdefault(atom, []).append(index)
    for members in hadamard.values():
        if not 2 <= len(members) < len(terms):
            continue
        together = _hadamard_factor(context, [terms[i] for i in members], shape, worth)
        if together is not None:
            others = [build(*terms[i], shape) for i in range(len(terms)) if i not in members]
            result = context.sum([together, *others], shape)
            if worth(result) < plain - 1:
                options.append(result)
    return options
