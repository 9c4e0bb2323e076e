"""Calls of a generated module in every order: workspaces, `wrt`, caches, threads; for every shipped model."""

from __future__ import annotations

import itertools
import threading
import tracemalloc

import numpy as np
import pytest

import mcalc
from tests.models.applied import APPLIED
from tests.models.harness import SHIPPED, SIZES, arrays, as_type, draw, same, subject, workspace_of
from tests.models.test_interface import ALL, agree, results

# --- workspaces -------------------------------------------------------------------------------------------------------


@ALL
def test_workspace(name: str) -> None:
    found = subject(name)
    values, other = draw(found, 1), draw(found, 2)
    ws = workspace_of(found, values)
    for data in (values, other, other, values):
        agree(results(found, data, workspace=ws), results(found, data))
    # calls without it, and forward and backward, in between
    _, cache = found.module.forward(**other)
    _, gradients = found.module.value_and_grad(**values, workspace=ws)
    agree(list(gradients), list(found.module.value_and_grad(**values)[1]))
    agree(list(found.module.backward(cache)), list(found.module.value_and_grad(**other)[1]))


@ALL
def test_a_cache_can_be_used_again(name: str) -> None:
    """`backward` leaves the cache of `forward` as it is, where a call for both reuses the memory."""
    found = subject(name)
    values = draw(found)
    _, cache = found.module.forward(**values)
    first = [np.copy(g) for g in arrays(tuple(found.module.backward(cache)))]
    for _ in range(2):
        found.module.value_and_grad(**draw(found, 3))
        agree(arrays(tuple(found.module.backward(cache))), first)


def test_backward_writes_where_forward_is_done() -> None:
    """The memory of a perceptron's hidden layers is that of their cotangents, but in the cache of `forward`."""
    module = subject("mlp_classifier").module
    sizes = dict.fromkeys(module.DIMENSIONS, 3)
    ws, apart = module.workspace(**sizes), module.fresh(*sizes.values(), np.dtype(float), apart=True)
    written = [name for name in ws._fields if not name.startswith(("ones", "room"))]
    pairs = [(a, b) for a, b in itertools.combinations(written, 2) if isinstance(getattr(ws, a), np.ndarray)]
    shared = [(a, b) for a, b in pairs if np.shares_memory(getattr(ws, a), np.asarray(getattr(ws, b)))]
    assert shared
    for a, b in shared:
        x, y = getattr(apart, a), getattr(apart, b)
        assert x is None or y is None or not np.shares_memory(x, y)


@ALL
def test_wrong_workspace(name: str) -> None:
    found = subject(name)
    values = draw(found)
    wrong = [workspace_of(found, as_type(values, np.float32), np.float32)]
    if found.module.DIMENSIONS:
        wrong.append(workspace_of(found, draw(found, sizes={n: v + 1 for n, v in SIZES.items()})))
    for ws in wrong:
        with pytest.raises(ValueError, match="workspace"):
            found.module.value_and_grad(**values, workspace=ws)


@ALL
def test_no_workspace_of_this_module(name: str) -> None:
    found = subject(name)
    values = draw(found)
    other = mcalc.generate("ridge" if name != "ridge" else "mlp").module
    for wrong in (7, "workspace", values, found.module.workspace, other.NO_WORKSPACE):
        with pytest.raises(TypeError) as problem:
            found.module.value_and_grad(**values, workspace=wrong)
        expected = f"workspace: one of this module expected; got {type(wrong)}"
        assert str(problem.value) == expected


# factorisations bring memory of their own, and so does [h[t], g[t]]
ALLOCATING = ("gaussian_nll", "gp_marginal_likelihood", "birnn")


@pytest.mark.parametrize("name", [*(n for n in SHIPPED if n not in ALLOCATING), *APPLIED])
def test_a_workspace_leaves_nothing_to_allocate(name: str) -> None:
    """The second call needs memory for numbers and views only, whatever the sizes of the data."""
    found = subject(APPLIED.get(name, name))
    sizes = {"n": 64, "d": 24, "m": 32, "k": 8, "T": 20, "p": 16, "q": 12}
    sizes |= {"d[0]": 24, "d[1]": 32, "d[2]": 32, "d[3]": 8}
    values = draw(found, sizes=sizes, scale=0.1)
    ws = workspace_of(found, values)
    call = found.module.value_and_grad
    call(**values, workspace=ws)
    tracemalloc.start()
    call(**values, workspace=ws)
    first, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    call(**values, workspace=ws)
    last, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    largest = max((a.nbytes for a in arrays(values)), default=0)
    assert last - first < 2000
    assert peak - first < max(40_000, 1.2 * largest)


# --- wrt --------------------------------------------------------------------------------------------------------------


@ALL
def test_wrt(name: str) -> None:
    found = subject(name)
    values = draw(found)
    loss, full = found.module.value_and_grad(**values)
    wanted = [(), *((p,) for p in found.parameters), *itertools.combinations(found.parameters, 2)]
    if len(wanted) > 60:
        wanted = wanted[::3]
    for ws, wrt in itertools.product((None, workspace_of(found, values)), wanted):
        for given in (wrt, list(wrt), iter(wrt)) if len(wrt) == 1 else (wrt,):
            got_loss, got = found.module.value_and_grad(**values, wrt=given, workspace=ws)
            assert got_loss == loss
            for p in found.parameters:
                if p in wrt:
                    same(getattr(got, p), getattr(full, p), f"wrt={wrt}: {p}")
                else:
                    assert getattr(got, p) is None


@ALL
def test_wrong_wrt(name: str) -> None:
    found = subject(name)
    values = draw(found)
    for wrong in (("nobody",), (*found.parameters, "nobody"), found.parameters[0], "nobody", (3,), (None,)):
        with pytest.raises(ValueError, match="wrt"):
            found.module.value_and_grad(**values, wrt=wrong)
    for name_ in found.inputs:
        with pytest.raises(ValueError, match="wrt"):
            found.module.value_and_grad(**values, wrt=(name_,))


# --- caches -----------------------------------------------------------------------------------------------------------


@ALL
def test_caches_are_independent(name: str) -> None:
    found = subject(name)
    module, datas = found.module, [draw(found, s) for s in range(3)]
    wanted = [list(module.value_and_grad(**d)[1]) for d in datas]
    caches = [module.forward(**d)[1] for d in datas]
    for k in (2, 0, 1, 1, 0, 2):
        agree(list(module.backward(caches[k])), wanted[k])


@pytest.mark.parametrize("name", ["mlp", "lstm", "attention", "deep_mlp"])
def test_threads(name: str) -> None:
    found = subject(name)
    datas = [draw(found, s, {"n": 30, "m": 16}) for s in range(4)]
    wanted = [list(found.module.value_and_grad(**d)[1]) for d in datas]
    wrong: list[BaseException] = []

    def work(k: int) -> None:
        try:
            ws = workspace_of(found, datas[k])
            for _ in range(8):
                agree(list(found.module.value_and_grad(**datas[k])[1]), wanted[k])
                agree(list(found.module.value_and_grad(**datas[k], workspace=ws)[1]), wanted[k])
        except BaseException as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_memory_of_networks_is_that_of_what_forward_keeps() -> None:
    """Cotangents lie where activations were, also where layers have widths of their own, and steps of a loop."""
    deep = mcalc.generate("deep_mlp", sizes={"L": 20}).module
    layer = 100 * 8 * 8
    assert deep.fresh(100, *[8] * 21, np.dtype(float)).nbytes < 24 * layer
    lstm = mcalc.generate("lstm").module
    sizes = {"T": 50, "n": 4, "d": 3, "k": 2, "m": 5}
    step = 50 * 4 * 5 * 8
    assert lstm.fresh(*(sizes[n] for n in lstm.DIMENSIONS), np.dtype(float)).nbytes < 8 * step
