"""`python benchmarks/derive.py`: how fast mcalc derives, how it grows, and what SymPy makes of the same expressions.

Writes benchmarks/RESULTS.md. In-process times are medians over the gradients of tests/corpus; SymPy's answers are
judged by mcalc's own check (central differences), which knows nothing of how they were found.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
warnings.simplefilter("ignore")

import mcalc  # noqa: E402
from mcalc.algebra import operators as o  # noqa: E402
from mcalc.algebra.expr import Expr, symbols  # noqa: E402
from mcalc.algebra.shape import dim  # noqa: E402
from mcalc.algebra.structure import structure  # noqa: E402
from mcalc.errors import McalcError  # noqa: E402
from mcalc.pipeline import derive_gradients  # noqa: E402
from mcalc.verify.gradient import check_gradient  # noqa: E402
from tests.oracle.corpus import Entry, files, load  # noqa: E402

Row = tuple[str, ...]
OTHERS = "## Second derivatives"
"""The first section of RESULTS.md that this file does not write."""


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def corpus() -> list[Entry]:
    return [entry for path in files() for entry in load(path) if entry["kind"] == "gradient"]


# --- mcalc on the corpus ----------------------------------------------------------------------------------------------


def in_process(entries: list[Entry]) -> list[Row]:
    """Median and slowest, with and without proof and check; the second of two runs of each."""
    bare, whole = [], []
    for entry in entries:
        for times, verify in ((bare, False), (whole, True)):

            def run(entry: Entry = entry, verify: bool = verify) -> object:
                return mcalc.derive(entry["expression"], wrt=entry["wrt"], where=entry["where"], verify=verify)

            try:
                run()
                times.append(seconds(run))
            except McalcError:
                times.append(float("nan"))
    rows = []
    for what, times in (("derivation", bare), ("derivation, proof and check", whole)):
        known = [t for t in times if t == t]
        errors = str(len(times) - len(known))
        rows.append((what, f"{1e3 * statistics.median(known):.1f}", f"{1e3 * max(known):.0f}", errors))
    return rows


# --- SymPy on the corpus ----------------------------------------------------------------------------------------------


def side_by_side(entries: list[Entry]) -> tuple[list[Row], float]:
    """What SymPy's `diff` makes of every expression that it can hold."""
    outcomes: Counter[str] = Counter()
    times = []
    for entry in entries:
        parsed = mcalc.parse(entry["expression"], where=entry["where"], wrt=entry["wrt"])
        start = time.perf_counter()
        outcome = sympy_outcome(parsed.expression, parsed.wrt[0])
        times.append(time.perf_counter() - start)
        outcomes[outcome] += 1
    rows = [(what, str(count)) for what, count in outcomes.most_common()]
    return rows, statistics.median(times)


def sympy_outcome(root: Expr, x: Expr) -> str:
    try:
        f = mcalc.to_sympy(root)
    except Exception:
        return "cannot be written as a SymPy matrix expression"
    try:
        result = f.diff(mcalc.to_sympy(x)).doit()
    except Exception as problem:
        return f"raises {type(problem).__name__}"
    try:
        properties = {e.name: tuple(e.attrs[1]) for e in (*symbols(root), x)}
        answer = mcalc.from_sympy(result, properties)
    except Exception:
        return "not a closed form (unevaluated, arrays or entries)"
    if answer.shape != x.shape:
        zero = answer.op == "num" and answer.attrs[0] == 0
        return "wrong: zero" if zero else "not a closed form (unevaluated, arrays or entries)"
    kind = structure(x)
    if kind is not None and answer.op != "zeros":
        answer = kind.projection(answer)  # SymPy knows no structured variables: its gradient is the unconstrained one
    try:
        if check_gradient(root, {x: answer}).ok:
            return "right"
        return "wrong: zero" if answer.op in ("zeros", "num") else "wrong"
    except Exception:
        return "not a closed form (unevaluated, arrays or entries)"


# --- growth -----------------------------------------------------------------------------------------------------------


def sum_of_terms(count: int) -> tuple[Expr, Expr]:
    n = dim("n")
    x = o.symbol("x", (n, dim(1)))
    terms = []
    for k in range(count):
        A = o.symbol(f"A{k}", (n, n))
        terms.append(o.mul(o.T(x), A, x) if k % 2 else o.app("sum", o.app("exp", o.mul(A, x)), attrs=(None,)))
    return o.add(*terms), x


def long_product(count: int) -> tuple[Expr, Expr]:
    n = dim("n")
    factors = [o.symbol(f"X{k}", (n, n)) for k in range(count)]
    return o.app("tr", o.mul(*factors)), factors[count // 2]


def layers(count: int) -> tuple[Expr, Expr]:
    n = dim("n")
    W, h = o.symbol("W", (n, n)), o.symbol("x", (n, dim(1)))
    for _ in range(count):
        h = o.app("tanh", o.mul(W, h))
    return o.app("sum", h, attrs=(None,)), W


def growth() -> list[Row]:
    rows = []
    for what, build, size in (
        ("sum of terms", sum_of_terms, 1000),
        ("tr(X1 ... Xk) by one factor", long_product, 200),
        ("layers tanh(W tanh(W ...)) by W", layers, 100),
    ):
        times = []
        for count in (size, 2 * size):
            root, x = build(count)
            times.append(min(seconds(lambda root=root, x=x: derive_gradients(root, (x,))) for _ in range(2)))
        rows.append(
            (what, str(size), f"{times[0]:.2f}", str(2 * size), f"{times[1]:.2f}", f"{times[1] / times[0]:.2f}")
        )
    return rows


# --- cold start -------------------------------------------------------------------------------------------------------


def cold_start(python: str, rounds: int = 21) -> list[Row]:
    """Interleaved runs of the given interpreter, in which mcalc is installed."""
    program = [python, "-m", "mcalc"]
    job = ["derive", "tr((y-XW)^T (y-XW))", "--wrt", "W"]
    commands = {
        "python -c 'import numpy'": [python, "-c", "import numpy"],
        "mcalc --help": [*program, "--help"],
        "mcalc derive --no-verify": [*program, *job, "--no-verify"],
        "mcalc derive": [*program, *job],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            run = lambda c=command: subprocess.run(c, check=True, stdout=subprocess.DEVNULL, cwd="/")  # noqa: E731
            times[name].append(seconds(run))
    base = statistics.median(times["python -c 'import numpy'"])
    return [
        (name, f"{1e3 * statistics.median(t):.0f}", f"{statistics.median(t) / base:.2f}") for name, t in times.items()
    ]


def table(head: Row, rows: list[Row]) -> list[str]:
    return ["", *(f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows)), ""]


def main() -> None:
    entries = corpus()
    text = ["# Figures", "", f"{len(entries)} gradients of tests/corpus. Milliseconds unless said otherwise.", ""]
    text += ["## In process", *table(("what", "median", "slowest", "errors"), in_process(entries))]
    rows, median = side_by_side(entries)
    text += ["## SymPy on the same expressions", *table(("SymPy's answer", "count"), rows)]
    text += [f"SymPy's median time: {1e3 * median:.1f} ms.", ""]
    head = ("what", "size", "seconds", "size", "seconds", "ratio")
    text += ["## Growth, derivation without printing", *table(head, growth())]
    python = os.environ.get("MCALC_PYTHON")
    if python:
        text += ["## Cold start of an installed wheel", *table(("command", "median", "ratio"), cold_start(python))]
    results = ROOT / "benchmarks" / "RESULTS.md"
    others = "".join(results.read_text(encoding="utf-8").partition(OTHERS)[1:])
    text += [others.rstrip()] if others else []
    results.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
