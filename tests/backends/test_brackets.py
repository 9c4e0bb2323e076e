"""Long statements are laid out as black does it."""

from __future__ import annotations

import random
import textwrap

import black
import pytest

from mcalc.backends.numpy.brackets import opened
from mcalc.backends.numpy.formulas import WIDTH


def expression(rng: random.Random, depth: int) -> str:
    """A random expression of the kinds that generated modules have."""
    kind = rng.choice(
        ["name", "name", "text", "operation", "attribute", *(["call", "call", "tuple", "list", "dict"] * (depth > 0))]
    )
    items = [expression(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 3, 8]))] if depth else []
    match kind:
        case "text":
            return '"' + rng.choice(["n", "d[0]", "a, b", "(", "x = (y)"]) + '"'
        case "operation":
            return rng.choice(["a * b", "T * n + 1", "x if y is z else None", "block_rows or n", "-a", "a.T[1:]"])
        case "attribute":
            return rng.choice(["np.float64", "X.shape", "P[...]", "f(x).y", "h[:-1]"])
        case "call":
            named = [f"{rng.choice('abc')}{k}={x}" for k, x in enumerate(items)]
            return f"{rng.choice(['f', 'Workspace', 'np.empty'])}({', '.join(rng.choice([items, named]))})"
        case "tuple":
            return f"({', '.join(items)}{',' * (len(items) == 1)})"
        case "list":
            return f"[{', '.join(items)}]"
        case "dict":
            return "{" + ", ".join(f'"k{k}": {x}' for k, x in enumerate(items)) + "}"
    return rng.choice(["x", "W_bar10", "a_long_name_of_something"])


def statement(rng: random.Random) -> str:
    """A random statement."""
    names = ", ".join(f"name{k}" for k in range(rng.choice([2, 5, 30])))
    value = expression(rng, 3)
    comparison = " is ".join(f"type(x{k})" for k in range(rng.choice([2, 4, 15])))
    forms = [f"x = {value}", f"return {value}", value, f"{names} = {value}", f"def f({names}):", f"def f({names}, *, y=None):",
             f"{names} = saved", f"plain = {comparison} and a.shape == (n, d) and {comparison}", f"x = {comparison}",
             f"return {value}, {value}", f"x = {value} + {value}", f"x, y = {value}"]  # fmt: skip
    return rng.choice(forms)


@pytest.mark.parametrize("seed", range(120))
def test_statements_are_laid_out_as_black_does_or_not_at_all(seed: int) -> None:
    rng = random.Random(seed)
    text, indent = statement(rng), rng.choice([0, 4, 8])
    lines = opened(text, indent)
    if lines is not None:
        source = f"f'{{x}}'\n{text}{' pass' * text.endswith(':')}\n"
        expected = black.format_str(source, mode=black.Mode(line_length=WIDTH - indent)).partition("\n")[2]
        expected = expected.removesuffix("    pass\n") if text.endswith(":") else expected
        assert textwrap.dedent("\n".join(lines)) + "\n" == expected.lstrip("\n").replace(": pass\n", ":\n")


def test_forms_of_generated_modules_are_known() -> None:
    names = ", ".join(f"A{k}" for k in range(40))
    long = [f"return Workspace({names})", f"x = [{names}]", f"{names} = checked({{{'1: 2, ' * 30}3: 4}})",
            f"def value_and_grad({names}, *, wrt=None):", f"plain = {names.replace(', ', ' is ')} and a.shape == (n, d)",
            f"return Parameters(W=[{names}], b=[{names}])"]  # fmt: skip
    assert all(opened(text, 4) for text in long)
    assert opened(f"x = f({names}) + 1", 4) is None
