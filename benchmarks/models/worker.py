"""One implementation of one workload in a process of its own, driven by lines of JSON over stdin and stdout.

It pins itself, builds, checks the result against the naive one, says so, then answers "turn SECONDS" with samples,
"memory" with bytes, and ends at "quit".
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TOLERANCE = {"float64": 1e-6, "float32": 2e-3}
SAMPLE = 1e-4
"""Seconds that a sample takes at least: shorter calls are timed in batches."""


def leaves(value: Any) -> Iterator[Any]:
    """The arrays of nested gradients."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves(part)
    else:
        yield value


def difference(found: Any, expected: Any) -> float:
    """The largest difference of (loss, gradients), relative to the largest entry of each array."""
    import numpy as np

    worst = 0.0
    pairs = [(found[0], expected[0])] if expected[0] is not None else []
    for ours, theirs in [*pairs, *zip(leaves(found[1]), leaves(expected[1]), strict=True)]:
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if a.shape != b.shape:
            raise ValueError(f"shape {a.shape} instead of {b.shape}")
        worst = max(worst, float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) + 1e-300)))
    return worst


def samples(call: Callable[[], Any], seconds: float, estimate: float) -> list[float]:
    batch = max(1, int(SAMPLE / max(estimate, 1e-9)))
    clock, found = time.perf_counter, []
    call()  # other processes had the caches
    end = clock() + seconds
    while clock() < end:
        start = clock()
        for _ in range(batch):
            call()
        found.append((clock() - start) / batch)
    return found


def memory(build: Callable[[], Callable[[], Any]]) -> dict[str, int]:
    """Bytes that stay after building and a first call, and the most that one more call adds."""
    import tracemalloc

    tracemalloc.start()
    call = build()
    call()
    standing = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    result = call()
    peak = tracemalloc.get_traced_memory()[1] - standing
    tracemalloc.stop()
    del result
    return {"standing": standing, "peak": max(peak, 0)}


def main() -> None:
    job = json.loads(sys.argv[1])
    os.sched_setaffinity(0, job["cpus"])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print goes to stderr

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values) + "\n")

    try:
        import numpy as np

        from benchmarks.models import frameworks, numpy_naive
        from benchmarks.models.peers import PEERS
        from benchmarks.models.sizes import BY_NAME, data

        w, peer, dtype = BY_NAME[job["workload"]], PEERS[job["peer"]], job["dtype"]
        dims = w.sizes[job["size"]]
        args = data(w, dims, dtype)

        def build() -> Callable[[], Any]:
            return peer.build(w, dims, dtype, args, Path(job["folder"]))

        np.dot(np.ones((8, 8)), np.ones((8, 8)))
        start = time.perf_counter()
        call = build()
        result = call()
        first = time.perf_counter() - start
        error = 0.0
        if peer.checked:
            error = difference(frameworks.to_numpy(result), numpy_naive.build(w)(*args))
        if not error <= TOLERANCE[dtype]:
            raise ValueError(f"result differs from the reference by {error:.1e}")
        call()
        estimate = samples(call, 0.02, 1.0)
        answer(ok=True, first=first, error=error, estimate=min(estimate))
    except Exception as problem:
        answer(ok=False, problem=f"{type(problem).__name__}: {str(problem).strip()[:200]}")
        return
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "turn":
            answer(samples=samples(call, float(rest[0]), min(estimate)))
        elif command == "memory":
            answer(**memory(build))
        else:
            break


if __name__ == "__main__":
    main()
