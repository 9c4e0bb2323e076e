"""Critical points: where the gradient vanishes, in closed form.

`derive_critical_points(f, variables)` derives the gradients and solves each for its variable, the others given
(mcalc/calculus/solve.py). The answer of X is the line `X = …`; its form GRADIENT is the gradient, which vanishes there.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcalc.algebra.expr import Expr, postorder
from mcalc.algebra.structure import structure
from mcalc.calculus.conditions import conditions
from mcalc.calculus.gradient import backward, moving_nodes
from mcalc.calculus.solve import critical_point
from mcalc.errors import NotSupported
from mcalc.pipeline import derive_gradients
from mcalc.rewrite.derivation import Answer, Derived, Step
from mcalc.simplify.identities import recognise
from mcalc.simplify.normal_form import Normaliser
from mcalc.simplify.polish import Polisher

CRITICAL = "critical-point"
"""The kind of these derivations."""
GRADIENT = "gradient"
"""The name of the form that vanishes at the answer."""


def derive_critical_points(root: Expr, variables: Sequence[Expr], name: str = "f", detail: str = "brief") -> Derived:
    """For each variable the point at which its gradient vanishes. Raises NotSupported where there is no closed form."""
    if not root.is_scalar:
        raise NotSupported("a critical point is that of a scalar", code="shape")
    wanted = tuple(dict.fromkeys(variables))
    told = derive_gradients(root, wanted, name, detail)
    context = Normaliser()
    recognised, _ = recognise(root)
    polish = Polisher(context, {context(n): n for n in postorder(recognised, root) if n.args})
    gradients = backward(context, recognised, wanted).gradients
    moving = moving_nodes(recognised, wanted)
    answers = []
    for x, answer in zip(wanted, told.answers, strict=True):
        g = gradients[x]
        kind = structure(x)
        found = None
        if g is not None:
            projected = g if kind is None else context(kind.projection(g))
            found = critical_point(context, polish, projected, x)
        if found is None:
            raise NotSupported(
                f"grad_{x.name} = 0 has no closed form that mcalc knows: the gradient is not affine in {x.name}",
                notes=(f"grad_{x.name} = {answer.result}",),
                code="solve",
            )
        rules = ("multiply by the variable", "critical point") if found.factors else ("critical point",)
        line = Step(x.name, found.solution, rules)
        holds = conditions(root, [found.solution], moving)
        answers.append(Answer((x,), CRITICAL, x.name, found.solution, (line,), {GRADIENT: answer.result}, holds))
    steps = (*told.steps, *(step for answer in told.answers for step in answer.steps))
    return Derived(root, name, CRITICAL, steps, tuple(answers))
