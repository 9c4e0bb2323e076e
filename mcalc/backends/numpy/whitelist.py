"""The last gate: generated text is Python that computes with arrays, and nothing else.

In: the text of a module, before it is given, or its code, before it is run; raises `InternalError` where it imports,
reads or calls anything outside the tables below. Of code the names are looked at: it does not have to be parsed again.
"""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Sequence
from inspect import CO_OPTIMIZED
from types import CodeType

from mcalc.errors import InternalError

IMPORTS = frozenset(["import numpy as np", "from typing import NamedTuple", "from scipy.special import erf"])
IMPORTS |= {"from scipy.linalg import expm", "from scipy.special import erfcx", "from scipy.special import log_ndtr"}

MODULE_NAMES = frozenset(
    (
        "abs", "add", "arange", "arccos", "arcsin", "arctan", "argmax", "asarray", "block", "concatenate", "cos", "cosh",
        "diag", "diagonal", "divide", "divmod", "dot", "dtype", "einsum", "empty", "equal", "exp", "expm1", "eye", "float32", "float64", "greater", "greater_equal", "inf", "isfinite", "kron", "less", "less_equal", "linalg", "log", "log1p", "ma",
        "matmul", "max", "maximum", "mean", "min", "minimum", "multiply", "nan", "ndarray", "negative", "ones", "outer", "pi", "positive", "power", "random", "reciprocal", "repeat", "shape", "sign", "sin", "sinh",
        "sqrt", "square", "squeeze", "subtract", "sum", "tan", "tanh", "tile", "trace", "tril", "triu", "unravel_index", "vdot",
        "vecdot", "where", "zeros", "zeros_like",
    )
)  # fmt: skip
"""Attributes of `np`."""

LINALG_NAMES = frozenset(
    ("LinAlgError", "cholesky", "det", "inv", "matrix_power", "multi_dot", "norm", "pinv", "slogdet", "solve", "svd")
)
"""Attributes of `np.linalg`."""

RANDOM_NAMES = frozenset(("default_rng",))
"""Attributes of `np.random`."""

ARRAY_NAMES = frozenset(
    (
        "T", "_fields", "_replace", "append", "astype", "at", "base", "char", "copy", "dot", "dtype", "flatten", "fromkeys",
        "items", "is_masked", "itemsize", "join", "kind", "max", "mean", "min", "nbytes", "ndim", "pop", "prod", "reshape",
        "setdefault", "shape", "sizes", "standard_normal", "sum", "type", "values",
    )
)  # fmt: skip
"""Attributes of arrays, of their dtypes and of the dictionaries that the argument checks use."""

ORDER_NAMES = frozenset(["backward", "buffers", "by_rows", "forward", "get"])
"""Attributes of an order of products, of a form, and of the dictionary of dimensions."""

BUILTINS = frozenset(
    (
        "AttributeError", "IndexError", "TypeError", "ValueError", "abs", "all", "any", "bool", "dict", "float", "int",
        "isinstance", "len", "list", "map", "max", "min", "object", "print", "range", "str", "sum", "tuple", "type", "zip",
    )
)  # fmt: skip

_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign,
    ast.AnnAssign, ast.ClassDef, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript,
    ast.Slice, ast.Tuple, ast.List, ast.Dict, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp,
    ast.AugAssign, ast.Try, ast.ExceptHandler, ast.Assert, ast.Pass,
    ast.IfExp, ast.If, ast.For, ast.Raise, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension,
    ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip


def check_module(text: str) -> ast.Module:
    """The syntax tree of the text, which holds nothing but what the tables allow."""
    tree = ast.parse(text)
    nodes = _nodes(tree)
    for kind in dict.fromkeys(map(type, nodes)):
        if not issubclass(kind, _NODES):
            raise InternalError(f"generated code may not contain {kind.__name__}")
    named = [node for node in nodes if type(node) in _NAMED]
    bound = _bound_names(named)
    for node in named:
        if problem := _problem(node, bound):
            raise InternalError(f"generated code may not {problem}")
    return tree


_NAMED = frozenset(
    (ast.Import, ast.ImportFrom, ast.alias, ast.Name, ast.FunctionDef, ast.ClassDef, ast.arg, ast.Attribute)
)
"""Kinds of nodes with names."""


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """Every node of the tree."""
    found: list[ast.AST] = [tree]
    for node in found:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found.extend(item for item in value if isinstance(item, ast.AST))
    return found


def _bound_names(nodes: Sequence[ast.AST]) -> set[str]:
    names = {"np"}
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.arg(arg=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=alias):
                names.add(alias or name)
    return names


def _problem(node: ast.AST, bound: set[str]) -> str:
    match node:
        case ast.Import() | ast.ImportFrom() if ast.unparse(node) not in IMPORTS:
            return f"run {ast.unparse(node)!r}"
        case ast.Name(id="__name__", ctx=ast.Load()):
            return ""
        case ast.Name(id="np", ctx=ast.Store()):
            return "rebind np"
        case ast.Name(id=name):
            return f"read the name {name!r}" if "__" in name or (name not in bound and name not in BUILTINS) else ""
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name) if "__" in name or name == "np":
            return f"define {name!r}"
        case ast.FunctionDef(decorator_list=[_, *_]) | ast.ClassDef(decorator_list=[_, *_]):
            return "decorate"
        case ast.Attribute(value=ast.Name(id="np"), attr=name):
            return "" if name in MODULE_NAMES else f"read np.{name}"
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="np"), attr="linalg"), attr=name):
            return "" if name in LINALG_NAMES else f"read np.linalg.{name}"
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="np"), attr="add" | "maximum"), attr="reduce"):
            return ""
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="np"), attr="random"), attr=name):
            return "" if name in RANDOM_NAMES else f"read np.random.{name}"
        case ast.Attribute(value=ast.Name(id="ws")) | ast.Attribute(value=ast.Name(id="workspace")):
            return ""
        case ast.Attribute(attr=name) if name not in ARRAY_NAMES | ORDER_NAMES:
            return f"read the attribute {name!r}"
    return ""


# --- code -------------------------------------------------------------------------------------------------------------

_READ = MODULE_NAMES | LINALG_NAMES | RANDOM_NAMES | ARRAY_NAMES | ORDER_NAMES | BUILTINS | {"np", "reduce"}
_SPECIAL = frozenset(["__annotations__", "__doc__", "__module__", "__name__", "__qualname__"])
_SPECIAL |= {"__firstlineno__", "__static_attributes__", "__classdictcell__"}
"""Names that Python itself reads or writes where a module or a class is made."""
_NEVER = frozenset(dir(builtins)) - _READ - _SPECIAL
_NO_STEPS = frozenset(
    dis.opmap[name]
    for name in (
        "IMPORT_NAME", "STORE_ATTR", "STORE_GLOBAL", "MATCH_CLASS", "MATCH_MAPPING", "LOAD_BUILD_CLASS", "DELETE_NAME",
        "DELETE_GLOBAL", "DELETE_ATTR", "BEFORE_WITH",
    )
    if name in dis.opmap
)  # fmt: skip
"""What functions do not do; modules and classes do none of it but import and make classes."""


def check_code(code: CodeType) -> None:
    """Check a compiled module: it reads no global name and no attribute but those that the tables allow and its own.

    Only the module itself imports. Names of variables are no matter: code cannot reach anything by them.
    """
    parts, own, read = [code], set[str](), set[str]()
    for part in parts:
        parts += [x for x in part.co_consts if isinstance(x, CodeType)]
        read.update(part.co_names)
        steps = _NO_STEPS.intersection(part.co_code[::2])
        if not part.co_flags & CO_OPTIMIZED:  # the module or a class
            own.update(step.argval for step in dis.get_instructions(part) if step.opname == "STORE_NAME")
            steps -= {dis.opmap["IMPORT_NAME"], dis.opmap["LOAD_BUILD_CLASS"]} if part is code else set()
        if steps:
            raise InternalError(f"generated code may not {dis.opname[min(steps)]}")
    imported = _imported(code)
    unknown = {name for name in read - _SPECIAL if "__" in name or name in _NEVER}
    unknown |= read - own - _READ - _SPECIAL - imported
    if unknown:
        raise InternalError(f"generated code may not read {min(unknown)!r}")


def _imported(code: CodeType) -> set[str]:
    """The names in the imports of a module, each of which the table allows."""
    names: set[str] = set()
    steps = list(dis.get_instructions(code))
    for before, step, after in zip([steps[0], *steps], steps, [*steps[1:], steps[-1]], strict=False):
        imported = before.opname == "IMPORT_NAME"
        line = ""
        if imported and step.opname == "STORE_NAME":
            line = f"import {before.argval} as {step.argval}"
        elif imported or step.opname == "IMPORT_FROM":
            line = f"from {before.argval} import {step.argval}"
            line += f" as {after.argval}" if after.argval != step.argval else ""
        elif step.opname == "STORE_NAME" and step.argval == "np":
            line = "np = ..."
        if line:
            names |= {before.argval, step.argval}
            if line not in IMPORTS:
                raise InternalError(f"generated code may not run {line!r}")
    return names
