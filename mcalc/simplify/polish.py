"""Writing a normal form as a person would.

Bottom-up and once per node: transposes and inverses are gathered ((B A)^T for A^T B^T), a sign goes into a sum that
can take it, the user's own way of writing a part comes back, ones become a scalar added to every entry, X e(j,m)
becomes a column, ones(n)^T A a sum over rows, X (X^T X)^-1 a pseudoinverse: each only where that is shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from mcalc.algebra.expr import Expr, make, postorder, symbols
from mcalc.algebra.operators import (
    T,
    add,
    app,
    d,
    dimension_number,
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
from mcalc.algebra.shape import ONE, SCALAR
from mcalc.algebra.structure import holds
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.products import _chain_of
from mcalc.simplify.terms import HALF, Scalars, Term, base_and_exponent, build, scalar_power, term_of

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
            if backwards is not node and backwards is not _negated(node) and backwards.op in _COMPOSITE:
                options.append(self._outside(self._direct(backwards)))
        if node.op == "add":
            together = self._transposes_together(node)
            if together is not None:
                options.append(together)
        known = self.given.get(node)
        if known is not None:
            options.insert(0, known)
        opposite = self.given.get(_negated(node))
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
            return _row_sums(args[0]) or app("diagv", args[0])
        if node.op in _EITHER_WAY and node.attrs in ((), (None,)) and not args[0].is_scalar:
            other = self.memo.get(self.context.transpose(node.args[0]))
            if other is not None and other.length < args[0].length:
                return app(node.op, other, attrs=node.attrs)
        if node.op in _RELATIONS:
            return _relation(node.op, *args)
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
        parts = _positive_first(_logs(parts))
        if node.shape != SCALAR:
            rest = [p for p in parts if not _multiple_of_ones(p)]
            if rest and len(rest) < len(parts) and takes_scalars(add(*rest)):
                parts = [_without_ones(p) if _multiple_of_ones(p) else p for p in parts]
                if parts[0].is_scalar and parts[0].op != "num":
                    parts = _positive_first([*parts[1:], parts[0]])
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
        return add(*_positive_first([T(add(*_positive_first(turned))), *plain]))

    def _signed(self, term: Expr, sign: Fraction) -> Expr:
        """A summand; where it holds v v^T, a minus stays before it rather than go into one of the factors."""
        if sign < 0:
            term = _negated(term)
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
            return mul(*self._gathered(chain, [self._factor(f) for f in chain]))
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
        gathered = self._gathered(chain, shown_chain)
        if len(gathered) == 1 and gathered[0].op == "hdiv" and gathered[0].args[0].op == "num":
            front = mul(*top) if top else number(1)
            if bottom:
                front = make("div", (front, mul(*bottom)), (), SCALAR)
            result = hdiv(front, gathered[0].args[1])
            return neg(result) if negative else result
        top, bottom = _roots(top), _roots(bottom)
        top.extend(gathered)
        if not term.factors and node.shape != SCALAR:
            top.append(make("eye", (), (node.shape[0],), node.shape))
        result = mul(*top) if top else number(1)
        if bottom:
            divisor = mul(*bottom)
            result = make("div", (result, divisor), (), result.shape)
        return neg(result) if negative else result

    def _with_products(self, term: Term, node: Expr) -> tuple[Term, list[Expr]]:
        """The term with products that the user wrote (mean(x) for sum(x) / n) taken as one, and those products."""
        term, found = _means(term)
        for scalars, factors, original in self.products:
            powers = dict(term.scalars)
            if any(_share(powers.get(atom, Fraction(0)), e) < 1 for atom, e in scalars):
                continue
            if factors and factors[0] not in term.factors:
                continue
            for atom, e in scalars:
                powers[atom] -= e
            rest = tuple((a, e) for a, e in powers.items() if e)
            saved = _written(term.scalars) - _written(rest) - original.length - 1
            if saved + (factors[0].length + 1 if factors else 0) <= 0:
                continue
            chain = tuple(original if factors and f is factors[0] else f for f in term.factors)
            term = Term(term.coefficient, rest, chain)
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
            args = _common_power(args)
        plain = had(*args) if e.op == "had" else hdiv(*args)
        return known if known is not None and known.length <= plain.length else plain

    def _gathered(self, chain: Sequence[Expr], shown: list[Expr]) -> list[Expr]:
        """The factors of a product, neighbours gathered where that is shorter."""
        pairs = list(zip(chain, shown, strict=True))
        pairs = self._pseudoinverses(pairs)
        pairs = self._columns(pairs)
        pairs = self._totals(pairs)
        pairs = self._runs(pairs, _is_inverse)
        pairs = self._runs(pairs, _is_transpose)
        return _repeated([shown_factor for _, shown_factor in pairs])

    def _pseudoinverses(self, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
        """X (X^T X)^-1 = pinv(X)^T and (X^T X)^-1 X^T = pinv(X), X of full column rank."""
        result: list[tuple[Expr, Expr]] = []
        index = 0
        while index < len(pairs):
            f, shown = pairs[index]
            after = pairs[index + 1][0] if index + 1 < len(pairs) else None
            if after is not None and _gram(self.context, f, after, self.context.transpose(after)):
                inner = self.context.transpose(after)
                new = app("pinv", inner) if inner.op != "T" else T(app("pinv", inner.args[0]))
                result.append((new, new))
                index += 2
                continue
            before = result[-1][0] if result else None
            if before is not None and _gram(self.context, f, self.context.transpose(before), before):
                new = T(app("pinv", before)) if before.op != "T" else app("pinv", before.args[0])
                result[-1] = (new, new)
            else:
                result.append((f, shown))
            index += 1
        return result

    def _columns(self, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
        """A e(j,m) = A[:,j] and e(i,n)^T A = A[i,:]."""
        result: list[tuple[Expr, Expr]] = []
        for f, shown in pairs:
            if result and f.op == "unit" and result[-1][0].op != "unit":
                left, left_shown = result[-1]
                if left.op == "index" and left.attrs[1] is None and left_shown.op == "index":
                    column = app("index", left_shown.args[0], attrs=(left_shown.attrs[0], f.attrs[0]))
                elif left.op == "T":
                    column = T(app("index", self(left.args[0]), attrs=(f.attrs[0], None)))
                else:
                    column = app("index", left_shown, attrs=(None, f.attrs[0]))
                result[-1] = (column, column)
            elif result and _is_unit_row(result[-1][0]) and f.op != "unit":
                i = result[-1][0].args[0].attrs[0]
                if f.op == "T":
                    row = T(app("index", self(f.args[0]), attrs=(None, i)))
                else:
                    row = app("index", shown, attrs=(i, None))
                result[-1] = (row, row)
            else:
                result.append((f, shown))
        return result

    def _totals(self, pairs: list[tuple[Expr, Expr]]) -> list[tuple[Expr, Expr]]:
        """ones(n)^T A = sum(A, axis=0) and A ones(m) = sum(A, axis=1), for all that stands on the other side."""
        if len(pairs) < 2:
            return pairs
        first, last = pairs[0][0], pairs[-1][0]
        if first.op == "ones" and first.shape[0] is ONE:
            rest = pairs[1:]
            inner = self._joined(rest)
            new = app("sum", inner, attrs=(None if inner.is_column else 0,))
            if new.length <= mul(*(s for _, s in pairs)).length:
                return [(new, new)]
        if last.op == "ones" and last.shape[1] is ONE:
            rest = pairs[:-1]
            if rest[0][0].op == "T" and len(rest) == 1:
                return pairs
            inner = self._joined(rest)
            new = app("sum", inner, attrs=(None if inner.shape[0] is ONE else 1,))
            if new.length < mul(*(s for _, s in pairs)).length:
                return [(new, new)]
        return pairs

    def _joined(self, pairs: list[tuple[Expr, Expr]]) -> Expr:
        return mul(*(shown for _, shown in pairs))

    def _runs(self, pairs: list[tuple[Expr, Expr]], kind: object) -> list[tuple[Expr, Expr]]:
        """Neighbouring inverses or transposes as one: A^-1 B^-1 = (B A)^-1, A^T B^T = (B A)^T."""
        transposes = kind is _is_transpose
        wanted = _is_transpose if transposes else _is_inverse
        result: list[tuple[Expr, Expr]] = []
        run: list[tuple[Expr, Expr]] = []

        def close() -> None:
            marked = sum(1 for _, s in run if wanted(s))
            if marked >= 2 and len(run) < len(pairs):
                inner = mul(*(_undone(s, transposes) for _, s in reversed(run)))
                new = T(inner) if transposes else inv(inner)
                result.append((new, new))
            else:
                result.extend(run)
            run.clear()

        for f, shown in pairs:
            if wanted(shown) or (transposes and run and holds(shown, "symmetric") and shown.op != "pow"):
                run.append((f, shown))
            else:
                close()
                result.append((f, shown))
        close()
        if not transposes and len(pairs) >= 2 and all(_is_inverse(s) for _, s in pairs):
            new = inv(mul(*(_undone(s, False) for _, s in reversed(pairs))))
            return [(new, new)]
        return result


def _row_sums(product: Expr) -> Expr | None:
    """diag(A B^T) = sum(A .* B, axis=1)."""
    factors = [a for a in product.args if not a.is_scalar]
    scalars = [a for a in product.args if a.is_scalar]
    if len(factors) < 2 or factors[-1].op != "T":
        return None
    left, right = mul(*factors[:-1]), factors[-1].args[0]
    return None if left.is_column else mul(*scalars, app("sum", had(left, right), attrs=(1,)))


_RELATIONS = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq"}


def _relation(op: str, left: Expr, right: Expr) -> Expr:
    """a - b > 0 is a > b, and 1 > b is b < 1."""
    plain = app(op, left, right)
    if left.op != "add" or right.op not in ("num", "zeros") or (right.op == "num" and right.attrs[0] != 0):
        return plain
    positive = [a for a in left.args if a.op != "neg"]
    negative = [a.args[0] for a in left.args if a.op == "neg"]
    if not positive or not negative:
        return plain
    above, below = add(*positive), add(*negative)
    if (above.is_scalar and below.is_scalar) != left.is_scalar:
        return plain
    new = app(op, above, below)
    if above.is_scalar and not below.is_scalar:
        new = app(_RELATIONS[op], below, above)
    return new if new.length < plain.length and new.shape == plain.shape else plain


def _positive_first(parts: list[Expr]) -> list[Expr]:
    """What is added before what is subtracted; of A^T + A the plain one first."""
    added = [p for p in parts if p.op != "neg"]
    if len(added) == 2 and _transposes(added[0]) > _transposes(added[1]) and set(symbols(added[0])) == set(
        symbols(added[1])
    ):
        added.reverse()
    return added + [p for p in parts if p.op == "neg"]


def _transposes(e: Expr) -> int:
    return sum(node.op == "T" for node in postorder(e)) if e.length < 200 else 0


def _logs(parts: list[Expr]) -> list[Expr]:
    """log(a) - log(b) = log(a ./ b)."""
    top = next((p for p in parts if p.op == "log"), None)
    bottom = next((p for p in parts if p.op == "neg" and p.args[0].op == "log"), None)
    if top is None or bottom is None or top.shape != bottom.shape:
        return parts
    a, b = top.args[0], bottom.args[0].args[0]
    joined = app("log", make("div", (a, b), (), a.shape) if a.is_scalar else hdiv(a, b))
    return [joined if p is top else p for p in parts if p is not bottom]


def _repeated(factors: list[Expr]) -> list[Expr]:
    """A B A B = (A B)^2."""
    half = len(factors) // 2
    if half < 2 or factors[:half] != factors[half:]:
        return factors
    return [pow_(mul(*factors[:half]), 2)]


def _undone(e: Expr, transposes: bool) -> Expr:
    if transposes:
        return e.args[0] if e.op == "T" else e
    return e.args[0]


def _is_transpose(e: Expr) -> bool:
    return e.op == "T"


def _is_inverse(e: Expr) -> bool:
    return e.op == "pow" and e.attrs[0] == -1 and not e.is_scalar


def _is_unit_row(e: Expr) -> bool:
    return e.op == "T" and e.args[0].op == "unit"


def _gram(context: Normaliser, inverse: Expr, left: Expr, right: Expr) -> bool:
    """Whether `inverse` is (left right)^-1 with left = right^T, right not square."""
    base, transposed, exponent = base_and_exponent(inverse)
    if exponent != -1 or base.op != "mul" or right.is_square:
        return False
    return _chain_of(context, base, transposed) == [left, right] and right.op in ("sym", "T")


def _common_power(args: list[Expr]) -> list[Expr]:
    """A.^2 .* B.^2 = (A .* B).^2."""
    for exponent in dict.fromkeys(a.attrs[0] for a in args if a.op == "hpow"):
        same = [a for a in args if a.op == "hpow" and a.attrs[0] == exponent]
        if len(same) > 1:
            joined = hpow(had(*(a.args[0] for a in same)), exponent)
            args = [joined if a is same[0] else a for a in args if a not in same[1:]]
    return args


def _roots(scalars: list[Expr]) -> list[Expr]:
    """sqrt(s) sqrt(t) = sqrt(s t) of constants."""
    roots = [s for s in scalars if s.op == "sqrt" and s.args[0].op in ("num", "pi", "dim")]
    if len(roots) < 2:
        return scalars
    inside = sorted((r.args[0] for r in roots), key=lambda a: a.op != "num")
    return [*(s for s in scalars if s not in roots), app("sqrt", mul(*inside))]


def _means(term: Term) -> tuple[Term, list[Expr]]:
    """sum(x) / n = mean(x)."""
    powers = dict(term.scalars)
    found: list[Expr] = []
    for atom, exponent in term.scalars:
        if atom.op != "sum" or exponent != 1 or atom.args[0].is_scalar:
            continue
        counts = [dimension_number(n) for n in atom.args[0].shape if n is not ONE]
        wanted: dict[Expr, int] = {}
        for count in counts:
            wanted[count] = wanted.get(count, 0) - 1
        if all(powers.get(count, Fraction(0)) <= k for count, k in wanted.items()):
            del powers[atom]
            for count, k in wanted.items():
                powers[count] -= k
            found.append(app("mean", atom.args[0], attrs=(None,)))
    if not found:
        return term, found
    rest = tuple((a, e) for a, e in powers.items() if e)
    return Term(term.coefficient, rest, term.factors), found


def _written(scalars: Scalars) -> int:
    return build(Fraction(1), scalars, (), SCALAR).length


def _share(available: Fraction, wanted: Fraction) -> Fraction:
    """How often a power is contained in another of the same sign."""
    return available / wanted if available * wanted > 0 else Fraction(0)


def _negated(e: Expr) -> Expr:
    return e.args[0] if e.op == "neg" else neg(e)


def _multiple_of_ones(e: Expr) -> bool:
    if e.op == "neg" or e.op == "div":
        return _multiple_of_ones(e.args[0])
    if e.op == "mul":
        return e.args[-1].op == "ones" and all(a.is_scalar for a in e.args[:-1])
    return e.op == "ones"


def _without_ones(e: Expr) -> Expr:
    match e.op:
        case "neg":
            return neg(_without_ones(e.args[0]))
        case "div":
            return make("div", (_without_ones(e.args[0]), e.args[1]), (), SCALAR)
        case "mul":
            return mul(*e.args[:-1])
    return number(1)
