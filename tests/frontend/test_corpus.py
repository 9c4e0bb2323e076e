"""The textbook corpus: every entry is read, with and without its declarations, and every answer too."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.printing import ascii_text, unicode_text
from mcalc.algebra.shape import ONE, Dim, Shape, shape_text
from mcalc.frontend import parse

SIZED = ("eye", "ones", "zeros", "unit", "K", "dim")
FOLDER = Path(__file__).parents[1] / "corpus" / "derivatives"
ENTRIES: list[dict[str, Any]] = [e for f in sorted(FOLDER.glob("*.json")) for e in json.loads(f.read_text("utf-8"))]


def answer_shape(entry: dict[str, Any], f: Shape, x: Shape) -> Shape:
    rows, columns = f[0] * f[1], x[0] * x[1]
    return {
        "gradient": x,
        "hvp": x,
        "jacobian": (f[0], columns),
        "vec-jacobian": (rows, columns),
        "hessian": (columns, columns),
    }[entry["kind"]]


def is_more_general(inferred: Expr, declared: Expr) -> bool:
    """Whether the two differ only in dimensions, and those of the first can be renamed to those of the second."""
    sizes: dict[Dim, Dim] = {}
    left, right = list(postorder(inferred)), list(postorder(declared))
    for a, b in zip(left, right, strict=True):
        if (a.op, len(a.args)) != (b.op, len(b.args)) or (a.op == "sym" and a.name != b.name):
            return False
        dims = [(c, d) for c, d in zip((*a.attrs, *a.shape), (*b.attrs, *b.shape), strict=True) if isinstance(c, Dim)]
        if any(c is not d for c, d in zip(a.attrs[1:], b.attrs[1:], strict=True) if a.op not in ("sym", *SIZED)):
            return False
        if any(sizes.setdefault(c, d) is not d for c, d in dims):
            return False
    return sizes.get(ONE, ONE) is ONE


@pytest.mark.parametrize("entry", ENTRIES, ids=[e["id"] for e in ENTRIES])
def test_entry(entry: dict[str, Any]) -> None:
    where = entry.get("where", "")
    parsed = parse(entry["expression"], where=where, wrt=entry["wrt"])
    (variable,) = parsed.wrt
    shape = answer_shape(entry, parsed.expression.shape, variable.shape)
    more = f"; V: {shape_text(variable.shape)}" if entry["kind"] == "hvp" else ""
    answer = parse(entry["expected"], where=where + more, shape=shape).expression
    assert answer.shape == shape
    for e in (parsed.expression, answer):
        for text in (ascii_text(e), unicode_text(e)):
            assert parse(text, where=where + more, shape=e.shape).expression is e
    if entry["infer"]:
        inferred = parse(entry["expression"], wrt=entry["wrt"])
        assert is_more_general(inferred.expression, parsed.expression)
        assert [d is ONE for d in inferred.wrt[0].shape] == [d is ONE for d in variable.shape]


# expressions that people ran elsewhere; where; what they are differentiated by
USERS = [
    ("(1-l0/norm2(p-q))*(p-q)", "p, q: n; l0: scalar", "p"),
    ("((tanh(w'*i+b)+1)/2-d)^2", "", "b"),
    ("norm2(V*W*z-vprime)^2", "vprime: n", "z, W"),
    ("y'*log(x*exp(theta)/sum(exp(theta)))-1/18*theta'*theta", "theta, y: n; x: scalar", "theta"),
    ("norm2(v*(p+B*-inv(B'*v'*v*B)*B'*v'*(v*p-w))-w)^2", "v: n x m", "B, p"),
    ("((weight'*returns)-(riskless)')/(weight'*covmatr*weight).^0.5",
     "weight, returns: n; riskless: scalar; covmatr: n x n symmetric", "weight"),
    ("phi*-(1/6)*phi*phi*phi", "", "phi"),
    ("sum((diag(A'*B)-vector(1)).^2)", "", "A, B"),
    ("norm2(inv(a1*Q1+a2*Q2)*(a1*Q1*x1+a2*Q2*x2)-y)^2", "", "a1"),
    ("relu(sum(byp.*relu(y-ayp))+k)^3", "byp, ayp: n; k: scalar", "y"),
    ("sum(abs(L).^alpha)", "", "L"),
    ("A*exp(x)", "", "x"),
    ("W*x", "", "W"),
    ("W2*z1+b2", "", "W2"),
    ("norm2((1/2)*(mX w - (1/n) e e' mX w))", "mX: n x m", "w"),
    ("tr(((F*Q).*(F*Q))'*(eye-matrix(1/a))*((F*Q).*(F*Q)))", "", "F"),
    ("tr(C*log(P X Q))", "", "X"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "where", "wrt"), USERS)
def test_what_people_wrote(text: str, where: str, wrt: str) -> None:
    parsed = parse(text, where=where, wrt=wrt)
    assert parsed.expression.is_scalar or "norm2" not in text or text.startswith("(1-l0")
    assert len(parsed.wrt) == wrt.count(",") + 1
