"""Automatic differentiation of the losses: jax, torch, torch.compile, HIPS autograd, PyTensor.

A builder takes the workload, the loss and the arguments and returns the function without arguments that is timed; what
it returns becomes NumPy arrays by `to_numpy`. Default settings throughout; data are converted before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.models.losses import Loss
from benchmarks.models.sizes import Args, Workload, arguments, params

Call = Callable[[], Any]


def tree(f: Callable[[Any], Any], value: Any) -> Any:
    """f of every array of nested lists and tuples; None stays."""
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(tree(f, v) for v in value)
    return f(value)


def to_numpy(value: Any) -> Any:
    def one(x: Any) -> Any:
        return np.asarray(x.detach() if hasattr(x, "detach") else x)

    return tree(one, value)


def places(w: Workload) -> tuple[int, ...]:
    """The positions of the parameters among the arguments."""
    return tuple(i for i, a in enumerate(arguments(w)) if a.is_param)


def loop(step: Any, carry: Any, xs: Any) -> Any:
    """`scan` as a Python loop."""
    outs = []
    for at in zip(*xs, strict=True):
        carry, out = step(carry, at)
        outs.append(out)
    return carry, outs


# --- jax --------------------------------------------------------------------------------------------------------------


def jax(w: Workload, loss: Loss, args: Args) -> Call:
    jax = importlib.import_module("jax")
    jnp = importlib.import_module("jax.numpy")
    if args[0].dtype == np.float64:
        jax.config.update("jax_enable_x64", True)
    xp = SimpleNamespace(
        tanh=jnp.tanh, relu=jax.nn.relu, sigmoid=jax.nn.sigmoid, exp=jnp.exp, log=jnp.log, sqrt=jnp.sqrt, sum=jnp.sum,
        trace=jnp.trace, softplus=jax.nn.softplus, logsumexp=lambda Z: jax.nn.logsumexp(Z, axis=1),
        softmax=lambda Z: jax.nn.softmax(Z, axis=1), solve=lambda S, B: jnp.linalg.solve(S, B),
        logdet=lambda S: jnp.linalg.slogdet(S)[1], scan=jax.lax.scan, total=jnp.sum, stack=lambda x: x,
        zeros_like=jnp.zeros_like,
    )  # fmt: skip
    f = lambda *a: loss(xp, *a)  # noqa: E731
    values = tree(jnp.asarray, args)
    if w.kind == "gradient":
        run = jax.jit(jax.value_and_grad(f, argnums=places(w)))
    else:
        at = params(w).index(w.wrt) + places(w)[0]
        if w.kind == "hessian":
            run = jax.jit(lambda *a: (None, (jax.hessian(f, argnums=at)(*a),)))
        else:

            def product(*a: Any) -> Any:
                gradient = lambda W: jax.grad(f, argnums=at)(*a[:at], W, *a[at + 1 : -1])  # noqa: E731
                return None, (jax.jvp(gradient, (a[at],), (a[-1],))[1],)

            run = jax.jit(product)
    return lambda: jax.block_until_ready(run(*values))


# --- torch ------------------------------------------------------------------------------------------------------------


def torch(w: Workload, loss: Loss, args: Args, compiled: bool = False) -> Call:
    torch = importlib.import_module("torch")
    F = torch.nn.functional
    xp = SimpleNamespace(
        tanh=torch.tanh, relu=torch.relu, sigmoid=torch.sigmoid, exp=torch.exp, log=torch.log, sqrt=torch.sqrt,
        sum=torch.sum, trace=torch.trace, softplus=F.softplus, logsumexp=lambda Z: torch.logsumexp(Z, 1),
        softmax=lambda Z: torch.softmax(Z, 1), solve=torch.linalg.solve, logdet=torch.logdet, scan=loop, total=sum,
        stack=torch.stack, zeros_like=torch.zeros_like, cat=torch.cat, lstm=torch.lstm,
    )  # fmt: skip
    f = lambda *a: loss(xp, *a)  # noqa: E731
    compiler = torch.compile if compiled else lambda g: g
    values = list(tree(torch.from_numpy, args))
    if w.kind != "gradient":
        at = params(w).index(w.wrt) + places(w)[0]
        g = lambda W: f(*values[:at], W, *values[at + 1 : len(arguments(w))])  # noqa: E731
        if w.kind == "hessian":
            hessian = compiler(torch.func.hessian(g))
            return lambda: (None, (hessian(values[at]),))
        product = compiler(lambda W, V: torch.func.jvp(torch.func.grad(g), (W,), (V,))[1])
        return lambda: (None, (product(values[at], values[-1]),))
    f = compiler(f)
    leaves = []
    for i in places(w):
        values[i] = tree(lambda x: leaves.append(x.requires_grad_()) or x, values[i])
    ragged = [isinstance(values[i], list) for i in places(w)]

    def run() -> Any:
        value = f(*values)
        grads = torch.autograd.grad(value, leaves)
        if ragged[0]:  # every parameter is a list of the same length
            size = len(grads) // len(ragged)
            grads = tuple(list(grads[i : i + size]) for i in range(0, len(grads), size))
        return value, grads

    return run


def torch_compile(w: Workload, loss: Loss, args: Args) -> Call:
    return torch(w, loss, args, compiled=True)


# --- HIPS autograd ----------------------------------------------------------------------------------------------------


def autograd(w: Workload, loss: Loss, args: Args) -> Call:
    ag = importlib.import_module("autograd")
    anp = importlib.import_module("autograd.numpy")
    special = importlib.import_module("autograd.scipy.special")

    def softmax(Z: Any) -> Any:
        E = anp.exp(Z - anp.max(Z, axis=1, keepdims=True))
        return E / anp.sum(E, axis=1, keepdims=True)

    xp = SimpleNamespace(
        tanh=anp.tanh, relu=lambda x: anp.maximum(x, 0), sigmoid=lambda x: 1 / (1 + anp.exp(-x)), exp=anp.exp,
        log=anp.log, sqrt=anp.sqrt, sum=anp.sum, trace=anp.trace, softplus=lambda x: anp.logaddexp(0, x),
        logsumexp=lambda Z: special.logsumexp(Z, axis=1), softmax=softmax, solve=anp.linalg.solve,
        logdet=lambda S: anp.linalg.slogdet(S)[1], scan=loop, total=sum, stack=anp.stack,
        zeros_like=anp.zeros_like,
    )  # fmt: skip
    f = lambda *a: loss(xp, *a)  # noqa: E731
    if w.kind == "gradient":
        run = ag.value_and_grad(f, argnum=places(w))
        return lambda: run(*args)
    at = params(w).index(w.wrt) + places(w)[0]
    if w.kind == "hessian":
        hessian = ag.hessian(f, at)
        return lambda: (None, (hessian(*args),))
    gradient = ag.grad(f, at)
    product = ag.grad(lambda *a: anp.sum(gradient(*a[:-1]) * a[-1]), at)
    return lambda: (None, (product(*args),))


# --- PyTensor ---------------------------------------------------------------------------------------------------------


def pytensor(w: Workload, loss: Loss, args: Args) -> Call:
    pytensor = importlib.import_module("pytensor")
    pt = importlib.import_module("pytensor.tensor")
    pytensor.config.floatX = str(args[0].dtype)

    def scan(step: Any, carry: Any, xs: Any) -> Any:
        several = isinstance(carry, tuple)
        carried = carry if several else (carry,)

        def one(*a: Any) -> Any:
            at, state = a[: len(xs)], a[len(xs) :]
            after, out = step(state if several else state[0], at)
            return [*(after if several else (after,)), *([] if out is None else [out])]

        probe = step(carry, tuple(x[0] for x in xs))[1]
        infos = [*carried, *([] if probe is None else [None])]
        found = pytensor.scan(one, sequences=list(xs), outputs_info=infos, return_updates=False)
        outs = list(found) if isinstance(found, (list, tuple)) else [found]
        last = tuple(x[-1] for x in outs[: len(carried)])
        return (last if several else last[0]), (None if probe is None else outs[-1])

    xp = SimpleNamespace(
        tanh=pt.tanh, relu=lambda x: pt.maximum(x, 0), sigmoid=pt.sigmoid, exp=pt.exp, log=pt.log, sqrt=pt.sqrt,
        sum=pt.sum, trace=pt.trace, softplus=pt.softplus, logsumexp=lambda Z: pt.logsumexp(Z, axis=1),
        softmax=lambda Z: pt.special.softmax(Z, axis=1), solve=pt.linalg.solve,
        logdet=lambda S: pt.linalg.slogdet(S)[1], scan=scan, total=pt.sum, stack=lambda x: x,
        zeros_like=pt.zeros_like,
    )  # fmt: skip
    importlib.import_module("pytensor.tensor.special")
    values: list[Any] = []

    def symbol(x: Any, sides: tuple[str, ...]) -> Any:
        """A tensor of unknown sizes, except those declared as 1."""
        values.append(np.asarray(x, args[0].dtype))
        lead = (None,) * (values[-1].ndim - len(sides))
        return pt.tensor(dtype=values[-1].dtype.name, shape=(*lead, *(1 if side == "1" else None for side in sides)))

    declared = [a.shape for a in arguments(w)] + [()] * (len(args) - len(arguments(w)))
    symbols = [
        [symbol(v, sides) for v in x] if isinstance(x, list) else symbol(x, sides)
        for x, sides in zip(args, declared, strict=True)
    ]
    value = loss(xp, *symbols[: len(arguments(w))])
    if w.kind == "gradient":
        wrt = [s for i in places(w) for s in (symbols[i] if isinstance(symbols[i], list) else [symbols[i]])]
        outputs = [value, *pt.grad(value, wrt)]
    else:
        x = symbols[params(w).index(w.wrt) + places(w)[0]]
        gradient = pt.grad(value, x)
        if w.kind == "hessian":
            outputs = [importlib.import_module("pytensor.gradient").hessian(value, x)]
        else:
            outputs = [pt.grad(pt.sum(gradient * symbols[-1]), x)]
    inputs = [s for x in symbols for s in (x if isinstance(x, list) else [x])]
    run = pytensor.function(inputs, outputs, on_unused_input="ignore")
    run.trust_input = True  # the arrays have the right types: no check at each call

    def call() -> Any:
        found = run(*values)
        if w.kind != "gradient":
            return None, tuple(found)
        if isinstance(symbols[places(w)[0]], list):
            size = (len(found) - 1) // len(places(w))
            return found[0], tuple(found[i : i + size] for i in range(1, len(found), size))
        return found[0], tuple(found[1:])

    return call


BUILDERS: dict[str, Callable[[Workload, Loss, Args], Call]] = {
    "jax": jax, "torch": torch, "torch_compile": torch_compile, "autograd": autograd, "pytensor": pytensor,
}  # fmt: skip
