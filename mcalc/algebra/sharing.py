"""Names for repeated subexpressions, where they make printed lines shorter.

In: the lines that will be printed, the names in use, and the user's own definitions. Out: `Sharing`: which node is
printed as which name, and the definitions to print with it (`with R = y - X W`).

Greedy common-subexpression naming: while a line is too long to read, the node that saves most in all lines together
gets a letter (R for a residual, H for an activation, P for probabilities, …). The user's definitions come first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from mcalc.algebra.expr import Expr, fold, postorder
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.printing import unicode_text

READABLE = 60
"""Characters of a line that needs no names."""
_LONG = 400
_MOST = 12
_LEAST_GAIN = 6
_PLENTY = 10**9

# fmt: off
_LETTERS: dict[str, str] = {
    # operator: its letters, in order of preference
    "difference": "RED",  "add": "ZQ",  "softmax": "P",  "sigmoid": "SP",  "exp": "E",  "pow": "MK",
    "mul": "ZQM",  "had": "UQ",  **dict.fromkeys(("tanh", "relu", "softplus", "sin", "cos"), "H"),
}
# fmt: on
_ANY = "MQUZBCGHKLNPRSTVWFDEJYAX"


class Sharing(NamedTuple):
    """`names`: node to name; `definitions`: name to node, each after those that it uses."""

    names: dict[Expr, str]
    definitions: dict[str, Expr]

    def without(self, name: str) -> dict[Expr, str]:
        """The names that the definition of `name` may use."""
        return {node: known for node, known in self.names.items() if known != name}


def share(
    lines: Sequence[Expr],
    taken: Collection[str],
    given: Mapping[str, Expr] | None = None,
    answers: Collection[Expr] = (),
) -> Sharing:
    """Names for what the lines repeat; none where every line is short, none for `answers` or their multiples."""
    whole = {inside for e in answers for inside in _insides(e)}
    present = set(postorder(*lines))
    names = {node: name for name, node in (given or {}).items() if node in present and node.args}
    kept = set(names)
    used = {*taken, *(given or {})}
    while len(names) - len(kept) < _MOST and _longest(lines, names) > READABLE:
        best = _best(lines, names, whole)
        if best is None:
            break
        names[best] = _letter(best, used)
        used.add(names[best])
    shown = {node: names[node] for node in postorder(*lines) if node in names}
    for node in [n for n in shown if n not in kept]:
        others = {n: name for n, name in shown.items() if n is not node}
        if _counts([*lines, *others], others).get(node, 0) < 2:
            shown = others
    return Sharing(shown, {name: node for node, name in shown.items()})


def _insides(e: Expr) -> list[Expr]:
    """The expression, and what it is a scalar multiple or the transpose of."""
    found = [e]
    while e.op in ("neg", "div", "mul", "T"):
        matrices = [a for a in e.args if not a.is_scalar]
        if len(matrices) != 1:
            break
        e = matrices[0]
        found.append(e)
    return found


def _longest(lines: Sequence[Expr], names: Mapping[Expr, str]) -> int:
    """The characters of the longest line."""
    longest = 0
    for e in [*lines, *names]:
        others = {node: name for node, name in names.items() if node is not e} if e in names else names
        size = _sizes([e], others)[e]
        longest = max(longest, _PLENTY if size > _LONG else len(unicode_text(e, others)))
    return longest


def _sizes(lines: Sequence[Expr], names: Mapping[Expr, str]) -> dict[Expr, int]:
    """The length of every node, a named one counting one."""
    memo: dict[Expr, int] = dict.fromkeys(names, 1)
    own: dict[Expr, int] = {}
    for line in lines:
        fold(line, lambda node, below: min(_PLENTY, _own(node, own) + sum(below)), memo)
    return memo


def _own(node: Expr, memo: dict[Expr, int]) -> int:
    return max(0, node.length - sum(a.length for a in node.args)) if node.length < _PLENTY else 1


def _counts(lines: Sequence[Expr], names: Mapping[Expr, str]) -> dict[Expr, int]:
    """How often each node is printed, in all lines and in the definitions of the names."""
    order = [*postorder(*lines)]
    counts = dict.fromkeys(order, 0)
    for line in lines:
        counts[line] += 1
    for node in reversed(order):
        times = 1 if node in names and counts[node] else counts[node]
        for arg in node.args:
            counts[arg] = min(_PLENTY, counts[arg] + times)
    return counts


def _best(lines: Sequence[Expr], names: Mapping[Expr, str], whole: Collection[Expr]) -> Expr | None:
    """The node that saves most (what occurs in definitions alone has no size)."""
    sizes, counts = _sizes(lines, names), _counts(lines, names)
    moving: dict[Expr, bool] = {}
    best, most = None, _LEAST_GAIN - 1
    for node in postorder(*lines):
        below = node.op == "d" or any(moving[a] for a in node.args)
        moving[node] = below
        if below or node in names or node in whole or node.op in ("T", "neg", "num", "sym") or sizes.get(node, 0) < 4:
            continue
        gain = (counts[node] - 1) * (sizes[node] - 1) - 3
        if gain > most:
            best, most = node, gain
    return best


def _letter(node: Expr, used: Collection[str]) -> str:
    kind = node.op
    if kind == "add" and any(a.op == "neg" for a in node.args):
        kind = "difference"
    wished = _LETTERS.get(kind, "H" if kind in FUNCTIONS else "") + _ANY
    small = node.is_column
    for letter in wished:
        name = letter.lower() if small else letter
        if name not in used and name not in "defI":
            return name
    number = 1
    while (name := f"{'r' if small else 'R'}{number}") in used:
        number += 1
    return name
