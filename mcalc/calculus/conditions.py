"""Under which conditions a derivative holds: where f is defined and smooth, and what the answer divides by.

`conditions(f, answers)` reads them off the operators that occur; what is declared or implied (spd, positive,
orthogonal) is not repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.printing import ascii_text
from mcalc.algebra.structure import holds


def conditions(f: Expr, answers: Iterable[Expr], moving: set[Expr]) -> tuple[str, ...]:
    """The conditions as short ASCII phrases, in order of appearance; none that another one implies."""
    found: dict[str, None] = {}
    squared = {n.args[0] for n in postorder(f) if n.op == "pow" and n.attrs[0] % 2 == 0 and n.args[0].op == "norm"}
    plain = {a for n in postorder(f) if not (n.op == "pow" and n.args[0] in squared) for a in n.args}
    for node in postorder(f):
        found.update(dict.fromkeys(_of_function(node, node in moving, node in squared and node not in plain)))
    for node in postorder(*answers):
        found.update(dict.fromkeys(_of_quotient(node)))
    return strongest(found)


def strongest(phrases: Collection[str]) -> tuple[str, ...]:
    """The conditions without those that others imply."""
    implied = {weaker for phrase in phrases for weaker in _implied(phrase)}
    return tuple(phrase for phrase in phrases if phrase not in implied)


def _implied(phrase: str) -> tuple[str, ...]:
    """What need not be said beside a phrase."""
    if _UNWRITTEN in phrase:
        return ()
    entries, positive, rest = phrase.removeprefix("every entry of ").rpartition(" > 0")
    if positive and not rest and phrase.startswith("every entry of "):
        return f"no entry of {entries} is 0", f"diag({entries}) invertible"
    if positive and not rest:
        return (f"{entries} != 0",)
    entries = phrase.removeprefix("no entry of ").removesuffix(" is 0")
    return (f"diag({entries}) invertible",) if phrase == f"no entry of {entries} is 0" else ()


LONGEST = 300
"""A condition on a longer expression than this does not write it out."""
_UNWRITTEN = "an inner expression"
_CONDITIONAL = frozenset(
    ["log", "log1p", "sqrt", "arcsin", "arccos", "norm", "norm1", "abs", "relu", "sign", "max", "min", "maxall",
     "minall", "pinv", "logdet"]
)  # fmt: skip


def _text(e: Expr) -> str:
    return ascii_text(e) if e.length <= LONGEST else _UNWRITTEN


def _of_function(node: Expr, moves: bool, squared: bool) -> tuple[str, ...]:
    if not node.args:
        return ()
    arg = node.args[0]
    if node.op not in _CONDITIONAL:
        return _of_quotient(node)
    shown = _text(arg)
    each = "" if arg.is_scalar else "every entry of "
    match node.op:
        case "log" | "sqrt" if not holds(arg, "positive") and not _nonnegative(node):
            return (f"{each}{shown} > 0",)
        case "log1p" if not holds(arg, "positive"):
            return (f"{each}{shown} > -1",)
        case "arcsin" | "arccos":
            return (f"{each}{shown} in (-1, 1)",)
        case "norm" if moves and not squared:
            return (f"{shown} != 0",)
        case "abs" | "relu" | "sign" | "norm1" if moves:
            zero = "" if arg.is_scalar else "no entry of "
            return (f"{shown} != 0" if arg.is_scalar else f"{zero}{shown} is 0",)
        case "max" | "min" if moves:
            return (f"no tie in {_text(node)}",)
        case "maxall" | "minall" if moves:
            return (f"{_text(node)} is attained once",)
        case "pinv" if moves:
            return (f"the rank of {shown} is constant",)
        case "logdet" if not holds(arg, "invertible"):
            return (f"{shown} invertible",)
    return _of_quotient(node)


def _nonnegative(node: Expr) -> bool:
    arg = node.args[0]
    return node.op == "sqrt" and arg.op in ("num", "pi", "dim")


def _of_quotient(node: Expr) -> tuple[str, ...]:
    match node.op:
        case "pow" if node.attrs[0] < 0 and not node.is_scalar:
            base = node.args[0]
            return () if holds(base, "invertible") else (f"{_text(base)} invertible",)
        case "pow" if node.attrs[0] < 0:
            return _nonzero(node.args[0])
        case "hpow" if node.attrs[0] < 0 and not holds(node.args[0], "positive"):
            return (f"no entry of {_text(node.args[0])} is 0",)
        case "div":
            return _nonzero(node.args[1])
        case "hdiv" if not holds(node.args[1], "positive"):
            return (f"no entry of {_text(node.args[1])} is 0",)
    return ()


def _nonzero(s: Expr) -> tuple[str, ...]:
    if s.op in ("num", "pi", "dim") or holds(s, "positive"):
        return ()
    if s.op == "mul" and any(a.is_scalar for a in s.args):
        return tuple(phrase for a in s.args if a.is_scalar for phrase in _nonzero(a))
    if s.op in ("pow", "sqrt"):
        return _nonzero(s.args[0])
    return (f"{_text(s.args[0] if s.op == 'norm' else s)} != 0",)
