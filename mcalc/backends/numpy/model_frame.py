"""The frame of a model's module: what stands around the two bodies.

In: the bodies, the buffers, the arguments; out: the text, rendered by the template, checked and formatted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra.names import base_and_index
from mcalc.algebra.shape import ONE
from mcalc.backends.numpy import model_helpers as texts
from mcalc.backends.numpy.comments import safe
from mcalc.backends.numpy.helpers import CHECKED_WITH_SHAPES, HELPERS, KEEPING, USES, with_needs
from mcalc.backends.numpy.model_arguments import Given, declared
from mcalc.backends.numpy.model_check import CHECK, SPD, sample_lines
from mcalc.backends.numpy.model_choice import Choice
from mcalc.backends.numpy.model_starts import properties, roles_of, start_lines, start_value
from mcalc.backends.numpy.rooms import Room
from mcalc.backends.numpy.rows import Rows
from mcalc.backends.numpy.spelling import axes_text
from mcalc.model.ir import Model
from mcalc.program.operations import Axes


@dataclass(frozen=True, slots=True)
class Case:
    """The two phases of the program in one order of products."""

    name: str
    """Of the case: the first key that chooses it; "" where there is one case."""
    fields: Mapping[str, tuple[Axes, str]]
    windows: Mapping[str, str]
    """Views of buffers that the workspace has ready, and their texts."""
    shared: Mapping[str, str]
    """Buffers of the backward phase to those of the forward phase whose memory they may have."""
    rooms: Sequence[Room]
    """Places for buffers of different shapes, of which one is needed at a time."""
    forward: Sequence[str]
    backward: Sequence[str]
    rows: Rows | None
    """The pass over rows."""
    returned_fields: frozenset[str]
    """The buffers that gradients lie in."""

    @property
    def memory(self) -> dict[str, tuple[Axes, str]]:
        """All buffers."""
        return {**self.fields, **(self.rows.fields if self.rows is not None else {})}

    @property
    def overwrites(self) -> bool:
        """Whether the backward phase writes where the forward phase left what it needs."""
        return bool(self.shared) or any(room.apart for room in self.rooms)

    @property
    def whole(self) -> frozenset[str]:
        """Buffers of the pass over rows that hold all rows."""
        return self.rows.whole if self.rows is not None else frozenset()

    def clashes(self, other: Case, shared: bool) -> set[str]:
        """The names of buffers that have another shape or kind in another case.

        Where the workspace is `shared`, of all buffers, else of those of the pass over rows, which serves both cases.
        """
        here = self.memory if shared else self.rows.fields if self.rows is not None else {}
        there = other.memory
        unlike = {name for name in here if name in there and here[name] != there[name]}
        if not shared:
            return unlike
        return unlike | (self.whole ^ other.whole | {*self.shared, *other.shared}) & {*here} & {*there}


@dataclass(frozen=True, slots=True)
class Frame:
    """The parts of a module."""

    model: Model
    given: Sequence[Given]
    sizes: Mapping[str, str]
    cases: Mapping[str, Case]
    """By the key that the choice between them gives; a case may serve several, the first is the usual one."""
    choice: Choice
    check: Sequence[str]
    predict: Sequence[str]
    predict_arguments: Sequence[str]
    operations: frozenset[str]

    @property
    def rows(self) -> Rows | None:
        """The pass over rows."""
        return next(iter(self.cases.values())).rows

    def served(self, case: Case) -> list[Case]:
        """The cases that a workspace serves: all, where one may take the place of another."""
        return list(self.cases.values()) if self.choice.may_cancel else [case]

    def memory(self, case: Case) -> dict[str, tuple[Axes, str]]:
        """The buffers of the workspace."""
        found: dict[str, tuple[Axes, str]] = {}
        for served in self.served(case):
            found.update(served.memory)
        return {**found, **(self.rows.fields if self.rows is not None else {})}

    def context(self, command: str, version: str) -> dict[str, object]:
        """What the template is rendered with."""
        parameters = [g for g in self.given if g.argument.kind == "param"]
        grouped = grouped_sizes(self.sizes)
        roles = roles_of(self.model)
        starts = [line for g in parameters for line in start_lines(self.model, roles, g, self.sizes)]
        needed = {n for g in parameters for p in g.pieces for d in p.axes for n in d.names()}
        init_groups = [(name, names) for name, names in grouped if set(names) & needed]
        made = ", ".join(f"{g.python}={start_value(g)}" for g in parameters)
        cases = list({case.name: case for case in self.cases.values()}.values())
        blocks = self._blocks(parameters)
        lines = [*blocks, *(line for case in cases for line in (*case.forward, *case.backward))]
        # each call makes the gradients that it gives back
        matrices = any(len(p.axes) - p.axes.count(ONE) > 1 for g in parameters for p in g.pieces)
        return {
            "docstring": self._docstring(command, version),
            "imports": self._imports(),
            "dimensions": _tuple([f'"{name}"' for name, _ in grouped]),
            "shapes": self._shapes(),
            "parameters": [g.python for g in parameters],
            "kinds": {g.python: "list" if g.argument.ragged else "np.ndarray" for g in parameters},
            "fields": self._fields(cases),
            "rows": self.rows.head if self.rows is not None else [],
            "choice": self.choice,
            "data": self.rows.data if self.rows is not None else "",
            "arguments": [g.python for g in self.given],
            "explained": self._explained(),
            "predict": list(self.predict),
            "predict_arguments": list(self.predict_arguments),
            "predict_summary": f"{', '.join(self.model.outputs)}, from what it depends on.",
            "init_sizes": [name for name, _ in init_groups],
            "init_summary": "random numbers scaled by the number of inputs, zeros for what is added",
            "init": [
                *(_unpack(name, names, self.sizes) for name, names in init_groups if _ragged(name, names)),
                *(["rng = np.random.default_rng(seed)"] if any("rng." in line for line in starts) else []),
                *starts,
                f"return Parameters({made})",
            ],
            "workspace_sizes": [name for name, _ in grouped],
            "workspace": self._workspace(grouped),
            "check": list(self.check),
            "cases": [
                {
                    "suffix": f"_{case.name}" if case.name else "",
                    "title": self.choice.title([name for name, served in self.cases.items() if served is case]),
                    "rows": case.rows.lines if case.rows is not None else [],
                    "length": case.rows.length if case.rows is not None else "",
                    "forward": list(case.forward),
                    "backward": list(case.backward),
                    "buffers": self._buffers(case),
                }
                for case in cases
            ],
            "case_of": {name: f"_{case.name}" for name, case in self.cases.items()} if len(cases) > 1 else {},
            "all_sizes": list(self.sizes.values()),
            "known": [*(p.python for g in self.given for p in g.pieces), *self.sizes.values(), "dtype", "ws"],
            "returned_fields": sorted({name for case in cases for name in case.returned_fields}),
            "shares": any(case.overwrites for case in cases),
            "blocks": blocks,
            "keeping": KEEPING.strip().splitlines() if matrices or any("np.linalg." in x for x in lines) else [],
        }

    def _docstring(self, command: str, version: str) -> list[str]:
        model = self.model
        lines = [safe(model.comment.splitlines()[0].strip()) if model.comment else f"The model {model.name}.", ""]
        lines += ["    " + safe(line.rstrip()) if line.strip() else "" for line in model.text.strip().splitlines()]
        lines += ["", f"Written by mcalc {version}: {safe(command)}"]
        return lines

    def _imports(self) -> list[str]:
        used = with_needs(USES[op] for op in self.operations if op in USES) - set(texts.WITH_OUT)
        return sorted({HELPERS[n].imports for n in used if n in HELPERS and HELPERS[n].imports})

    def _shapes(self) -> str:
        entries = []
        for g in self.given:
            if g.argument.ragged:
                entries.append(f'"{g.python}": [{", ".join(declared(p.axes) for p in g.pieces)}]')
            else:
                entries.append(f'"{g.python}": {declared(g.pieces[0].axes)}')
        return f"SHAPES = {{{', '.join(entries)}}}"

    def _explained(self) -> list[str]:
        lines = ["Arguments:"]
        width = max((len(g.python) for g in self.given), default=0)
        for g in self.given:
            shapes = " and ".join(dict.fromkeys(" x ".join(map(str, p.axes)) or "scalar" for p in g.pieces))
            words = "".join(f" {w}" for w in sorted(properties(self.model, g)))
            what = f"list of {len(g.pieces)}: {shapes}" if g.argument.ragged else shapes
            renamed = f" ({safe(g.argument.name)} in the model)" if g.argument.name != g.python else ""
            lines.append(f"    {g.python.ljust(width)} : {what}{words}{renamed}")
        lines += [f"    {p} is the dimension {safe(n)}" for n, p in self.sizes.items() if p != n and "[" not in n]
        return lines

    def _workspace(self, grouped: Sequence[tuple[str, list[str]]]) -> list[str]:
        unpacked = [_unpack(name, names, self.sizes) for name, names in grouped if _ragged(name, names)]
        return [*unpacked, f"return _buffers({', '.join([*self.sizes.values(), 'np.dtype(dtype)'])})"]

    def _fields(self, cases: Sequence[Case]) -> dict[str, str]:
        """The fields of the workspace and their types."""
        found: dict[str, str] = {}
        for case in cases:
            names = [*(room.name for room in self._rooms(case)), *self.memory(case)]
            found.update(dict.fromkeys(names, "np.ndarray"))
            ready = _read_windows(case)
            found.update({w: "list" if text.startswith("list(") else "np.ndarray" for w, text in ready[1].items()})
        return found

    def _rooms(self, case: Case) -> list[Room]:
        """The rooms of a workspace, each of two buffers or more; none where it serves more than one order of lines."""
        if self.rows is not None or len(self.served(case)) > 1:
            return []
        found = (room.without(case.returned_fields) for room in case.rooms)
        return [room for room in found if len(room.members) > 1]

    def _buffers(self, case: Case) -> list[str]:
        """The lines of `_buffers`."""
        lines = []
        sizes = "".join(f"{p}, " for p in self.sizes.values())
        made = [f"sizes=({sizes}dtype)" if sizes else "sizes=(dtype,)"]
        named = dict(self.sizes)
        memory = self.memory(case)
        shared = {name: place for served in self.served(case) for name, place in served.shared.items()}
        whole = frozenset(memory)
        if self.rows is not None:
            named[self.rows.n] = f"block_rows or {named[self.rows.n]}"
            block_rows = f"rows_of_block({', '.join([*self.rows.sizes, 'dtype.itemsize'])})"
            lines.append(f"block_rows = 0 if whole else {block_rows}")
            if shared:
                lines.append("apart = apart or block_rows > 0  # there the order is another")
            made.append("block_rows=block_rows")
            whole = frozenset[str]().union(*(other.whole for other in self.cases.values()))
        needed, ready = _read_windows(case)
        mentioned = _words(needed.values())
        room_of: dict[str, Room] = {}
        for room in self._rooms(case):
            lines.append(room.line(memory, self.sizes))
            room_of |= dict.fromkeys(room.members, room)
            made.append(f"{room.name}={room.name}")
        for name, (axes, kind) in memory.items():
            shape = axes_text(axes, self.sizes if name in whole else named)
            function = f"np.{kind}" if kind in ("ones", "zeros") else "np.empty"
            value = f"{function}({shape}, {'bool' if kind == 'bool' else 'dtype'})"
            if name in room_of:
                value = room_of[name].part(name, memory, self.sizes)
            if name in shared:
                value = f"{value} if apart else {shared[name]}[...]"
            if name in shared.values() or name in mentioned:
                lines.append(f"{name} = {value}")
                value = name
            made.append(f"{name}={value}")
        lines += [f"{name} = {text}" for name, text in needed.items()]
        made += [f"{name}={name}" for name in ready]
        return [*lines, f"return Workspace({', '.join(made)})"]

    def _blocks(self, parameters: Sequence[Given]) -> list[str]:
        used = with_needs(USES.get(op, op) for op in self.operations)
        blocks = [texts.WITH_OUT[name].strip() for name in texts.WITH_OUT if name in used or name in self.operations]
        blocks += [
            HELPERS[n].code.strip()
            for n in sorted(used)
            if n in HELPERS and HELPERS[n].code and n not in texts.WITH_OUT
        ]
        cases = self.cases.values()
        rows = [line for c in cases if c.rows is not None for line in (*c.rows.head, *c.rows.lines)]
        body = "\n".join([*self.check, *self.predict, *rows, *(x for c in cases for x in (*c.forward, *c.backward))])
        if "space(" in body:
            blocks.append(texts.SPACE.strip())
        if "= ones(" in body:
            blocks.append(texts.ONES.strip())
        if "listed(" in body or any("[" in n for n in self.sizes):
            blocks.append(texts.LISTED.strip())
        if "expect(" in body:
            blocks.append(texts.EXPECT.strip())
        if self.rows is not None:
            blocks.append(self.rows.block.strip())
        blocks += [texts.FITTING.strip(), texts.KNOWN.strip(), CHECKED_WITH_SHAPES.strip()]
        inputs = [g for g in self.given if g.argument.kind == "input"]
        lines = sample_lines(self.model, [*inputs, *parameters], self.sizes)
        called = ", ".join(f'"{g.python}": {g.python}' for g in self.given)
        directions = ", ".join(f'"{g.python}": {_structure(self.model, g)}' for g in parameters)
        filled = {"SAMPLE": "\n    ".join(lines), "GIVEN": f"{{{called}}}", "STRUCTURES": f"{{{directions}}}"}
        blocks.append(re.sub("|".join(filled), lambda found: filled[found[0]], CHECK.strip()))
        if any("spd(" in line for line in lines):
            blocks.append(SPD.strip())
        return blocks


def _read_windows(case: Case) -> tuple[dict[str, str], dict[str, str]]:
    """The views that a case needs, and among them those that its lines read from the workspace."""
    read = set(re.findall(r"\bws\.(\w+)", "\n".join([*case.forward, *case.backward])))
    ready = {name: view for name, view in case.windows.items() if name in read}
    needed = dict(ready)
    mentioned = _words(ready.values())
    for name, view in reversed([*case.windows.items()]):
        if name in mentioned:
            needed[name] = view
            mentioned |= _words([view])
    return {name: view for name, view in case.windows.items() if name in needed}, ready


def _words(texts: Iterable[str]) -> set[str]:
    return set(re.findall(r"\w+", "\n".join(texts)))


def _structure(model: Model, g: Given) -> str:
    words = properties(model, g) & {"symmetric", "spd", "psd", "diagonal", "skew", "lower", "upper"}
    found = {"spd": "symmetric", "psd": "symmetric"}
    return f'"{found.get(min(words), min(words))}"' if words else '""'


def _tuple(items: Sequence[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def grouped_sizes(sizes: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Dimensions as a caller gives them: those of a ragged one (d[0], d[1], …) as one list."""
    groups: dict[str, list[str]] = {}
    for n, python in sizes.items():
        stem = base_and_index(n)[0]
        if stem != n:
            groups.setdefault(stem, []).append(n)
        else:
            groups[python] = [n]
    for stem in groups:
        groups[stem].sort(key=lambda n: int(n.partition("[")[2].rstrip("]") or 0))
    return list(groups.items())


def _ragged(name: str, names: Sequence[str]) -> bool:
    return any("[" in n for n in names)


def _unpack(name: str, names: Sequence[str], sizes: Mapping[str, str]) -> str:
    targets = f"{', '.join(sizes[n] for n in names)}{',' if len(names) == 1 else ''}"
    return f'{targets} = listed("{name}", {name}, {len(names)}, "numbers")'
