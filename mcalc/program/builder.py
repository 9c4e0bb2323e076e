"""Building arrays: the constructors that know when an operation is a view, a scaling or nothing at all.

A `Term` is an array with what multiplies it kept apart: a rational coefficient and scalars with exponents. Products
collect them, so that they end up on the smallest operand; `Builder.array` multiplies them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType

from mcalc.algebra.shape import Dim
from mcalc.program.costs import Costed
from mcalc.program.ir import Array, arrays
from mcalc.program.operations import Axes, broadcast
from mcalc.program.signs import Facts
from mcalc.program.terms import Scalars, Term, merged

MOST_TERMS = 32
"""Longer sums and elementwise products are made of parts: Python does not read lines of any length."""


class Builder(Costed):
    """A graph with constructors, and with the cost of what is not computed yet."""

    def __init__(self, typical: Mapping[str, float] = MappingProxyType({})) -> None:
        super().__init__(typical)
        self.one = self.number(1)
        self.contested: dict[str, None] = {}
        """Dimensions on whose sizes the order of some product depends."""
        self.facts = Facts()
        self._scalar_products: dict[tuple[Array, int], dict[Array, Term]] = {}
        """Products of scalars, by the first of these."""

    # --- terms --------------------------------------------------------------------------------------------------------

    def term(self, core: Array) -> Term:
        """The array as a term; a number is a coefficient, a scalar a scalar factor."""
        if core.op == "number":
            return Term(self.one, core.attrs[0])
        if core.rank == 0 and core.kind == "bool":
            core = self.node("truth", core)
        if core.rank == 0 and core is not self.one:
            return Term(self.one, Fraction(1), ((core, 1),))
        return Term(core)

    def times_scalars(self, term: Term, *others: Term) -> Term:
        """A term multiplied by scalar terms."""
        if all(other.plain for other in others):
            return term
        coefficient = term.coefficient
        for other in others:
            coefficient *= other.coefficient
        return Term(term.core, coefficient, merged(term.scalars, *(o.scalars for o in others)))

    def inverse_scalar(self, term: Term) -> Term:
        """1 / s for a scalar term."""
        if term.coefficient == 0:
            return Term(self.one, Fraction(1), ((self.number_of(self.number(0)), -1),))
        return Term(term.core, 1 / term.coefficient, tuple((self._divisor(s), -e) for s, e in term.scalars))

    def _divisor(self, s: Array) -> Array:
        """A scalar to divide by: an indicator as a NumPy number, by which division never raises."""
        doubtful = s.kind == "weak" and any(a.op == "truth" for a in arrays(s))
        return self.number_of(s) if doubtful else s

    def array(self, term: Term) -> Array:
        """The term multiplied out, the scalars put on the smallest operand."""
        core = term.core
        if term.coefficient == 0:
            return self.zeros(core.shape)
        if term.plain:
            return core
        if core is self.one and not term.scalars:
            return self.number(term.coefficient)
        if core is self.one and term.coefficient == 1 and len(term.scalars) == 1 and term.scalars[0][1] == 1:
            return term.scalars[0][0]
        match core.op:
            case "outer":
                left, right = core.args
                return self.outer(self.array(term._replace(core=left)), right)
            case "rows" | "columns" | "row" | "column":
                return self.node(core.op, self.array(term._replace(core=core.args[0])), attrs=core.attrs)
            case "diagonal":
                return self.diagonal(self.array(term._replace(core=core.args[0])))
            case "zeros":
                return core
            case "times" if core.args[0].op == "column" and not self.paid(core) and core not in self.settled:
                return self.times(self.array(term._replace(core=core.args[0])), *core.args[1:])
        term = self._through_known(term)
        if term.plain and core is self.one:
            return core
        scalars = tuple(sorted(term.scalars, key=lambda s: s[0].op not in ("arg", "size", "pi")))
        multiplied = term.coefficient == 1 and any(s.kind == "float" for s, _ in scalars)
        if core.kind == "bool" and not multiplied:
            core = self.number_of(core)
        attrs = (term.coefficient, tuple(e for _, e in scalars))
        made = self.node("scale", core, *(s for s, _ in scalars), attrs=attrs)
        if core is self.one and len(scalars) > 1:
            alike = self._scalar_products.setdefault(scalars[0], {})
            alike.setdefault(made, Term(core, term.coefficient, scalars))
        return made

    def _through_known(self, term: Term) -> Term:
        """The term with some of its scalars replaced by a product of them that is computed anyway."""
        products = [item for s in term.scalars for item in self._scalar_products.get(s, {}).items()]
        for known, product in products:
            same = term.core is self.one and len(product.scalars) == len(term.scalars)
            if known in self.settled and not same and set(product.scalars) <= set(term.scalars):
                rest = tuple(s for s in term.scalars if s not in product.scalars)
                return Term(term.core, term.coefficient / product.coefficient, merged(rest, ((known, 1),)))
        return term

    # --- sums and elementwise products --------------------------------------------------------------------------------

    def sum(self, terms: Iterable[tuple[Fraction, Array]]) -> Term:
        """A sum with coefficients; where it is known with the other sign, the negative of that."""
        merged_terms: dict[Array, Fraction] = {}
        for coefficient, a in terms:
            a = self.number_of(a) if a.kind == "bool" else a
            if a.op == "number":
                coefficient, a = coefficient * a.attrs[0], self.one
            elif a.op == "scale":
                inner = Term(a.args[0], Fraction(1), tuple(zip(a.args[1:], a.attrs[1], strict=True)))
                coefficient, a = coefficient * a.attrs[0], self.array(inner)
            merged_terms[a] = merged_terms[a] + coefficient if a in merged_terms else coefficient
        pairs = [(a, c) for a, c in merged_terms.items() if c and a.op != "zeros"]
        shape = broadcast([a.shape for a in merged_terms])
        if not pairs:
            return self.term(self.zeros(shape))
        if broadcast([a.shape for a, _ in pairs]) != shape:
            pairs.append((self.zeros(shape), Fraction(1)))
        if len(pairs) == 1:
            return self.times_scalars(self.term(pairs[0][0]), Term(self.one, pairs[0][1]))
        flipped = [(a, -c) for a, c in pairs]
        if all(c.numerator < 0 for _, c in pairs) or self._find_sum(flipped) is not None:
            return self._sum(flipped)._replace(coefficient=Fraction(-1))
        return self._sum(pairs)

    def _find_sum(self, pairs: Sequence[tuple[Array, Fraction]]) -> Array | None:
        return self.find("sum", *(a for a, _ in pairs), attrs=tuple(c for _, c in pairs))

    def _sum(self, pairs: Sequence[tuple[Array, Fraction]]) -> Term:
        if len(pairs) > MOST_TERMS:
            parts = [self._sum(pairs[i : i + MOST_TERMS]) for i in range(0, len(pairs), MOST_TERMS)]
            return self.sum((p.coefficient, self.array(p._replace(coefficient=Fraction(1)))) for p in parts)
        pairs = sorted(pairs, key=lambda p: p[1].numerator < 0)
        return self.term(self.node("sum", *(a for a, _ in pairs), attrs=tuple(c for _, c in pairs)))

    def times(self, *factors: Array) -> Array:
        """An elementwise product of arrays of broadcasting shapes."""
        kept = [f for f in factors if f.op != "ones"] or list(factors[:1])
        if broadcast([f.shape for f in kept]) != broadcast([f.shape for f in factors]):
            kept = list(factors)
        kept = [f for f in kept if f.kind != "bool"] + [f for f in kept if f.kind == "bool"]
        if len(kept) == 2 and kept[0] is kept[1] and kept[0].kind == "float":
            return self.square(kept[0])
        while len(kept) > MOST_TERMS:
            kept = [self.times(*kept[i : i + MOST_TERMS]) for i in range(0, len(kept), MOST_TERMS)]
        return kept[0] if len(kept) == 1 else self.node("times", *kept)

    def square(self, a: Array) -> Array:
        """A.^2."""
        if a.op == "quotient" and a.args[0] is self.one:
            return self.node("quotient", self.one, self.square(a.args[1]))
        return self.node("power", a, attrs=(Fraction(2),))

    def scaled(self, a: Array, u: Array, what: str) -> Array:
        """diag(u) A ("rows"), A diag(u) ("columns"), or u .* a ("entries"); where u is 1 ./ v, a quotient."""
        divide = u.op == "quotient" and u.args[0] is self.one
        by = u.args[1] if divide else u
        if a.op == "ones" and a.rank == 2:
            return self.repeated("columns", u, a.shape[1]) if what == "rows" else self.repeated("rows", u, a.shape[0])
        if a.op == "T" and what != "entries":
            # NumPy reads a transposed array slowly: the transpose is taken of the result
            return self.view(self.scaled(a.args[0], u, "columns" if what == "rows" else "rows"))
        if what == "rows":
            by = self.column(by)
        if divide:
            return self.node("quotient", a, by)
        return self.times(a, by) if what == "columns" else self.times(by, a)

    def first_settled(self, op: str, *choices: tuple[Array, ...]) -> int:
        """Which of several nodes the earlier lowering used; of more than one, the one that was made first."""
        found = [(node.serial, k) for k, args in enumerate(choices) if (node := self.find(op, *args)) is not None
                 and node in self.settled]  # fmt: skip
        return min(found)[1] if found else 0

    # --- views and special matrices -----------------------------------------------------------------------------------

    def zeros(self, axes: Axes) -> Array:
        """Zeros; the number 0 where there are no axes."""
        return self.node("zeros", attrs=(axes,)) if axes else self.number(0)

    def transpose(self, a: Array) -> Array:
        """The transpose: a view, or the array itself (a vector, a symmetric matrix)."""
        if a.rank < 2 or a in self.symmetric:
            return a
        match a.op:
            case "T":
                return a.args[0]
            case "outer":
                return self.node("outer", *a.args[::-1])
            case "rows":
                return self.node("columns", a.args[0], attrs=a.attrs)
            case "columns":
                return self.node("rows", a.args[0], attrs=a.attrs)
            case "ones" | "zeros":
                return self.node(a.op, attrs=(a.attrs[0][::-1],))
            case "commutation":
                return self.node(a.op, attrs=a.attrs[::-1])
            case "matmul" if not self.paid(a):
                left, right = a.args
                flipped = (self.view(right), self.view(left))
                if sum(x.op == "T" for x in flipped) <= sum(x.op == "T" for x in a.args):
                    return self.node("matmul", *flipped)
        return self.node("T", a)

    def view(self, a: Array) -> Array:
        """The transpose as it stands: a view of the array, nothing inside it turned round."""
        if a.rank < 2 or a in self.symmetric:
            return a
        return a.args[0] if a.op == "T" else self.node("T", a)

    def inverse(self, a: Array) -> Array:
        """The inverse; of a diagonal matrix, the diagonal of reciprocals."""
        match a.op:
            case "inv":
                return a.args[0]
            case "diagonal":
                return self.diagonal(self.node("quotient", self.one, a.args[0]))
            case "eye":
                return a
            case "T":
                return self.inverse_base(a) or self.transpose(self.node("inv", a.args[0]))
        return self.node("inv", a)

    def inverse_base(self, a: Array) -> Array | None:
        """B where a is B^-1."""
        if a.op == "inv":
            return a.args[0]
        if a.op == "T" and a.args[0].op == "inv":
            return self.transpose(a.args[0].args[0])
        return None

    def diagonal(self, u: Array) -> Array:
        """The diagonal matrix with this diagonal."""
        if u.op == "ones":
            return self.node("eye", attrs=(u.shape[0],))
        return self.node("diagonal", u)

    def flat(self, a: Array) -> Array:
        """The entries of a 1 x m matrix, with one axis."""
        return a.args[0] if a.op == "row" else self.node("flat", a)

    def column(self, v: Array) -> Array:
        """A vector as an n x 1 array."""
        return self.node("column", v)

    def outer(self, u: Array, v: Array) -> Array:
        """u v^T: repeated rows or columns where one of them is ones."""
        if u.op == "ones":
            both = v.op == "ones"
            return self.node("ones", attrs=(u.shape + v.shape,)) if both else self.repeated("rows", v, u.shape[0])
        if v.op == "ones":
            return self.repeated("columns", u, v.shape[0])
        result = self.node("outer", u, v)
        if u is v:
            self.symmetric.add(result)
        return result

    def repeated(self, op: str, v: Array, n: Dim) -> Array:
        """A vector repeated as n rows or n columns."""
        return self.node(op, v, attrs=(n,))

    def total(self, a: Array, axis: int | None = None) -> Term:
        """The sum of the entries, or of each column (axis 0) or row (axis 1)."""
        match a.op:
            case "ones" if axis is None:
                return self.size_term(a.shape)
            case "zeros":
                return self.term(self.zeros(() if axis is None else (a.shape[1 - axis],)))
            case "T":
                return self.total(a.args[0], None if axis is None else 1 - axis)
            case "times" | "quotient" if axis is not None and not self.paid(a):
                found = self._total_of_scaled(a, axis)
                if found is not None:
                    return found
        return self.term(self.node("total", a, attrs=(axis,)))

    def _total_of_scaled(self, a: Array, axis: int) -> Term | None:
        """The sum along an axis of A .* B with what does not vary along it taken out: u .* sum(A), sum(A) ./ u."""

        def vector(x: Array) -> Array | None:
            if axis == 1:
                return x.args[0] if x.op == "column" else None
            return x if x.rank == 1 else None

        if a.op == "quotient":
            above, below = a.args[0], vector(a.args[1])
            if below is None or above.shape != a.shape:
                return None
            term = self.total(above, axis)
            return term._replace(core=self.node("quotient", term.core, below))
        outside = [u for u in map(vector, a.args) if u is not None]
        rest = [x for x in a.args if vector(x) is None]
        if not rest or any(x.shape != a.shape or x.kind != "float" for x in rest):
            return None
        if axis == 1 and len(rest) == 2:
            return Term(self.times(*outside, self.node("row_dots", *rest)))
        if not outside:
            return None
        term = self.total(self.times(*rest), axis)
        return term._replace(core=self.times(*outside, term.core))

    def size_term(self, axes: Axes) -> Term:
        """The number of entries of an array with these axes."""
        total = Term(self.one)
        for d in axes:
            total = self.times_scalars(total, self.size(d))
        return total

    def size(self, d: Dim) -> Term:
        """A dimension as a number."""
        if d.number is not None:
            return Term(self.one, Fraction(d.number))
        return self.term(self.node("size", attrs=(d,)))

    def operand(self, a: Array) -> Array:
        """An array as an operand that NumPy broadcasts: repeated rows or columns are not formed."""
        match a.op:
            case "rows":
                return a.args[0].args[0] if a.args[0].op == "flat" else a.args[0]
            case "columns":
                return self.column(a.args[0])
        return a


__all__ = ["Builder", "Scalars", "Term", "merged"]
