"""Born tested: every row of every table of calculus on random matrices, and every operator in every place it needs.

A new row needs no new test: the tests walk the tables. `SAMPLES` has an expression for every operator (a test of
tests/verify holds that).
"""

from __future__ import annotations

import pytest

import mcalc
from mcalc.algebra.expr import Expr, make, postorder, symbols
from mcalc.algebra.functions import FUNCTIONS
from mcalc.algebra.operators import SHAPES, d, inner, symbol, zeros
from mcalc.algebra.printing import ascii_text, latex_text, unicode_text
from mcalc.algebra.structure import STRUCTURES
from mcalc.backends.numpy.module import compiled
from mcalc.backends.numpy.values import derivative_module
from mcalc.calculus.adjoint import ADJOINTS
from mcalc.calculus.gradient import differential
from mcalc.calculus.table import CONSTANT, DIFFERENTIALS
from mcalc.errors import NotSupported
from mcalc.rewrite.rules import rules
from mcalc.simplify.identities import IDENTITIES, Identity
from mcalc.verify.exact import Differentials, Prover
from mcalc.verify.gradient import check_linear
from mcalc.verify.layout import LAYOUT
from mcalc.verify.numeric import NUMERIC
from mcalc.verify.residues import RESIDUES
from tests.verify.reading import COMMON, e
from tests.verify.test_operators import RATIONAL, SMOOTH

SAMPLES = [*RATIONAL, *SMOOTH, "tr(expm(A))"]
SINGULAR = {"adj(x x^T)"}
"""The differential of adj is written for invertible matrices, and says so in the conditions."""
WHERE = "A: m x m invertible; B: n x n invertible; X: n x n; s, t: scalar positive; x: k"
"""Where identities hold: Kronecker factors are square, logarithms real."""


def _variables(root: Expr) -> tuple[Expr, ...]:
    return symbols(root)


def _written_out(root: Expr) -> Expr:
    """d(root), down to the differentials of symbols."""
    return Differentials(_variables(root), differential, lambda a, b: False).write_out(d(root))


def _moves(text: str) -> bool:
    """Whether the sample is neither constant nor without a closed form (a matrix exponential by itself)."""
    root = e(text)
    return text not in SINGULAR and bool(_variables(root)) and root.op != "expm" and root.op not in CONSTANT


@pytest.mark.parametrize("text", [text for text in SAMPLES if _moves(text)])
def test_differential(text: str) -> None:
    """The differential of each sample against central differences."""
    root = e(text)
    assert check_linear(root, _written_out(root), _variables(root)).ok


@pytest.mark.parametrize("text", [t for t in SAMPLES if any(n.op in ADJOINTS and n.args for n in postorder(e(t)))])
def test_adjoint(text: str) -> None:
    """<C, L(Z)> = <L*(C), Z> for every operator that is linear in an operand."""
    for node in postorder(e(text)):
        row = ADJOINTS.get(node.op)
        places = range(1) if node.op in ("div", "hdiv") else range(len(node.args))
        for k in places if row else ():
            Z, C = symbol("Z_1", node.args[k].shape), symbol("C_1", node.shape)
            rest = [zeros(*a.shape) if node.op == "block" else a for a in node.args]  # linear in all together
            args = (*rest[:k], Z, *rest[k + 1 :])
            image = make(node.op, args, node.attrs, node.shape)
            if node.op == "add":  # d(s + A) = ones ds + dA: the scalar has been spread before
                if Z.is_scalar and not node.is_scalar:
                    continue
                image = Z
            assert row is not None
            left, right = inner(C, image), inner(row.of(node, k, C), Z)
            assert Prover(left, right).prove(left, right).proved, f"{node.op}, operand {k}"


def test_every_adjoint_is_sampled() -> None:
    sampled = {node.op for text in SAMPLES for node in postorder(e(text))}
    assert ADJOINTS.keys() <= sampled


@pytest.mark.parametrize("row", IDENTITIES, ids=lambda row: f"{row.left} = {row.right}")
def test_identity(row: Identity) -> None:
    """Both sides of every identity are equal, and its match leads from one to the other."""
    where = WHERE
    if "Schur" in row.name:
        where = "A: n x n invertible; B: n x m; C: m x n; D: m x m"
    elif "vec" in row.name:
        where = "A, B: n x m; X: m x m" if "X A" in row.right else "A, B, X: n x m"
    elif any(word in row.left for word in ("softmax", "sum(exp")):
        where = "x: k; s: scalar positive"
    if row.left == "log(s softmax(x))":
        where = "x: k; s: scalar positive"
    left = mcalc.parse(row.left, where=where).expression
    right = mcalc.parse(row.right, where=where, shape=left.shape).expression
    assert mcalc.equal(left, right), where
    matched = row.match(left)
    if matched is not None:
        assert mcalc.equal(matched, right)


@pytest.mark.parametrize("row", STRUCTURES, ids=lambda row: row.name)
def test_projection(row: object) -> None:
    """A projection is linear, idempotent and self-adjoint."""
    P = row.projection  # type: ignore[attr-defined]
    G, H = symbol("G", e("A").shape), symbol("H", e("A").shape)
    for left, right in ((P(P(G)), P(G)), (inner(P(G), H), inner(G, P(H)))):
        assert mcalc.equal(left, right)


def test_every_rule_has_a_reference() -> None:
    assert all(r.statement and r.reference for r in rules().values())


@pytest.mark.parametrize("op", sorted(SHAPES.keys() - {"d"}))
def test_every_operator_is_in_every_place(op: str) -> None:
    """Names the place that an operator misses."""
    assert op in DIFFERENTIALS or op in CONSTANT or op in FUNCTIONS, f"{op} has no differential"
    assert op in RESIDUES or op in LAYOUT, f"{op} has no residues: mcalc/verify/residues.py"
    assert op in NUMERIC or op in LAYOUT, f"{op} has no floating-point value: mcalc/verify/numeric.py"
    texts = [text for text in SAMPLES if any(node.op == op for node in postorder(e(text)))]
    assert texts, f"{op} has no sample"
    root = e(texts[0])
    assert ascii_text(root) and unicode_text(root) and latex_text(root), f"{op} is not printed"
    assert e(ascii_text(root), COMMON, root.shape) is root, f"{op} is printed as what does not parse back"
    try:
        compiled(derivative_module("value", root, arguments=symbols(root), title="A sample"), "value")
    except NotSupported as problem:
        raise AssertionError(f"{op} is not lowered to NumPy: {problem.message}") from None
