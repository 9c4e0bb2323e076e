"""The gate for models: every adjoint is proved, every gradient proved and measured.

For each definition N = V the parts S_part that it hands back claim

    tr(N_bar^T dV) = sum over S of tr(S_part^T dS),

which goes to the prover (mcalc/verify/exact.py) as any identification does; definitions that differ in names only are
one claim. The projection of a structured parameter's gradient claims tr(G^T dX) = tr(P(G)^T dX). These hold for any
number of steps. That the cotangents are added up rightly, over loops and offsets too, is proved with the loops written
out (mcalc/model/unroll.py) for several lengths: dloss = sum over X of tr(G_X^T dX), where the loss is that of the model
as it was read. There the gradients are also compared to central differences (mcalc/verify/gradient.py).
"""

from __future__ import annotations

from typing import NamedTuple

from mcalc.algebra.expr import Expr, substitute
from mcalc.algebra.operators import add, d, inner, number, symbol
from mcalc.algebra.structure import structure
from mcalc.calculus.gradient import differential, moving_nodes
from mcalc.calculus.table import differential_of
from mcalc.errors import VerificationError
from mcalc.model.gather import Gathering
from mcalc.model.ir import Define, Model, Total
from mcalc.model.local import Renaming
from mcalc.model.reverse import Trace, projected
from mcalc.model.unroll import lengths, unrolled, unrolled_loss
from mcalc.model.uses import Use
from mcalc.verify.exact import Prover
from mcalc.verify.gradient import check_gradient

_LENGTHS = (1, 2, 3)
_POINTS = 3


class ModelVerification(NamedTuple):
    """How a model's gradients were verified.

    `points` and `max_relative_error` of the measurement; the number of definitions that hand something back, and for
    how many that is proved exactly (for the others in floating point); whether the gradients as a whole are, for each
    of the `lengths` of the sequences that were tried (none where the model has no sequence).
    """

    points: int
    max_relative_error: float
    definitions: int
    definitions_proved: int
    whole_proved: bool
    lengths: tuple[int, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether every claim was proved exactly."""
        return self.definitions == self.definitions_proved and self.whole_proved

    def __str__(self) -> str:
        first, last = (self.lengths or (0, 0))[0], (self.lengths or (0, 0))[-1]
        steps = f" for {first} to {last} steps" if self.lengths else ""
        if self.exact:
            proved = f"proved: every definition's adjoint, and the gradients{steps}, exactly"
        else:
            count = f"{self.definitions_proved} of {self.definitions}"
            whole = "exactly" if self.whole_proved else "numerically"
            proved = f"proved: the adjoints of {count} definitions exactly, the gradients{steps} {whole}"
        return f"{proved} · checked: {self.points} points, relative error {self.max_relative_error:.0e}"


def verify_model(model: Model, trace: Trace, seed: int = 0) -> ModelVerification:
    """Proves and measures the gradients of a model as it was read. Raises VerificationError where one is false."""
    count, proved = prove_adjoints(trace.gathering)
    names = lengths(model)
    points, worst, whole = 0, 0.0, True
    for k in _LENGTHS if names else (0,):
        numbers = {name: k + i for i, name in enumerate(names)}
        loss = unrolled_loss(model, numbers)
        gradients = unrolled(trace.adjoint, numbers)
        terms = [inner(g, d(x)) for x, g in gradients.items() if g.op != "zeros"]
        whole &= _proved(d(loss), add(*terms) if terms else number(0), loss, tuple(gradients), "the gradient")
        check = check_gradient(loss, gradients, points=1 if names else _POINTS, seed=seed + k)
        if not check.ok:
            raise VerificationError(
                f"the gradient that was found fails its check: {check.message}",
                hint="no answer is given; please report the model",
            )
        points, worst = points + check.points, max(worst, check.max_relative_error)
    return ModelVerification(points, worst, count, proved, whole, _LENGTHS if names else ())


def claims(g: Gathering) -> dict[Define | Total, list[Use]]:
    """The definitions that hand anything back, each with its parts."""
    found: dict[int, list[Use]] = {}
    readers: dict[int, Define | Total] = {}
    for uses in g.uses.of.values():
        for use in uses:
            readers[id(use.reader)] = use.reader
            found.setdefault(id(use.reader), []).append(use)
    return {readers[key]: uses for key, uses in found.items()}


def claim(g: Gathering, reader: Define | Total, uses: list[Use]) -> tuple[Expr, Expr]:
    """The two sides: tr(N_bar^T dV), and the sum of tr(S_part^T dS)."""
    root = g.paired(reader.target, reader.value)
    named = {reader.target: reader.value}
    parts = [inner(substitute(use.part, named), d(use.symbol)) for use in uses]
    return root, add(*parts)


def prove_adjoints(g: Gathering) -> tuple[int, int]:
    """How many definitions hand something back, and for how many that is proved exactly."""
    known: dict[tuple[Expr, Expr], bool] = {}
    rows = list(claims(g).items())
    exact = 0
    for reader, uses in rows:
        root, parts = claim(g, reader, uses)
        names = Renaming()
        variables = tuple(names(use.symbol) for use in uses)
        key = (names(root), names(parts))
        if key not in known:
            shown = (
                f"the adjoint of {reader.target} = {reader.value}"
                if reader.value.length < 200
                else f"the adjoint of {reader.target}"
            )
            known[key] = _proved(d(key[0]), key[1], key[0], variables, shown)
        exact += known[key]
    for argument in g.model.arguments:
        for x in argument.symbols:
            if structure(x) is not None and x in g.uses.of:
                gradient = symbol(g.names.fresh(f"{x.name}_any"), x.shape)
                left, right = inner(gradient, d(x)), inner(projected(x, gradient), d(x))
                _proved(left, right, inner(gradient, x), (x,), f"the projection of the gradient by {x}")
    return len(rows), exact


def _proved(left: Expr, right: Expr, root: Expr, variables: tuple[Expr, ...], what: str) -> bool:
    """Whether a claim is proved exactly (False: in floating point). Raises VerificationError where it is neither."""
    moving = moving_nodes(root, variables)

    def expand(e: Expr) -> Expr:
        return differential_of(e, moving.__contains__) if e in moving else differential(e, variables)

    prover = Prover(root, variables=variables, expand=expand)
    verdict = prover.prove(left, right)
    if verdict.proved:
        return True
    if verdict.status == "undecided" and prover.measure(left, right) == "agree":
        return False
    word = "is false" if verdict.status == "refuted" else "could not be tested"
    raise VerificationError(
        f"a step of the derivation {word}: {what}",
        notes=(verdict.detail,) if verdict.detail else (),
        hint="no answer is given; please report the model",
    )
