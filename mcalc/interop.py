"""Expressions and the world around: equality of texts or expressions, and conversion to and from SymPy.

SymPy is imported when a conversion is asked for, and never sees text of a user: names go into `Symbol` and
`MatrixSymbol` objects, numbers into `Integer` and `Rational`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr, fold
from mcalc.algebra.shape import SCALAR, Dim, dim, shape_text
from mcalc.errors import NotSupported

if TYPE_CHECKING:
    from mcalc.verify.equality import Equality


def equal(a: str | Expr, b: str | Expr, where: str | Sequence[str] = ()) -> Equality:
    """Whether a = b for all values and sizes: proved, refuted with a counterexample, or undecided.

    The result is true where it is proved. Texts are read with the declarations `where`; what `a` leaves to inference
    has the same shape in `b`. Raises `McalcError` where a text cannot be read.
    """
    from mcalc.verify import equality

    return equality.equal(*_both(a, b, [where] if isinstance(where, str) else list(where)))


def _both(a: str | Expr, b: str | Expr, where: list[str]) -> tuple[Expr, Expr]:
    from mcalc.algebra.expr import symbols
    from mcalc.frontend import parse

    if isinstance(a, Expr) and isinstance(b, Expr):
        return a, b
    if isinstance(a, Expr):
        right, left = _both(b, a, where)
        return left, right
    if isinstance(b, Expr):
        known = [f"{s.name}: {shape_text(s.shape)} {' '.join(sorted(s.attrs[1]))}" for s in symbols(b)]
        return parse(a, where=where or known, shape=b.shape).expression, b
    first = parse(a, where=where)
    inferred = [f"{name}: {shape_text(s.expr.shape)}" for name, s in first.symbols.items() if s.inferred]
    return first.expression, parse(b, where=[*where, *inferred]).expression


# --- to SymPy ---------------------------------------------------------------------------------------------------------

_ELEMENTWISE = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "abs": "Abs", "sign": "sign",
    "erf": "erf",
}  # fmt: skip


def to_sympy(e: Expr) -> Any:
    """The expression in SymPy: symbols are `MatrixSymbol` (scalars `Symbol`) with symbolic sizes.

    Raises `NotSupported` for an operator that SymPy's matrix expressions do not have.
    """
    import sympy as sp

    def convert(node: Expr, args: list[Any]) -> Any:
        rule = _TO_SYMPY.get(node.op)
        if rule is not None:
            return rule(sp, node, args)
        if node.op in _ELEMENTWISE:
            return _elementwise(sp, getattr(sp, _ELEMENTWISE[node.op]), node, args[0])
        raise NotSupported(f"SymPy has no form of {node.op}", code="sympy")

    return fold(e, convert)


def _elementwise(sp: Any, function: Any, node: Expr, arg: Any) -> Any:
    if node.is_scalar:
        return function(arg)
    x = sp.Dummy("x")
    return arg.applyfunc(sp.Lambda(x, function(x)))


def _size(sp: Any, d: Dim) -> Any:
    total = sp.Integer(0)
    for monomial, coefficient in d.terms:
        names = (sp.Symbol(n, integer=True, positive=True) for n in monomial)
        total += sp.Mul(_rational(sp, Fraction(coefficient)), *names)
    return total


def _rational(sp: Any, value: Fraction) -> Any:
    return sp.Rational(value.numerator, value.denominator)


def _symbol(sp: Any, node: Expr, args: list[Any]) -> Any:
    if node.is_scalar:
        return sp.Symbol(node.name, real=True)
    return sp.MatrixSymbol(node.name, *(_size(sp, d) for d in node.shape))


def _add(sp: Any, node: Expr, args: list[Any]) -> Any:
    if node.is_scalar:
        return sp.Add(*args)
    ones = sp.OneMatrix(*(_size(sp, d) for d in node.shape))
    return sp.MatAdd(*(x * ones if a.is_scalar else x for a, x in zip(node.args, args, strict=True)))


def _mul(sp: Any, node: Expr, args: list[Any]) -> Any:
    """Scalars in front; a product that comes to a scalar is its only entry."""
    scalars = [x for a, x in zip(node.args, args, strict=True) if a.is_scalar]
    matrices = [x for a, x in zip(node.args, args, strict=True) if not a.is_scalar]
    if not matrices:
        return sp.Mul(*scalars)
    product = sp.MatMul(*matrices) if len(matrices) > 1 else matrices[0]
    if node.is_scalar:
        return sp.Mul(*scalars, sp.Trace(product))
    return sp.MatMul(*scalars, product).doit(deep=False) if scalars else product


def _power(sp: Any, node: Expr, args: list[Any]) -> Any:
    exponent = _rational(sp, node.attrs[0])
    if node.is_scalar:
        return sp.Pow(args[0], exponent)
    return sp.Inverse(args[0]) if node.attrs[0] == -1 else sp.MatPow(args[0], exponent)


def _entries_power(sp: Any, node: Expr, args: list[Any]) -> Any:
    if node.is_scalar:
        return sp.Pow(args[0], _rational(sp, node.attrs[0]))
    return sp.HadamardPower(args[0], _rational(sp, node.attrs[0]))


def _sum(sp: Any, node: Expr, args: list[Any]) -> Any:
    rows, columns = (_size(sp, d) for d in node.args[0].shape)
    left, right = sp.OneMatrix(1, rows), sp.OneMatrix(columns, 1)
    match node.attrs[0]:
        case None:
            return sp.Trace(sp.MatMul(left, args[0], right))
        case 0:
            return sp.MatMul(left, args[0])
        case _:
            return sp.MatMul(args[0], right)


def _norm(sp: Any, node: Expr, args: list[Any]) -> Any:
    return sp.sqrt(sp.Trace(sp.MatMul(sp.Transpose(args[0]), args[0]))) if not node.args[0].is_scalar else abs(args[0])


_TO_SYMPY: dict[str, Callable[[Any, Expr, list[Any]], Any]] = {
    "sym": _symbol,
    "num": lambda sp, e, args: _rational(sp, e.attrs[0]),
    "dim": lambda sp, e, args: _size(sp, e.attrs[0]),
    "pi": lambda sp, e, args: sp.pi,
    "eye": lambda sp, e, args: sp.Identity(_size(sp, e.attrs[0])),
    "ones": lambda sp, e, args: sp.OneMatrix(*(_size(sp, d) for d in e.shape)),
    "zeros": lambda sp, e, args: sp.ZeroMatrix(*(_size(sp, d) for d in e.shape)),
    "add": _add,
    "neg": lambda sp, e, args: -args[0],
    "mul": _mul,
    "div": lambda sp, e, args: args[0] / args[1],
    "had": lambda sp, e, args: sp.Mul(*args) if e.is_scalar else sp.HadamardProduct(*args),
    "hdiv": lambda sp, e, args: args[0] / args[1] if e.is_scalar else sp.HadamardProduct(
        args[0], sp.HadamardPower(args[1], -1)),
    "pow": _power,
    "hpow": _entries_power,
    "power": lambda sp, e, args: sp.Pow(*args),
    "T": lambda sp, e, args: args[0] if e.is_scalar else sp.Transpose(args[0]),
    "tr": lambda sp, e, args: args[0] if e.args[0].is_scalar else sp.Trace(args[0]),
    "det": lambda sp, e, args: args[0] if e.args[0].is_scalar else sp.Determinant(args[0]),
    "logdet": lambda sp, e, args: sp.log(sp.Abs(sp.Determinant(args[0]))),
    "sum": _sum,
    "norm": _norm,
    "kron": lambda sp, e, args: sp.KroneckerProduct(*args),
}  # fmt: skip


# --- from SymPy -------------------------------------------------------------------------------------------------------


def from_sympy(e: Any, properties: Mapping[str, Sequence[str]] | None = None) -> Expr:
    """The expression that a SymPy matrix expression stands for; `properties` of symbols by name (`{"S": ["spd"]}`).

    A positive integer `Symbol` is a dimension, any other a scalar.
    Raises `NotSupported` for a class without a counterpart.
    """
    known = {name: frozenset(words) for name, words in (properties or {}).items()}
    memo: dict[Any, Expr] = {}
    stack = [(e, False)]
    while stack:
        node, ready = stack.pop()
        if node in memo:
            continue
        parts = _operands(node)
        if ready or not parts:
            memo[node] = _from(node, [memo[p] for p in parts], known)
        else:
            stack.append((node, True))
            stack.extend((p, False) for p in parts)
    return memo[e]


def _operands(node: Any) -> list[Any]:
    match type(node).__name__:
        case "MatrixSymbol" | "Identity" | "OneMatrix" | "ZeroMatrix" | "Symbol" | "Dummy":
            return []
        case "ElementwiseApplyFunction":
            return [node.expr]
        case "MatPow" | "Inverse" | "HadamardPower":
            return [node.args[0]]
        case "Pow" if node.args[1].is_Rational:
            return [node.args[0]]
    return list(node.args)


def _dim(d: Any) -> Dim:
    if d.is_Integer:
        return dim(int(d))
    if d.is_Symbol:
        return dim(str(d.name))
    parts = [_dim(a) for a in d.args]
    total = parts[0]
    for part in parts[1:]:
        total = total * part if d.is_Mul else total + part
    if not (d.is_Add or d.is_Mul):
        raise NotSupported(f"a dimension is a sum or product of names and integers, not {d}", code="sympy")
    return total


def _named(word: str) -> str:
    return {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "Abs": "abs"}.get(word, word)


def _from(node: Any, args: list[Expr], properties: Mapping[str, frozenset[str]]) -> Expr:
    kind = type(node).__name__
    if getattr(node, "is_Rational", False):
        value = o.number(abs(Fraction(int(node.p), int(node.q))))
        return o.neg(value) if node < 0 else value
    match kind:
        case "Symbol" if node.is_integer and node.is_positive:
            return o.dimension_number(dim(str(node.name)))
        case "Symbol":
            return o.symbol(str(node.name), SCALAR, properties.get(str(node.name), frozenset()))
        case "MatrixSymbol":
            shape = (_dim(node.shape[0]), _dim(node.shape[1]))
            return o.symbol(str(node.name), shape, properties.get(str(node.name), frozenset()))
        case "Pi":
            return o.PI
        case "Exp1":
            return o.app("exp", o.number(1))
        case "Identity":
            return o.eye(_dim(node.shape[0]))
        case "OneMatrix":
            return o.ones(_dim(node.shape[0]), _dim(node.shape[1]))
        case "ZeroMatrix":
            return o.zeros(_dim(node.shape[0]), _dim(node.shape[1]))
        case "Add" | "MatAdd":
            return o.add(*args)
        case "Mul" | "MatMul":
            ordered = [*(a for a in args if a.is_scalar), *(a for a in args if not a.is_scalar)]
            minus = ordered[0] is o.neg(o.number(1)) and len(ordered) > 1
            return o.neg(o.mul(*ordered[1:])) if minus else o.mul(*ordered)
        case "Pow" | "MatPow" | "Inverse":
            exponent = -1 if kind == "Inverse" else node.args[1]
            if len(args) == 2:
                return o.app("power", *args)
            return o.pow_(args[0], Fraction(str(exponent)))
        case "HadamardProduct":
            return o.had(*args)
        case "HadamardPower":
            return o.hpow(args[0], Fraction(str(node.args[1])))
        case "Transpose":
            return o.T(args[0])
        case "Trace":
            return args[0] if args[0].is_scalar else o.app("tr", args[0])
        case "Determinant":
            return args[0] if args[0].is_scalar else o.app("det", args[0])
        case "KroneckerProduct":
            return o.app("kron", *args)
        case "ElementwiseApplyFunction":
            body = node.function.expr if hasattr(node.function, "expr") else node.function
            return o.app(_named(type(body).__name__), args[0])
    word = _named(kind)
    if word in o.SHAPES and len(args) == 1:
        return o.app(word, args[0])
    raise NotSupported(f"no form of SymPy's {kind}", code="sympy")


__all__ = ["equal", "from_sympy", "to_sympy"]
