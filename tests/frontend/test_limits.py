"""Large and hostile texts: an answer or a `McalcError`, in time."""

import random
import subprocess
import sys

import pytest

from mcalc.algebra.printing import ascii_text, where_text
from mcalc.errors import AmbiguityError, LimitError, McalcError, NameProblem, ParseError
from mcalc.frontend import parse
from tests.work import calls

MOST_CALLS = 6_000_000
"""Of functions, by one run: the tests are of the growth of cost, not of the machine."""

LARGE = {
    "minus signs": ("-" * 10**6, LimitError),
    "transposes": ("x'" * 10**6, LimitError),
    "parentheses": ("(" * 10**6, LimitError),
    "tokens": ("-" * 20_001 + "x", LimitError),
    "minus signs that fit": ("-" * 9_000 + "x", None),
    "brackets that fit": ("(" * 199 + "x" + ")" * 199, None),
    "functions that fit": ("exp(" * 199 + "x" + ")" * 199, None),
    "blocks": ("[A," * 150 + "A" + "]" * 150, None),
    "sum": (" + ".join(["X^T (y - X w)"] * 1000), None),
    "names": (" + ".join(f"X{i}^T y{i}" for i in range(1000)), None),
    "scalars to find": (" + ".join(f"x{i} y{i}" for i in range(50)), None),
    "elementwise": ("x .* " * 5_000 + "x", None),
    "quotients": ("x / " * 5_000 + "2", None),
    "powers": ("x²" * 5_000, None),
    "tower": ("x^" * 5_000 + "x", AmbiguityError),
    "bars": ("|x" * 5_000, AmbiguityError),
    "bars without end": ("|" * 9_999, McalcError),
    "fractions": ("\\frac" * 9_000, ParseError),
    "fractions in braces": ("\\frac{" * 3_000, LimitError),
    "word": ("X" * 99_999, NameProblem),
    "identities": ("I(n) " * 3_000, None),
    "Kronecker products": ("A ⊗ " * 5_000 + "A", LimitError),
    "Kronecker products of blocks": ("".join(f"kron([A{i};B{i}]," for i in range(150)) + "x" + ")" * 150, LimitError),
    "definitions": ("".join(f"a{i + 1} = a{i} + a{i}; " for i in range(2_000)) + "a2000", None),
    "names that cannot be found": ("A " + " ".join("abcfghijklmopqrstuvwxyz"), LimitError),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_texts(name: str) -> None:
    text, kind = LARGE[name]
    parse("x")  # loads the tables

    def read() -> None:
        if kind is None:
            parse(text)
        else:
            with pytest.raises(kind):
                parse(text)

    assert calls(read) < MOST_CALLS


def test_printing_has_a_limit() -> None:
    shared = parse("".join(f"a{i + 1} = a{i} + a{i}; " for i in range(100)) + "a100").expression
    with pytest.raises(LimitError):
        ascii_text(shared)


WORDS = (
    "x y X A T K I e d f n m λ σ ^ ' * / + - ( ) [ ] { } | , ; : = < > 1 2 _ & # é ² ᵀ ⁻¹ ∘ ⊗ ‖ − 𝟏 W_hh b_1 XW ^T ^-1 "
    ".* ./ .^ || == >= 0.5 1e3 .5 1_n R= axis=1 tr( log exp( sum( softmax( diag( max( ones( I( K( e( kron( vec( eye "
    "vector( x_{ij} dX \\ \\frac \\frac12 \\lambda \\top \\left \\right \\lVert \\rVert \\mathbf \\operatorname "
    "\\log \\det \\begin{bmatrix} \\end{bmatrix} \\mathbb{1}[ \\sqrt{"
)
SOUP = [*WORDS.split(), " ", "\n", "\x00", "\u202e"]


@pytest.mark.parametrize("block", range(10))
def test_token_soup(block: int) -> None:
    """Whatever the text, only a `McalcError` comes out; what is read is printed and read again."""
    for seed in range(200 * block, 200 * (block + 1)):
        rng = random.Random(seed)
        text = "".join(rng.choice(SOUP) + rng.choice(("", "", " ")) for _ in range(rng.randint(1, 14)))
        try:
            parsed = parse(text, wrt=rng.choice(("", "x", "X")), where=rng.choice(("", "X: n x m; x: m", text)))
        except McalcError as error:
            assert error.exit_code in (2, 3, 4), text
            assert error.render()
            if error.span is not None and error.text is not None:
                assert 0 <= error.span.start <= error.span.end <= len(error.text), text
            continue
        e = parsed.expression
        dimensions = "; ".join(f"size{d}: {d}" for d in parsed.dimensions)
        assert parse(ascii_text(e), where=[where_text(e), dimensions], shape=e.shape).expression is e, text


def test_nothing_is_executed_and_nothing_heavy_is_imported() -> None:
    program = (
        "import sys\nfrom mcalc.frontend import parse\nparse('tr(X^T A X) + λ norm(x)^2', wrt='X')\n"
        "print(sorted({'numpy', 'sympy', 'scipy', 'jinja2', 'black', 'pickle', 'difflib'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() in ("[]", "['pickle']")  # lark itself imports pickle


def test_the_same_text_gives_the_same_result() -> None:
    program = (
        "from mcalc.frontend import parse\nfrom mcalc.algebra.printing import where_text\n"
        "p = parse('1/2 x^T A x + tr(X^T B X C) + b^T x + c + sum(log(D x))', wrt='x')\n"
        "print(p.expression, where_text(p.expression), p.dimensions, list(p.symbols))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(4)
    }
    assert len(outputs) == 1
