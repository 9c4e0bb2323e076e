"""The classic mistakes, each with what undoes it.

A row of `SLIPS` is a generator: it takes the refuted right-hand side in its context and gives guesses at what was
meant, each with one thing changed, and the name of the mistake that would explain it. The rows are in the order in
which they are believed. Whether a guess is right is for mcalc/check/search.py to prove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, permutations

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, fold, postorder
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.operators import T, add, app, dimension_number, div, had, inv, mul, number, pow_, total
from mcalc.algebra.shape import ONE
from mcalc.algebra.structure import structure
from mcalc.check.edits import negative, places, plus, put, scaled, terms, times, transposed
from mcalc.check.reading import Claim, Proof
from mcalc.errors import McalcError


@dataclass(frozen=True, slots=True)
class Guess:
    """What may have been meant, and the slip that it would undo."""

    slip: str
    right: Expr


@dataclass(frozen=True, slots=True)
class Wrong:
    """A refuted right-hand side: its claim, the right-hand side of the line above, pieces of the true differential."""

    claim: Claim
    proof: Proof
    above: Expr | None
    pieces: tuple[Expr, ...]

    @property
    def right(self) -> Expr:
        """The right-hand side."""
        return self.claim.right

    @property
    def leaves(self) -> dict[Expr, str]:
        """What is not looked into: what the proof has names for."""
        return self.proof.names


_LINEAR = frozenset(
    ["mul", "had", "neg", "T", "tr", "div", "hdiv", "sum", "mean", "vec", "diagm", "diagv", "tril", "triu", "kron", "index"]
)
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
        moved = [k for k, a in enumerate(node.args) if _moves(a)]
        if any(inverses[0] < k < inverses[-1] for k in moved if len(inverses) > 1):
            return True
    return False


def _moves(e: Expr) -> bool:
    return fold(e, lambda node, below: node.op == "d" or any(below))


def _factors(w: Wrong) -> Iterator[Guess]:
    for path, node in _terms(w):
        for ratio in WHOLE_RATIOS:
            made = put(w.right, path, scaled(node, ratio))
            if made is not None:
                yield Guess(factor_name(ratio), made)
    for path, node in _terms(w):
        for size in dict.fromkeys(s for x in w.proof.symbols.values() for s in x.shape if s.number is None):
            for new in (mul(dimension_number(size), node), div(node, dimension_number(size))):
                made = put(w.right, path, new)
                if made is not None:
                    yield Guess(f"factor {size}", made)


def factor_name(ratio: Fraction) -> str:
    """`factor 2 lost`, `factor 2 too many`."""
    if ratio.numerator == 1:
        return f"factor {ratio.denominator} too many"
    return f"factor {ratio} lost"


def _transposes(w: Wrong) -> Iterator[Guess]:
    found = places(w.right, w.leaves)
    parents = {path: node for path, node in found}
    for path, node in found:
        if node.is_scalar or (path and parents[path[:-1]].op == "T"):
            continue
        made = put(w.right, path, transposed(node))
        if made is None:
            continue
        if not path and made.shape != w.right.shape:
            gradient = w.claim.kind == "grad" and node.shape[0] is ONE
            yield Guess("Jacobian given for gradient (layout transposed)" if gradient else "layout transposed", made)
        elif not path and w.claim.kind == "jac":
            yield Guess("layout transposed", made)
        elif any(parents[path[:k]].op == "had" for k in range(len(path))) and w.claim.kind == "equality":
            yield Guess("Hadamard swap misused: a transpose lost", made)
        else:
            yield Guess("a transpose too many" if node.op == "T" else "transpose lost", made)


def _elementwise(w: Wrong) -> Iterator[Guess]:
    for weight, value in _weights(w):
        for path, node in places(w.right, w.leaves):
            if node.shape != weight.shape:
                continue
            if node is value:
                made = put(w.right, path, weight)
                if made is not None:
                    yield Guess("elementwise derivative forgotten: the function stands for it", made)
            made = put(w.right, path, times(weight, node))
            if made is not None:
                yield Guess("elementwise derivative forgotten", made)
    for path, node in places(w.right, w.leaves):
        if node.op in FUNCTIONS and (derivative := FUNCTIONS[node.op].derivative(o, node.args[0], node)) is not None:
            made = put(w.right, path, derivative)
            if made is not None:
                yield Guess("elementwise derivative forgotten: the function stands for it", made)


def _weights(w: Wrong) -> Iterator[tuple[Expr, Expr]]:
    """f'(Z) and f(Z) for every elementwise function in the function that is differentiated."""
    for node in postorder(w.claim.left):
        if node.op in FUNCTIONS and any(x in w.proof.moving or x is w.claim.variable for x in postorder(node)):
            derivative = FUNCTIONS[node.op].derivative(o, node.args[0], node)
            if derivative is not None:
                yield derivative, node
        elif node.op == "hpow" and node.args[0].args:
            yield mul(number(2), node.args[0]) if node.attrs[0] == 2 else node.args[0], node


def _missing_terms(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        if path and node.op != "add":
            continue
        for piece in w.pieces:
            if piece.shape == node.shape:
                made = put(w.right, path, plus(node, piece))
                if made is not None:
                    yield Guess("product-rule term missing", made)
    if w.above is not None:
        for term in terms(w.above):
            if term.shape == w.right.shape and term not in terms(w.right):
                yield Guess("a term lost", plus(w.right, term))
    sums = [n for n in postorder(w.claim.left, *w.leaves, *([] if w.above is None else [w.above])) if n.op == "add"]
    for path, node in places(w.right, w.leaves):
        kept = set(terms(node))
        for whole in sums:
            if whole.shape == node.shape and kept < set(whole.args):
                made = put(w.right, path, whole)
                if made is not None:
                    yield Guess("a term lost", made)


def _hadamard(w: Wrong) -> Iterator[Guess]:
    found = places(w.right, w.leaves)
    for path, node in found:
        for new in _moved_hadamard(node):
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("Hadamard swap misused", made)
    if any(node.op == "had" for _, node in found):
        for made in _exchanges(w):
            yield Guess("Hadamard swap misused: two factors exchanged", made)
    for path, node in found:
        if node.op in ("had", "mul") and not node.is_scalar:
            try:
                new = mul(*node.args) if node.op == "had" else had(*node.args)
            except McalcError:
                continue
            made = put(w.right, path, new)
            if made is not None:
                name = "matrix product" if node.op == "had" else "Hadamard product"
                yield Guess(f"{name} meant: factors multiplied in the wrong way", made)


def _moved_hadamard(node: Expr) -> Iterator[Expr]:
    """A .* (B C) to B (A .* C) and (A .* B) C, and back."""
    if node.op == "had" and len(node.args) == 2:
        for weight, product in (node.args, node.args[::-1]):
            if product.op == "mul":
                for k, factor in enumerate(product.args):
                    if factor.shape == weight.shape:
                        yield mul(*product.args[:k], had(weight, factor), *product.args[k + 1 :])
    if node.op == "mul":
        for k, factor in enumerate(node.args):
            if factor.op == "had" and len(factor.args) == 2:
                for weight, inner in (factor.args, factor.args[::-1]):
                    product = mul(*node.args[:k], inner, *node.args[k + 1 :])
                    if product.shape == weight.shape:
                        yield had(weight, product)


def _exchanges(w: Wrong) -> Iterator[Expr]:
    """Two leaves in each other's place."""
    found = [
        (path, node) for path, node in places(w.right, w.leaves)
        if not node.is_scalar and (not node.args or node.op == "d" or node in w.leaves)
    ]  # fmt: skip
    for (p, a), (q, b) in combinations(found[:24], 2):
        if a is not b and a.shape == b.shape and p[: len(q)] != q and q[: len(p)] != p:
            half = put(w.right, p, b)
            made = None if half is None else put(half, q, a)
            if made is not None:
                yield made


def _orders(w: Wrong) -> Iterator[Guess]:
    found = places(w.right, w.leaves)
    nodes = dict(found)
    for path, node in found:
        traced = any(nodes[path[:k]].op == "tr" for k in range(len(path)))
        name = "wrong cyclic shift: the factors are in the wrong order" if traced and w.claim.kind == "equality" else (
            "factors in the wrong order"
        )  # fmt: skip
        for new in _reordered(node):
            made = put(w.right, path, new)
            if made is not None:
                yield Guess(name, made)
        if node.op == "kron":
            for new in _other_krons(node, w):
                made = put(w.right, path, new)
                if made is not None:
                    yield Guess("factors in the wrong order", made)
    for made in _exchanges(w):
        yield Guess("factors in the wrong order", made)
    for path, node in found:
        for new in _split_in_two(node):
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("factors in the wrong order: they do not commute", made)


def _reordered(node: Expr) -> Iterator[Expr]:
    """The products of the same factors in another order."""
    if node.op != "mul":
        return
    scalars = [a for a in node.args if a.is_scalar]
    matrices = [a for a in node.args if not a.is_scalar]
    if not 2 <= len(matrices) <= 5:
        return
    moved = [_moves(a) for a in matrices]
    orders = [order for order in permutations(range(len(matrices))) if order != tuple(range(len(matrices)))]
    # those first in which the differentials keep their places
    for order in sorted(orders, key=lambda order: sum(moved[k] != moved[i] for i, k in enumerate(order))):
        try:
            yield mul(*scalars, *(matrices[k] for k in order))
        except McalcError:
            continue


def _other_krons(node: Expr, w: Wrong) -> Iterator[Expr]:
    """kron(B, A), identities in it of any size that occurs."""
    a, b = node.args
    sizes = dict.fromkeys(s for x in w.proof.symbols.values() for s in x.shape)
    for first, second in ((b, a), (a, b)):
        yield app("kron", first, second)
        for size in sizes:
            if first.op == "eye":
                yield app("kron", o.eye(size), second)
            if second.op == "eye":
                yield app("kron", first, o.eye(size))


def _split_in_two(node: Expr) -> Iterator[Expr]:
    """2 A X dX as A X dX + A dX X, also under a trace."""
    if node.op != "mul" or node.args[0].op != "num" or node.args[0].attrs[0] not in (2, 3):
        return
    rest = mul(*node.args[1:])
    inside = rest.args[0] if rest.op == "tr" else rest
    for new in _reordered(inside):
        other = app("tr", new) if rest.op == "tr" else new
        if other.shape == rest.shape:
            yield add(rest, other) if node.args[0].attrs[0] == 2 else add(rest, rest, other)


def _symmetric(w: Wrong) -> Iterator[Guess]:
    x = w.claim.variable
    kind = structure(x) if x is not None and x.op == "sym" else None
    if kind is not None and w.claim.kind == "grad":
        name = f"symmetric form: the gradient of a {kind.name} variable is {kind.name}"
        if w.right.shape == w.claim.shape:
            yield Guess(name, kind.projection(w.right))
            for term in terms(w.right):
                yield Guess(name, add(*(kind.projection(t) if t is term else t for t in terms(w.right))))
    for path, node in places(w.right, w.leaves):
        for new in _halved(node):
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("symmetric form: this holds for a symmetric matrix only", made)
        if not node.is_square or node.is_scalar or node.op == "eye":
            continue
        for new in (div(add(node, T(node)), number(2)), add(node, T(node))):
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("symmetric form: this holds for a symmetric matrix only", made)


def _halved(node: Expr) -> Iterator[Expr]:
    """2 A B as (A + A^T) B."""
    if node.op == "mul" and node.args[0].op == "num":
        for k, a in enumerate(node.args):
            if a.is_square and not a.is_scalar:
                yield scaled(mul(*node.args[:k], add(a, T(a)), *node.args[k + 1 :]), Fraction(1, 2))


def _exponents(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        others: list[Expr] = []
        if node.op in ("pow", "hpow"):
            k = node.attrs[0]
            others = [app(node.op, node.args[0], attrs=(Fraction(n),)) for n in (k + 1, k - 1, -k) if n not in (0, 1)]
            others += [node.args[0]]
        elif node.is_scalar and node.op not in ("num", "add", "neg", "mul", "div", "d"):
            others = [pow_(node, 2), pow_(node, 3), pow_(node, -1)]
        for new in others:
            made = put(w.right, path, new)
            if made is not None:
                yield Guess("exponent wrong", made)


def _inverses(w: Wrong) -> Iterator[Guess]:
    for path, node in places(w.right, w.leaves):
        if node.is_square and not node.is_scalar and not _moves(node) and node.op not in ("pow", "eye"):
            made = put(w.right, path, inv(node))
            if made is not None:
                yield Guess("inverse lost", made)


def _scalar_factors(w: Wrong) -> Iterator[Guess]:
    scalars: dict[Expr, None] = {}
    for node in postorder(w.claim.left, *([w.above] if w.above is not None else [])):
        if node.is_scalar and node.op not in ("num", "d") and not _moves(node):
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
    _signs, _factors, _transposes, _missing_terms, _elementwise, _hadamard, _orders, _symmetric, _exponents, _inverses,
    _scalar_factors, _extras, _matrix_factors, _symbols,
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


__all__ = ["WHOLE_RATIOS", "Guess", "Wrong", "factor_name", "guesses"]
