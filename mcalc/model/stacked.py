"""The forms of expressions of one iteration for all iterations at once.

Of a matrix, the form has the matrices one below the other ("rows"); of a column vector it has them as its rows
("columns"). `Stacker.form` finds the form of an expression that treats rows alike, `Stacker.total` the sum over all
iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.functions import ELEMENTWISE
from mcalc.algebra.operators import T, add, app, dimension_number, mul, neg, ones, zeros
from mcalc.algebra.operators import symbol as make_symbol
from mcalc.algebra.shape import ONE, Dim, dim
from mcalc.model.ir import Element, Range
from mcalc.model.ir import Sequence as Stored

ENTRYWISE = frozenset(("add", "neg", "had", "hdiv", "hpow", "max", "min", "eq", "ge", "gt", "le", "lt", *ELEMENTWISE))
OVER_ROWS = frozenset(("softmax", "logsumexp", "sum", "mean"))


@dataclass(frozen=True, slots=True)
class Stack:
    """The elements first..last of a sequence, one below the other, or (column vectors) as rows."""

    sequence: str
    first: Dim
    last: Dim


class Form(NamedTuple):
    """Of one node: whether it varies; the matrices one below the other; the column vectors as rows."""

    varies: bool
    rows: Expr | None
    columns: Expr | None


def transposed(e: Expr) -> Expr:
    """The transpose, of a transpose what it is of."""
    return e.args[0] if e.op == "T" else e if e.is_scalar else T(e)


class Stacker:
    """Stacked symbols of the sequences of one program."""

    def __init__(self, sequences: dict[str, Stored], elements: dict[Expr, Element], stacks: dict[Expr, Stack]) -> None:
        self.sequences = sequences
        self.elements = elements
        self.stacks = stacks

    def symbol(self, sequence: str, r: Range, offset: Dim) -> Expr:
        """The elements first+offset..last+offset as one matrix."""
        first, last = r.first + offset, r.last + offset
        rows, columns = self.sequences[sequence].shape
        shape = (r.count, rows) if columns is ONE else (r.count * rows, columns)
        made = make_symbol(f"{sequence}[{first}..{last}]", shape)
        self.stacks[made] = Stack(sequence, first, last)
        return made

    def form(self, e: Expr, r: Range) -> Expr | None:
        """The expression for all iterations, where rows are treated alike; as its sequence is stacked."""
        found = self._form(e, r)
        if not found.varies:
            return self._spread(e, r, columns=e.is_column)
        return found.columns if e.is_column else found.rows

    def _form(self, e: Expr, r: Range) -> Form:
        return fold(e, lambda node, args: self._combine(node, args, r), {})

    def _combine(self, e: Expr, args: list[Form], r: Range) -> Form:
        if e.op == "sym":
            return self._leaf(e, r)
        if not any(a.varies for a in args):
            return Form(False, None, None)
        if e.op in ENTRYWISE:
            return Form(True, self._entrywise(e, args, r, False), self._entrywise(e, args, r, True))
        match e.op:
            case "mul":
                return Form(True, *self._product(e, args))
            case "div":
                return Form(True, *(
                    None if args[1].varies or x is None else make("div", (x, e.args[1]), (), x.shape)
                    for x in (args[0].rows, args[0].columns)
                ))  # fmt: skip
            case "block" if e.attrs == (len(e.args),):
                parts = [a.rows for a in args]
                if all(p is not None for p in parts):
                    return Form(True, app("block", *(p for p in parts if p is not None), attrs=e.attrs), None)
            case op if op in OVER_ROWS:
                return self._over_rows(e, args[0])
        return Form(True, None, None)

    def _leaf(self, e: Expr, r: Range) -> Form:
        element = self.elements.get(e)
        if element is None or r.index not in element.index.names():
            return Form(False, None, None)
        made = self.symbol(element.sequence, r, element.index - dim(r.index))
        if e.is_scalar:
            return Form(True, made, made)
        return Form(True, None, made) if e.is_column else Form(True, made, None)

    def _spread(self, e: Expr, r: Range, columns: bool) -> Expr | None:
        """What is the same in every iteration, as often as there are iterations."""
        count = r.count
        if e.op == "zeros":
            return zeros(count, e.shape[0]) if columns else zeros(count * e.shape[0], e.shape[1])
        if e.op == "ones":
            return ones(count, e.shape[0]) if columns else ones(count * e.shape[0], e.shape[1])
        if columns:
            return mul(ones(count), transposed(e))
        if e.shape[0] is ONE:
            return mul(ones(count), e)
        match e.op:
            case "mul" if e.args[-2:] and e.args[0].op == "ones" and e.args[0].is_column:
                return mul(ones(count * e.shape[0]), *e.args[1:])
            case "neg":
                inner = self._spread(e.args[0], r, columns)
                return None if inner is None else neg(inner)
        return None

    def _entrywise(self, e: Expr, args: Sequence[Form], r: Range, columns: bool) -> Expr | None:
        if columns and not e.is_column:
            return None
        made: list[Expr] = []
        for node, found in zip(e.args, args, strict=True):
            if found.varies:
                part = found.columns if columns else found.rows
            elif node.is_scalar and not e.is_scalar:
                part = node
            elif node.is_scalar:
                part = node if e.op not in ("add", "had") else mul(node, ones(r.count))
            else:
                part = self._spread(node, r, columns)
            if part is None:
                return None
            made.append(part)
        shape = next((p.shape for p in made if not p.is_scalar), None)
        if shape is None or any(p.shape != shape and not p.is_scalar for p in made):
            return None
        return make(e.op, tuple(made), e.attrs, shape)

    def _product(self, e: Expr, args: Sequence[Form]) -> tuple[Expr | None, Expr | None]:
        moving = [k for k, a in enumerate(args) if a.varies]
        if len(moving) != 1:
            return None, None
        k = moving[0]
        before, after = e.args[:k], e.args[k + 1 :]
        scalars = [a for a in (*before, *after) if a.is_scalar]
        rows = columns = None
        found = args[k]
        if found.rows is not None and all(a.is_scalar for a in before) and not e.args[k].is_scalar:
            rows = mul(*scalars, found.rows, *(a for a in after if not a.is_scalar))
        if found.columns is not None and all(a.is_scalar for a in after) and e.is_column:
            left = [transposed(a) for a in reversed(before) if not a.is_scalar]
            columns = mul(*scalars, found.columns, *left)
        return rows, columns

    def _over_rows(self, e: Expr, found: Form) -> Form:
        axis = e.attrs[0]
        if e.op == "softmax":
            if axis == 1 and found.rows is not None:
                return Form(True, app("softmax", found.rows, attrs=(1,)), None)
            if e.is_column and axis in (0, "all", None) and found.columns is not None:
                return Form(True, None, app("softmax", found.columns, attrs=(1,)))
            return Form(True, None, None)
        if axis == 1 and found.rows is not None:
            return Form(True, app(e.op, found.rows, attrs=(1,)), None)
        if axis is None and e.args[0].is_column and found.columns is not None:
            made = app(e.op, found.columns, attrs=(1,))
            return Form(True, made, made)
        if axis is None and e.args[0].shape[0] is ONE and found.rows is not None:
            made = app(e.op, found.rows, attrs=(1,))
            return Form(True, made, made)
        return Form(True, None, None)

    # --- sums over all iterations -------------------------------------------------------------------------------------

    def total(self, e: Expr, r: Range) -> Expr | None:
        """The sum over the iterations."""
        terms = list(e.args) if e.op == "add" else [e]
        made = []
        for term in terms:
            sign = 1
            while term.op == "neg":
                term, sign = term.args[0], -sign
            found = self._term(term, r)
            if found is None:
                return None
            made.append(neg(found) if sign < 0 else found)
        return add(*made)

    def _term(self, e: Expr, r: Range) -> Expr | None:
        if not self._form(e, r).varies:
            return mul(dimension_number(r.count), e)
        match e.op:
            case "T":
                inner = self.total(e.args[0], r)
                return None if inner is None else transposed(inner)
            case "div" if not self._form(e.args[1], r).varies:
                inner = self.total(e.args[0], r)
                return None if inner is None else make("div", (inner, e.args[1]), (), inner.shape)
            case "tr":
                return self._trace(e.args[0], r)
            case "pow" if e.attrs[0] == 2 and e.args[0].op == "norm":
                inner = self._stacked(e.args[0].args[0], r)
                return None if inner is None else app("tr", mul(transposed(inner), inner))
            case "sum" if e.attrs[0] is None:
                inner = self._stacked(e.args[0], r)
                return None if inner is None else app("sum", inner, attrs=(None,))
            case "sum" if e.attrs[0] == 0:
                rows = self._form(e.args[0], r).rows
                return None if rows is None else app("sum", rows, attrs=(0,))
            case "mul":
                return self._summed_product(e, r)
        return self._plain_total(e, r)

    def _plain_total(self, e: Expr, r: Range) -> Expr | None:
        found = self._form(e, r)
        if e.is_column and found.columns is not None:
            summed = app("sum", found.columns, attrs=(None if e.is_scalar else 0,))
            return summed if e.is_scalar else transposed(summed)
        if e.shape[0] is ONE and found.rows is not None:
            return app("sum", found.rows, attrs=(0,))
        return None

    def _stacked(self, e: Expr, r: Range) -> Expr | None:
        """All entries of all iterations, in some order."""
        found = self._form(e, r)
        return found.rows if found.rows is not None else found.columns

    def _trace(self, e: Expr, r: Range) -> Expr | None:
        """tr(A^T B) summed is tr of the stacked ones."""
        if e.op == "add":
            parts = [self._term(app("tr", a), r) for a in e.args]
            return None if any(p is None for p in parts) else add(*(p for p in parts if p is not None))
        if e.op == "neg":
            inner = self._trace(e.args[0], r)
            return None if inner is None else neg(inner)
        if e.op != "mul":
            return None
        scalars = [a for a in e.args if a.is_scalar]
        factors = [a for a in e.args if not a.is_scalar]
        if any(self._form(a, r).varies for a in scalars):
            return None
        for k in range(len(factors)):
            rotated = factors[k:] + factors[:k]
            left, right = transposed(rotated[0]), mul(*rotated[1:]) if len(rotated) > 1 else None
            if right is None or left.shape != right.shape:
                continue
            a, b = self._form(left, r).rows, self._form(right, r).rows
            if a is not None and b is not None:
                return mul(*scalars, app("tr", mul(T(a), b)))
        return None

    def _summed_product(self, e: Expr, r: Range) -> Expr | None:
        """A^T B, and column times row."""
        scalars = [a for a in e.args if a.is_scalar]
        factors = [a for a in e.args if not a.is_scalar]
        moving = [a for a in scalars if self._form(a, r).varies]
        if moving:
            if len(moving) == 1 and not any(self._form(a, r).varies for a in factors):
                inner = self.total(moving[0], r)
                rest = [a for a in e.args if a is not moving[0]]
                return None if inner is None else mul(inner, *rest)
            return None
        for k in range(1, len(factors)):
            left, right = _joined(factors[:k], True), _joined(factors[k:], False)
            made = self._paired(left, right, r)
            if made is not None:
                return app("tr", mul(*scalars, made)) if e.is_scalar and not made.is_scalar else mul(*scalars, made)
        if scalars and len(factors) == 1:
            inner = self.total(factors[0], r)
            return None if inner is None else mul(*scalars, inner)
        return self._plain_total(e, r)

    def _paired(self, left: Expr, right: Expr, r: Range) -> Expr | None:
        """The sum of left^T right; of left right^T where both are columns."""
        a, b = self._either(left, r, False), self._either(right, r, False)
        if a is not None and b is not None and a.shape[0] is b.shape[0]:
            return mul(T(a), b)
        if left.shape[0] is ONE and right.shape[0] is ONE:
            a, b = self._either(transposed(left), r, True), self._either(transposed(right), r, True)
            return None if a is None or b is None else mul(T(a), b)
        if left.is_column and right.is_column and not left.is_scalar:
            a, b = self._either(left, r, True), self._either(right, r, True)
            if a is not None and b is not None:
                return mul(T(a), b)
        return None

    def _either(self, e: Expr, r: Range, columns: bool) -> Expr | None:
        found = self._form(e, r)
        if not found.varies:
            return self._spread(e, r, columns)
        return found.columns if columns else found.rows


def _joined(factors: Sequence[Expr], flip: bool) -> Expr:
    """A product; its transpose, with transposes moved to the factors."""
    if not flip:
        return mul(*factors)
    return mul(*(transposed(a) for a in reversed(factors)))
