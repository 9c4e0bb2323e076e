"""Identities that recognise what a user spelled out: log(sum(exp(x))) is logsumexp(x).

Each row: name, left and right as the rule tables print them, its reference, and the match, which returns the right
side or None. They are applied to the expression before it is differentiated, innermost first, one step each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, make
from mcalc.algebra.operators import T, add, app, eye, had, hdiv, inv, mul, neg, number, ones, sub
from mcalc.algebra.shape import ONE, SCALAR
from mcalc.simplify.logarithms import logarithm
from mcalc.simplify.normal_form import Rewrite


class Identity(NamedTuple):
    """left = right; `match` applies it from left to right at the root of an expression."""

    name: str
    left: str
    right: str
    reference: str
    ops: tuple[str, ...]
    match: Callable[[Expr], Expr | None]


def _is(e: Expr, value: int) -> bool:
    return (e.op == "num" and e.attrs[0] == value) or (value == 1 and e.op == "ones")


def _one_plus(e: Expr) -> Expr | None:
    """x of 1 + x."""
    if e.op != "add" or len(e.args) != 2:
        return None
    a, b = e.args
    return b if _is(a, 1) else a if _is(b, 1) else None


def _one_plus_exp(e: Expr) -> Expr | None:
    x = _one_plus(e)
    return x.args[0] if x is not None and x.op == "exp" else None


def _one_minus(e: Expr, op: str) -> Expr | None:
    x = _one_plus(e)
    return x.args[0].args[0] if x is not None and x.op == "neg" and x.args[0].op == op else None


def _log_sum_exp(e: Expr) -> Expr | None:
    s = e.args[0]
    if s.op == "sum" and s.args[0].op == "exp":
        return app("logsumexp", s.args[0].args[0], attrs=s.attrs)
    if s.op == "mul" and len(s.args) == 2:
        a, b = s.args
        if b.op == "exp" and s.is_scalar and a.op == "T" and a.args[0].op == "ones":
            return app("logsumexp", b.args[0], attrs=(None,))
        if a.op == "exp" and b.op == "ones" and b.shape[1] is ONE and not s.is_scalar:
            return app("logsumexp", a.args[0], attrs=(1,))
    return None


def _softplus(e: Expr) -> Expr | None:
    x = _one_plus_exp(e.args[0])
    return None if x is None else app("softplus", x)


def _softplus_log1p(e: Expr) -> Expr | None:
    return app("softplus", e.args[0].args[0]) if e.args[0].op == "exp" else None


def _sigmoid(e: Expr) -> Expr | None:
    top, bottom = e.args
    x = _one_plus_exp(bottom)
    if x is None:
        return _tanh(top, bottom)
    if top.op == "exp" and top.args[0] is x:
        return app("sigmoid", x)
    value = app("sigmoid", x.args[0] if x.op == "neg" else neg(x))
    if _is(top, 1):
        return value
    return mul(top, value) if top.is_scalar or value.is_scalar else had(top, value)


def _tanh(top: Expr, bottom: Expr) -> Expr | None:
    """tanh(x) of (exp(x) - exp(-x)) ./ (exp(x) + exp(-x))."""
    if top.op != "add" or bottom.op != "add" or len(top.args) != 2 or len(bottom.args) != 2:
        return None
    first, second = bottom.args
    if top.args[0] is not first or top.args[1] is not neg(second) or first.op != "exp" or second.op != "exp":
        return None
    return app("tanh", first.args[0]) if second.args[0] is neg(first.args[0]) else None


def _sigmoid_power(e: Expr) -> Expr | None:
    x = _one_plus_exp(e.args[0]) if e.attrs[0] == -1 and (e.is_scalar or e.op == "hpow") else None
    return app("sigmoid", x.args[0]) if x is not None and x.op == "neg" else None


def _softmax(e: Expr) -> Expr | None:
    top, bottom = e.args
    if bottom.op != "sum" or bottom.attrs != (None,):
        return None
    scalars, matrix = _parts(top)
    if matrix is None or matrix.op != "exp" or bottom.args[0] is not matrix:
        return None
    return mul(*scalars, app("softmax", matrix.args[0], attrs=(0 if matrix.is_column else "all",)))


def _parts(e: Expr) -> tuple[list[Expr], Expr | None]:
    """The scalars and the one matrix of a product (or the matrix itself)."""
    factors = e.args if e.op == "mul" else (e,)
    matrices = [a for a in factors if not a.is_scalar]
    return [a for a in factors if a.is_scalar], matrices[0] if len(matrices) == 1 else None


def _log_of_multiple(e: Expr) -> Expr | None:
    scalars, matrix = _parts(e.args[0])
    if not scalars or matrix is None or matrix.op not in ("exp", "softmax", "sigmoid"):
        return None
    return add(app("log", matrix), *(app("log", s) for s in scalars))


def _sum_of_kron(e: Expr) -> Expr | None:
    if e.args[0].op != "kron" or e.attrs != (None,):
        return None
    return mul(*(app("sum", a, attrs=(None,)) for a in e.args[0].args))


def _log_sigmoid(e: Expr) -> Expr | None:
    s = e.args[0]
    return neg(app("softplus", _negative(s.args[0]))) if s.op == "sigmoid" else None


def _negative(e: Expr) -> Expr:
    return e.args[0] if e.op == "neg" else neg(e)


def _log_one_minus_sigmoid(e: Expr) -> Expr | None:
    x = _one_minus(e.args[0], "sigmoid")
    return None if x is None else neg(app("softplus", x))


def _softmax_over_axis(e: Expr) -> Expr | None:
    """exp(X) over its row sums, spread over the columns; over its column sums, spread over the rows."""
    above, below = e.args
    if above.op != "exp" or below.op != "mul" or len(below.args) != 2:
        return None
    for sums, filled, axis in ((below.args[0], below.args[1], 1), (below.args[1], below.args[0], 0)):
        filled = filled.args[0] if filled.op == "T" else filled
        if sums.op == "sum" and sums.attrs == (axis,) and sums.args[0] is above and filled.op == "ones":
            return app("softmax", above.args[0], attrs=(axis,))
    return None


def _log_softmax(e: Expr) -> Expr | None:
    s = e.args[0]
    if s.op != "softmax":
        return None
    x, axis = s.args[0], s.attrs[0]
    if axis == "all" or x.is_column or x.shape[0] is ONE:
        total = app("logsumexp", x, attrs=(None,))
        return sub(x, mul(total, ones(*x.shape)))
    total = app("logsumexp", x, attrs=(axis,))
    return sub(x, mul(total, ones(ONE, x.shape[1])) if axis == 1 else mul(ones(x.shape[0]), total))


def _log_det(e: Expr) -> Expr | None:
    return app("logdet", e.args[0].args[0]) if e.args[0].op == "det" else None


def _log_abs_det(e: Expr) -> Expr | None:
    return _log_det(app("log", e.args[0].args[0])) if e.args[0].op == "abs" else None


def _trace_of_kron(e: Expr) -> Expr | None:
    k = e.args[0]
    if k.op != "kron" or not all(a.is_square for a in k.args):
        return None
    return mul(*(app("tr", a) for a in k.args))


def _norm_of_kron(e: Expr) -> Expr | None:
    return mul(*(app("norm", a) for a in e.args[0].args)) if e.args[0].op == "kron" else None


def _square_of_product(e: Expr) -> Expr | None:
    s, k = e.args[0], e.attrs[0]
    if not e.is_scalar or s.op != "mul" or k != 2 or not all(a.op == "norm" for a in s.args):
        return None
    return mul(*(make("pow", (a,), (k,), SCALAR) for a in s.args))


def _kron_vec(e: Expr) -> Expr | None:
    for i, (a, b) in enumerate(zip(e.args, e.args[1:], strict=False)):
        if a.op == "kron" and b.op == "vec" and a.args[0].shape[1] is b.args[0].shape[1]:
            new = app("vec", mul(a.args[1], b.args[0], T(a.args[0])))
            return mul(*e.args[:i], new, *e.args[i + 2 :])
    return None


def _vec_dot_vec(e: Expr) -> Expr | None:
    if len(e.args) == 2 and e.args[0].op == "T" and e.args[0].args[0].op == "vec" and e.args[1].op == "vec":
        return app("tr", mul(T(e.args[0].args[0].args[0]), e.args[1].args[0]))
    return None


def _det_of_kron(e: Expr) -> Expr | None:
    k = e.args[0]
    if k.op != "kron" or not all(a.is_square for a in k.args):
        return None
    (m, n), (a, b) = (k.args[0].shape[0], k.args[1].shape[0]), k.args
    if m.number is None or n.number is None:
        return None
    return mul(
        *(make("pow", (app("det", x),), (number(p).attrs[0],), SCALAR) for x, p in ((a, n.number), (b, m.number)))
    )


def _logdet_of_kron(e: Expr) -> Expr | None:
    k = e.args[0]
    if k.op != "kron" or not all(a.is_square for a in k.args):
        return None
    from mcalc.algebra.operators import dimension_number

    a, b = k.args
    return add(mul(dimension_number(b.shape[0]), app("logdet", a)), mul(dimension_number(a.shape[0]), app("logdet", b)))


def _norm_of_vec(e: Expr) -> Expr | None:
    return app("norm", e.args[0].args[0]) if e.args[0].op == "vec" else None


def _sum_of_softmax(e: Expr) -> Expr | None:
    s = e.args[0]
    if s.op == "softmax" and e.attrs == (None,) and (s.attrs[0] == "all" or s.is_column):
        return number(1)
    return None


def _schur(e: Expr) -> Expr | None:
    m = e.args[0]
    if m.op != "block" or m.attrs != (2, 2) or not (m.args[0].is_square and m.args[3].is_square):
        return None
    a, b, c, d = m.args
    schur = sub(d, mul(c, inv(a), b))
    return mul(app("det", a), app("det", schur)) if e.op == "det" else add(app("logdet", a), app("logdet", schur))


def _logarithm(e: Expr, moving: Collection[Expr]) -> Expr | None:
    if e.op not in ("log", "log1p"):
        return None
    return logarithm(e.args[0] if e.op == "log" else add(number(1), e.args[0]), moving)


# fmt: off
IDENTITIES: tuple[Identity, ...] = (
    Identity("log-sum-exp",             "log(sum(exp(x)))",      "logsumexp(x)",        "Boyd & Vandenberghe, sec. 3.1.5",   ("log",), _log_sum_exp),
    Identity("softplus",                "log(1 + exp(x))",       "softplus(x)",         "Dugas et al. 2001",                  ("log",), _softplus),
    Identity("softplus",                "log1p(exp(x))",         "softplus(x)",         "Dugas et al. 2001",                  ("log1p",), _softplus_log1p),
    Identity("sigmoid",                 "1 ./ (1 + exp(-x))",    "sigmoid(x)",          "McCullagh & Nelder",                 ("div", "hdiv"), _sigmoid),
    Identity("sigmoid",                 "y ./ (1 + exp(-x))",    "y .* sigmoid(x)",     "McCullagh & Nelder",                 ("div", "hdiv"), _sigmoid),
    Identity("hyperbolic tangent",      "(exp(x) - exp(-x)) ./ (exp(x) + exp(-x))", "tanh(x)", "definition",                  ("div", "hdiv"), _sigmoid),
    Identity("sigmoid",                 "(1 + exp(-x)).^-1",     "sigmoid(x)",          "McCullagh & Nelder",                 ("pow", "hpow"), _sigmoid_power),
    Identity("softmax",                 "exp(x) / sum(exp(x))",  "softmax(x)",          "Bishop, PRML (4.62)",                ("div",), _softmax),
    Identity("log of a sigmoid",        "log(sigmoid(x))",       "-softplus(-x)",       "log(1/(1 + exp(-x)))",               ("log",), _log_sigmoid),
    Identity("log of a sigmoid",        "log(1 - sigmoid(x))",   "-softplus(x)",        "log(1/(1 + exp(x)))",                ("log",), _log_one_minus_sigmoid),
    Identity("softmax of rows",         "exp(X) ./ (sum(exp(X), axis=1) 1_m^T)", "softmax(X)", "Bishop, PRML (4.62)",       ("hdiv",), _softmax_over_axis),
    Identity("log of a softmax",        "log(softmax(x))",       "x - logsumexp(x)",    "Boyd & Vandenberghe, sec. 3.1.5",    ("log",), _log_softmax),
    Identity("log of a multiple",       "log(s softmax(x))",     "log(softmax(x)) + log(s)", "Abramowitz & Stegun, s > 0",    ("log",), _log_of_multiple),
    Identity("sum of a Kronecker product", "sum(kron(A,B))",     "sum(A) sum(B)",       "definition",                         ("sum",), _sum_of_kron),
    Identity("log-determinant",         "log(det(X))",           "logdet(X)",           "definition, det(X) > 0",             ("log",), _log_det),
    Identity("log-determinant",         "log(abs(det(X)))",      "logdet(X)",           "definition",                         ("log",), _log_abs_det),
    Identity("trace of a Kronecker product", "tr(kron(A,B))",    "tr(A) tr(B)",         "Magnus & Neudecker, (2.2.10)",       ("tr",), _trace_of_kron),
    Identity("norm of a Kronecker product", "norm(kron(A,B))",   "norm(A) norm(B)",     "Magnus & Neudecker, ch. 2.2",        ("norm",), _norm_of_kron),
    Identity("determinant of a Kronecker product", "det(kron(A,B))", "det(A)^n det(B)^m", "Magnus & Neudecker, theorem 2.1",   ("det",), _det_of_kron),
    Identity("determinant of a Kronecker product", "logdet(kron(A,B))", "n logdet(A) + m logdet(B)", "Magnus & Neudecker, theorem 2.1", ("logdet",), _logdet_of_kron),
    Identity("power of a product",      "(s t)^2",               "s^2 t^2",             "scalars commute",                    ("pow",), _square_of_product),
    Identity("Kronecker product times vec", "kron(A,B) vec(X)",  "vec(B X A^T)",        "Magnus & Neudecker, theorem 2.2",    ("mul",), _kron_vec),
    Identity("vec as an inner product", "vec(A)^T vec(B)",       "tr(A^T B)",           "Magnus & Neudecker, (2.4.2)",        ("mul",), _vec_dot_vec),
    Identity("norm of a vec",           "norm(vec(X))",          "norm(X)",             "Magnus & Neudecker, ch. 2.4",        ("norm",), _norm_of_vec),
    Identity("softmax sums to one",     "sum(softmax(x))",       "1",                   "definition",                         ("sum",), _sum_of_softmax),
    Identity("Schur complement",        "det([A, B; C, D])",     "det(A) det(D - C A^-1 B)", "Horn & Johnson, (0.8.5)",       ("det", "logdet"), _schur),
)
# fmt: on

_BY_OP: dict[str, list[Identity]] = {}
for _row in IDENTITIES:
    for _op in _row.ops:
        _BY_OP.setdefault(_op, []).append(_row)


def recognise(root: Expr, in_code: Collection[Expr] | None = None) -> tuple[Expr, list[Rewrite]]:
    """The expression with what it spells out recognised, and the steps, innermost first.

    `in_code`: also what only generated code has (CODE_FUNCTIONS) and forms that one would not print; the symbols by which
    the expression will be differentiated.
    """
    steps: list[Rewrite] = []

    def combine(node: Expr, args: list[Expr]) -> Expr:
        current = node if not args or list(node.args) == args else make(node.op, tuple(args), node.attrs, node.shape)
        changed = True
        while changed:
            changed = False
            for identity in _BY_OP.get(current.op, ()):
                new = identity.match(current)
                if new is not None:
                    steps.append(Rewrite(identity.name, current, new))
                    current, changed = new, True
                    break
        stable = None if in_code is None else _logarithm(current, in_code)
        if stable is not None:
            steps.append(Rewrite("stable logarithm", current, stable))
            return stable
        return current

    return fold(root, combine), steps


_ = (eye, hdiv)
