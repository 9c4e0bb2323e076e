"""The normal form: what every expression looks like inside a derivation.

Bottom-up and once per node: transposes and inverses are moved to the factors, numbers and scalars to the front,
powers of one base merged, like terms collected, common numerical content taken out of sums. Products are *not*
expanded over sums. Equal multisets of terms, and a sum and its negative, a scalar x^T A y and its transpose, a trace
and its cyclic shifts have one representative: the one met first, so that the user's order is kept.

Every node that changes leaves a `Rewrite(rule, before, after)` whose rule is a row of `rewrite.rules.RULES`; the
operands of `before` are already normal, so each rewrite is one thought. Nothing is trusted: each is proved later.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import Any, NamedTuple

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import (
    T,
    app,
    eye,
    number,
    ones,
    zeros,
)
from mcalc.algebra.shape import SCALAR, Shape
from mcalc.algebra.structure import holds
from mcalc.simplify import elementwise
from mcalc.simplify.handlers import DEFAULT_RULES, HANDLERS
from mcalc.simplify.products import reduce_chain
from mcalc.simplify.terms import (
    ONE_Q,
    Scalars,
    Term,
    build,
    merge,
    raised,
    scaled,
    settle,
    term_of,
)

_THROUGH = frozenset({"add", "mul", "neg", "div"})
"""Operators through which a transpose is moved to the operands."""


class Rewrite(NamedTuple):
    """One application of a named rule: `before` equals `after`."""

    rule: str
    before: Expr
    after: Expr


class Normaliser:
    """The normal forms of one derivation. `rewrites` records what changed, in order."""

    def __init__(self) -> None:
        self.memo: dict[Expr, Expr] = {}
        self.first: dict[Any, Expr] = {}
        self.transposed: dict[Expr, Expr] = {}
        self.rewrites: list[Rewrite] = []
        self.rule = ""
        self.effort = 0

    def because(self, rule: str) -> None:
        """Name the rule that the current rewrite uses (the last word wins)."""
        self.rule = rule

    def __call__(self, e: Expr) -> Expr:
        """The normal form of an expression."""
        return fold(e, self._combine, self.memo)

    def _combine(self, node: Expr, args: list[Expr]) -> Expr:
        if not args:
            return node
        before = node if list(node.args) == args else make(node.op, tuple(args), node.attrs, node.shape)
        if before is not node and before in self.memo:
            return self.memo[before]
        handler = HANDLERS.get(before.op)
        if handler is None:
            self.memo[before] = before
            return before
        self.rule = DEFAULT_RULES.get(before.op, "simplify")
        after = handler(self, before)
        if after is not before:
            self.rewrites.append(Rewrite(self.rule, before, after))
        self.memo[before] = after
        self.memo.setdefault(after, after)
        return after

    def apply(self, op: str, a: Expr, attrs: tuple[Any, ...] = ()) -> Expr:
        """The normal form of op(a), a being normal."""
        node = app(op, a, attrs=attrs)
        handler = HANDLERS.get(op)
        return handler(self, node) if handler is not None else node

    # --- sums -----------------------------------------------------------------------------------------------------

    def sum(self, args: Sequence[Expr], shape: Shape) -> Expr:
        """The normal form of a sum of normal forms (a scalar among matrices is added to every entry)."""
        collected: dict[tuple[frozenset[tuple[Expr, Fraction]], tuple[Expr, ...]], tuple[Fraction, Term]] = {}
        pending = [(a, ONE_Q) for a in reversed(args)]
        coefficients = {abs(term_of(a).coefficient) for a in args if a.op not in ("zeros",)}
        common = coefficients.pop() if len(coefficients) == 1 else ONE_Q
        while pending:
            arg, factor = pending.pop()
            term = term_of(arg)
            if arg.op == "zeros":
                continue
            if arg.is_scalar and shape != SCALAR:
                term = Term(term.coefficient, term.scalars, (ones(*shape),))
            inner = _lone_sum(term)
            coefficient = term.coefficient * factor
            if inner is not None and abs(coefficient) == common:
                if inner.is_scalar and shape != SCALAR:
                    inner_args = [self.product([a, eye(shape[0])]) for a in inner.args]
                else:
                    inner_args = list(inner.args)
                pending.extend((a, coefficient) for a in reversed(inner_args))
                continue
            key = (frozenset(term.scalars), term.factors)
            old = collected.get(key)
            collected[key] = (coefficient + (old[0] if old else 0), term if old is None else old[1])
            if old is not None:
                self.because("like terms")
        terms = [(c, t) for c, t in collected.values() if c]
        if not terms:
            return number(0) if shape == SCALAR else zeros(*shape)
        if len(terms) == 1:
            return build(terms[0][0], terms[0][1].scalars, terms[0][1].factors, shape)
        for op in ("vec", "diagm"):
            if all(len(t.factors) == 1 and t.factors[0].op == op for _, t in terms):
                inside = [(c, t, t.factors[0].args[0]) for c, t in terms]
                if len({m.shape for _, _, m in inside}) == 1:
                    self.because("linearity")
                    inner = self.sum([scaled(m, c, t.scalars) for c, t, m in inside], inside[0][2].shape)
                    return self.apply(op, inner)
        content = Fraction(gcd(*(c.numerator for c, _ in terms)), gcd(*(c.denominator for c, _ in terms)))
        if all(c < 0 for c, _ in terms):
            content = -content
        if content != 1:
            self.because("common factor")
        parts = [build(c / content, t.scalars, t.factors, shape) for c, t in terms]
        known, same_sign = self._representative(parts, shape)
        return scaled(known, content if same_sign else -content)

    def _representative(self, parts: list[Expr], shape: Shape) -> tuple[Expr, bool]:
        """The sum of these terms that was met first, and whether it has their sign or the opposite one."""
        key = frozenset(parts)
        known = self.first.get(("sum", key))
        if known is not None:
            return known, True
        known = self.first.get(("minus", key))
        if known is not None:
            return known, False
        known = make("add", tuple(parts), (), shape)
        self.first["sum", key] = known
        opposite = frozenset(_negative(p) for p in parts)
        if opposite != key:
            self.first.setdefault(("minus", opposite), known)
        return known, True

    # --- products -------------------------------------------------------------------------------------------------

    def product(self, args: Sequence[Expr]) -> Expr:
        """The normal form of a product of normal forms."""
        if len(args) == 1:
            return args[0]
        shape = app("mul", *args).shape
        coefficient = ONE_Q
        scalars: list[Scalars] = []
        chain: list[Expr] = []
        for arg in args:
            term = term_of(arg)
            coefficient *= term.coefficient
            scalars.append(term.scalars)
            chain.extend(term.factors)
        if coefficient == 0:
            return number(0) if shape == SCALAR else zeros(*shape)
        if len(chain) > 1 or (len(chain) == 1 and chain[0].op == "zeros"):
            reduced = reduce_chain(self, chain)
            if reduced is None:
                return number(0) if shape == SCALAR else zeros(*shape)
            found, chain = reduced
            for scalar in found:
                term = term_of(scalar)
                coefficient *= term.coefficient
                scalars.append(term.scalars)
        extra, powers = settle(merge(*scalars))
        if extra == 0 or coefficient == 0:
            return number(0) if shape == SCALAR else zeros(*shape)
        powers, chain = self._fuse(powers, chain)
        return build(coefficient * extra, powers, tuple(chain), shape)

    def _fuse(self, powers: Scalars, chain: list[Expr]) -> tuple[Scalars, list[Expr]]:
        """relu(s) (s > 0) = relu(s); exp(x) / sum(exp(x)) = softmax(x); s^t s = s^(t+1)."""
        for atom, exponent in powers:
            if exponent > 0 and atom.op == "relu":
                partner = app("gt", atom.args[0], number(0))
                if any(a is partner for a, _ in powers):
                    self.because("indicators are idempotent")
                    powers = tuple((a, e) for a, e in powers if a is not partner)
            elif exponent < 0 and atom.op == "sum" and atom.args[0].op == "exp" and atom.args[0] in chain:
                x = atom.args[0].args[0]
                self.because("softmax")
                new = app("softmax", x, attrs=(0 if x.is_column else "all",))
                chain = [new if f is atom.args[0] else f for f in chain]
                powers = merge(powers, ((atom, ONE_Q),))
            elif exponent == -1 and atom.op == "add":
                powers = self._cleared(powers, atom)
            elif exponent == 1 and atom.op == "power":
                powers = self._joined(powers, atom)
        return powers, chain

    def _joined(self, powers: Scalars, power: Expr) -> Scalars:
        """s^t s^k = s^(t+k), for a symbol t in the exponent and an integer k."""
        base, t = power.args
        k = dict(powers).get(base, Fraction(0))
        if not k or k.denominator != 1:
            return powers
        self.because("powers of one scalar")
        exponent = self.sum([t, number(k)], SCALAR)
        new = ((base, exponent.attrs[0]),) if exponent.op == "num" else ((app("power", base, exponent), ONE_Q),)
        return merge(powers, ((power, -ONE_Q), (base, -k)), new)

    def _cleared(self, powers: Scalars, atom: Expr) -> Scalars:
        """1 / ((1 + q / s) s) = 1 / (s + q)."""
        for s, exponent in powers:
            if exponent <= -1 and s is not atom and any(dict(term_of(a).scalars).get(s, 0) <= -1 for a in atom.args):
                cleared = self.sum([self.times(a, s) for a in atom.args], SCALAR)
                if cleared.op == "add" and cleared.length <= atom.length:
                    self.because("common factor")
                    return merge(powers, ((atom, ONE_Q), (s, ONE_Q), (cleared, -ONE_Q)))
        return powers

    def had(self, args: Sequence[Expr], shape: Shape) -> Expr:
        """The normal form of an elementwise product of normal forms."""
        if all(a.op == "vec" for a in args) and len({a.args[0].shape for a in args}) == 1:
            self.because("vec of a Hadamard product")
            return self.apply("vec", self.had([a.args[0] for a in args], args[0].args[0].shape))
        return elementwise.product(self, [(a, ONE_Q) for a in args], shape)

    def times(self, e: Expr, scalar: Expr, exponent: Fraction = ONE_Q) -> Expr:
        """scalar^exponent · e, both normal."""
        term, factor = term_of(e), term_of(scalar)
        if factor.coefficient == 0 and exponent > 0:
            return number(0) if e.is_scalar else zeros(*e.shape)
        extra, powers = settle(merge(term.scalars, raised(factor.scalars, exponent)))
        power = factor.coefficient ** int(exponent)
        powers, chain = self._fuse(powers, list(term.factors))
        return build(term.coefficient * power * extra, powers, tuple(chain), e.shape)

    # --- transposes -----------------------------------------------------------------------------------------------

    def transpose(self, e: Expr) -> Expr:
        """The normal form of e^T, e being normal."""
        memo = self.transposed
        if e in memo:
            return memo[e]
        stack = [e]
        while stack:
            node = stack[-1]
            if node in memo:
                stack.pop()
                continue
            if node.is_scalar:
                memo[node] = node
                stack.pop()
                continue
            missing = [a for a in node.args if not a.is_scalar and a not in memo] if node.op in _THROUGH else []
            if missing:
                stack.extend(missing)
            else:
                stack.pop()
                memo[node] = self._transposed(node)
                memo.setdefault(memo[node], node)
        return memo[e]

    def _transposed(self, node: Expr) -> Expr:
        match node.op:
            case "add":
                return self.sum([self.transposed[a] if not a.is_scalar else a for a in node.args], _flip(node.shape))
            case "mul":
                scalars = [a for a in node.args if a.is_scalar]
                return self.product(scalars + [self.transposed[a] for a in reversed(node.args) if not a.is_scalar])
            case "neg" | "div":
                term = term_of(node)
                inner = [self.transposed.get(f) or self.transpose(f) for f in reversed(term.factors)]
                return build(term.coefficient, term.scalars, tuple(inner), _flip(node.shape))
            case "T":
                return node.args[0]
            case "ones":
                return ones(*_flip(node.shape))
            case "zeros":
                return zeros(*_flip(node.shape))
            case "K":
                return make("K", (), node.attrs[::-1], node.shape)
            case "kron":
                return app("kron", *(self.transpose(a) for a in node.args))
            case "pow" if not holds(node, "symmetric"):
                base = self.transpose(node.args[0])
                if base is node.args[0]:
                    return node
                if base.op == "neg" and base.args[0] is node.args[0]:
                    return scaled(node, Fraction((-1) ** int(node.attrs[0])))
        if holds(node, "symmetric"):
            self.because("symmetric")
            return node
        if holds(node, "skew"):
            return scaled(node, Fraction(-1))
        return T(node)


def _negative(e: Expr) -> Expr:
    return e.args[0] if e.op == "neg" else make("neg", (e,), (), e.shape)


def _flip(shape: Shape) -> Shape:
    return shape[1], shape[0]


def _lone_sum(term: Term) -> Expr | None:
    """The sum that a term is a numerical multiple of."""
    if not term.scalars and len(term.factors) == 1 and term.factors[0].op == "add":
        return term.factors[0]
    if not term.factors and len(term.scalars) == 1:
        atom, exponent = term.scalars[0]
        if atom.op == "add" and exponent == 1:
            return atom
    return None
