"""Orders of products: one module that is fast whichever dimension is the smallest."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mcalc
from mcalc.backends.numpy.model import frame_of
from mcalc.model import library
from mcalc.model.prepare import prepare
from mcalc.model.reverse import reverse
from mcalc.model.stack import stack
from mcalc.program.operations import habit, nominal
from mcalc.program.orders import orders, work
from mcalc.program.procedure import Procedure, lower_procedure
from tests.models.harness import examine
from tests.models.test_rows import blocks
from tests.work import calls

CHAIN = """model chain
param A : a x b
param B : b x c
param C : c x d
param D : d x e
P = A B C D
loss = tr(P^T P)
"""
DIMENSIONS = "abcde"
LARGE = 12


@pytest.fixture(scope="module")
def chain():
    return mcalc.generate(CHAIN).module


def matrices(sizes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(pair).astype(dtype) for pair in itertools.pairwise(sizes)]


def expected(A, B, C, D):
    P = A @ B @ C @ D
    gradients = (P @ (B @ C @ D).T, A.T @ P @ (C @ D).T, (A @ B).T @ P @ D.T, (A @ B @ C).T @ P)
    return np.sum(P * P), [2 * g for g in gradients]


def products_of(dimension):
    """The text of the case in which a dimension is the smallest."""
    text = mcalc.generate(CHAIN).text
    return text[text.index(f"def _forward_{dimension}(") :].partition("\n\n\n")[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("smallest", range(5))
def test_values_whatever_is_the_smallest(chain, smallest, dtype):
    sizes = [LARGE + k for k in range(5)]
    sizes[smallest] = 3
    given_ = matrices(sizes, dtype)
    loss, gradients = expected(*(m.astype(np.float64) for m in given_))
    ws = chain.workspace(**dict(zip(DIMENSIONS, sizes, strict=True)), dtype=dtype)
    tolerance = 1e-12 if dtype is np.float64 else 1e-4
    for options in ({}, {}, {"workspace": ws}, {"workspace": ws}):
        value, found = chain.value_and_grad(*given_, **options)
        assert value == pytest.approx(loss, rel=tolerance)
        for got, want in zip(found, gradients, strict=True):
            assert got.dtype == dtype
            np.testing.assert_allclose(got, want, rtol=tolerance * 10, atol=tolerance * np.abs(want).max())
    value, cache = chain.forward(*given_)
    for _ in range(2):
        found = chain.backward(cache)
        np.testing.assert_allclose(
            found.C, gradients[2], rtol=tolerance * 10, atol=tolerance * np.abs(gradients[2]).max()
        )


def test_data_of_other_sizes_follow_each_other(chain):
    for smallest in (0, 2, 4, 2, 1, 3):
        sizes = [LARGE] * 5
        sizes[smallest] = 2
        given_ = matrices(sizes)
        loss, gradients = expected(*given_)
        value, found = chain.value_and_grad(*given_, wrt=("B",))
        assert value == pytest.approx(loss)
        assert found.A is None
        np.testing.assert_allclose(found.B, gradients[1])


def test_products_go_outwards_from_the_smallest_dimension():
    # c: (A B) (C D), the product P itself is not formed; a: from the left
    middle, left = products_of("c"), products_of("a")
    assert " A.dot(B, out=" in middle and " C.dot(D, out=" in middle
    assert " A.dot(B, out=" in left and " C.dot(D, out=" not in left


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([4, 16, 64, 256, 1024]), min_size=5, max_size=5, unique=True))
def test_an_order_near_the_best_at_any_sizes(sizes):
    procedures, lower = lowered(CHAIN)
    told = {name: float(size) for name, size in zip(DIMENSIONS, sizes, strict=True)}
    chosen = procedures[min(procedures, key=lambda name: told[name])]
    assert work(chosen, told) <= 2.5 * work(lower(told), told)


class Lowered(NamedTuple):
    procedure: Procedure


def lowered(text):
    adjoint = reverse(prepare(library.read(text, {})))
    outputs = [e for found in adjoint.gradients.values() for e in found]

    def lower(typical):
        program = stack(adjoint, lambda d: nominal(d, typical))
        phases = {"forward": program.forward, "backward": program.backward}
        return Lowered(lower_procedure(phases, {}, outputs, typical))

    return orders(lower, {}), lower


def test_told_sizes_leave_one_order():
    assert "ORDERS" in mcalc.generate(CHAIN).plain
    told = dict.fromkeys(DIMENSIONS, 50)
    assert "ORDERS" not in mcalc.generate(CHAIN, typical=told).plain


@pytest.mark.parametrize(
    "name", ["mlp", "lstm", "attention", "gaussian_nll", "gp_marginal_likelihood", "metric_learning"]
)
def test_one_order_where_it_does_for_all_sizes(name):
    assert "ORDERS" not in mcalc.generate(name).plain


def test_names_of_orders_are_free():
    text = CHAIN.replace("A", "order").replace("B", "ORDERS").replace("C", "smallest").replace("D", "Order")
    assert mcalc.generate(text).module.check_gradients() < 1e-5


def test_habits_do_not_hide_the_smallest():
    # n is usually large; here it may be the smallest all the same
    text = CHAIN.replace("a x b", "n x b")
    assert habit("n") > habit("b")
    module = mcalc.generate(text).module
    sizes = [2, *[LARGE] * 4]
    loss, _ = expected(*matrices(sizes))
    assert module.value_and_grad(*matrices(sizes))[0] == pytest.approx(loss)


ROWS = """model chain
input A : a x b
param B : b x c
param C : c x d
param D : d x e
param E : e x f
input F : f x g
P = A B C D E F
loss = norm(P)^2
"""


@pytest.mark.parametrize("smallest", range(7))
def test_the_pass_over_rows_has_memory_of_its_own(smallest):
    module = mcalc.generate(ROWS).module
    assert "ORDERS" in vars(module) and "rows_of_block" in vars(module)
    sizes = [LARGE + k for k in range(7)]
    sizes[smallest] = 3
    A, B, C, D, E, F = given_ = matrices(sizes)
    left, right = A @ B @ C @ D, E @ F
    want = 2 * left.T @ left @ right @ F.T
    ws = module.workspace(**dict(zip("abcdefg", sizes, strict=True)))
    for options in ({}, {}, {"workspace": ws}, {"workspace": ws}):
        loss, found = module.value_and_grad(*given_, **options)
        assert loss == pytest.approx(np.sum((left @ right) ** 2))
        np.testing.assert_allclose(found.E, want)
    with blocks(module):
        ws = module.workspace(**dict(zip("abcdefg", sizes, strict=True)))
        for options in ({}, {"workspace": ws}, {"workspace": ws, "wrt": ("E",)}):
            loss, found = module.value_and_grad(*given_, **options)
            assert loss == pytest.approx(np.sum((left @ right) ** 2))
            np.testing.assert_allclose(found.E, want)


def test_a_gradient_of_the_pass_over_rows_may_lie_the_other_way():
    text = """model chain
input M0 : a x b
input M1 : b x c
param M2 : c x d
param c1 : 1 x b
input Y : a x d
R = Y - (tanh(M0) + 1_a c1) M1 M2
loss = norm(R)^2
"""
    examine(text, {"a": 40, "b": 3, "c": 4, "d": 2})
    module = mcalc.generate(text).module
    rng = np.random.default_rng(0)
    given_ = [rng.standard_normal(shape) for shape in ((40, 3), (3, 4), (4, 2), (1, 3), (40, 2))]
    loss, gradients = module.value_and_grad(*given_)
    with blocks(module):
        ws = module.workspace(a=40, b=3, c=4, d=2)
        assert ws.block_rows
        for options in ({}, {"workspace": ws}):
            found = module.value_and_grad(*given_, **options)
            assert found[0] == pytest.approx(loss)
            np.testing.assert_allclose(found[1].c1, gradients.c1)


def test_long_chains_have_one_order_and_are_written_at_once():
    names = [f"W{k}" for k in range(13)]
    declared = "".join(f"param {name} : d{k} x d{k + 1}\n" for k, name in enumerate(names))
    made = mcalc.generate(f"model long\n{declared}P = {' '.join(names)}\nloss = tr(P^T P)\n")
    assert "ORDERS" not in made.plain
    given_ = matrices([3, 5] * 7)
    module = made.module
    loss, gradients = module.value_and_grad(*given_)
    product = np.linalg.multi_dot(given_)
    assert loss == pytest.approx(np.sum(product**2))
    np.testing.assert_allclose(gradients.W0, 2 * product @ np.linalg.multi_dot(given_[1:]).T)


def test_each_cache_keeps_its_order(chain):
    data = []
    for smallest in (0, 2, 4):
        sizes = [LARGE] * 5
        sizes[smallest] = 2
        data.append(matrices(sizes))
    caches = [chain.forward(*given_)[1] for given_ in data]
    for given_, cache in reversed(list(zip(data, caches, strict=True))):
        for got, want in zip(chain.backward(cache), expected(*given_)[1], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def test_generating_is_linear_in_factors():
    def chain_of(count):
        names = [f"W{k}" for k in range(count)]
        declared = "".join(f"param {name} : d{k} x d{k + 1}\n" for k, name in enumerate(names))
        return f"model long\n{declared}P = {' '.join(names)}\nloss = tr(P^T P)\n"

    mcalc.generate(chain_of(2))
    assert calls(lambda: mcalc.generate(chain_of(64))) < 2.5 * calls(lambda: mcalc.generate(chain_of(32)))


LAYERED = {
    "attention": """param Q[l in 1..L] : d x k
param K[l in 1..L] : d x k
param V[l in 1..L] : d x d

A[0] = X
for l in 1..L:
    A[l] = A[l-1] + softmax((A[l-1] Q[l]) (A[l-1] K[l])^T, axis=1) (A[l-1] V[l])
""",
    "scalars": """param W[l in 1..L] : d x d
param a[l in 1..L] : scalar
param c[l in 1..L] : scalar

A[0] = X
for l in 1..L:
    A[l] = tanh(a[l] * c[l] * A[l-1] W[l])
""",
}


@pytest.mark.parametrize("name", LAYERED)
def test_generating_is_linear_in_layers(name):
    model = f"model m\n\nsize L = 2\ninput X : n x d\ninput Y : n x d\n{LAYERED[name]}loss = norm(A[L] - Y)^2 / n\n"

    def steps(layers):
        read = library.read(model, {"L": layers})
        return calls(lambda: frame_of(reverse(prepare(read, in_code=True)), typical={"n": 100, "d": 20, "k": 5}))

    steps(2)
    assert steps(60) < 2.02 * steps(30)
