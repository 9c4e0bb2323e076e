"""Elementwise functions of the user, read: `swish(x) = x sigmoid(x)` to a scalar expression in its parameter.

Goes in: the text of a definition, the declarations, and the functions defined before. Comes out: the `Function`, and
the other names in its body, every one of them a scalar.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import SCALAR
from mcalc.errors import McalcError, NameProblem, ParseError, Span
from mcalc.frontend.calls import FUNCTION_WORDS
from mcalc.frontend.checking import Question, check
from mcalc.frontend.declarations import Declared
from mcalc.frontend.dimensions import Misfit
from mcalc.frontend.elaborate import elaborate
from mcalc.frontend.inline import ALLOWED, Function
from mcalc.frontend.parser import tree
from mcalc.frontend.problems import explain
from mcalc.frontend.program import Program, Resolver
from mcalc.frontend.words import Scope, key, spell

_ELEMENTWISE_STEPS = frozenset(
    ["number", "dimension", "constant", "symbol", "sum", "product", "negative", "power", "elementwise_power",
     "exponential", "compare", "applied", "same", "bars"]
)  # fmt: skip


def read_function(
    text: str, scope: Scope, declared: Declared, functions: Mapping[str, Function]
) -> tuple[Function, dict[str, Expr]]:
    """The function that the text defines, and the symbols in it besides its parameter."""
    name_token, parameter_token, body = tree(text, "function", scope)
    name, parameter = key(spell(str(name_token))), key(spell(str(parameter_token)))
    if _has_meaning(name) or name in functions or name in declared.shapes:
        span = Span(name_token.start_pos, name_token.end_pos)
        raise NameProblem(f"{name_token} has a meaning already", span, text=text, hint="choose another name")
    if _has_meaning(parameter) or parameter == name:
        span = Span(parameter_token.start_pos, parameter_token.end_pos)
        raise NameProblem(f"{parameter_token} cannot be a parameter", span, text=text, hint="choose another name")
    try:
        program = Resolver(scope, declared.dimensions, functions).resolve([], body)
        return _function(name, parameter, program, declared, functions, text)
    except McalcError as error:
        raise error.at(None, text) from None


def _has_meaning(name: str) -> bool:
    return name in FUNCTION_WORDS and len(name) > 1


def _function(
    name: str, parameter: str, program: Program, declared: Declared, functions: Mapping[str, Function], text: str
) -> tuple[Function, dict[str, Expr]]:
    for step in program.steps:
        if step.kind not in _ELEMENTWISE_STEPS and not (step.kind == "call" and step.value[0] in ALLOWED):
            raise ParseError(
                f"the body of {name} is taken entry by entry: only elementwise functions and + - * / ^ stand in it",
                step.node.span,
            )
    variable = o.symbol(parameter)
    others: dict[str, Expr] = {}
    for symbol, span in program.symbols.items():
        whole = key(symbol)
        if whole == parameter:
            continue
        if whole == name:
            raise NameProblem(f"{name} is defined by itself", span)
        if declared.shapes.get(whole, SCALAR) != SCALAR:
            raise NameProblem(f"{symbol} is no scalar, and in {name} every name is one", span)
        others[symbol] = o.symbol(symbol, SCALAR, declared.properties.get(whole, frozenset()))
    try:
        checked = check(Question(program, dict.fromkeys(program.symbols, SCALAR), SCALAR), {})
    except Misfit as misfit:
        raise explain(misfit, program, text) from None
    symbols = {**others, **{symbol: variable for symbol in program.symbols if key(symbol) == parameter}}
    values = elaborate(program, checked, symbols, functions)
    return Function(name, variable, values[program.root]), others
