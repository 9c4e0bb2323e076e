"""The classic mistakes, each with what undoes it.

A row of `SLIPS` is a generator: it takes the refuted right-hand side in its context and gives guesses at what was
meant, each with one thing changed, and the name of the mistake that would explain it. The rows are in the order in
which they are believed. Whether a guess is right is for mcalc/check/search.py to prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.operators import T, add, app, dimension_number, div, had, inv, mul, number, pow_, total
from mcalc.algebra.shape import ONE
from mcalc.check.edits import at, negative, places, put, scaled, transposed, turned
from mcalc.check.guess import Guess, Wrong, moves
from mcalc.check.product_slips import elementwise, hadamard, missing_terms, orders, symmetric
from mcalc.check.softmax_slips import softmax_elementwise
from mcalc.errors import McalcError

_LINEAR = frozenset(
    ["mul", "had", "neg", "T", "tr", "div", "hdiv", "sum", "mean", "vec", "diagm", "diagv", "tril", "triu", "kron",
     "index"]
)  # fmt: skip


WHOLE_RATIOS = tuple(Fraction(a, b) for a, b in ((2, 1), (1, 2), (3, 1), (1, 3), (4, 1), (1, 4)))


def _terms(w: Wrong) -> Iterator[tuple[tuple[int, ...], Expr]]:
    """The places at which a factor makes a difference of its own: the whole, the terms of sums, arguments."""
    found = places(w.right, w.leaves)
    ops = {path: node.op for path, node in found}
    for path, node in found:
        if not path or ops[path[:-1]] not in _LINEAR:
            yield path, node


def _signs(w: Wrong) -> Iterator[Guess]:
    for path, node in _terms(w):
        made = put(w.right, path, negative(node))
        if made is None or node.op in ("num", "eye", "ones", "zeros"):
            continue
        minus = negative(node).length < node.length
        if not minus and _differs_by_inverse(node) and not (w.above is not None and _differs_by_inverse(w.above)):
            yield Guess("d inv without the minus", made)
        yield Guess("a minus too many" if minus else "sign lost", made)
    for path, node in places(w.right, w.leaves):
        if node.op == "neg" and (made := put(w.right, path, node.args[0])) is not None:
            yield Guess("a minus too many", made)


def _differs_by_inverse(e: Expr) -> bool:
    """Whether X^-1 dX X^-1 stands in e."""
    for node in postorder(e):
        if node.op != "mul":
            continue
        inverses = [k for k, a in enumerate(node.args) if a.op == "pow" and a.attrs[0] < 0]
        moved = [k for k, a in enumerate(node.args) if moves(a)]
        if any(inverses[0] < k < inverses[-1] for k in moved if len(inverses) > 1):
            return True
    return False


def _factors(w: Wrong) -> Iterator[Guess]:
    """A number in front of the whole, of a term, or of a product inside that has one."""
    inside = _linear_places(w)
    numbered = [(path, node) for path, node in inside if node.op == "mul" and node.args[0].op in ("num", "div")]
    heads = [(path, node) for path, node in _terms(w) if path in dict(inside)]
    for path, node in dict.fromkeys([*heads, *numbered]):
        for ratio in WHOLE_RATIOS:
            made = put(w.right, path, scaled(node, ratio))
            if made is not None:
                yield Guess(factor_name(ratio), made)
    for path, node in heads:
        for size in dict.fromkeys(s for x in w.proof.symbols.values() for s in x.shape if s.number is None):
            for new in (mul(dimension_number(size), node), div(node, dimension_number(size))):
                made = put(w.right, path, new)
                if made is not None:
                    yield Guess(f"factor {size}", made)


def _linear_places(w: Wrong) -> list[tuple[tuple[int, ...], Expr]]:
    """The places above which there are only sums and operators that a number passes through."""
    found = places(w.right, w.leaves)
    linear: set[tuple[int, ...]] = set()
    for path, _ in found:
        parent = path[:-1]
        if not path or (parent in linear and _passes(at(w.right, parent).op, path[-1])):
            linear.add(path)
    return [(path, node) for path, node in found if path in linear]


def _passes(op: str, k: int) -> bool:
    return op == "add" or (op in _LINEAR and not (op in ("div", "hdiv") and k == 1))


def _inner_factors(w: Wrong) -> Iterator[Guess]:
    """A number in the argument of a function."""
    outer = {path for path, _ in _linear_places(w)}
    for path, node in _terms(w):
        if path not in outer:
            for ratio in WHOLE_RATIOS:
                made = put(w.right, path, scaled(node, ratio))
                if made is not None:
                    yield Guess(factor_name(ratio), made)


def factor_name(ratio: Fraction) -> str:
    """`factor 2 lost`, `factor 2 too many`."""
    if ratio.numerator == 1:
        return f"factor {ratio.denominator} too many"
    return f"factor {ratio} lost"


def _transposes(w: Wrong) -> Iterator[Guess]:
    found = places(w.right, w.leaves)
    parents = dict(found)
    for path, node in found:
        whole = all(parents[path[:k]].op == "neg" for k in range(len(path)))
        if node.is_scalar or (path and (whole or parents[path[:-1]].op == "T")):
            continue
        made = put(w.right, path, transposed(node) if path else turned(node, w.leaves))
        if made is None:
            continue
        if not path and made.shape != w.right.shape:
            gradient = w.claim.kind == "grad" and node.shape[0] is ONE
            yield Guess("Jacobian given for gradient (layout transposed)" if gradient else "layout transposed", made)
        elif not path and w.claim.kind == "jac":
            yield Guess("layout transposed", made)
        elif any(parents[path[:k]].op == "had" for k in range(len(path))) and w.claim.kind == "equality":
            yield Guess("Hadamard swap misused: a transpose lost", made)
        elif not path and made is not transposed(node):
            yield Guess("the whole right-hand side is transposed", made)
        else:
            yield Guess("a transpose too many" if node.op == "T" else "transpose lost", made)


def _exponents(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        others: list[Expr] = []
        if node.op in ("pow", "hpow"):
            k = node.attrs[0]
            others = [app(node.op, node.args[0], attrs=(Fraction(n),)) for n in (k + 1, k - 1, -k) if n not in (0, 1)]
            others += [node.args[0]]
        elif node.op in ("power", "hpower"):
            base, exponent = node.args
            others = [app(node.op, base, add(exponent, c)) for c in (number(1), number(-1))]
            others += [app(node.op, base, t) for t in exponent.args if exponent.op == "add"]
        elif node.is_scalar and node.op not in ("num", "add", "neg", "mul", "div", "d"):
            others = [pow_(node, 2), pow_(node, 3), pow_(node, -1)]
        for new in others:
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("exponent wrong", made)


def _inverses(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        if node.is_square and not node.is_scalar and not moves(node) and node.op not in ("pow", "eye"):
            made = put(w.right, path, inv(node))
            if made is not None:
                yield Guess("inverse lost", made)


def _scalar_factors(w: Wrong) -> Iterator[Guess]:
    scalars: dict[Expr, None] = {}
    for node in postorder(w.claim.left, *([w.above] if w.above is not None else [])):
        if node.is_scalar and node.op not in ("num", "d") and not moves(node):
            scalars[node] = None
        if node.op == "sym" and node.is_column and not node.is_scalar:
            scalars[total(node)] = None
    for path, node in _terms(w):
        for s in list(scalars)[:24]:
            for new in (mul(s, node), div(node, s)):
                made = put(w.right, path, new)
                if made is not None:
                    yield Guess("a scalar factor lost", made)


def _matrix_factors(w: Wrong) -> Iterator[Guess]:
    """A matrix that the proof speaks of, put beside a factor."""
    known = [e for e in (*w.proof.symbols.values(), *w.leaves) if not e.is_scalar][:12]
    for path, node in places(w.right, w.leaves):
        if node.is_scalar:
            continue
        for s in known:
            made: list[Expr] = [had(s, node)] if s.shape == node.shape else []
            if s.is_square:
                for square in (s, T(s), inv(s)):
                    made += [mul(square, node)] if s.shape[0] is node.shape[0] else []
                    made += [mul(node, square)] if s.shape[0] is node.shape[1] else []
            for new in made:
                whole = put(w.right, path, new)
                if whole is not None:
                    yield Guess("a factor lost", whole)


def _extras(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        if node.op not in ("add", "mul", "had") or len(node.args) < 2:
            continue
        for k in range(len(node.args)):
            rest = (*node.args[:k], *node.args[k + 1 :])
            try:
                new = app(node.op, *rest) if len(rest) > 1 else rest[0]
            except McalcError:
                continue
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("a term too many" if node.op == "add" else "a factor too many", made)


def _symbols(w: Wrong) -> Iterator[Guess]:
    named = [*w.proof.symbols.values(), *w.proof.names]
    for path, node in places(w.right, w.leaves):
        if node.op == "sym" or node in w.leaves:
            for other in named:
                if other is not node and other.shape == node.shape:
                    made = put(w.right, path, other)
                    if made is not None:
                        yield Guess("another symbol meant", made)


SLIPS: tuple[Callable[[Wrong], Iterator[Guess]], ...] = (
    _signs, _factors, _transposes, missing_terms, elementwise, softmax_elementwise, hadamard, orders, symmetric,
    _exponents, _inverses, _scalar_factors, _extras, _inner_factors, _matrix_factors, _symbols,
)  # fmt: skip


def guesses(w: Wrong) -> Iterator[Iterator[Guess]]:
    """All guesses, one group for each kind of slip, the likeliest first; no expression twice."""
    seen = {w.right}
    for slip in SLIPS:
        yield _fresh(slip(w), seen)


def _fresh(found: Iterator[Guess], seen: set[Expr]) -> Iterator[Guess]:
    for guess in found:
        if guess.right not in seen:
            seen.add(guess.right)
            yield guess


__all__ = ["SLIPS", "WHOLE_RATIOS", "factor_name", "guesses"]
