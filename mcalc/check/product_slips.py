"""Slips of the product rule: terms and derivatives forgotten, factors out of order, symmetry taken for granted.

Each function takes a refuted right-hand side and gives guesses at what was meant; mcalc/check/slips.py has the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, permutations

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.operators import T, add, app, div, had, mul, number
from mcalc.algebra.structure import structure
from mcalc.check.edits import places, plus, put, scaled, terms, times
from mcalc.check.guess import Guess, Wrong, moves
from mcalc.errors import McalcError


def missing_terms(w: Wrong) -> Iterator[Guess]:
    """A term of the product rule, of the line above, or of a sum, that is not there."""
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


def elementwise(w: Wrong) -> Iterator[Guess]:
    """f'(Z) .* dZ without f'(Z), or with f(Z) for it."""
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


def hadamard(w: Wrong) -> Iterator[Guess]:
    """Elementwise factors that were moved where they cannot go."""
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
            half = put(w.right, p, b, join=False)
            made = None if half is None else put(half, q, a, join=False)
            if made is not None:
                yield made


def orders(w: Wrong) -> Iterator[Guess]:
    """Factors in another order; two products taken for one."""
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
    moved = [moves(a) for a in matrices]
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


def symmetric(w: Wrong) -> Iterator[Guess]:
    """What is true for symmetric matrices, or before the projection."""
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
