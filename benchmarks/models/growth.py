"""`python -m benchmarks.models.growth [--write]`: how generation grows with a model, and a loop's run with its length.

* generation of perceptrons of 1 to 500 layers and of products of 16 to 256 factors (all gradients), within a running
  process, beside jax's trace and compilation of the same loss where jax is installed; and the comparison of the module
  with the model, for which the module is compiled and run;
* value and gradient of a recurrent network at 100 to 10,000 steps: time and peak memory for each step.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

if __name__ == "__main__":
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    os.environ.update(OPENBLAS_NUM_THREADS="1", JAX_PLATFORMS="cpu")

import numpy as np

from benchmarks.models import generated, report, tuned_sequences
from benchmarks.models.losses import LOSSES
from benchmarks.models.numpy_naive import NAIVE
from benchmarks.models.sizes import BY_NAME, data, deep, recurrent

LAYERS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
FACTORS = (16, 32, 64, 128, 256)
LIMIT = 20.0
"""Seconds of a generation after which larger ones of the kind are left out."""
STEPS = (100, 300, 1000, 3000, 10000)
BEGIN, END = "<!-- models growth: begin -->", "<!-- models growth: end -->"


def seconds(run: Callable[[], Any], least: int = 1) -> float:
    """The best of a few runs; of one where it takes long."""
    times: list[float] = []
    while len(times) < least or (len(times) < 5 and sum(times) < 1):
        gc.collect()
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def attempt(what: str, run: Callable[[], Any]) -> Any:
    """The result, or None with a line on stderr: a figure that is missing must not cost the others."""
    try:
        return run()
    except Exception as problem:
        print(f"{what}: {type(problem).__name__}: {problem}", file=sys.stderr)
        return None


def chain_text(factors: int) -> str:
    declared = "".join(f"param A{i} : d{i - 1} x d{i}\n" for i in range(1, factors + 1))
    product = " ".join(f"A{i}" for i in range(1, factors + 1))
    return f"model chain\n\n{declared}\nP = {product}\nloss = tr(P^T P)\n"


def jax_compile(model: str, args: tuple[Any, ...], parameters: tuple[int, ...]) -> float:
    """Seconds of trace, differentiation and compilation, without running."""
    import jax
    import jax.numpy as jnp

    def loss(*a: Any) -> Any:
        return LOSSES[model](_jax_functions(), *a)

    values = jax.tree.map(jnp.asarray, args)
    start = time.perf_counter()
    jax.jit(jax.value_and_grad(loss, argnums=parameters)).lower(*values).compile()
    return time.perf_counter() - start


def _jax_functions() -> Any:
    import jax
    import jax.numpy as jnp

    class Functions:
        tanh, sum = staticmethod(jnp.tanh), staticmethod(jnp.sum)

        @staticmethod
        def logsumexp(Z: Any) -> Any:
            return jax.nn.logsumexp(Z, axis=1)

    return Functions


def generation() -> list[list[str]]:
    """Rows: what, size, seconds of mcalc, also with the check of the module, lines of the module, seconds of jax."""
    perceptron = BY_NAME["mlp_deep50"]
    attempt("warm up", lambda: generated.module_text(str(perceptron.path), {"L": 2}))
    cases = []
    for L in LAYERS:
        args = data(perceptron, deep(8, 16, L), "float32")
        ours = partial(generated.module_text, str(perceptron.path), {"L": L})
        cases.append(("perceptron, layers", L, ours, partial(jax_compile, "mlp_deep", args, (2, 3))))
    for count in FACTORS:
        args = tuple(np.ones((4, 4), np.float32) for _ in range(count))
        ours = partial(generated.module_text, chain_text(count))
        cases.append(("product, factors", count, ours, partial(jax_compile, "chain10", args, tuple(range(count)))))
    has_jax = importlib.util.find_spec("jax") is not None
    rows, slow = [], set()
    for what, size, ours, theirs in cases:
        found = None if what in slow else attempt(f"{what} {size}", partial(timed, ours))
        if found and found[0] > LIMIT:
            slow.add(what)
        jax_time = attempt("jax", theirs) if has_jax else None
        checked = found and attempt(f"{what} {size}, checked", partial(timed, partial(ours, verify=True)))
        rows.append(_row(what, size, *(found or (None, None)), checked and checked[0], jax_time))
    return rows


def timed(run: Callable[[], str]) -> tuple[float, str]:
    """Seconds, of the better of two runs where one is short, and the result."""
    start = time.perf_counter()
    text = run()
    taken = time.perf_counter() - start
    return (taken if taken > 2 else min(taken, seconds(run))), text


def _row(
    what: str, size: int, ours: float | None, text: str | None, checked: float | None, theirs: float | None
) -> list[str]:
    shown = [f"{t:.3f}" if t is not None else "–" for t in (ours, checked, theirs)]
    print(what, size, *shown, file=sys.stderr)
    return [what, str(size), *shown[:2], str(text.count("\n")) if text else "–", shown[2]]


def steps() -> list[list[str]]:
    """Rows: T, then for each implementation microseconds and kilobytes at the peak, for each step."""
    w = BY_NAME["rnn_medium"]
    text = attempt("recurrent network", lambda: generated.module_text(str(w.path)))
    module: dict[str, Any] = {"__name__": "generated_model"}
    if text:
        exec(compile(text, "generated_model.py", "exec"), module)
    rows = []
    for T in STEPS:
        dims = recurrent(T, 8, 16, 32, 4)
        args = data(w, dims, "float64")
        runs = {
            "mcalc": partial(module["value_and_grad"], *args) if text else None,
            "naive": partial(NAIVE["rnn_tanh"], *args),
            "tuned": partial(tuned_sequences.rnn_tanh(dims, "float64"), *args),
        }
        row = [str(T)]
        for name, run in runs.items():
            row += attempt(name, partial(_per_step, run, T)) or ["–", "–"] if run else ["–", "–"]
        print("steps", *row, file=sys.stderr)
        rows.append(row)
    return rows


def _per_step(run: Callable[[], Any], T: int) -> list[str]:
    run()
    time_of_call = seconds(run, least=3)
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [f"{1e6 * time_of_call / T:.2f}", f"{peak / 1e3 / T:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models.growth")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    options = parser.parse_args()
    units = [f"{name}, {unit}" for name in ("mcalc", "naive", "tuned") for unit in ("µs", "kB")]
    text = ["## Models: growth", "", "Generation within a running process, best of some runs; for jax its trace and",
            "compilation of the same loss; `checked` is with the comparison of the module with the model, which",
            "mcalc makes unless told not to. Seconds.",
            *report.table(["what", "size", "mcalc", "checked", "lines of the module", "jax"], generation()),
            "Value and gradient of a recurrent network (8 x 16, state 32), for each step: microseconds, and kilobytes",
            "at the peak of a call (tuned: its buffers stay between calls and are not in it).",
            *report.table(["steps", *units], steps())]  # fmt: skip
    if options.write:
        report.insert("\n".join(text).strip(), BEGIN, END)
    else:
        print("\n".join(text))


if __name__ == "__main__":
    main()
