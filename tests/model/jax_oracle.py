"""A model as a JAX function of its parameters: its definitions run as they stand, differentiated by JAX."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from mcalc.algebra.expr import Expr
from mcalc.model.interpret import Run
from mcalc.model.ir import Loop, Model, Total

jax.config.update("jax_enable_x64", True)


def _mul(node: Expr, args: list):
    result = None
    for a, v in zip(node.args, args, strict=True):
        if a.is_scalar:
            result = v if result is None else v * result
        else:
            result = v if result is None else (result * v if result.shape == (1, 1) else result @ v)
    return result


def _block(node: Expr, args: list):
    rows, start = [], 0
    for count in node.attrs:
        rows.append(jnp.concatenate(args[start : start + count], axis=1))
        start += count
    return jnp.concatenate(rows, axis=0)


def _axis(value):
    return None if value in (None, "all") else value


OPS = {
    "add": lambda n, a, s: sum(a[1:], a[0]),
    "block": lambda n, a, s: _block(n, a),
    "neg": lambda n, a, s: -a[0],
    "mul": lambda n, a, s: _mul(n, a),
    "div": lambda n, a, s: a[0] / a[1],
    "had": lambda n, a, s: jnp.prod(jnp.stack(a), axis=0),
    "hdiv": lambda n, a, s: a[0] / a[1],
    "T": lambda n, a, s: a[0].T,
    "tr": lambda n, a, s: jnp.trace(a[0]).reshape(1, 1),
    "logdet": lambda n, a, s: jnp.linalg.slogdet(a[0])[1].reshape(1, 1),
    "norm": lambda n, a, s: jnp.sqrt(jnp.sum(a[0] ** 2)).reshape(1, 1),
    "sum": lambda n, a, s: jnp.sum(a[0], axis=n.attrs[0], keepdims=True).reshape(*_size(n, s)),
    "mean": lambda n, a, s: jnp.mean(a[0], axis=n.attrs[0], keepdims=True).reshape(*_size(n, s)),
    "logsumexp": lambda n, a, s: jax.scipy.special.logsumexp(a[0], axis=n.attrs[0], keepdims=True),
    "softmax": lambda n, a, s: jax.nn.softmax(a[0], axis=_axis(n.attrs[0])),
    "num": lambda n, a, s: jnp.array([[float(n.attrs[0])]]),
    "pi": lambda n, a, s: jnp.array([[jnp.pi]]),
    "dim": lambda n, a, s: jnp.array([[float(n.attrs[0].value(s))]]),
    "eye": lambda n, a, s: jnp.eye(n.attrs[0].value(s)),
    "ones": lambda n, a, s: jnp.ones(_size(n, s)),
    "zeros": lambda n, a, s: jnp.zeros(_size(n, s)),
    "pow": lambda n, a, s: a[0] ** float(n.attrs[0]) if n.is_scalar else jnp.linalg.matrix_power(a[0], int(n.attrs[0])),
    "hpow": lambda n, a, s: a[0] ** float(n.attrs[0]),
    "sigmoid": lambda n, a, s: jax.nn.sigmoid(a[0]),
    "softplus": lambda n, a, s: jax.nn.softplus(a[0]),
    "relu": lambda n, a, s: jax.nn.relu(a[0]),
    "diagm": lambda n, a, s: jnp.diag(a[0][:, 0]),
    "diagv": lambda n, a, s: jnp.diag(a[0])[:, None],
    "gt": lambda n, a, s: (a[0] > a[1]).astype(float),
    **{f: (lambda n, a, s, f=f: getattr(jnp, f)(a[0])) for f in ("exp", "log", "tanh", "sqrt", "log1p", "sin", "cos", "abs")},
}  # fmt: skip


def _size(node: Expr, sizes) -> tuple[int, int]:
    return tuple(d.value(sizes) for d in node.shape)


class JaxRun(Run):
    """The interpreter with JAX's arithmetic."""

    def evaluate(self, e: Expr, indices):
        sizes = {**self.sizes, **indices}
        values: dict = {}

        def value(root):
            from mcalc.algebra.expr import fold

            def combine(node, args):
                if node.op == "sym":
                    return jnp.asarray(self._value(node, sizes))[0]
                return OPS[node.op](node, args, sizes)

            return fold(root, combine, values)

        return jnp.broadcast_to(value(e), _size(e, sizes))[None]

    def execute(self, statements):
        for statement in statements:
            if isinstance(statement, Loop):
                first, last = statement.first.value(self.sizes), statement.last.value(self.sizes)
                for k in range(first, last + statement.step, statement.step):
                    for define in statement.body:
                        self._put(
                            define.target, self.evaluate(define.value, {statement.index: k}), {statement.index: k}
                        )
            elif isinstance(statement, Total):
                first, last = statement.first.value(self.sizes), statement.last.value(self.sizes)
                total = jnp.zeros((1, *_size(statement.target, self.sizes)))
                for k in range(first, last + 1):
                    total = total + self.evaluate(statement.value, {statement.index: k})
                self._put(statement.target, total, {})
            else:
                self._put(statement.target, self.evaluate(statement.value, {}), {})

    def _put(self, target, value, indices):
        if target in self.elements:
            element = self.elements[target]
            self.stacks[element.sequence][element.index.value({**self.sizes, **indices})] = value
        else:
            self.values[target] = value


def jax_gradients(model: Model, values: dict, sizes: dict[str, int]) -> dict:
    """The gradient of the loss by every parameter (unconstrained), each element (rows, columns)."""
    run = JaxRun(model, values, sizes)
    names = {a.name: a for a in model.parameters}
    start = {}
    for name, a in names.items():
        if name in model.sequences:
            start[name] = {k: jnp.asarray(v[0]) for k, v in run.stacks[name].items()}
        else:
            start[name] = [jnp.asarray(run.values[s][0]) for s in a.symbols]

    def loss(parameters):
        fresh = JaxRun(model, values, sizes)
        for name, a in names.items():
            if name in model.sequences:
                fresh.stacks[name] = {k: v[None] for k, v in parameters[name].items()}
            else:
                for s, v in zip(a.symbols, parameters[name], strict=True):
                    fresh.values[s] = v[None]
        fresh.execute(model.statements)
        return fresh.values[model.loss].reshape(())

    found = jax.grad(loss)(start)
    return {n: [v[k] for k in sorted(v)] if isinstance(v, dict) else list(v) for n, v in found.items()}
