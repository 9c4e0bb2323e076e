"""Expanding and factoring sums of terms.

`expand` distributes products over sums (bounded); `factor` takes out what terms share: numbers and scalars, factors on
the left and on the right, elementwise factors, and the inverse in P^-1 - P^-1 A P^-1 = P^-1 (P - A) P^-1. Neither knows
which form is shorter: `shorten` tries both and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product as cartesian

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import T, eye, mul, number, ones
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.simplify import kronecker
from mcalc.simplify.diagonal import diagonal_factor
from mcalc.simplify.normal_form import Normaliser, Rewrite, settle
from mcalc.simplify.products import matrix_power
from mcalc.simplify.terms import ONE_Q, Scalars, Term, base_and_exponent, build, merge, raised, term_of

MOST_TERMS = 48
"""A sum is not expanded beyond this many terms."""
MOST_EFFORT = 150
"""Sums that one search for common factors may look at."""


def _terms(e: Expr) -> list[Expr]:
    return list(e.args) if e.op == "add" else [e]


def expand(context: Normaliser, root: Expr, closed: frozenset[Expr] = frozenset()) -> Expr:
    """Products, elementwise products, traces and sums of entries distributed over sums, but for the `closed` ones."""

    def combine(node: Expr, args: list[Expr]) -> Expr:
        if not args or node in closed:
            return node
        before = make(node.op, tuple(args), node.attrs, node.shape)
        after = _distributed(context, before, closed)
        if after is not before:
            context.rewrites.append(Rewrite("distribute", before, after))
        return after

    return fold(root, combine)


_LINEAR = frozenset({"tr", "sum", "diagv", "diagm", "vec"})


def _distributed(context: Normaliser, e: Expr, closed: frozenset[Expr]) -> Expr:
    match e.op:
        case "mul" | "had":
            groups = [_summands(context, a, closed) for a in e.args]
            count = 1
            for group in groups:
                count *= len(group)
            if count == 1 or count > MOST_TERMS:
                return context(e)
            if e.op == "mul":
                parts = [context.product(choice) for choice in cartesian(*groups)]
            else:
                parts = [context.had(choice, e.shape) for choice in cartesian(*groups)]
            return context.sum(parts, e.shape)
        case "div" | "neg":
            parts = _summands(context, e.args[0], closed)
            if len(parts) > MOST_TERMS:
                return context(e)
            return context.sum([context(make(e.op, (p, *e.args[1:]), (), p.shape)) for p in parts], e.shape)
        case _ if e.op in _LINEAR:
            parts = _summands(context, e.args[0], closed)
            return context.sum([context.apply(e.op, p, e.attrs) for p in parts], e.shape)
        case "sigmoid" if e.args[0].op == "neg":
            context.because("sigmoid of a negative")
            one = number(1) if e.is_scalar else ones(*e.shape)
            return context.sum([one, context(make("neg", (context.apply("sigmoid", e.args[0].args[0]),), (), e.shape))],
                               e.shape)  # fmt: skip
        case "add":
            return context.sum([p for a in e.args for p in _summands(context, a, closed)], e.shape)
    return context(e)


def _summands(context: Normaliser, e: Expr, closed: frozenset[Expr]) -> list[Expr]:
    """The terms of a sum, or of a multiple of one; a scalar among matrix terms becomes a multiple of ones."""
    term = term_of(e)
    inner = _sum_inside(term)
    if inner is None or inner in closed:
        return [e]
    if inner.is_scalar and not e.is_scalar:
        return [e]
    scalars = term.scalars if not inner.is_scalar else tuple(s for s in term.scalars if s[0] is not inner)
    parts = []
    for arg in inner.args:
        if arg.is_scalar and not inner.is_scalar:
            arg = context.product([arg, ones(*inner.shape)])
        own = term_of(arg)
        extra, powers = settle(merge(scalars, own.scalars))
        parts.append(build(term.coefficient * own.coefficient * extra, powers, own.factors, e.shape))
    return parts


def _sum_inside(term: Term) -> Expr | None:
    if len(term.factors) == 1 and term.factors[0].op == "add":
        return term.factors[0]
    if not term.factors:
        sums = [atom for atom, exponent in term.scalars if atom.op == "add" and exponent == 1]
        if len(sums) == 1:
            return sums[0]
    return None


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
    inner = _sum_inside(term) if e.op != "add" else e
    if inner is None or inner.shape != e.shape or len(inner.args) > MOST_TERMS:
        return e
    result = _factored(context, [term_of(_whole(a, inner.shape)) for a in inner.args], inner.shape, worth)
    if result is inner:
        return e
    context.rewrites.append(Rewrite("common factor", inner, result))
    if e is inner:
        return result
    if inner.is_scalar:
        rest = tuple(s for s in term.scalars if s[0] is not inner)
        return context.product([build(term.coefficient, rest, (), SCALAR), result])
    return context.product([build(term.coefficient, term.scalars, (), SCALAR), result])


def _whole(arg: Expr, shape: Shape) -> Expr:
    return mul(arg, ones(*shape)) if arg.is_scalar and shape != SCALAR else arg


def _sum_of(context: Normaliser, terms: list[Term], shape: Shape) -> Expr:
    return context.sum([build(*t, shape) for t in terms], shape)


def _factored(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr:
    # the same sums come back on many ways
    key = ("factored", tuple(terms), shape)
    if key not in context.first:
        context.first[key] = _factored_anew(context, terms, shape, worth)
    return context.first[key]


def _factored_anew(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr:
    plain = _sum_of(context, terms, shape)
    context.effort -= 1
    if len(terms) < 2 or context.effort < 0:
        return plain
    shared = _shared_scalars(terms)
    if shared:
        rest = [Term(t.coefficient, merge(t.scalars, raised(shared, -ONE_Q)), t.factors) for t in terms]
        rest = [_settled(t) for t in rest]
        return context.product([build(ONE_Q, shared, (), SCALAR), _factored(context, rest, shape, worth)])
    if shape == SCALAR:
        return _grouped_scalars(context, terms, worth)
    if len({t.factors for t in terms}) == 1:
        scalar = _factored(context, [Term(t.coefficient, t.scalars, ()) for t in terms], SCALAR, worth)
        return context.product([scalar, build(ONE_Q, (), terms[0].factors, shape)])
    for side in (0, -1):
        shared_factor = _shared_factor(terms, side)
        if shared_factor is not None:
            taken_out = _with_factor(context, terms, shared_factor, side, shape, worth)
            options = [plain, taken_out]
            longer = [t for t in terms if _strip(t, shared_factor, side).factors]
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
        diagonal = diagonal_factor(context, terms, side, _hadamard_view, _powers)
        if diagonal is not None:
            front, without = diagonal
            inner = _factored(context, [term_of(r) for r in without], without[0].shape, worth)
            options.append(context.product([front, inner] if side == 0 else [inner, front]))
    for joined in kronecker.joined(context, terms, shape):
        options.append(_factored(context, joined, shape, worth))
    return min(options, key=worth)


_ENTRYWISE = frozenset({"had", "hdiv", "hpow"})


def _settled(t: Term) -> Term:
    extra, scalars = settle(t.scalars)
    return Term(t.coefficient * extra, scalars, t.factors)


def _shared_scalars(terms: list[Term]) -> Scalars:
    """Atoms to the power that every term has (nearest to zero)."""
    shared = []
    for atom, exponent in terms[0].scalars:
        exponents = [exponent]
        for t in terms[1:]:
            exponents.append(dict(t.scalars).get(atom, Fraction(0)))
        if all(e > 0 for e in exponents):
            shared.append((atom, min(exponents)))
        elif all(e < 0 for e in exponents):
            shared.append((atom, max(exponents)))
    return tuple(shared)


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
        parts = [
            context.product([build(*r, SCALAR), *chain[1:]]) for r, chain in (p for p in picked if p is not None)
        ]
        if len(parts) < len(terms) or any(p.is_scalar for p in parts):
            continue
        inner = _factored(context, [term_of(p) for p in parts], parts[0].shape, worth)
        candidate = context.product([v, inner])
        if best is None or worth(candidate) < worth(best):
            best = candidate
    return best


def _grouped_scalars(context: Normaliser, terms: list[Term], worth: Callable[[Expr], int]) -> Expr:
    """a b + a c + d = a (b + c) + d, where that is shorter."""
    plain = _sum_of(context, terms, SCALAR)
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


def _shared_factor(terms: list[Term], side: int) -> tuple[Expr, bool, int] | None:
    """(base, transposed, exponent) that every term has as its first or last factor."""
    if any(not t.factors for t in terms):
        return None
    base, transposed, exponent = base_and_exponent(terms[0].factors[side])
    exponents = [int(exponent)]
    for t in terms[1:]:
        other, transposed2, exponent2 = base_and_exponent(t.factors[side])
        if other is not base or transposed2 != transposed:
            return None
        exponents.append(int(exponent2))
    if all(e > 0 for e in exponents):
        return base, transposed, min(exponents)
    if all(e < 0 for e in exponents):
        return base, transposed, max(exponents)
    return None


def _strip(t: Term, shared: tuple[Expr, bool, int], side: int) -> Term:
    base, transposed, exponent = shared
    _, _, own = base_and_exponent(t.factors[side])
    left = int(own) - exponent
    kept = (matrix_power(base, transposed, left),) if left else ()
    factors = (*kept, *t.factors[1:]) if side == 0 else (*t.factors[:-1], *kept)
    return Term(t.coefficient, t.scalars, factors)


def _with_factor(
    context: Normaliser, terms: list[Term], shared: tuple[Expr, bool, int], side: int, shape: Shape,
    worth: Callable[[Expr], int],
) -> Expr:  # fmt: skip
    outer = matrix_power(*shared)
    rest = [_strip(t, shared, side) for t in terms]
    if any(not t.factors for t in rest):
        size = outer.shape[1] if side == 0 else outer.shape[0]
        inner_shape = (size, shape[1]) if side == 0 else (shape[0], size)
        if inner_shape == SCALAR:
            inner = _factored(context, rest, SCALAR, worth)
            return context.product([inner, outer])
        if inner_shape[0] is not inner_shape[1]:
            return _sum_of(context, terms, shape)
    else:
        first, last = rest[0].factors[0], rest[0].factors[-1]
        inner_shape = (first.shape[0], last.shape[1])
    if inner_shape == SCALAR:
        pieces = [context.product([build(t.coefficient, t.scalars, (), SCALAR), *t.factors]) for t in rest]
        inner = _factored(context, [term_of(p) for p in pieces], SCALAR, worth)
        return context.product([inner, outer])
    inner = _factored(context, rest, inner_shape, worth)
    return context.product([outer, inner] if side == 0 else [inner, outer])


def _hadamard_view(t: Term, shape: Shape) -> dict[Expr, Fraction]:
    powers: dict[Expr, Fraction] = {}
    factors = t.factors
    if shape[0] is not ONE and shape[1] is not ONE:
        if len(factors) > 1 and factors[0].op == "diagm":
            powers[mul(factors[0].args[0], ones(ONE, shape[1]))] = ONE_Q
            factors = factors[1:]
        elif len(factors) > 1 and factors[-1].op == "diagm":
            powers[mul(ones(shape[0]), T(factors[-1].args[0]))] = ONE_Q
            factors = factors[:-1]
    if len(factors) != 1:
        powers[mul(*factors) if factors else eye(shape[0])] = ONE_Q
        return powers
    pending = [(factors[0], ONE_Q)]
    while pending:
        node, e = pending.pop()
        match node.op:
            case "had":
                pending.extend((a, e) for a in reversed(node.args))
            case "hdiv":
                pending.extend(((node.args[1], -e), (node.args[0], e)))
            case "hpow" if e.denominator == 1:
                pending.append((node.args[0], e * node.attrs[0]))
            case "sqrt":
                pending.append((node.args[0], e / 2))
            case "ones" | "num":
                pass
            case _:
                powers[node] = powers.get(node, Fraction(0)) + e
    return powers


def _hadamard_factor(
    context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]
) -> Expr | None:
    views = [_hadamard_view(t, shape) for t in terms]
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
        rest.append(context.product([build(t.coefficient, t.scalars, (), SCALAR), _powers(context, left, shape)]))
    spread = [s for r in rest for s in _summands(context, r, frozenset())]
    inner = _factored(context, [term_of(r) for r in rest], shape, worth)
    if len(spread) > len(rest):
        flat = _factored(context, [term_of(_whole(s, shape)) for s in spread], shape, worth)
        inner = min(inner, flat, key=worth)
    return context.had([_powers(context, list(shared.items()), shape), inner], shape)


def _powers(context: Normaliser, powers: list[tuple[Expr, Fraction]], shape: Shape) -> Expr:
    from mcalc.simplify.elementwise import product

    return product(context, [(a, e) for a, e in powers if e], shape) if any(e for _, e in powers) else ones(*shape)


def _resolvent(context: Normaliser, terms: list[Term], shape: Shape, worth: Callable[[Expr], int]) -> Expr | None:
    """c I + B P^-1 = (c P + B) P^-1, and on the left."""
    bare = [t for t in terms if not t.factors]
    rest = [t for t in terms if t.factors]
    if len(bare) != 1 or shape[0] is not shape[1]:
        return None
    for side in (-1, 0):
        base, transposed, exponent = base_and_exponent(rest[0].factors[side])
        if exponent >= 0 or len({base_and_exponent(t.factors[side]) for t in rest}) != 1:
            continue
        if exponent != -1:
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
    plain = worth(_sum_of(context, terms, shape))
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
            shared = _shared_factor(chosen, side)
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
        for atom in _hadamard_view(t, shape):
            hadamard.setdefault(atom, []).append(index)
    for members in hadamard.values():
        if not 2 <= len(members) < len(terms):
            continue
        grouped = _hadamard_factor(context, [terms[i] for i in members], shape, worth)
        if grouped is not None:
            others = [build(*terms[i], shape) for i in range(len(terms)) if i not in members]
            result = context.sum([grouped, *others], shape)
            if worth(result) < plain - 1:
                options.append(result)
    return options
