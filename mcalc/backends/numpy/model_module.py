"""The module of a model: loss, gradients, predictions, starts, workspace.

In: the adjoint program of a model; out: the text of a module that imports NumPy (and SciPy where a special function
needs it), checked against the whitelist and formatted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcalc.algebra.expr import Expr, symbols
from mcalc.backends.numpy.aliases import Memory
from mcalc.backends.numpy.arguments import Piece
from mcalc.backends.numpy.bodies import shares, viewed
from mcalc.backends.numpy.body import FunctionBody
from mcalc.backends.numpy.buffers import tree
from mcalc.backends.numpy.guards import Guards, guards_of
from mcalc.backends.numpy.identifiers import RESERVED, identifier
from mcalc.backends.numpy.layout import none_of
from mcalc.backends.numpy.model_arguments import Given, arguments_checked, axes_of, dimensions_of, lengths_checked
from mcalc.backends.numpy.model_choice import by_smallest, by_thinness
from mcalc.backends.numpy.model_frame import Case, Frame
from mcalc.backends.numpy.model_outputs import is_read, output_symbols, statements_of_outputs, whole
from mcalc.backends.numpy.model_rows import rows_of
from mcalc.backends.numpy.rooms import rooms_of
from mcalc.backends.numpy.rows import NAMES as ROW_NAMES
from mcalc.backends.numpy.rows import RowsWriter
from mcalc.backends.numpy.scopes import scope_of, without_idle
from mcalc.backends.numpy.spelling import Names
from mcalc.backends.numpy.text import Text
from mcalc.model.ir import Argument, Element, Model, Range, Statement, definitions
from mcalc.model.ir import Sequence as Stored
from mcalc.model.stacked import Stack
from mcalc.program.ir import Array
from mcalc.program.names import Namer
from mcalc.program.plan import Plan, plan
from mcalc.program.procedure import Procedure, lower_procedure, stored
from mcalc.program.residuals import Thin
from mcalc.program.schedule import base

FRAME_NAMES = frozenset(
    (
        "DIMENSIONS", "SHAPES", "Parameters", "Gradients", "Workspace", "NO_WORKSPACE", "forward", "backward",
        "Order", "ORDERS", "order", "smallest", "Form", "FORMS", "form", "cheaper", "fits", "CANCELLED", "LEAST_SAVED",
        "value_and_grad", "predict", "init", "workspace", "ws", "wrt", "cache", "seed", "dtype", "plain", "rng",
        "space", "ones", "checked", "listed", "expect", "fitting", "known_parameters", "check_gradients",
        "KEPT", "KEPT_BYTES", "keep", "borrowed", "fresh", "whole", "apart", "LIMITS", "sizes", "largest_of_rows",
        "sigmoid_from", "sigmoid_of_negative_from", "directions", "direction", "moved", "parts", "spd",
    )
)  # fmt: skip


@dataclass(slots=True)
class Program:
    """A model ready for emission: its statements with loops vectorised where that is possible."""

    model: Model
    forward: Sequence[Statement]
    backward: Sequence[Statement]
    gradients: Mapping[str, tuple[Expr, ...]]
    sequences: dict[str, Stored]
    elements: dict[Expr, Element]
    stacks: Mapping[Expr, Stack]
    procedure: Procedure


def frame(programs: Mapping[str, Program], original: Model, thin: Sequence[Thin] = ()) -> Frame:
    """The parts of the module of a model; `programs` by the smallest dimension ("": of any), or the form of `thin`."""
    return ModelWriter(next(iter(programs.values())), original).frame(programs, thin)


class ModelWriter:
    """Writes the module of one model; with `outer`, a function of the module that this writes."""

    def __init__(
        self,
        program: Program,
        original: Model,
        outer: ModelWriter | None = None,
    ) -> None:
        self.program = program
        self.original = original
        self.taken: set[str] = set(RESERVED | FRAME_NAMES | ROW_NAMES)
        self.given: list[Given] = outer.given if outer is not None else [self._given(a) for a in original.arguments]
        self.sizes: dict[str, str] = outer.sizes if outer is not None else self._sizes()
        self.taken.update(self.sizes.values(), *([g.python, *(p.python for p in g.pieces)] for g in self.given))
        self.helpers: set[str] = set()

    # --- names --------------------------------------------------------------------------------------------------------

    def _claim(self, name: str) -> str:
        return identifier(name, self.taken)

    def _given(self, argument: Argument) -> Given:
        python = self._claim(argument.name)
        if not argument.ragged:
            return Given(python, argument, (Piece(python, argument.name, axes_of(self.original, argument)),))
        pieces = [
            Piece(self._claim(f"{argument.name}{k}"), e.name, stored(e)) for k, e in enumerate(argument.symbols, 1)
        ]
        return Given(python, argument, tuple(pieces))

    def _sizes(self) -> dict[str, str]:
        """Dimension to Python name, in the order of the arguments."""
        found: dict[str, None] = {}
        for g in self.given:
            for p in g.pieces:
                found.update(dict.fromkeys(n for d in p.axes for n in d.names()))
        return {n: self._claim(n) for n in found}

    def _names(self, statements: Iterable[Statement], sequences: Mapping[str, Stored]) -> Names:
        found: dict[Expr, str] = {}
        python_of: dict[str, str] = {}
        for g in self.given:
            if g.argument.name in self.original.sequences:
                python_of[g.argument.name] = g.python
            else:
                found.update(zip(g.argument.symbols, (p.python for p in g.pieces), strict=True))
        given = frozenset(python_of)
        for name in sequences:
            if name not in python_of:
                python_of[name] = self._claim(name)
        for definition in definitions(tuple(statements)):
            target = definition.target
            if target in found or target in self.program.elements:
                continue
            stack = self.program.stacks.get(target)
            stem = f"{python_of[stack.sequence]}_rows" if stack else target.name
            found[target] = self._claim(stem)
        return Names(found, python_of, self.sizes, self.program.stacks, given, self.taken)

    # --- functions ----------------------------------------------------------------------------------------------------

    def frame(self, programs: Mapping[str, Program], thin: Sequence[Thin]) -> Frame:
        """The parts of the module."""
        check = arguments_checked(self.given, self.sizes, [*self.sizes], {*self.sizes.values(), "dtype"})
        fitted = ", ".join([*self.sizes.values(), "dtype"])
        fits = f"    fitting(ws, ({fitted}{'' if self.sizes else ','}))"
        by_rows = [*check, "if ws is not NO_WORKSPACE:", fits]
        check += lengths_checked(self.original, self.sizes)
        cases: dict[str, Case] = {}
        written: dict[int, Case] = {}
        for chosen, program in programs.items():
            key, name = id(program), chosen if thin else self.sizes.get(chosen, "")
            if key not in written:
                first = next(iter(written.values()), None)
                own = by_rows if first is None or (thin and first.rows is not None) else None
                other = first and self._other_case(name, program, first, own, bool(thin))
                written[key] = other or self._case(name, own)
            cases[name] = written[key]
        apart = ", apart=True" if any(case.overwrites for case in cases.values()) else ""
        check += ["if ws is None:", f"    ws = borrowed({fitted})"]
        check += ["elif ws is NO_WORKSPACE:", f"    ws = fresh({fitted}{apart})", "else:", fits]
        python = {e: p.python for g in self.given for e, p in zip(g.argument.symbols, g.pieces, strict=False)}
        choice = by_thinness(thin, self.sizes, python) if thin else by_smallest([*cases])
        predict = self._predict()
        return Frame(self.original, self.given, self.sizes, cases, choice, check, *predict, frozenset(self.helpers))

    def _other_case(self, name: str, program: Program, first: Case, check: list[str] | None, shared: bool) -> Case:
        """The functions of another program; where the first one has buffers of other shapes, other names."""
        taken: set[str] = set()
        while True:
            writer = ModelWriter(program, self.original, outer=self)
            writer.taken |= taken
            case = writer._case(name, check)
            clashes = first.clashes(case, shared)
            if not clashes:
                self.helpers |= writer.helpers
                return case
            taken |= clashes

    def _case(self, name: str, check: list[str] | None) -> Case:
        """The two phases of the program, and the pass over rows if there is `check`, the lines that check arguments."""
        p, procedure = self.program, self.program.procedure
        labels = {s for found in p.gradients.values() for s in found}
        sequences = dict(p.sequences)
        names = self._names([*p.forward, *p.backward], sequences)
        names.results.update(p.elements[s].sequence for s in labels if s in p.elements)
        found = plan(
            procedure,
            sequences,
            Namer(self.taken),
            lambda e, r: _target_name(names, procedure.elements, sequences, e, r),
            p.stacks,
            names.results,
        )
        results = {s: procedure.bound.get(s) for s in labels}
        guards = self._guards(found, results)
        given_back = [base(a) for a in results.values() if a is not None]
        memory = Memory(found, names.stacks, {*names.given, *names.results}, given_back)
        read = _read_by(found, "backward")
        loss = procedure.bound.get(p.model.loss)
        # a gradient may be what the forward phase has computed
        kept = {base(a) for a in results.values() if a is not None}
        own = {base(loss)} if loss is not None else set()
        forward = FunctionBody(found, memory, names, "forward", {*read, *kept, *own})
        forward_lines = forward.write()
        guarded = guards.undefined
        backward = FunctionBody(found, memory, names, "backward", kept, guards.conditions, before=forward)
        backward.local.update({a: n for a, n in forward.local.items() if a not in backward.local})
        backward.allocated = set(forward.allocated)
        backward.stacked.update(forward.stacked)
        backward_lines = backward.write()
        returned = self._gradients(backward, results, names, guarded, _placed(found, names))
        backward_lines = [*none_of(guarded), *backward_lines, f"return Gradients({', '.join(returned)})"]
        value = forward.statements.text(loss).code if loss is not None else names.symbols[p.model.loss]
        ahead, behind = scope_of([*forward_lines, f"return {value}"]), scope_of(backward_lines)
        used = behind.read
        given = [p.python for g in self.given for p in g.pieces]
        known = [*given, *self.sizes.values(), *(["dtype"] if given else []), *ahead.defined]
        cache = [n for n in dict.fromkeys(known) if n in used and n != "ws"]
        packed = f"({', '.join(['ws', *cache])}{',' if not cache else ''})"
        forward_lines = [*forward_lines, f"return float({value}), {packed}"]
        lead = "ws" if "ws" in used else "_"
        backward_lines.insert(0, f"{', '.join([lead, *cache])}{',' if not cache else ''} = cache")
        self.helpers |= forward.statements.helpers | backward.statements.helpers
        python = {g.argument.name: g.python for g in self.given}
        gradients = {e: python[a.name] for a in self.original.parameters for e in p.gradients[a.name]}
        fields = {**forward.fields, **backward.fields}
        windows = {**forward.windows, **backward.windows}
        forward_lines = without_idle(forward_lines, {*ahead.used, *used})
        backward_lines = without_idle(backward_lines, behind.used)
        rows = None if check is None else rows_of(
            found, names, (p.model.loss, loss), {e: results[e] for e in gradients}, gradients,
            {e for a in self.original.arguments if a.kind == "input" for e in a.symbols},
            [g.python for g in self.given], check,
            lambda writer, arrays, guarded: self._gradients(writer, arrays, names, guarded), fields,
        )  # fmt: skip
        self.helpers |= rows.helpers if rows is not None else set()
        escaping = {f for a in results.values() if a is not None and (f := backward.field_of(base(a), forward))}
        escaping |= {names.sequences[s] for s in names.results}
        escaping |= {self._stored(e, names) for e, a in results.items() if a is None}
        escaping &= set(fields)
        assert not any(re.search(rf"\b{f}\b", view) for view in windows.values() for f in escaping), escaping
        rooms = rooms_of(forward, backward, names.claim)
        lines = forward_lines, backward_lines
        return Case(name, fields, windows, backward.shared, rooms, *lines, rows, frozenset(escaping))

    def _gradients(
        self,
        body: FunctionBody | RowsWriter,
        results: Mapping[Expr, Array | None],
        names: Names,
        guarded: Sequence[str],
        placed: Collection[Array] = (),
    ) -> list[str]:
        """The gradients as they are returned: copies of what lies in arguments, in each other or in sequences."""
        returned = []
        owners = set(placed)
        for argument in self.original.parameters:
            texts = []
            for e in self.program.gradients[argument.name]:
                a = results[e]
                if a is None:
                    texts.append(self._stored(e, names))
                    continue
                text = body.statements.text(a)
                copy = shares(a, owners)
                if not a.rank:
                    text = Text(f"dtype.type({text.code})")
                code = f"{text.atom}.copy()" if copy else text.code
                inner = body.local.get(base(a))
                if inner in guarded and code != inner:
                    code = f"None if {inner} is None else {code}"
                texts.append(code)
            returned.append(f"[{', '.join(texts)}]" if argument.ragged else texts[0])
        return returned

    def _stored(self, e: Expr, names: Names) -> str:
        """What a sum or a loop has gathered: of an element, the whole sequence."""
        if e in self.program.elements:
            return names.sequences[self.program.elements[e].sequence]
        return f"dtype.type({names.symbols[e]})" if e.is_scalar else names.symbols[e]

    def _guards(self, found: Plan, results: Mapping[Expr, Array | None]) -> Guards:
        """The guards of the backward phase; lines that no gradient needs are taken out."""
        python = {g.argument.name: g.python for g in self.given}
        needs: dict[Array, set[str]] = {}
        for argument in self.original.parameters:
            for e in self.program.gradients[argument.name]:
                a = results[e]
                if a is not None:
                    needs.setdefault(base(a), set()).add(python[argument.name])
        sections = [s for s in found.sections if s.phase == "backward"]
        looped = {id(line) for s in sections if s.range is not None for line in s.lines}
        places = {*self.program.stacks, *found.procedure.elements}
        guards = guards_of(
            [line for s in sections for line in s.lines],
            found.names,
            needs,
            [python[a.name] for a in self.original.parameters],
            lambda line: id(line) in looped or line.target in places,
            lambda line: line.array in needs,
        )
        for section in sections:
            section.lines[:] = [line for line in section.lines if id(line) not in guards.idle]
        return guards

    def _predict(self) -> tuple[list[str], list[str]]:
        """The lines of `predict`, and its arguments."""
        model = self.original
        if not model.outputs:
            return [], []
        wanted = statements_of_outputs(model)
        targets = output_symbols(model)
        given_back = [e for found in targets.values() for e in found]
        given_back += [e for e, element in model.elements.items() if element.sequence in model.outputs]
        procedure = lower_procedure({"forward": wanted}, model.elements, given_back)
        program = Program(model, wanted, (), {}, dict(model.sequences), dict(model.elements), {}, procedure)
        writer = ModelWriter(program, model, outer=self)
        used = {s for d in definitions(tuple(wanted)) for s in symbols(d.value)}
        names = writer._names(wanted, writer.program.sequences)
        names.results.update(name for name in model.outputs if name in model.sequences)
        made = plan(
            procedure, writer.program.sequences, Namer(writer.taken),
            lambda e, r: _target_name(names, procedure.elements, writer.program.sequences, e, r),
            given_back=names.results,
        )  # fmt: skip
        memory = Memory(made, names.stacks, {*names.given, *names.results})
        kept = {base(a) for a in procedure.bound.values()}
        body = FunctionBody(made, memory, names, "forward", kept, workspace=False)
        lines = body.write()
        texts = []
        for output in model.outputs:
            if output in model.sequences:
                texts.append(whole(model, output, names))
                continue
            parts = [
                _copied(body, procedure.bound[e]) if e in procedure.bound else self._stored(e, names)
                for e in targets[output]
            ]
            texts.append(f"[{', '.join(parts)}]" if output in model.ragged else parts[0])
        lines.append(f"return {', '.join(texts)}")
        free = scope_of(lines).read
        given = [g for g in self.given if is_read(model, g.argument, used)]
        read = {g.python for g in given}
        shown, wanted_sizes = dimensions_of(given, alone=True), dimensions_of(given)
        for n, python in self.sizes.items():
            if (python in free or n in wanted_sizes) and n not in shown:
                shows = next(g for g in self.given if n in dimensions_of([g], alone=True))
                read.add(shows.python)
                shown |= dimensions_of([shows], alone=True)
        given = [g for g in self.given if g.python in read]
        check = arguments_checked(given, self.sizes, [n for n in self.sizes if n in shown], free)
        check += lengths_checked(model, {n: python for n, python in self.sizes.items() if n in shown})
        self.helpers |= body.statements.helpers
        return [*check, *lines], [g.python for g in given]


def _target_name(
    names: Names, elements: Mapping[Expr, Element], sequences: Mapping[str, Stored], e: Expr, r: Range | None
) -> str:
    """The Python name of a symbol that a line defines."""
    if e in names.symbols:
        return names.symbols[e]
    element = elements[e]
    if element.sequence not in names.sequences:
        names.sequences[element.sequence] = element.sequence
    if r is not None and r.index in element.index.names():
        return names.variable(element.sequence, element.index, r.index)
    return names.fixed(sequences[element.sequence], element.index)


def _placed(found: Plan, names: Names) -> set[Array]:
    """Arrays that lie in the memory of sequences which are not results themselves."""
    elements = found.procedure.elements
    places = {e: element.sequence for e, element in elements.items()} | {e: s.sequence for e, s in names.stacks.items()}
    placed = [(line.target, line.array) for section in found.sections for line in section.lines]
    return {a for e, a in placed if e is not None and e in places and places[e] not in names.results}


def _read_by(found: Plan, phase: str) -> set[Array]:
    """The arrays with a name that the lines of a phase read."""
    read: set[Array] = set()
    for section in found.sections:
        if section.phase == phase:
            for line in section.lines:
                read.update(tree(line.array, found.names))
                if line.array in found.names:
                    read.add(line.array)
    return read


def _copied(body: FunctionBody, a: Array) -> str:
    text = body.statements.text(a)
    if not a.rank:
        return f"float({text.code})"
    return f"{text.atom}.copy()" if viewed(a).op == "arg" else text.code
