"""mcalc's side: the only file here that knows its interface.

`python -m benchmarks.models.generated WORKLOAD SIZE FILE` writes the module of a workload and prints how long that
took: the first time in a process, and again.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.models.sizes import BY_NAME, Args, Dims, Workload, arguments


def module_text(
    model: str, sizes: Mapping[str, int] | None = None, typical: Mapping[str, int] | None = None, verify: bool = False
) -> str:
    """The generated module of a model, by its path or text, not formatted; `sizes` sets its `size` statements."""
    import mcalc

    return mcalc.generate(model, sizes=sizes, typical=typical, verify=verify).plain


def derivative_text(w: Workload) -> str:
    """The generated function of a second derivative."""
    import mcalc

    where = "; ".join(f"{a.name} : {' x '.join(a.shape)}" for a in arguments(w))
    found = mcalc.derive(w.expression, wrt=w.wrt, where=where, kind=w.kind, steps="none", verify=False)
    return found.python()


def generate(w: Workload, dims: Dims, typical: bool = False) -> str:
    """The module of a workload; `typical`: the dimensions at which it is timed are told."""
    if w.kind != "gradient":
        return derivative_text(w)
    told = {name: size for name, size in dims.items() if isinstance(size, int) and name != "L"} if typical else None
    return module_text(str(w.path), {"L": dims["L"]} if "L" in dims else None, told)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bind(module: ModuleType, w: Workload, dims: Dims, args: Args, workspace: bool) -> Callable[[], Any]:
    """The call that is timed: loss and gradients, or the second derivative."""
    if w.kind != "gradient":
        names = [*(a.name for a in arguments(w)), "V"]
        run = partial(getattr(module, w.kind), **dict(zip(names, args, strict=False)))
        return lambda: (None, (run(),))
    if not workspace:
        return partial(module.value_and_grad, *args)
    sizes = {name: size for name, size in dims.items() if name != "L"}
    ws = module.workspace(**sizes, dtype=args[0].dtype)
    return partial(module.value_and_grad, *args, workspace=ws)


def main() -> None:
    name, size, path = sys.argv[1:]
    w = BY_NAME[name]
    times = []
    for _ in range(2):
        start = time.perf_counter()
        text = generate(w, w.sizes[size])
        times.append(time.perf_counter() - start)
    Path(path).write_text(text, encoding="utf-8")
    if w.kind == "gradient":
        Path(path).with_stem(f"{w.name}_typical").write_text(generate(w, w.sizes[size], typical=True), encoding="utf-8")
    print(json.dumps({"first": times[0], "again": times[1], "lines": text.count("\n")}))


if __name__ == "__main__":
    main()
