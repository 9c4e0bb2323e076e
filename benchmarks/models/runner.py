"""`python -m benchmarks.models`: every implementation of every workload, one process each, in turns of 50 ms.

The processes of a workload are pinned to the same CPUs and take turns in rotating order; a figure is the median of all
samples. An implementation that is missing or fails is left out, with its reason in the notes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.models import report
from benchmarks.models.peers import PEERS, Peer
from benchmarks.models.sizes import BY_NAME, WORKLOADS, Workload

ROOT = Path(__file__).resolve().parents[2]
TURN = 0.05
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Settings that would make OpenBLAS another library than the user's."""


def environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    counts = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")
    eigen = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, **dict.fromkeys(counts, str(threads)), "XLA_FLAGS": flags, "PYTHONPATH": path,
            "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}  # fmt: skip


class Worker:
    """A running implementation; `ready` holds what it said of itself."""

    def __init__(self, job: dict[str, Any], threads: int, limit: float, python: str = sys.executable) -> None:
        command = [python, "-m", "benchmarks.models.worker", json.dumps(job)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True,
            env=environment(threads),
        )  # fmt: skip
        self.ready = self._read(limit)

    def _read(self, limit: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(limit):
                self.process.kill()
                return {"ok": False, "problem": f"not ready after {limit:.0f} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"ok": False, "problem": "the process ended"}

    def ask(self, command: str, limit: float = 60) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"ok": False, "problem": "the process ended"}
        return self._read(limit)

    def close(self) -> None:
        if self.process.poll() is None and self.process.stdin is not None:
            try:
                self.process.stdin.write("quit\n")
                self.process.stdin.flush()
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()


def generation(w: Workload, size: str, folder: Path, threads: int) -> dict[str, Any]:
    """Writes the generated module; how long that took, or why it could not be."""
    command = [sys.executable, "-m", "benchmarks.models.generated", w.name, size, str(folder / f"{w.name}.py")]
    done = subprocess.run(command, cwd=ROOT, env=environment(threads), capture_output=True, text=True, timeout=300)
    if done.returncode:
        return {"problem": (done.stderr.strip().splitlines() or ["no reason given"])[-1][:200]}
    return json.loads(done.stdout)


def measure(w: Workload, size: str, peers: list[Peer], options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The record of a workload: what is known of each implementation, its samples' median among it."""
    cpus = sorted(os.sched_getaffinity(0))[-options.threads :]
    record: dict[str, Any] = {"workload": w.name, "size": size, "peers": {}, "problems": {}}
    if any(p.name.startswith("mcalc") for p in peers):
        record["generation"] = generation(w, size, folder, options.threads)
        if "problem" in record["generation"]:
            peers = [p for p in peers if not p.name.startswith("mcalc")]
    workers: dict[str, Worker] = {}
    try:
        for peer in peers:
            job = {"workload": w.name, "size": size, "peer": peer.name, "dtype": options.dtype, "cpus": cpus,
                   "folder": str(folder)}  # fmt: skip
            worker = Worker(job, options.threads, options.limit, options.python.get(peer.name, sys.executable))
            if worker.ready["ok"]:
                workers[peer.name] = worker
            else:
                record["problems"][peer.name] = worker.ready["problem"]
                worker.close()
        found: dict[str, list[float]] = {name: [] for name in workers}
        names = list(workers)
        for turn in range(options.rounds):
            at = turn % max(1, len(names))
            for name in names[at:] + names[:at]:
                found[name] += workers[name].ask(f"turn {TURN}").get("samples", [])
        for name, worker in workers.items():
            ready = worker.ready
            record["peers"][name] = {"seconds": report.median(found[name]), "first": ready["first"],
                                     "error": ready["error"]}  # fmt: skip
            if PEERS[name].traced:
                record["peers"][name].update(worker.ask("memory"))
    finally:
        for worker in workers.values():
            worker.close()
    return record


def progress(record: dict[str, Any], seconds: float) -> None:
    base = record["peers"].get("tuned", {}).get("seconds")
    parts = []
    for name, known in record["peers"].items():
        ratio = f" ({known['seconds'] / base:.2f})" if base else ""
        parts.append(f"{name} {report.duration(known['seconds'])}{ratio}")
    problems = "".join(f"; {name}: {why}" for name, why in record["problems"].items())
    print(f"{record['workload']} ({record['size']}), {seconds:.0f} s: {', '.join(parts)}{problems}", file=sys.stderr)


def interpreter(text: str) -> tuple[str, str]:
    """PEER=PATH: a peer and the interpreter that runs it."""
    name, _, path = text.partition("=")
    if name not in PEERS:
        raise argparse.ArgumentTypeError(f"PEER=PATH expected, PEER one of {', '.join(PEERS)}: {text}")
    if not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"no interpreter to run: {path or text}")
    return name, os.path.abspath(path)


def installed(module: str, python: str | None) -> bool:
    """Whether the interpreter has the module; None: this one."""
    if python is None:
        return importlib.util.find_spec(module) is not None
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", look], cwd=ROOT, check=False).returncode == 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__.splitlines()[0])
    parser.add_argument("--workload", action="append", choices=list(BY_NAME), help="only this one (repeatable)")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this one (repeatable)")
    parser.add_argument("--python", action="append", type=interpreter, default=[], metavar="PEER=PATH",
                        help="the interpreter of a peer whose libraries do not go with the others (repeatable); it "
                        "needs NumPy and the peer's library: --python tensorgrad=VENV/bin/python, where VENV has "
                        "numpy, tensorgrad and torch 2.6, for tensorgrad 0.3 does not run on torch 2.13")  # fmt: skip
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--threads", type=int, choices=(1, 2), default=1)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each implementation (7)")
    parser.add_argument("--sizes", choices=("reference", "all"), default="reference")
    parser.add_argument("--limit", type=float, default=180, help="seconds to build and compile (180)")
    parser.add_argument("--write", action="store_true", help="keep the figures: models.json, RESULTS.md, models.svg")
    options = parser.parse_args()
    options.python = dict(options.python)
    return options


def main() -> None:
    options = arguments()
    chosen = [BY_NAME[name] for name in options.workload] if options.workload else WORKLOADS
    wanted = [PEERS[name] for name in options.peer or PEERS]
    absent = [p for p in wanted if not installed(p.needs, options.python.get(p.name))]
    missing = {p.name: f"{p.needs} is not installed" for p in absent}
    records = []
    with tempfile.TemporaryDirectory() as name:
        for w in chosen:
            for size in w.sizes if options.sizes == "all" else [w.reference]:
                start = time.perf_counter()
                peers = [p for p in wanted if p.name not in missing and p.exists(w)]
                record = measure(w, size, peers, options, Path(name))
                record["problems"].update({p: why for p, why in missing.items() if PEERS[p].exists(w)})
                records.append(record)
                progress(record, time.perf_counter() - start)
    if options.write:
        report.write(records, options.dtype, options.threads, options.rounds, options.python)
    else:
        print("\n".join(report.tables(records)))
