"""Every rule by name: what a step may cite.

`ALGEBRA` are the laws that the normal form, factoring and polishing use; the differentials and the trace laws are
the columns of mcalc/calculus/table.py, the recognised functions those of mcalc/simplify/identities.py, the
projections those of mcalc/algebra/structure.py. `rule(name)` finds a row; a name that none of the tables holds is an
error, and a derivation that cites one is rejected.
"""

from __future__ import annotations

from typing import NamedTuple

from mcalc.errors import McalcError


class Rule(NamedTuple):
    """A named law: what it says and where it is proved."""

    name: str
    statement: str
    reference: str


MN = "Magnus & Neudecker"
HJ = "Horn & Johnson, Matrix Analysis"
# fmt: off
ALGEBRA: tuple[Rule, ...] = (
    Rule("linearity",                  "tr(A + s B) = tr(A) + s tr(B)",                     f"{MN}, ch. 1.10"),
    Rule("collect terms",              "A + (B + A) = 2 A + B",                             "ring axioms"),
    Rule("like terms",                 "2 A + 3 A = 5 A",                                   "ring axioms"),
    Rule("common factor",              "A B + A C = A (B + C)",                             "distributive law"),
    Rule("distribute",                 "A (B + C) = A B + A C",                             "distributive law"),
    Rule("collect and factor",         "the same terms, with what they share taken out",    "distributive law"),
    Rule("sign in front",              "A (-B) = -(A B)",                                   "ring axioms"),
    Rule("scalars in front",           "A (s B) = s A B",                                   "ring axioms"),
    Rule("scalar factor",              "x (y^T z) = (y^T z) x",                             "y^T z is a scalar"),
    Rule("zero factor",                "A 0 = 0",                                           "ring axioms"),
    Rule("identity factor",            "A I = A",                                           "ring axioms"),
    Rule("transpose of a product",     "(A B)^T = B^T A^T",                                 f"{MN}, ch. 1.4; Matrix Cookbook (4)"),
    Rule("transpose of a scalar",      "x^T A y = y^T A^T x",                               "a scalar is its own transpose"),
    Rule("symmetric",                  "A^T = A",                                           "A is symmetric"),
    Rule("orthogonal",                 "Q^T Q = I",                                         "Q is orthogonal"),
    Rule("inverse cancels",            "A^-1 A = I",                                        f"{MN}, ch. 1.7"),
    Rule("inverse of an inverse",      "(A^-1)^-1 = A",                                     f"{MN}, ch. 1.7"),
    Rule("inverse of a transpose",     "(A^T)^-1 = (A^-1)^T",                               "Matrix Cookbook (3)"),
    Rule("inverse of a product",       "(A B)^-1 = B^-1 A^-1, A and B square",              "Matrix Cookbook (1)"),
    Rule("powers of one matrix",       "A^j A^k = A^(j+k)",                                 f"{MN}, ch. 1.7"),
    Rule("powers of one scalar",       "s^j s^k = s^(j+k)",                                 "field axioms"),
    Rule("diagonal factors",           "diag(u) diag(v) = diag(u .* v)",                    f"{MN}, ch. 1.6"),
    Rule("diagonal times vector",      "diag(u) x = u .* x",                                f"{MN}, ch. 3.6"),
    Rule("diagonal power",             "diag(u)^k = diag(u.^k)",                            f"{MN}, ch. 1.6"),
    Rule("ones times ones",            "ones(n,m) ones(m,k) = m ones(n,k)",                 "definition"),
    Rule("ones as a product",          "ones(n,m) = ones(n) ones(m)^T",                     "definition"),
    Rule("unit vectors",               "e(i,n)^T e(j,n) = 1 if i = j, else 0",              "definition"),
    Rule("product of blocks",          "[A, B] [I; 0] = A",                                 f"{MN}, ch. 1.11"),
    Rule("a vector's squared norm",    "x^T x = norm(x)^2",                                 "definition"),
    Rule("trace of a square",          "tr(A^T A) = norm(A)^2",                             "Matrix Cookbook, ch. 10.4"),
    Rule("sum of entries",             "ones(n)^T A ones(m) = sum(A)",                      "definition"),
    Rule("cyclic shift",               "tr(A B) = tr(B A)",                                 f"{MN}, ch. 1.10; Matrix Cookbook (14)"),
    Rule("determinant of a transpose", "det(A^T) = det(A)",                                 "Matrix Cookbook (21)"),
    Rule("determinant of a power",     "det(A^k) = det(A)^k",                               "Matrix Cookbook (22)"),
    Rule("norm of a multiple",         "norm(s A) = |s| norm(A)",                           f"{HJ}, ch. 5"),
    Rule("elementwise factors",        "A .* B = B .* A, A .* A = A.^2",                    f"{MN}, ch. 3.6"),
    Rule("indicators are idempotent",  "relu(x) .* (x > 0) = relu(x)",                      "definition"),
    Rule("even and odd functions",     "sin(-x) = -sin(x), f(X^T) = f(X)^T",                "Abramowitz & Stegun"),
    Rule("exp and log",                "log(exp(x)) = x",                                   "Abramowitz & Stegun"),
    Rule("sigmoid of a negative",      "sigmoid(-x) = 1 - sigmoid(x)",                      "definition"),
    Rule("triangle of a triangular matrix", "tril(L) = L, tril(U) = U .* I",                "definition"),
    Rule("diagonal scaling",           "(v 1^T) .* M = diag(v) M",                          f"{MN}, ch. 3.6"),
    Rule("diagonal of a transpose",    "diag(A^T) = diag(A)",                               "definition"),
    Rule("diagonal of an outer product", "diag(u v^T) = u .* v",                            f"{MN}, ch. 3.6"),
    Rule("diagonal of a product",      "diag(A diag(x) B) = (A .* B^T) x",                  f"{MN}, ch. 3.6"),
    Rule("power of a Kronecker product", "kron(A,B)^k = kron(A^k, B^k)",                    f"{MN}, (2.2.7)"),
    Rule("product of Kronecker products", "kron(A,B) kron(C,D) = kron(A C, B D)",           f"{MN}, (2.2.5)"),
    Rule("commutation matrix",         "K(m,n)^T = K(n,m), K(n,m) K(m,n) = I",              f"{MN}, ch. 3.7"),
    Rule("duplication matrix",         "K(n,n) dup(n) = dup(n), elim(n) dup(n) = I",        f"{MN}, ch. 3.8"),
    Rule("swap of a Kronecker product", "K(p,m) kron(A,B) = kron(B,A) K(q,n), A m x n, B p x q", f"{MN}, theorem 3.9"),
    Rule("sum of Kronecker products",  "kron(A,C) + kron(B,C) = kron(A + B, C)",            f"{MN}, (2.2.3)"),
    Rule("sum of diagonal matrices",   "diag(u) + diag(v) + c I = diag(u + v + c)",         "definition"),
    Rule("sum of a Kronecker product", "sum(kron(A,B)) = sum(A) sum(B)",                    "definition"),
    Rule("tanh as a quotient",         "sinh(x) ./ cosh(x) = tanh(x)",                      "Abramowitz & Stegun"),
    Rule("tan as a quotient",          "sin(x) ./ cos(x) = tan(x)",                         "Abramowitz & Stegun"),
    Rule("write out",                  "the same, as short as it can be written",           "the laws above"),
    Rule("simplify",                   "the same, in normal form",                          "the laws above"),
    Rule("read off",                   "df = tr(G^T dX) gives the gradient G",              f"{MN}, ch. 9.2 (first identification)"),
    Rule("identification",             "vec(dF) = J vec(dX) gives the Jacobian J",          f"{MN}, ch. 9.2 (first identification)"),
    Rule("second differential",        "d2f = d(df), the differentials dX held constant",   f"{MN}, ch. 6.2, ch. 10.1"),
    Rule("direction",                  "H[V] is d(grad f) at dX = V",                       f"{MN}, ch. 6.3"),
    Rule("denominator layout",         "the Jacobian, transposed",                          f"{MN}, ch. 9.3"),
    Rule("projection of a direction",  "dX = P(dX) where X has a structure",                "Srinivasan & Panda, arXiv:1911.06491"),
    Rule("independent entries",        "vec(dX) = dup(n) vech(dX), X symmetric; elim(n)^T vech(dX), X lower", f"{MN}, ch. 3.8, ch. 9.6"),
    Rule("critical point",             "grad_X = 0, affine in X, solved for X",             "Boyd & Vandenberghe, ch. 4.2.3"),
    Rule("multiply by the variable",   "G = 0 where X G X = 0, X invertible",               f"{MN}, ch. 15.3"),
    Rule("constant",                   "dA = 0 where A is constant",                        f"{MN}, ch. 8.2"),
    Rule("differential",               "df = d(f)",                                         f"{MN}, ch. 5.3"),
)
# fmt: on

_ROWS: dict[str, Rule] = {}


def rules() -> dict[str, Rule]:
    """All rules by name."""
    if not _ROWS:
        from mcalc.algebra.structure import STRUCTURES
        from mcalc.calculus.adjoint import ADJOINTS
        from mcalc.calculus.table import DIFFERENTIALS
        from mcalc.calculus.vec_laws import VEC_LAWS
        from mcalc.simplify.identities import IDENTITIES

        rows = [Rule(r.rule, r.shown, r.reference) for r in DIFFERENTIALS.values()]
        rows += [Rule(a.rule, a.shown, a.reference) for a in ADJOINTS.values()]
        rows += [Rule(v.rule, v.shown, v.reference) for v in VEC_LAWS.values()]
        rows += [Rule(i.name, f"{i.left} = {i.right}", i.reference) for i in IDENTITIES]
        rows += [Rule(projection_rule(s.name), f"the gradient is {s.shown}", s.reference) for s in STRUCTURES]
        for row in (*ALGEBRA, *rows):
            _ROWS.setdefault(row.name, row)
    return _ROWS


def projection_rule(structure: str) -> str:
    """The name of the rule that projects a gradient onto a structure."""
    return f"projection onto {structure} matrices"


def rule(name: str) -> Rule:
    """The rule of this name; an error where there is none."""
    row = rules().get(name)
    if row is None:
        raise McalcError(f"unknown rule '{name}'", code="unknown-rule", hint="mcalc rules lists them")
    return row
