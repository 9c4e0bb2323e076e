"""Writing a normal form as a person would.

Bottom-up and once per node: transposes and inverses are gathered ((B A)^T for A^T B^T), a sign goes into a sum that
can take it, the user's own way of writing a part comes back, ones become a scalar added to every entry, X e(j,m)
becomes a column, ones(n)^T A a sum over rows, X (X^T X)^-1 a pseudoinverse: each only where that is shorter.
"""

from __future__ import annotations

from fractions import Fraction

from mcalc.algebra.expr import Expr, make
from mcalc.algebra.operators import (
    T,
    add,
    app,
    d,
    had,
    hdiv,
    hpow,
    inv,
    mul,
    neg,
    number,
    pow_,
    takes_scalars,
)
from mcalc.algebra.shape import SCALAR
from mcalc.simplify.display import (
    RELATIONS,
    common_power,
    logs,
    means,
    multiple_of_ones,
    negated,
    positive_first,
    relation,
    roots,
    row_sums,
    share,
    without_ones,
    written_length,
)
from mcalc.simplify.gather import gathered
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.terms import HALF, Term, scalar_power, term_of

_EITHER_WAY = frozenset({"tr", "sum", "diagv", "norm", "det", "logdet"})
"""Operators to which a matrix and its transpose are the same."""
_COMPOSITE = frozenset({"mul", "add", "div", "neg"})


class Polisher:
    """The display forms of one derivation; `given` maps a normal form to the user's own expression of it."""

    def __init__(self, context: Normaliser, given: dict[Expr, Expr]) -> None:
        self.context = context
        self.given = given
        self.memo: dict[Expr, Expr] = {}
        self.active: set[Expr] = set()
        self.products = [
            (t.scalars, t.factors, original)
            for normal, original in given.items()
            for t in (term_of(normal),)
            if t.coefficient == 1 and len(t.scalars) + len(t.factors) > 1 and t.scalars and len(t.factors) < 2
        ]

    def __call__(self, e: Expr) -> Expr:
        """The display form of a normal form."""
        memo = self.memo
        stack = [e]
        while stack:
            node = stack[-1]
            if node in memo:
                stack.pop()
                continue
            self.active.add(node)
            needed = [n for n in self._needs(node) if n not in memo and n not in self.active]
            if needed:
                stack.extend(needed)
                continue
            stack.pop()
            memo[node] = self._best(node)
            self.active.discard(node)
        return memo[e]

    def shown(self, e: Expr) -> Expr:
        """The display form of a part; a part that is being polished (a skew matrix's transpose) stays as it is."""
        known = self.memo.get(e)
        if known is not None:
            return known
        return e if e in self.active else self(e)

    def _needs(self, node: Expr) -> list[Expr]:
        """What must be polished first: the operands, and for products and sums those of the transpose."""
        needs = list(node.args)
        if node.op in _COMPOSITE and not node.is_scalar:
            backwards = self.context.transpose(node)
            if backwards is not node:
                needs.extend(backwards.args)
                if node.op == "add":
                    needs.extend(self.context.transpose(a) for a in node.args if not a.is_scalar)
        elif node.op in _EITHER_WAY and not node.args[0].is_scalar and node.attrs in ((), (None,)):
            needs.append(self.context.transpose(node.args[0]))
        return [n for n in needs if n is not node]

    def _best(self, node: Expr) -> Expr:
        if not node.args:
            return node
        options = [self._direct(node)]
        if node.op in _COMPOSITE and not node.is_scalar:
            backwards = self.context.transpose(node)
            if backwards is not node and backwards is not negated(node) and backwards.op in _COMPOSITE:
                options.append(self._outside(self._direct(backwards)))
        if node.op == "add":
            together = self._transposes_together(node)
            if together is not None:
                options.append(together)
        known = self.given.get(node)
        if known is not None:
            options.insert(0, known)
        opposite = self.given.get(negated(node))
        if opposite is not None and node.op in ("add", "neg"):
            options.append(opposite.args[0] if opposite.op == "neg" else neg(opposite))
        return min(options, key=lambda option: option.length)

    def _outside(self, e: Expr) -> Expr:
        """The transpose of a display form, its sign and quotient kept outside."""
        match e.op:
            case "neg":
                return neg(self._outside(e.args[0]))
            case "div":
                return make("div", (self._outside(e.args[0]), e.args[1]), (), (e.shape[1], e.shape[0]))
            case "T":
                return e.args[0]
            case "mul" if e.args[0].is_scalar:
                scalars = [a for a in e.args if a.is_scalar]
                rest = [a for a in e.args if not a.is_scalar]
                return mul(*scalars, self._outside(mul(*rest)))
            case _:
                return T(e)

    def _direct(self, node: Expr) -> Expr:
        match node.op:
            case "add":
                return self._sum(node, Fraction(1))
            case "neg" | "mul" | "div" | "had" | "hdiv":
                return self._term(node)
            case "d":
                inner = node.args[0]
                return T(d(inner.args[0])) if inner.op == "T" else node
            case _:
                return self._plain(node)

    def _plain(self, node: Expr) -> Expr:
        args = tuple(self.memo.get(a, a) for a in node.args)
        if node.op == "diagv" and args[0].op == "mul":
            return row_sums(args[0]) or app("diagv", args[0])
        if node.op in _EITHER_WAY and node.attrs in ((), (None,)) and not args[0].is_scalar:
            other = self.memo.get(self.context.transpose(node.args[0]))
            if other is not None and other.length < args[0].length:
                return app(node.op, other, attrs=node.attrs)
        if node.op in RELATIONS:
            return relation(node.op, *args)
        if node.op == "diagm" and args[0].op == "hdiv" and args[0].args[0] is number(1):
            below = args[0].args[1]
            if below.op == "hpow" and below.attrs[0].denominator == 1:
                return pow_(app("diagm", below.args[0]), -below.attrs[0])
            if below.op == "hpow":
                return app("diagm", hpow(below.args[0], -below.attrs[0]))
            return inv(app("diagm", below))
        if node.op == "kron" and all(a.op == "T" for a in args):
            return T(app("kron", *(a.args[0] for a in args)))
        if node.op == "sqrt" and node.is_scalar:
            return app("sqrt", *args)
        if node.op == "pow" and args[0].op == "pow" and not node.is_scalar:
            args = node.args
        return make(node.op, args, node.attrs, node.shape)

    # --- sums -----------------------------------------------------------------------------------------------------

    def _sum(self, node: Expr, sign: Fraction) -> Expr:
        """The sum, or its negative, positive terms first; ones as a scalar where the language allows."""
        parts = [self._signed(a, sign) for a in node.args]
        parts = positive_first(logs(parts))
        if node.shape != SCALAR:
            rest = [p for p in parts if not multiple_of_ones(p)]
            if rest and len(rest) < len(parts) and takes_scalars(add(*rest)):
                parts = [without_ones(p) if multiple_of_ones(p) else p for p in parts]
                if parts[0].is_scalar and parts[0].op != "num":
                    parts = positive_first([*parts[1:], parts[0]])
        return add(*parts)

    def _transposes_together(self, node: Expr) -> Expr | None:
        """A^T + B^T + C = (A + B)^T + C."""
        if node.shape == SCALAR or len(node.args) < 2:
            return None
        plain, turned = [], []
        for term in node.args:
            shown = self.shown(term)
            backwards = self.context.transpose(term)
            other = self.shown(backwards) if backwards in self.memo else None
            if other is not None and other.length < shown.length:
                turned.append(other)
            else:
                plain.append(shown)
        if len(turned) < 2 or not plain:
            return None
        return add(*positive_first([T(add(*positive_first(turned))), *plain]))

    def _signed(self, term: Expr, sign: Fraction) -> Expr:
        """A summand; where it holds v v^T, a minus stays before it rather than go into one of the factors."""
        if sign < 0:
            term = negated(term)
        if term.op == "neg" and not term.is_scalar and self._mirrored(term):
            inside = self.shown(term.args[0])
            return inside.args[0] if inside.op == "neg" else neg(inside)
        return self.shown(term)

    def _mirrored(self, term: Expr) -> bool:
        chain = term_of(term).factors
        for factor in chain:
            if factor.op in ("add", "T"):
                mirror = self.context.transpose(factor)
                if mirror is not factor and mirror in chain:
                    return True
        return False

    def flip(self, e: Expr) -> Expr | None:
        """A display form of -e without a minus in front, or None."""
        match e.op:
            case "add":
                known = self.given.get(neg(e))
                if known is not None and known.op != "neg":
                    return known
                return self._sum(e, Fraction(-1))
            case "tr" | "sum" | "diagm" | "diagv" | "vec" | "tril" | "triu" | "index" | "T":
                inner = self._flip_factor(e.args[0])
                return None if inner is None else make(e.op, (inner,), e.attrs, e.shape)
            case "mul" if not any(a.is_scalar for a in e.args):
                return self._flip_one(list(e.args), mul)
            case "had":
                return self._flip_one(list(e.args), had)
            case "hdiv":
                inner = self._flip_factor(e.args[0])
                return None if inner is None else hdiv(inner, self.shown(e.args[1]))
        return None

    def _flip_factor(self, e: Expr) -> Expr | None:
        if e.op == "mul":
            return self._flip_one(list(e.args), mul)
        return self.flip(e)

    def _flip_one(self, args: list[Expr], build_: object) -> Expr | None:
        shown = [self.shown(a) for a in args]
        options = []
        for i, a in enumerate(args):
            flipped = self.flip(a)
            if flipped is not None and flipped.length <= shown[i].length:
                new = [*shown[:i], flipped, *shown[i + 1 :]]
                options.append(mul(*new) if build_ is mul else had(*new))
        return min(options, key=lambda o: o.length) if options else None

    # --- terms ----------------------------------------------------------------------------------------------------

    def _term(self, node: Expr) -> Expr:
        if node.op in ("had", "hdiv"):
            return self._elementwise(node)
        if node.is_scalar and node.op == "mul" and not any(a.is_scalar for a in node.args):
            chain = list(node.args)
            return mul(*gathered(self, chain, [self._factor(f) for f in chain]))
        term, found = self._with_products(term_of(node), node)
        size = abs(term.coefficient)
        negative = term.coefficient < 0
        top: list[Expr] = [number(size.numerator)] if size.numerator != 1 else []
        bottom: list[Expr] = [number(size.denominator)] if size.denominator != 1 else []
        pieces: list[tuple[Expr, Expr]] = []
        for atom, exponent in term.scalars:
            shown = self.shown(atom)
            if exponent > 0:
                if exponent == 1 and negative:
                    flipped = self.flip(atom)
                    if flipped is not None and flipped.length <= shown.length:
                        shown, negative = flipped, False
                top.append(self._given_power(atom, shown, exponent))
            else:
                bottom.append(self._given_power(atom, shown, -exponent))
        top.extend(original for original in found if original.is_scalar)
        chain = list(term.factors)
        replaced = {original: original for original in found if not original.is_scalar}
        if negative:
            best: tuple[int, int, Expr] | None = None
            for i, factor in enumerate(chain):
                flipped = self.flip(factor)
                shown = self.shown(factor)
                if flipped is not None and flipped.length <= shown.length:
                    gain = shown.length - flipped.length
                    if best is None or gain > best[0]:
                        best = (gain, i, flipped)
            if best is not None:
                pieces.append((chain[best[1]], best[2]))
                negative = False
        replaced.update(pieces)
        shown_chain = [replaced.get(f) or self._factor(f) for f in chain]
        neighbours = gathered(self, chain, shown_chain)
        if len(neighbours) == 1 and neighbours[0].op == "hdiv" and neighbours[0].args[0].op == "num":
            front = mul(*top) if top else number(1)
            if bottom:
                front = make("div", (front, mul(*bottom)), (), SCALAR)
            result = hdiv(front, neighbours[0].args[1])
            return neg(result) if negative else result
        top, bottom = roots(top), roots(bottom)
        top.extend(neighbours)
        if not term.factors and node.shape != SCALAR:
            top.append(make("eye", (), (node.shape[0],), node.shape))
        result = mul(*top) if top else number(1)
        if bottom:
            divisor = mul(*bottom)
            result = make("div", (result, divisor), (), result.shape)
        return neg(result) if negative else result

    def _with_products(self, term: Term, node: Expr) -> tuple[Term, list[Expr]]:
        """The term with products that the user wrote (mean(x) for sum(x) / n) taken as one, and those products."""
        term, found = means(term)
        for scalars, factors, original in self.products:
            powers = dict(term.scalars)
            if any(share(powers.get(atom, Fraction(0)), e) < 1 for atom, e in scalars):
                continue
            if factors and factors[0] not in term.factors:
                continue
            for atom, e in scalars:
                powers[atom] -= e
            rest = tuple((a, e) for a, e in powers.items() if e)
            saved = written_length(term.scalars) - written_length(rest) - original.length - 1
            if saved + (factors[0].length + 1 if factors else 0) <= 0:
                continue
            chain = list(term.factors)
            if factors:
                # one factor for one share of the scalars
                chain[chain.index(factors[0])] = original
            term = Term(term.coefficient, rest, tuple(chain))
            found.append(original)
        return term, found

    def _given_power(self, atom: Expr, shown: Expr, exponent: Fraction) -> Expr:
        """A power of a scalar, the user's way where it was given (x^T x for norm(x)^2)."""
        if exponent not in (1, HALF):
            known = self.given.get(make("pow", (atom,), (exponent,), SCALAR))
            if known is not None and known.length <= shown.length + 1 + (known.op == "mul"):
                return known
        if exponent.denominator == 1 and exponent % 2 == 0 and exponent > 2:
            square = self.given.get(make("pow", (atom,), (Fraction(2),), SCALAR))
            if square is not None and square.op != "pow":
                return scalar_power(square, exponent / 2)
        return scalar_power(shown, exponent)

    def _factor(self, factor: Expr) -> Expr:
        if factor.op in ("had", "hdiv"):
            return self._elementwise(factor)
        return self.shown(factor)

    def _elementwise(self, e: Expr) -> Expr:
        known = self.given.get(e)
        args = [self.shown(a) for a in e.args]
        if e.op == "had":
            args = common_power(args)
        plain = had(*args) if e.op == "had" else hdiv(*args)
        return known if known is not None and known.length <= plain.length else plain
