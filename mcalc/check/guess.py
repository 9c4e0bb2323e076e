"""A guess at what a refuted line meant, and what guesses are made from."""

from __future__ import annotations

from dataclasses import dataclass

from mcalc.algebra.expr import Expr, fold
from mcalc.check.reading import Claim, Proof


@dataclass(frozen=True, slots=True)
class Guess:
    """What may have been meant, and the slip that it would undo."""

    slip: str
    right: Expr


@dataclass(frozen=True, slots=True)
class Wrong:
    """A refuted right-hand side: its claim, the right-hand side of the line above, pieces of the true differential."""

    claim: Claim
    proof: Proof
    above: Expr | None
    pieces: tuple[Expr, ...]

    @property
    def right(self) -> Expr:
        """The right-hand side."""
        return self.claim.right

    @property
    def leaves(self) -> dict[Expr, str]:
        """What is not looked into: what the proof has names for."""
        return self.proof.names


def moves(e: Expr) -> bool:
    """Whether a differential occurs."""
    return fold(e, lambda node, below: node.op == "d" or any(below))
