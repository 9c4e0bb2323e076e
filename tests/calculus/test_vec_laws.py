"""Every row of VEC_LAWS on an instance: vec(node) = L vec(operand)."""

from __future__ import annotations

import pytest

from mcalc.algebra.expr import Expr
from mcalc.algebra.operators import app, mul
from mcalc.calculus.vec_laws import VEC_LAWS
from mcalc.frontend import parse
from mcalc.verify.exact import Prover

WHERE = "A: m x n; B: n x k; C: n x k; S, R: n x n; x: n; y: m; z: m; s, t: scalar"
# fmt: off
INSTANCES = (
    # expression, operator, operands that the law is for
    ("A + A .* A",       "add",   (0, 1)),  ("x + s",          "add",   (0, 1)),  ("-A",              "neg",   (0,)),
    ("A / s",            "div",   (0,)),    ("A B",            "mul",   (0, 1)),  ("s A S B",         "mul",   (0, 1, 2, 3)),
    ("x y^T",            "mul",   (0, 1)),  ("x^T S x",        "mul",   (0, 1, 2)), ("s x",           "mul",   (0, 1)),
    ("s t",              "mul",   (0, 1)),  ("A^T",            "T",     (0,)),    ("x^T",             "T",     (0,)),
    ("B .* C",           "had",   (0, 1)),  ("x .* x",         "had",   (0,)),    ("B ./ C",          "hdiv",  (0,)),
    ("s ./ C",           "hdiv",  (0,)),    ("tr(S)",          "tr",    (0,)),    ("sum(A)",          "sum",   (0,)),
    ("sum(A, axis=0)",   "sum",   (0,)),    ("sum(A, axis=1)", "sum",   (0,)),    ("sum(x)",          "sum",   (0,)),
    ("vec(A)",           "vec",   (0,)),    ("kron(A, B)",     "kron",  (0, 1)),  ("kron(x, y)",      "kron",  (0, 1)),
    ("kron(x^T, y)",     "kron",  (0, 1)),  ("kron(y, A)",     "kron",  (0, 1)),  ("diag(x)",         "diagm", (0,)),
    ("diag(S)",          "diagv", (0,)),    ("tril(S)",        "tril",  (0,)),    ("triu(S)",         "triu",  (0,)),
    ("S[1,2]",           "index", (0,)),    ("A[:,1]",         "index", (0,)),    ("A[2,:]",          "index", (0,)),
    ("x[1,1]",          "index", (0,)),    ("[S, B]",         "block", (0, 1)),  ("[A; S]",          "block", (0, 1)),
    ("[S, B; A, A B]",   "block", (0, 1, 2, 3)), ("[x; y; z]", "block", (0, 1, 2)),
)
# fmt: on


def column(e: Expr) -> Expr:
    return e if e.is_column else app("vec", e)


@pytest.mark.parametrize(("text", "op", "operands"), INSTANCES)
def test_law(text: str, op: str, operands: tuple[int, ...]) -> None:
    node = parse(text, where=WHERE).expression
    assert node.op == op
    shares = {k: mul(VEC_LAWS[op].of(node, k), column(node.args[k])) for k in operands}
    # a product is linear in each operand by itself; a sum and a block matrix in all of them together
    claims = [app("add", *shares.values())] if op in ("add", "block") else list(shares.values())
    for claim in claims:
        assert Prover(node).prove(column(node), claim).proved, claim


def test_every_row_has_an_instance() -> None:
    assert {op for _, op, _ in INSTANCES} == set(VEC_LAWS)
