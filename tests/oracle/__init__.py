"""A referee that shares no code with mcalc: reads the language, evaluates, differentiates, measures."""

from .calculus import HAS_JAX, Function, derivative, differential, gradient, project
from .length import length
from .sampling import choose_sizes, directions, sample
from .steps import check_at, check_steps
from .syntax import OracleError, canonical, parse, parse_where
from .values import IllConditioned, NeedsSize, evaluate

__all__ = [
    "HAS_JAX",
    "Function",
    "IllConditioned",
    "NeedsSize",
    "OracleError",
    "canonical",
    "check_at",
    "check_steps",
    "choose_sizes",
    "derivative",
    "differential",
    "directions",
    "evaluate",
    "gradient",
    "length",
    "parse",
    "parse_where",
    "project",
    "sample",
]
