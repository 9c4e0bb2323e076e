"""The elementwise functions of the language: one row each.

`derivative` gives f'(x) as an expression in x and y = f(x), entry by entry; it is what d f(X) = f'(X) .* dX uses.
`domain` is where f is defined: "real", "positive" (x > 0), "negative", "nonzero", "above -1", "inside" (-1 < x < 1). `kink` says where f'
is a convention (LANGUAGE.md, "Derivatives at kinks"). References: Abramowitz & Stegun for the classical functions.

CODE_FUNCTIONS are those that stable forms are written with (mcalc/simplify/logarithms.py). They are no words of the
language: generated code has them, and its comments spell them out.

This module builds no expressions at import: the derivatives are functions of a namespace `o` (the operators).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Function(NamedTuple):
    """An elementwise function."""

    name: str
    derivative: Callable[[Any, Any, Any], Any]
    """(o, x, y) to f'(x), o being mcalc.algebra.operators and y = f(x)."""
    shown: str
    """d f(X) as the rule tables print it."""
    latex: str
    domain: str = "real"
    kink: str = ""
    reference: str = "Abramowitz & Stegun"


def _one_minus(o: Any, e: Any) -> Any:
    return o.add(o.number(1), o.neg(e))


def _one_plus(o: Any, e: Any) -> Any:
    return o.add(o.number(1), e)


def _of_log_erfc(o: Any, x: Any) -> Any:
    return o.neg(o.div(o.mul(o.number(2), o.hpow(o.app("erfcx", x), -1)), o.app("sqrt", o.PI)))


# fmt: off
_ROWS = (
    Function("exp",      lambda o, x, y: y,                                        "exp(X) .* dX",             r"\exp"),
    Function("log",      lambda o, x, y: o.hpow(x, -1),                            "dX ./ X",                  r"\log", "positive"),
    Function("log1p",    lambda o, x, y: o.hpow(_one_plus(o, x), -1),              "dX ./ (1 + X)",            r"\operatorname{log1p}", "above -1"),
    Function("sqrt",     lambda o, x, y: o.div(o.hpow(y, -1), o.number(2)),        "dX ./ (2 sqrt(X))",        r"\operatorname{sqrt}", "positive"),
    Function("sin",      lambda o, x, y: o.app("cos", x),                          "cos(X) .* dX",             r"\sin"),
    Function("cos",      lambda o, x, y: o.neg(o.app("sin", x)),                   "-sin(X) .* dX",            r"\cos"),
    Function("tan",      lambda o, x, y: _one_plus(o, o.hpow(y, 2)),               "(1 + tan(X).^2) .* dX",    r"\tan"),
    Function("arcsin",   lambda o, x, y: o.hpow(o.app("sqrt", _one_minus(o, o.hpow(x, 2))), -1),
                                                                                   "dX ./ sqrt(1 - X.^2)",     r"\arcsin", "inside"),
    Function("arccos",   lambda o, x, y: o.neg(o.hpow(o.app("sqrt", _one_minus(o, o.hpow(x, 2))), -1)),
                                                                                   "-dX ./ sqrt(1 - X.^2)",    r"\arccos", "inside"),
    Function("arctan",   lambda o, x, y: o.hpow(_one_plus(o, o.hpow(x, 2)), -1),   "dX ./ (1 + X.^2)",         r"\arctan"),
    Function("sinh",     lambda o, x, y: o.app("cosh", x),                         "cosh(X) .* dX",            r"\sinh"),
    Function("cosh",     lambda o, x, y: o.app("sinh", x),                         "sinh(X) .* dX",            r"\cosh"),
    Function("tanh",     lambda o, x, y: _one_minus(o, o.hpow(y, 2)),              "(1 - tanh(X).^2) .* dX",   r"\tanh"),
    Function("abs",      lambda o, x, y: o.app("sign", x),                         "sign(X) .* dX",            r"\operatorname{abs}",
             kink="zero entries", reference="convention abs'(0) = 0"),
    Function("sign",     lambda o, x, y: None,                                     "0",                        r"\operatorname{sign}",
             kink="zero entries", reference="convention sign' = 0"),
    Function("relu",     lambda o, x, y: o.app("gt", x, o.number(0)),              "(X > 0) .* dX",            r"\operatorname{relu}",
             kink="zero entries", reference="Glorot, Bordes & Bengio 2011; convention relu'(0) = 0"),
    Function("sigmoid",  lambda o, x, y: o.had(y, _one_minus(o, y)),               "sigmoid(X) .* (1 - sigmoid(X)) .* dX",
             r"\sigma", reference="McCullagh & Nelder, Generalized Linear Models"),
    Function("softplus", lambda o, x, y: o.app("sigmoid", x),                      "sigmoid(X) .* dX",         r"\operatorname{softplus}",
             reference="Dugas et al. 2001"),
    Function("erf",      lambda o, x, y: o.div(o.mul(o.number(2), o.app("exp", o.neg(o.hpow(x, 2)))), o.app("sqrt", o.PI)),
                                                                                   "2 exp(-X.^2) / sqrt(pi) .* dX", r"\operatorname{erf}"),
)

_CODE_ROWS = (
    Function("log1mexp", lambda o, x, y: o.app("cosigmoid", x),                    "dX ./ (1 - exp(-X))",      "", "negative",
             reference="Maechler 2012"),
    Function("cosigmoid", lambda o, x, y: o.had(y, _one_minus(o, y)),              "-exp(-X) ./ (1 - exp(-X)).^2 .* dX", "", "nonzero"),
    Function("log_erfc", lambda o, x, y: _of_log_erfc(o, x),                       "-2 exp(-X.^2) ./ (sqrt(pi) (1 - erf(X))) .* dX", ""),
    Function("log_half_erfc", lambda o, x, y: _of_log_erfc(o, x),                  "-2 exp(-X.^2) ./ (sqrt(pi) (1 - erf(X))) .* dX", ""),
    Function("erfcx",    lambda o, x, y: o.add(o.mul(o.number(2), o.had(x, y)), o.neg(o.div(o.number(2), o.app("sqrt", o.PI)))),
                                                                                   "(2 X .* erfcx(X) - 2 / sqrt(pi)) .* dX", ""),
)
# fmt: on

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}

CODE_FUNCTIONS: dict[str, Function] = {row.name: row for row in _CODE_ROWS}
"""log1mexp(x) = log(1 - exp(x)), cosigmoid(x) = 1/(1 - exp(-x)), log_erfc(x) = log(1 - erf(x)), log_half_erfc(x) =
log((1 - erf(x))/2), erfcx(x) = exp(x^2) (1 - erf(x))."""

ELEMENTWISE: dict[str, Function] = {**FUNCTIONS, **CODE_FUNCTIONS}
