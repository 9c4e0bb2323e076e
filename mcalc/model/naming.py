"""Names for what a model does not name: cotangents and what is split off for them.

A name may end in an index, `W[3]`, `h[t-1]`; what is put to it goes before the index: `W_bar[3]`.
"""

from __future__ import annotations

from collections.abc import Iterable

from mcalc.algebra.names import base_and_index
from mcalc.model.ir import Model, definitions


class Names:
    """The names in use (without index)."""

    def __init__(self, used: Iterable[str]) -> None:
        self.used = set(used)

    @classmethod
    def of(cls, model: Model) -> Names:
        """Those of a model: of its arguments, definitions, sequences, dimensions and indices."""
        nodes = [s for a in model.arguments for s in a.symbols] + [d.target for d in definitions(model.statements)]
        used = {base_and_index(node.name)[0] for node in nodes} | {a.name for a in model.arguments}
        used |= {*model.sequences, *model.ragged, *model.sizes, model.name, "e", "pi", "I", "d"}
        shapes = [node.shape for node in nodes] + [row.shape for row in model.sequences.values()]
        bounds = [size for row in model.sequences.values() for size in (row.first, row.last)]
        for size in [size for shape in shapes for size in shape] + bounds:
            used.update(base_and_index(name)[0] for name in size.names())
        for statement in model.statements:
            index = getattr(statement, "index", None)
            if isinstance(index, str):
                used.add(index)
        return cls(used)

    def fresh(self, *wishes: str) -> str:
        """The first wish that is free, else the last one with a number."""
        number = 1
        for wish in wishes:
            if wish not in self.used:
                self.used.add(wish)
                return wish
        while (name := f"{wishes[-1]}{number}") in self.used:
            number += 1
        self.used.add(name)
        return name
