"""The normal form: what every expression looks like inside a derivation.

Bottom-up and once per node: transposes and inverses are moved to the factors, numbers and scalars to the front,
powers of one base merged, like terms collected, common numerical content taken out of sums. Products are *not*
expanded over sums. Equal multisets of terms, and a sum and its negative, a scalar x^T A y and its transpose, a trace
and its cyclic shifts have one representative: the one met first, so that the user's order is kept.

Every node that changes leaves a `Rewrite(rule, before, after)` whose rule is a row of `rewrite.rules.RULES`; the
operands of `before` are already normal, so each rewrite is one thought. Nothing is trusted: each is proved later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import gcd
from typing import Any, NamedTuple

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import (
    T,
    app,
    dimension_number,
    eye,
    mul,
    number,
    ones,
    pow_,
    zeros,
)
from mcalc.algebra.shape import ONE, SCALAR, Shape
from mcalc.algebra.structure import holds
from mcalc.simplify import elementwise
from mcalc.simplify.products import matrix_power, reduce_chain
from mcalc.simplify.terms import HALF, ONE_Q, Scalars, Term, base_and_exponent, build, merge, raised, scaled, term_of

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
        handler = _HANDLERS.get(before.op)
        if handler is None:
            self.memo[before] = before
            return before
        self.rule = _DEFAULT_RULES.get(before.op, "simplify")
        after = handler(self, before)
        if after is not before:
            self.rewrites.append(Rewrite(self.rule, before, after))
        self.memo[before] = after
        self.memo.setdefault(after, after)
        return after

    def apply(self, op: str, a: Expr, attrs: tuple[Any, ...] = ()) -> Expr:
        """The normal form of op(a), a being normal."""
        node = app(op, a, attrs=attrs)
        handler = _HANDLERS.get(op)
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
                    inner_args = [mul(a, ones(*shape)) for a in inner.args]
                    inner_args = [self.product([a]) if a.op == "mul" else a for a in inner_args]
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
        return scaled(self._representative(parts, shape, content), *self._sign(parts, content))

    def _representative(self, parts: list[Expr], shape: Shape, content: Fraction) -> Expr:
        key = frozenset(parts)
        known = self.first.get(("sum", key))
        if known is None:
            known = self.first.get(("minus", key))
        if known is None:
            known = make("add", tuple(parts), (), shape)
            self.first["sum", key] = known
            opposite = frozenset(_negative(p) for p in parts)
            if opposite != key:
                self.first.setdefault(("minus", opposite), known)
        return known

    def _sign(self, parts: list[Expr], content: Fraction) -> tuple[Fraction]:
        return (content if ("sum", frozenset(parts)) in self.first else -content,)

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
        """relu(s) (s > 0) = relu(s); exp(x) / sum(exp(x)) = softmax(x)."""
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
        return powers, chain

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
                return self.product(
                    scalars + [self.transposed[a] for a in reversed(node.args) if not a.is_scalar]
                )
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


def settle(scalars: Scalars) -> tuple[Fraction, Scalars]:
    """Integer powers of composite atoms (left by a square root that became whole) written as their factors."""
    if all(atom.op not in ("num", "mul", "div", "neg", "sqrt", "pow") for atom, _ in scalars):
        return ONE_Q, scalars
    coefficient = ONE_Q
    parts: list[Scalars] = []
    for atom, exponent in scalars:
        if exponent.denominator == 1 and (atom.op in ("num", "div", "neg") or atom.op == "mul"):
            term = term_of(atom)
            coefficient *= term.coefficient ** int(exponent)
            parts.append(raised(term.scalars, exponent))
        elif atom.op in ("pow", "sqrt") and atom.args[0].op != "num" and (
            exponent.denominator == 1 or holds_nonnegative(atom.args[0])
        ):
            inner = atom.attrs[0] if atom.op == "pow" else HALF
            parts.append(((atom.args[0], inner * exponent),))
        else:
            parts.append(((atom, exponent),))
    return coefficient, merge(*parts)


# --- one handler for each operator that has a normal form of its own --------------------------------------------------


def _power(c: Normaliser, e: Expr) -> Expr:
    base, exponent = e.args[0], e.attrs[0]
    if exponent == 0:
        return number(1) if e.is_scalar else eye(e.shape[0])
    if exponent == 1:
        return base
    if e.is_scalar:
        return _scalar_power(e, base, exponent)
    term = term_of(base)
    if term.coefficient != 1 or term.scalars or base.op in ("neg", "div"):
        inner = build(ONE_Q, (), term.factors, e.shape)
        power = _power(c, pow_(inner, exponent))
        return scaled(power, term.coefficient ** int(exponent), raised(term.scalars, exponent))
    match base.op:
        case "eye":
            return base
        case "pow":
            c.because("powers of one matrix" if exponent * base.attrs[0] != 1 else "inverse of an inverse")
            return _power(c, pow_(base.args[0], base.attrs[0] * exponent))
        case "T":
            c.because("inverse of a transpose")
            return c.transpose(_power(c, pow_(base.args[0], exponent)))
        case "add":
            backwards = c.transpose(base)
            if backwards is not base and backwards.op == "add":
                known = c.first.setdefault(("base", base), base)
                c.first.setdefault(("base", backwards), base)
                if known is not base:
                    return c.transpose(pow_(known, exponent))
        case "kron" if all(a.is_square for a in base.args):
            c.because("power of a Kronecker product")
            return _kron(c, app("kron", *(_power(c, pow_(a, exponent)) for a in base.args)))
        case "diagm":
            c.because("diagonal power")
            return c.apply("diagm", elementwise.power(c, base.args[0], exponent))
        case "mul" if exponent < 0 and all(f.is_square for f in base.args):
            c.because("inverse of a product")
            factors = [_power(c, pow_(f, -1)) for f in reversed(base.args)]
            return c.product(factors * -int(exponent))
    if exponent < 0 and holds(base, "orthogonal"):
        c.because("orthogonal")
        return c.transpose(base if exponent == -1 else pow_(base, -exponent))
    return e


def _scalar_power(e: Expr, base: Expr, exponent: Fraction) -> Expr:
    term = term_of(base)
    if exponent.denominator == 1 and (base.op != "add"):
        if term.coefficient == 0:
            return number(0) if exponent > 0 else e
        extra, powers = settle(raised(term.scalars, exponent))
        return build(extra * term.coefficient ** int(exponent), powers, (), SCALAR)
    if term.coefficient == 1 and len(term.scalars) == 1 and holds_nonnegative(term.scalars[0][0]):
        extra, powers = settle(raised(term.scalars, exponent))
        return build(extra, powers, (), SCALAR)
    return app("sqrt", base) if exponent == HALF else e


def holds_nonnegative(atom: Expr) -> bool:
    """Whether a scalar is visibly >= 0."""
    return atom.op in ("norm", "norm1") or holds(atom, "positive")


def _transpose(c: Normaliser, e: Expr) -> Expr:
    return c.transpose(e.args[0])


def _add(c: Normaliser, e: Expr) -> Expr:
    return c.sum(e.args, e.shape)


def _neg(c: Normaliser, e: Expr) -> Expr:
    if e.args[0].op == "zeros" or (e.args[0].op == "num" and e.args[0].attrs[0] == 0):
        return e.args[0]
    return scaled(e.args[0], Fraction(-1))


def _mul(c: Normaliser, e: Expr) -> Expr:
    return c.product(e.args)


def _div(c: Normaliser, e: Expr) -> Expr:
    if e.args[0].op == "zeros" or (e.args[1].op == "num" and e.args[1].attrs[0] == 0):
        return e.args[0] if e.args[0].op == "zeros" else e
    return c.times(e.args[0], e.args[1], Fraction(-1))


def _had(c: Normaliser, e: Expr) -> Expr:
    return c.had(e.args, e.shape)


def _hdiv(c: Normaliser, e: Expr) -> Expr:
    return elementwise.product(c, [(e.args[0], ONE_Q), (e.args[1], -ONE_Q)], e.shape)


def _hpow(c: Normaliser, e: Expr) -> Expr:
    return elementwise.power(c, e.args[0], e.attrs[0])


def _linear_scalar(c: Normaliser, e: Expr) -> Expr:
    """tr, sum, vec, diag, index, tril, triu of a multiple: numbers and scalars come out."""
    arg = e.args[0]
    if arg.op == "zeros":
        return number(0) if e.is_scalar else zeros(*e.shape)
    term = term_of(arg)
    if term.coefficient == 1 and not term.scalars:
        return _of_factors(c, e)
    if arg.is_scalar:
        return arg if e.is_scalar and e.op in ("tr", "sum", "vec", "tril", "triu") else e
    inner = build(ONE_Q, (), term.factors, arg.shape)
    return _rescale(c, _of_factors(c, make(e.op, (inner,), e.attrs, e.shape)), term)


def _rescale(c: Normaliser, e: Expr, term: Term) -> Expr:
    if e.op == "zeros":
        return e
    own = term_of(e)
    extra, powers = settle(merge(term.scalars, own.scalars))
    return build(term.coefficient * own.coefficient * extra, powers, own.factors, e.shape)


def _of_factors(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar and e.op in ("tr", "sum", "vec", "tril", "triu"):
        return arg
    match e.op, arg.op:
        case "tr", "eye":
            return dimension_number(arg.shape[0])
        case "tr" | "sum", "diagm" if e.attrs in ((), (None,)):
            return _of_factors(c, app("sum", arg.args[0], attrs=(None,)))
        case "tr", "kron" if all(a.is_square for a in arg.args):
            c.because("trace of a Kronecker product")
            return c.product([c.apply("tr", a) for a in arg.args])
        case "tr", "T":
            return c.apply("tr", arg.args[0])
        case "tr", _:
            return _trace(c, e)
        case "sum", "T" if e.attrs == (None,):
            return c.apply("sum", arg.args[0], (None,))
        case "sum", "add" | "mul" if e.attrs == (None,) and arg.shape[0] is ONE:
            return c.apply("sum", c.transpose(arg), (None,))
        case "sum", "softmax" if e.attrs == (None,) and (arg.is_column or arg.attrs[0] == "all"):
            c.because("softmax sums to one")
            return number(1)
        case "sum", "add" if e.attrs == (None,) and any(_is_constant(a, arg.shape) for a in arg.args):
            c.because("sum of entries")
            n, m = arg.shape
            rest = [a for a in arg.args if not _is_constant(a, arg.shape)]
            constants = [c.product([_constant_value(a), dimension_number(n), dimension_number(m)])
                         for a in arg.args if _is_constant(a, arg.shape)]  # fmt: skip
            inner = [c.apply("sum", c.sum(rest, arg.shape), (None,))] if rest else []
            total = c.sum([*inner, *constants], SCALAR)
            written = e.length - sum(_ONES_LENGTH for a in arg.args if _is_constant(a, arg.shape))
            return total if total.length < written else e
        case "sum", "kron" if e.attrs == (None,):
            c.because("sum of a Kronecker product")
            return c.product([c.apply("sum", a, (None,)) for a in arg.args])
        case "sum", "ones":
            n, m = arg.shape
            rows, columns = dimension_number(n), dimension_number(m)
            if e.attrs[0] is None:
                return c.product([rows, columns])
            return c.product([columns, ones(n)] if e.attrs[0] == 1 else [rows, ones(ONE, m)])
        case "sum", _ if e.attrs[0] == 1 and arg.shape[1] is ONE:
            return arg
        case "sum", _ if e.attrs[0] == 0 and arg.shape[0] is ONE:
            return arg
        case "diagv", "diagm":
            return arg.args[0]
        case "diagv", "eye":
            return ones(arg.shape[0])
        case "diagv", "T":
            return c.apply("diagv", arg.args[0])
        case "diagv", "mul":
            return _diagonal_of_product(c, e)
        case "diagm", "ones":
            return eye(arg.shape[0])
        case "vec", _ if arg.shape[1] is ONE:
            return arg
        case "vec", _ if arg.shape[0] is ONE:
            return c.transpose(arg)
        case "vec", "ones":
            return ones(e.shape[0])
        case "tril", _ if holds(arg, "lower"):
            c.because("triangle of a triangular matrix")
            return arg
        case "triu", _ if holds(arg, "upper"):
            c.because("triangle of a triangular matrix")
            return arg
        case ("tril", _) if arg.is_square and holds(arg, "upper"):
            c.because("triangle of a triangular matrix")
            return c.had([arg, eye(arg.shape[0])], arg.shape)
        case ("triu", _) if arg.is_square and holds(arg, "lower"):
            c.because("triangle of a triangular matrix")
            return c.had([arg, eye(arg.shape[0])], arg.shape)
    return e


_ONES_LENGTH = 3
"""What ones(n) and its product add to the length of a constant that is written as a bare scalar."""


def _is_constant(e: Expr, shape: Shape) -> bool:
    """Whether all entries are one scalar."""
    if e.is_scalar and shape != SCALAR:
        return True
    return all(f.op == "ones" for f in term_of(e).factors) and len(term_of(e).factors) == 1


def _constant_value(e: Expr) -> Expr:
    if e.is_scalar:
        return e
    term = term_of(e)
    return build(term.coefficient, term.scalars, (), SCALAR)


def _diagonal_of_product(c: Normaliser, e: Expr) -> Expr:
    """diag(u v^T) = u .* v and diag(A diag(x) B) = (A .* B^T) x."""
    chain = list(e.args[0].args)
    for index, factor in enumerate(chain[:-1]):
        if factor.shape[1] is ONE:
            c.because("diagonal of an outer product")
            right = c.transpose(c.product(chain[index + 1 :]))
            return c.had([c.product(chain[: index + 1]), right], e.shape)
    for index, factor in enumerate(chain[1:-1], 1):
        if factor.op == "diagm":
            c.because("diagonal of a product")
            left, right = c.product(chain[:index]), c.transpose(c.product(chain[index + 1 :]))
            return c.product([c.had([left, right], left.shape), factor.args[0]])
    return e


_LONG = 24
"""Products of more factors than this are not compared with their cyclic shifts."""


def _trace(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.op != "mul":
        backwards = c.transpose(arg)
        return c.first.setdefault(("tr", arg), c.first.setdefault(("tr", backwards), e))
    chain = list(arg.args)
    for index, factor in enumerate(chain):
        if factor.shape[0] is ONE:
            c.because("cyclic shift")
            reduced = reduce_chain(c, chain[index:] + chain[:index])
            return c.product(reduced[0]) if reduced is not None else number(0)
    left, right = base_and_exponent(chain[0]), base_and_exponent(chain[-1])
    if left[0] is right[0] and left[0].is_square and len(chain) > 1 and left[1] == right[1]:
        c.because("cyclic shift")
        merged = left[2] + right[2]
        rest = chain[1:-1]
        shifted = [matrix_power(left[0], left[1], int(merged)), *rest] if merged else rest
        return c.apply("tr", c.product(shifted) if shifted else eye(arg.shape[0]))
    if len(chain) > _LONG:
        return e
    known = c.first.get(("tr", arg))
    if known is not None:
        if known is not e:
            c.because("cyclic shift")
        return known
    backwards = [c.transpose(f) for f in reversed(chain)]
    for shift in range(len(chain)):
        rotated = chain[shift:] + chain[:shift]
        if len(chain) % 2 == 0 and rotated == [c.transpose(f) for f in reversed(rotated)]:
            c.because("trace of a square")
            return pow_(app("norm", c.product(rotated[len(chain) // 2 :])), 2)
    best = e if e.length <= app("tr", mul(*backwards)).length else app("tr", mul(*backwards))
    for shift in range(len(chain)):
        for version in (chain, backwards):
            c.first[("tr", mul(*version[shift:], *version[:shift]))] = best
    return best


def _det(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar:
        return arg if e.op == "det" else e
    match arg.op:
        case "eye":
            return number(1 if e.op == "det" else 0)
        case "T":
            c.because("determinant of a transpose")
            return c.apply(e.op, arg.args[0])
        case "pow":
            c.because("determinant of a power")
            inner = c.apply(e.op, arg.args[0])
            if e.op == "det":
                return _power(c, pow_(inner, arg.attrs[0]))
            return scaled(inner, arg.attrs[0])
        case _:
            return e


def _norm(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    if arg.is_scalar:
        return app("abs", arg) if arg.op != "norm" else arg
    if arg.op == "zeros":
        return number(0)
    term = term_of(arg)
    if abs(term.coefficient) != 1 or (term.coefficient < 0):
        inner = build(ONE_Q, term.scalars, term.factors, arg.shape)
        return scaled(_norm(c, app(e.op, inner)), abs(term.coefficient))
    if arg.op == "T":
        return app(e.op, arg.args[0])
    return e


def _even_or_odd(c: Normaliser, e: Expr) -> Expr:
    """f(-X) and f(X^T) of an elementwise f."""
    arg = e.args[0]
    if arg.op == "T":
        return c.transpose(c.apply(e.op, arg.args[0]))
    if arg.op == "neg" or (arg.op == "add" and arg.args[0].op == "neg" and all(a.op == "neg" for a in arg.args)):
        inner = scaled(arg, Fraction(-1))
        if e.op in _EVEN:
            return app(e.op, inner)
        if e.op in _ODD:
            return scaled(app(e.op, inner), Fraction(-1))
    if e.op == "abs" and e.is_scalar and holds_nonnegative(arg):
        return arg
    return _inverse_functions(c, e)


def _inverse_functions(c: Normaliser, e: Expr) -> Expr:
    arg = e.args[0]
    match e.op, arg.op:
        case ("exp", "log") | ("log", "exp"):
            c.because("exp and log")
            return arg.args[0]
        case ("exp" | "tanh" | "sin" | "relu" | "abs" | "sinh", _) if _is_zero(arg):
            return _constant(e.shape, 1 if e.op == "exp" else 0)
        case ("log", "num") if arg.attrs[0] == 1:
            return number(0)
        case ("abs" | "relu", "exp" | "abs" | "relu"):
            return arg
    return e


def _is_zero(e: Expr) -> bool:
    return e.op == "zeros" or (e.op == "num" and e.attrs[0] == 0)


def _constant(shape: Shape, value: int) -> Expr:
    if shape == SCALAR:
        return number(value)
    return ones(*shape) if value else zeros(*shape)


def _sqrt(c: Normaliser, e: Expr) -> Expr:
    if e.is_scalar:
        return _scalar_power(pow_(e.args[0], HALF), e.args[0], HALF)
    return e


def _kron(c: Normaliser, e: Expr) -> Expr:
    left, right = term_of(e.args[0]), term_of(e.args[1])
    if "zeros" in (e.args[0].op, e.args[1].op):
        return zeros(*e.shape)
    if e.args[0].is_scalar or e.args[1].is_scalar:
        return c.product([e.args[0], e.args[1]])
    a = build(ONE_Q, (), left.factors, e.args[0].shape)
    b = build(ONE_Q, (), right.factors, e.args[1].shape)
    inner = eye(e.shape[0]) if a.op == b.op == "eye" else app("kron", a, b)
    return scaled(inner, left.coefficient * right.coefficient, merge(left.scalars, right.scalars))


def _mean(c: Normaliser, e: Expr) -> Expr:
    rows, columns = e.args[0].shape
    sizes = {None: (rows, columns), 0: (rows,), 1: (columns,)}[e.attrs[0]]
    total = c.apply("sum", e.args[0], e.attrs)
    for size in sizes:
        total = c.times(total, dimension_number(size), Fraction(-1))
    return total


_EVEN = frozenset({"cos", "cosh", "abs"})
_ODD = frozenset({"sin", "tan", "arcsin", "arctan", "sinh", "tanh", "sign", "erf"})

# fmt: off
_HANDLERS: dict[str, Callable[[Normaliser, Expr], Expr]] = {
    "add": _add, "neg": _neg, "mul": _mul, "div": _div, "had": _had, "hdiv": _hdiv, "hpow": _hpow,
    "pow": _power, "T": _transpose, "kron": _kron,
    "tr": _linear_scalar, "sum": _linear_scalar, "mean": _mean, "vec": _linear_scalar, "diagm": _linear_scalar,
    "diagv": _linear_scalar, "tril": _linear_scalar, "triu": _linear_scalar, "index": _linear_scalar,
    "det": _det, "logdet": _det, "norm": _norm, "norm1": _norm, "sqrt": _sqrt,
    **dict.fromkeys(("exp", "log", "sin", "cos", "tan", "arcsin", "arctan", "sinh", "cosh", "tanh", "abs",
                     "sign", "relu", "sigmoid", "softplus", "erf"), _even_or_odd),
}
_DEFAULT_RULES: dict[str, str] = {
    "add": "collect terms", "neg": "sign in front", "mul": "scalars in front", "div": "scalars in front",
    "had": "elementwise factors", "hdiv": "elementwise factors", "hpow": "elementwise factors",
    "pow": "powers of one matrix", "T": "transpose of a product", "kron": "scalars in front",
    "tr": "linearity", "sum": "linearity", "mean": "mean of entries",
    "vec": "linearity", "diagm": "linearity", "diagv": "linearity",
    "tril": "linearity", "triu": "linearity", "index": "linearity", "det": "determinant of a power",
    "logdet": "determinant of a power", "norm": "norm of a multiple", "norm1": "norm of a multiple",
    "sqrt": "powers of one scalar",
    **dict.fromkeys(("exp", "log", "sin", "cos", "tan", "arcsin", "arctan", "sinh", "cosh", "tanh", "abs",
                     "sign", "relu", "sigmoid", "softplus", "erf"), "even and odd functions"),
}
# fmt: on

__all__ = ["Normaliser", "Rewrite", "settle"]
