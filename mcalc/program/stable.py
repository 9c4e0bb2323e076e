"""Recognising what has a stable form: log(1 + exp(x)) is softplus(x), exp(x) ./ sum(exp(x)) is softmax(x), ….

In: expressions; out: the same functions, written with `softplus`, `sigmoid`, `logsumexp`, `softmax`, `logdet`,
`log1p` and CODE_FUNCTIONS, whose code neither overflows nor cancels. One bottom-up pass; each rule looks at a node
whose operands are already rewritten. References: Maechler, "Accurately computing log(1 - exp(-|a|))", 2012; Blanchard,
Higham & Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41, 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from mcalc.algebra.expr import Expr, fold, rebuild
from mcalc.algebra.operators import T, add, app, had, mul, neg, number, ones
from mcalc.algebra.shape import ONE
from mcalc.program.quotients import quotient
from mcalc.simplify.logarithms import logarithm

Memo = dict[Expr, Expr]


def stable(root: Expr, memo: Memo) -> Expr:
    """The expression in stable forms; `memo` shares the work between expressions."""
    return fold(root, _rewrite, memo)


def _rewrite(e: Expr, args: list[Expr]) -> Expr:
    node = rebuild(e, args)
    for recognise in _RULES.get(node.op, ()):
        found = recognise(node)
        if found is not None and found.shape == node.shape:
            return found
    return node


def is_one(e: Expr) -> bool:
    """Whether this is the number 1, or all ones."""
    return (e.op == "num" and e.attrs[0] == 1) or e.op == "ones"


def _one_plus(e: Expr) -> Expr | None:
    """x where e = 1 + x."""
    if e.op != "add" or len(e.args) != 2:
        return None
    x, y = e.args
    other = y if is_one(x) else x if is_one(y) else None
    return other if other is not None and other.shape == e.shape else None


def _one_plus_exp(e: Expr) -> Expr | None:
    """u where e = 1 + exp(u)."""
    x = _one_plus(e)
    return x.args[0] if x is not None and x.op == "exp" else None


def opposite(e: Expr) -> Expr:
    """-e, with no two signs."""
    if e.op == "neg":
        return e.args[0]
    if e.op == "mul" and e.args[0].op == "neg":
        first = e.args[0].args[0]
        return mul(*([] if is_one(first) and first.is_scalar else [first]), *e.args[1:])
    if e.op == "had" and e.args[0].op == "neg":
        return had(e.args[0].args[0], *e.args[1:])
    return neg(e)


def _logistic_power(e: Expr) -> tuple[Expr, Fraction] | None:
    """(u, k) where e = (1 + exp(u)).^-k, which is sigmoid(-u).^k."""
    if e.op in ("hpow", "pow") and e.attrs[0] < 0:
        u = _one_plus_exp(e.args[0])
        if u is not None and (e.op == "hpow" or e.is_scalar):
            return u, -e.attrs[0]
    return None


def _power(e: Expr, k: Fraction) -> Expr:
    return e if k == 1 else app("pow" if e.is_scalar else "hpow", e, attrs=(k,))


def _reciprocal(e: Expr) -> Expr | None:
    found = _logistic_power(e)
    return None if found is None else _power(app("sigmoid", opposite(found[0])), found[1])


def _quotient(e: Expr) -> Expr | None:
    """exp(x) ./ (1 + exp(x)), 1 ./ (1 + exp(-x)), exp(x) ./ sum(exp(x))."""
    above, below = e.args
    if e.op == "div" and not e.is_scalar:
        return _softmax_of_all(above, below)
    k = Fraction(1)
    if below.op in ("hpow", "pow") and below.attrs[0] > 0 and (below.op == "hpow" or below.is_scalar):
        below, k = below.args[0], below.attrs[0]
    u = _one_plus_exp(below)
    if u is not None:
        logistic = _power(app("sigmoid", opposite(u)), k)
        if is_one(above):
            return logistic
        made = mul(above, logistic) if above.is_scalar else had(above, logistic)
        return _pair(made) or made
    if k == 1 and above.op == "exp" and below.op == "mul" and len(below.args) == 2:
        return _softmax_over_axis(above, below)
    return None


def _softmax_of_all(above: Expr, below: Expr) -> Expr | None:
    if above.op == "exp" and below.op == "sum" and below.attrs[0] is None and below.args[0] is above:
        axis = 0 if above.is_column else "all"
        return app("softmax", above.args[0], attrs=(axis,))
    return None


def _softmax_over_axis(above: Expr, below: Expr) -> Expr | None:
    for sums, filled, axis in ((below.args[0], below.args[1], 1), (below.args[1], below.args[0], 0)):
        if sums.op == "sum" and sums.attrs[0] == axis and sums.args[0] is above and filled.op == "ones":
            return app("softmax", above.args[0], attrs=(axis,))
    return None


def _pair(e: Expr) -> Expr | None:
    """Among factors: exp(u) sigmoid(-u)^k is sigmoid(u) sigmoid(-u)^(k-1); sigmoid(u) sigmoid(-u) is S (1 - S)."""
    if e.op not in ("had", "mul"):
        return None
    factors = [f for a in e.args for f in (a.args if a.op == e.op == "had" else (a,))]
    for place, f in enumerate(factors):
        if f.op != "exp":
            continue
        for other, g in enumerate(factors):
            power = g.attrs[0] if g.op in ("hpow", "pow") else Fraction(1)
            base = g.args[0] if g.op in ("hpow", "pow") else g
            if base.op == "sigmoid" and power > 0 and base.args[0] is opposite(f.args[0]) and f.shape == g.shape:
                factors[place] = app("sigmoid", f.args[0])
                factors[other] = _power(base, power - 1) if power != 1 else factors[place]
                if power == 1:
                    del factors[other]
                made = _joined(e, factors)
                return _pair(made) or made
    for f in factors:
        if f.op == "sigmoid":
            for other, g in enumerate(factors):
                if g.op == "sigmoid" and g.args[0] is opposite(f.args[0]) and (f.args[0].op != "neg"):
                    factors[other] = add(number(1), neg(f))
                    return _joined(e, factors)
    return None


def _joined(e: Expr, factors: list[Expr]) -> Expr:
    if len(factors) == 1:
        return factors[0]
    return had(*factors) if e.op == "had" else mul(*factors)


def _log(e: Expr) -> Expr | None:
    x = e.args[0]
    match x.op:
        case "sigmoid":
            return neg(app("softplus", opposite(x.args[0])))
        case "softmax":
            return _log_softmax(x)
        case "det":
            return app("logdet", x.args[0])
        case "abs" if x.args[0].op == "det":
            return app("logdet", x.args[0].args[0])
        case "cosh":
            u = x.args[0]
            return add(app("softplus", mul(number(2), u)), neg(u), neg(app("log", number(2))))
        case "sum" if x.args[0].op == "exp":
            return app("logsumexp", x.args[0].args[0], attrs=x.attrs)
        case "add":
            inner = _one_plus(x)
            if inner is not None and inner.op == "exp":
                return app("softplus", inner.args[0])
            return _logarithm(x) or (None if inner is None else app("log1p", inner))
    return _logarithm(x)


def _log_softmax(x: Expr) -> Expr:
    z, axis = x.args[0], x.attrs[0]
    rows, columns = z.shape
    if axis == "all" or (axis == 0 and columns is ONE) or (axis == 1 and rows is ONE):
        total = app("logsumexp", z, attrs=(None,))
        return add(z, neg(total if rows is ONE or columns is ONE else mul(total, ones(rows, columns))))
    total = app("logsumexp", z, attrs=(axis,))
    spread = mul(total, T(ones(columns))) if axis == 1 else mul(ones(rows), total)
    return add(z, neg(spread))


def _log1p(e: Expr) -> Expr | None:
    x = e.args[0]
    if x.op == "exp":
        return app("softplus", x.args[0])
    if x.op == "neg" and x.args[0].op == "sigmoid":
        return neg(app("softplus", x.args[0].args[0]))
    return _logarithm(add(number(1), x))


def _logarithm(x: Expr) -> Expr | None:
    made = logarithm(x)
    return None if made is None else stable(made, {})


def _complement(e: Expr) -> Expr | None:
    """1 - sigmoid(x) is sigmoid(-x); so it is of 1 / (1 - exp(-x))."""
    x = _one_plus(e)
    if x is not None and x.op == "neg" and x.args[0].op in ("sigmoid", "cosigmoid"):
        return app(x.args[0].op, opposite(x.args[0].args[0]))
    return None


def _exp(e: Expr) -> Expr | None:
    """exp(-softplus(-x)) is sigmoid(x)."""
    x = e.args[0]
    if x.op == "neg" and x.args[0].op == "softplus":
        return app("sigmoid", opposite(x.args[0].args[0]))
    return None


_RULES: dict[str, tuple[Callable[[Expr], Expr | None], ...]] = {
    "log": (_log,),
    "log1p": (_log1p,),
    "exp": (_exp,),
    "add": (_complement,),
    "div": (_quotient, quotient),
    "hdiv": (_quotient, quotient),
    "pow": (_reciprocal, quotient),
    "hpow": (_reciprocal, quotient),
    "had": (_pair, quotient),
    "mul": (_pair, quotient),
}
