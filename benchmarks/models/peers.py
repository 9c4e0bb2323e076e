"""The implementations by name: how each is built, and for which workloads it exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.models import tape, tensor_networks
from benchmarks.models.losses import ALTERNATIVES, LOSSES, TORCH_ONLY
from benchmarks.models.numpy_naive import build as naive
from benchmarks.models.numpy_naive import key
from benchmarks.models.sizes import Args, Dims, Workload

Call = Callable[[], Any]
Builder = Callable[[Workload, Dims, str, Args, Path], Call]


@dataclass(frozen=True)
class Peer:
    """`needs`: the module that has to be installed; `checked`: its result is compared with the reference;
    `traced`: its memory is NumPy's, which tracemalloc sees."""

    name: str
    build: Builder
    exists: Callable[[Workload], bool] = lambda w: True
    needs: str = "numpy"
    checked: bool = True
    traced: bool = True


def tuned_builder(w: Workload) -> Callable[[Dims, str], Callable[..., Any]]:
    """The tuned builder of a workload: dimensions and dtype to the function of the arguments."""
    from benchmarks.models import tuned_algebra, tuned_networks, tuned_products, tuned_sequences

    for module in (tuned_networks, tuned_sequences, tuned_algebra, tuned_products):
        if hasattr(module, key(w)):
            return getattr(module, key(w))
    raise KeyError(key(w))


def _naive(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
    return partial(naive(w), *args)


def _tuned(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
    return partial(tuned_builder(w)(dims, dtype), *args)


def _floor(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
    from benchmarks.models import floors

    return floors.build(w, dims, dtype)


def _mcalc(workspace: bool, typical: bool = False) -> Builder:
    def build(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
        from benchmarks.models import generated

        module = generated.load(folder / f"{w.name}{'_typical' if typical else ''}.py")
        return generated.bind(module, w, dims, args, workspace)

    return build


def _framework(name: str, alternative: bool = False) -> Builder:
    def build(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
        from benchmarks.models import frameworks

        return frameworks.BUILDERS[name](w, (ALTERNATIVES if alternative else LOSSES)[w.model], args)

    return build


def _tape(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
    return tape.build(w, args)


def _tensorgrad(compiled: bool) -> Builder:
    def build(w: Workload, dims: Dims, dtype: str, args: Args, folder: Path) -> Call:
        return tensor_networks.build(w, dims, args, compiled)

    return build


def _alternative(w: Workload) -> bool:
    return w.kind == "gradient" and w.model in ALTERNATIVES


def _jax_alternative(w: Workload) -> bool:
    return _alternative(w) and w.model not in TORCH_ONLY


def _gradient(w: Workload) -> bool:
    return w.kind == "gradient"


def _few_steps(w: Workload) -> bool:
    """torch.compile unrolls a Python loop: minutes at 500 steps."""
    return w.name != "rnn_long"


def _written_out(w: Workload) -> bool:
    """tensorgrad writes out every step with its gradient, and torch.compile then takes minutes."""
    return w.name not in ("rnn_long", "lstm", "gru")


PEERS = {
    peer.name: peer
    for peer in (
        Peer("floor", _floor, checked=False),
        Peer("tuned", _tuned),
        Peer("mcalc", _mcalc(workspace=False)),
        Peer("mcalc_ws", _mcalc(workspace=True), exists=_gradient),
        Peer("mcalc_typical", _mcalc(workspace=True, typical=True), exists=_gradient),
        Peer("numpy_naive", _naive),
        Peer("jax", _framework("jax"), needs="jax", traced=False),
        Peer("jax_alt", _framework("jax", alternative=True), exists=_jax_alternative, needs="jax", traced=False),
        Peer("torch", _framework("torch"), needs="torch", traced=False),
        Peer("torch_alt", _framework("torch", alternative=True), exists=_alternative, needs="torch", traced=False),
        Peer("torch_compile", _framework("torch_compile"), exists=_few_steps, needs="torch", traced=False),
        Peer("pytensor", _framework("pytensor"), needs="pytensor", traced=False),
        Peer("autograd", _framework("autograd"), needs="autograd"),
        Peer("tensorgrad", _tensorgrad(False), needs="tensorgrad", traced=False),
        Peer("tensorgrad_tc", _tensorgrad(True), exists=_written_out, needs="tensorgrad", traced=False),
        Peer("tape", _tape, exists=lambda w: w.name in tape.MODELS),
    )
}
EXTERNAL = ("jax", "torch", "torch_compile", "pytensor", "autograd", "tensorgrad", "tensorgrad_tc", "tape")
"""Those that a user would take instead, as the user would write the loss."""
