"""Random models of states of several shapes, with sums that are no products of stacked matrices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

ATOMS = {"n x m": ["x[t]", "y[t]", "B"], "m x m": ["A", "C", "A^T"], "m": ["v", "u[t]"]}
STARTS = {"n x m": ["zeros(n, m)"], "m x m": ["zeros(m, m)", "eye(m)", "A"], "m": ["v", "zeros(m)"]}
FORMS = {
    "n x m": ["{a} {M}", "G {a}", "tanh({e})", "{e} + {e}", "sigmoid({e}) .* {a}", "{a} + 1_n b", "s * {a}", "{e} - {a}",
              "1_n {v}^T + {a}"],
    "m x m": ["{a}^T {a} / n", "{M} {M}", "tanh({E})", "{E} + {M}", "{M} .* {M}", "{v} {v}^T", "eye(m) - {M}"],
    "m": ["{M} {v}", "tanh({w})", "{w} + {v}", "{a}^T 1_n", "{v} .* {v}", "softmax({w})"],
}  # fmt: skip
TERMS = [
    "norm({e} - y[t])^2", "tr({a}^T G {a})", "tr({M} {M})", "{v}^T {M} {v}", "logsumexp({v})", "sum(exp(-{M}))",
    "norm({M})^2", "sum({a} .* {a}) * s",
]  # fmt: skip


class _States:
    def __init__(self, r: Random) -> None:
        self.r = r
        self.atoms = {shape: list(found) for shape, found in ATOMS.items()}

    def text(self, form: str, depth: int = 1) -> str:
        """A form with its places filled: {a}, {M}, {v} by a name, {e}, {E}, {w} by a form in turn."""
        for place, shape in (("a", "n x m"), ("M", "m x m"), ("v", "m")):
            while f"{{{place}}}" in form:
                form = form.replace(f"{{{place}}}", self.r.choice(self.atoms[shape]), 1)
        for place, shape in (("e", "n x m"), ("E", "m x m"), ("w", "m")):
            while f"{{{place}}}" in form:
                inner = self.value(shape, depth - 1) if depth else self.r.choice(self.atoms[shape])
                form = form.replace(f"{{{place}}}", inner, 1)
        return form

    def value(self, shape: str, depth: int = 1) -> str:
        return f"({self.text(self.r.choice(FORMS[shape]), depth)})"

    def loop(self, names: Sequence[str], first: int) -> list[str]:
        """States and what they are made of, each named so that later ones can read it; up or down."""
        down = self.r.random() < 0.3
        start, before = ("T+1", "t+1") if down else (first - 1, "t-1")
        shapes = {name: self.r.choice(["n x m", "n x m", "m x m", "m"]) for name in names}
        lines = [f"{name}[{start}] = {self.r.choice(STARTS[shape])}" for name, shape in shapes.items()]
        lines.append(f"for t in T..{first}:" if down else f"for t in {first}..T:")
        for name, shape in shapes.items():
            self.atoms[shape].append(f"{name}[{before}]")
        for name, shape in shapes.items():
            if self.r.random() < 0.5:
                other = self.r.choice(list(FORMS))
                lines.append(f"    {name}1[t] = {self.value(other)}")
                self.atoms[other].append(f"{name}1[t]")
            form = self.r.choice(["tanh({0} + {1}[{2}])", "tanh({0}) + 0.3 * {1}[{2}]"])
            lines.append(f"    {name}[t] = {form.format(self.value(shape), name, before)}")
            self.atoms[shape].append(f"{name}[t]")
        return lines

    def term(self, first: int) -> str:
        """A sum over the steps, over an index of its own or that of the loops; or what it adds at the last step."""
        e = self.text(self.r.choice(TERMS))
        if self.r.random() < 0.2:
            return re.sub(r"\[t[^]]*\]", "[T]", e)
        index = self.r.choice("ti")
        return f"sum({index} in {first}..T, {e.replace('[t', f'[{index}')})"


def states(r: Random, smooth: bool = False) -> str:
    """One loop or two over states that are matrices and vectors, and sums over the steps."""
    made, first = _States(r), r.choice([1, 1, 1, 2])
    kinds = [r.choice(["input", "input", "param"]) for _ in "xu"]
    lines = ["model states", f"{kinds[0]} x[1..T] : n x m", "input y[1..T] : n x m", f"{kinds[1]} u[1..T] : m"]
    lines += ["param A : m x m"]
    lines += ["param B : n x m", "param C : m x m", "param G : n x n", "param b : 1 x m", "param v : m"]
    lines += ["param s : scalar"]
    for names in ("hg", "qw")[: r.choice([1, 1, 2])]:
        lines += made.loop(names[: r.randint(1, 2)], first)
    terms = [made.term(first) for _ in range(r.randint(1, 3))]
    if r.random() < 0.3:
        made_there = re.findall(r"^ +(\w+)", "\n".join(lines), re.MULTILINE)
        lines.append(f"output {r.choice(made_there)}")
    return "\n".join([*lines, f"loss = {' + '.join(terms)}", ""])
