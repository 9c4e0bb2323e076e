"""Tables and plot of the figures: models.json keeps them, a section of RESULTS.md and models.svg show them."""

from __future__ import annotations

import json
import math
import platform
import statistics
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.models.peers import EXTERNAL, PEERS
from benchmarks.models.sizes import BY_NAME

FOLDER = Path(__file__).resolve().parents[1]
FIGURES, RESULTS, PLOT = FOLDER / "models.json", FOLDER / "RESULTS.md", FOLDER / "models.svg"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
TIMED = ("floor", "tuned")
Record = dict[str, Any]

ABOUT = """\
Value and gradient of a call, warm, on one machine: read the ratios, not the times. One process for each implementation,
checked against the naive one before it is timed, in turns of 50 ms in rotating order on the same pinned CPUs; medians
of all samples; differences below 10 % mean nothing. `tuned` is plain NumPy and SciPy by hand: buffers made before, the
right order of products, rows in blocks, one exp, work taken out of loops. It was written with these workloads in view
and returns the same buffers at each call; the frameworks have default settings and the loss as its user writes it;
`_alt` is the same loss after the user has done the algebra (the order of products, products never formed, torch's LSTM
kernel). `floor` is the BLAS, LAPACK and transcendental calls of `tuned` alone. `mcalc` gives back new arrays and
keeps up to 64 MB of other memory between calls, `mcalc_ws` has a workspace, `mcalc_typical` also was told the
dimensions when the module was generated, as a just-in-time compiler knows them. The compiler's optimisations were
developed on the workloads of the first table; of those held out, gaussian_nll was looked at once (a sum of
a product came of it), layernorm_mlp and softmax_regression once (sums along rows and columns as products with ones),
student_nll twice (shared Cholesky factors; weights that are seen to be nonnegative). `matfac` has random data, which no
product of thin matrices fits: there the square of the residual is expanded; where the fit is good, it is not, and the
module takes about 1.4 times as long as `tuned`, whose loss then loses digits. Columns after `tuned` are ratios to
`tuned`: above 1 is slower."""
MEMORY = """\
Megabytes: what one warmed call adds at its peak, + what stays between calls (buffers, a workspace, the last result), by
tracemalloc, which sees NumPy's arrays but not those of jax, torch and PyTensor."""
STARTS = """\
Milliseconds after `import numpy`: importing and building the implementation and its first call. Generation is of the
module's text within a running process, the second time."""


def median(values: list[float]) -> float:
    return statistics.median(values) if values else math.nan


def mean(values: Iterable[float]) -> float:
    """The geometric mean."""
    logs = [math.log(v) for v in values if v > 0]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs"


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", row(head), row("---" for _ in head), *map(row, rows), ""]


def ratio(record: Record, peer: str, base: str = "tuned") -> float:
    known = record["peers"]
    return known[peer]["seconds"] / known[base]["seconds"] if peer in known and base in known else math.nan


def best(record: Record) -> tuple[str, float]:
    """The external implementation that is fastest, and its ratio to `tuned`."""
    found = [(ratio(record, p), p) for p in EXTERNAL if p in record["peers"]]
    found = [pair for pair in found if pair[0] == pair[0]]
    return (min(found)[1], min(found)[0]) if found else ("", math.nan)


def number(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"


def label(record: Record) -> str:
    return f"{record['workload']} ({record['size']})"


def present(records: list[Record]) -> list[str]:
    return [p for p in PEERS if any(p in r["peers"] for r in records)]


def speed(records: list[Record]) -> list[str]:
    shown = present(records)
    others = [p for p in shown if p not in TIMED]
    rows = []
    for r in records:
        times = [duration(r["peers"][p]["seconds"]) if p in r["peers"] else "–" for p in TIMED if p in shown]
        name, value = best(r)
        ours = ratio(r, "mcalc_ws")
        gain = value / (ours if ours == ours else ratio(r, "mcalc"))
        rows.append([label(r), *times, *(number(ratio(r, p)) for p in others), f"{name} {number(value)}", number(gain)])
    means = [mean(v for r in records if (v := ratio(r, p)) == v) for p in others]
    gains = [float(cells[-1]) for cells in rows if cells[-1] != "–"]
    bests = mean(v for r in records if (v := best(r)[1]) == v)
    blank = ["" for p in TIMED if p in shown]
    rows.append(["**geometric mean**", *blank, *map(number, means), number(bests), number(mean(gains))])
    return table(["workload (size)", *(p for p in TIMED if p in shown), *others, "best external", "it / ours"], rows)


def memory(records: list[Record]) -> list[str]:
    shown = [p for p in present(records) if PEERS[p].traced and p != "floor"]
    rows = []
    for r in records:
        cells = []
        for p in shown:
            known = r["peers"].get(p, {})
            cells.append(f"{known['peak'] / 1e6:.2f} + {known['standing'] / 1e6:.2f}" if "peak" in known else "–")
        rows.append([label(r), *cells])
    return table(["workload (size)", *shown], rows)


def starts(records: list[Record]) -> list[str]:
    shown = [p for p in present(records) if p != "floor"]
    rows = []
    for r in records:
        made = r.get("generation", {}).get("again")
        cells = [f"{1e3 * r['peers'][p]['first']:.3g}" if p in r["peers"] else "–" for p in shown]
        rows.append([label(r), f"{1e3 * made:.3g}" if made else "–", *cells])
    return table(["workload (size)", "generation", *shown], rows)


def problems(records: list[Record]) -> list[str]:
    """Which implementation is missing where, and why; reasons that are shared stand once."""
    found: dict[tuple[str, str], list[str]] = {}
    for r in records:
        for name, why in {**r["problems"], "generation": r.get("generation", {}).get("problem", "")}.items():
            if why:
                found.setdefault((name, why), []).append(label(r))
    cell = {k: ", ".join(v) if len(v) < len(records) else "all" for k, v in found.items()}
    return [f"* {name} left out ({where}): {why}" for (name, why), where in cell.items()]


def groups(records: list[Record]) -> list[tuple[str, list[Record]]]:
    held = [r for r in records if BY_NAME[r["workload"]].held_out]
    known = [r for r in records if not BY_NAME[r["workload"]].held_out]
    return [(title, some) for title, some in (("Developed on", known), ("Held out", held)) if some]


def tables(records: list[Record]) -> list[str]:
    text = []
    for title, some in groups(records):
        text += [f"{title}:", *speed(some)]
    return [*text, *problems(records), ""]


def versions(pythons: Mapping[str, str] | None = None) -> str:
    """Of this interpreter and its packages, then of those that some peers have."""
    found = [f"Python {platform.python_version()}"]
    for package in ("numpy", "scipy", "jax", "torch", "pytensor", "autograd", "tensorgrad"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    told = [", ".join(found)]
    look = "from benchmarks.models.report import versions; print(versions())"
    for python in dict.fromkeys((pythons or {}).values()):
        names = " and ".join(name for name, path in (pythons or {}).items() if path == python)
        done = subprocess.run([python, "-c", look], cwd=FOLDER.parent, capture_output=True, text=True, check=True)
        told.append(f"{names}: {done.stdout.strip()}")
    return "; ".join(told)


def section(figures: dict[str, Any]) -> str:
    text = ["## Models: generated modules and what else there is", "", *ABOUT.splitlines(), ""]
    for key, run in figures.items():
        dtype, threads = key.split("-")
        many = "thread" if threads == "1" else "threads"
        text += [f"### {dtype}, {threads} {many}", "", f"{run['versions']}; {run['rounds']} rounds.", ""]
        text += tables(run["records"])
        if key == "float64-1":
            text += ["![ratios to tuned NumPy](models.svg)", "", "### Memory", "", *MEMORY.splitlines()]
            text += [*memory(run["records"]), "### Start", "", *STARTS.splitlines(), *starts(run["records"])]
    return "\n".join(text).strip()


def insert(text: str, begin: str, end: str, path: Path = RESULTS) -> None:
    """Puts a section between its markers, at the end where they are not there yet."""
    old = path.read_text(encoding="utf-8")
    new = f"{begin}\n{text}\n{end}"
    if begin in old:
        head, rest = old.split(begin, 1)
        new = head + new + rest.split(end, 1)[1]
    else:
        new = old.rstrip() + "\n\n" + new + "\n"
    path.write_text(new, encoding="utf-8")


def write(records: list[Record], dtype: str, threads: int, rounds: int, pythons: Mapping[str, str]) -> None:
    """Merges a run into the figures: its workloads and sizes replace those of an earlier run.

    `pythons`: the peers that have an interpreter of their own.
    """
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    run = figures.setdefault(f"{dtype}-{threads}", {"records": []})
    merged = {label(r): r for r in [*run["records"], *records]}
    order = {f"{w.name} ({size})": None for w in BY_NAME.values() for size in w.sizes}
    run.update(rounds=rounds, versions=versions(pythons), records=[merged[k] for k in order if k in merged])
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    insert(section(figures), BEGIN, END)
    if "float64-1" in figures:
        plot(figures["float64-1"]["records"])


def plot(records: list[Record], path: Path = PLOT) -> None:
    """Ratios to `tuned` by workload, on a logarithmic axis, as SVG; nothing where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "mcalc", "font.size": 9})
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter

    marks = {"floor": ("_", "0.3"), "mcalc_ws": ("D", "tab:red"), "mcalc": ("o", "tab:orange"),
             "numpy_naive": ("s", "0.6"), "jax": ("^", "tab:blue"), "torch": ("v", "tab:green"),
             "torch_compile": (">", "tab:olive"), "pytensor": ("<", "tab:purple"),
             "autograd": ("x", "tab:brown")}  # fmt: skip
    fig, ax = plt.subplots(figsize=(9, 0.3 * len(records) + 1.4))
    for name, (mark, color) in marks.items():
        points = [(ratio(r, name), -i) for i, r in enumerate(records) if name in r["peers"] and "tuned" in r["peers"]]
        if points:
            front = 3 if name.startswith("mcalc") else 2
            ax.scatter(*zip(*points, strict=True), marker=mark, c=color, s=28, label=name, zorder=front)
    ax.axvline(1, color="0.3", lw=0.8)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_yticks([-i for i in range(len(records))], [label(r) for r in records])
    ax.set_xlabel("time of value and gradient / time of tuned NumPy (less is better)")
    ax.grid(axis="both", color="0.9", lw=0.5)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=5, frameon=False)
    fig.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(fig)
