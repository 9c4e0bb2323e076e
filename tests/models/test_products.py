"""Products in models: of low rank they are not formed, long ones are taken in parts, typical sizes choose the order."""

from __future__ import annotations

import subprocess
import sys
from math import prod

import numpy as np
import pytest

import mcalc

LOW_RANK = """model low_rank
param U : n x r
param V : r x m
P = U V
loss = tr(P^T P)
"""
SIZES = {"n": 40, "r": 2, "m": 30}


def largest(text: str, typical: dict[str, int]) -> int:
    """The most entries of a buffer of the module at its typical sizes."""
    module = mcalc.generate(text, typical=typical).module
    return max(a.size for a in module.workspace(**typical) if isinstance(a, np.ndarray))


def test_a_product_of_low_rank_is_not_formed() -> None:
    assert largest(LOW_RANK, SIZES) < SIZES["n"] * SIZES["m"]


def test_a_product_of_full_rank_is_formed_once() -> None:
    assert largest(LOW_RANK, {"n": 4, "r": 50, "m": 3}) <= 50 * 4


@pytest.mark.parametrize("typical", [{}, SIZES])
def test_a_product_of_low_rank_has_its_gradients(typical: dict[str, int]) -> None:
    module = mcalc.generate(LOW_RANK, typical=typical).module
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((5, 2)), rng.standard_normal((2, 4))
    loss, gradients = module.value_and_grad(U, V)
    assert np.isclose(loss, np.sum((U @ V) ** 2))
    assert np.allclose(gradients.U, 2 * U @ V @ V.T) and np.allclose(gradients.V, 2 * U.T @ U @ V)


@pytest.mark.parametrize("ends", ["tr({})", "x^T {} y", "norm({} y)^2"])
@pytest.mark.parametrize("count", [13, 40])
def test_a_long_product_has_its_gradients(ends: str, count: int) -> None:
    names = [f"A{i}" for i in range(count)]
    text = "model long\n" + "".join(f"param {name} : n x n\n" for name in names)
    text += "".join(f"input {v} : n\n" for v in "xy" if v in ends) + f"loss = {ends.format(' '.join(names))}\n"
    module = mcalc.generate(text).module
    assert module.check_gradients() < 1e-5


def test_a_long_product_with_a_vector_multiplies_no_two_matrices() -> None:
    names = [f"A{i}" for i in range(40)]
    text = "model long\n" + "".join(f"input {name} : n x n\n" for name in names)
    text += f"param y : n\nloss = norm({' '.join(names)} y)^2\n"
    module = mcalc.generate(text).module
    assert max(prod(a.shape) for a in module.workspace(n=9) if isinstance(a, np.ndarray)) == 9


def test_memory_that_is_kept_is_never_given_back() -> None:
    """Gradients of one call stay what they are when the next call uses what the first kept."""
    module = mcalc.generate("rnn").module
    rng = np.random.default_rng(0)
    shapes = [(4, 3, 2), (4, 3, 1), (3, 5), (2, 5), (5, 5), (5, 1)]
    first, second = ([rng.standard_normal(s) for s in shapes] for _ in range(2))
    _, found = module.value_and_grad(*first)
    copies = [g.copy() for g in found]
    assert len(module.KEPT) == 1
    module.value_and_grad(*second)
    assert all(np.array_equal(g, c) for g, c in zip(found, copies, strict=True))
    kept = [a for a in module.KEPT[0] if isinstance(a, np.ndarray)]
    assert not any(np.shares_memory(g, a) for g in found for a in kept)


def test_a_workspace_has_its_views_ready() -> None:
    """Loops run over lists of views that were made once; each lies in a buffer of the workspace."""
    module = mcalc.generate("rnn").module
    ws = module.workspace(T=4, n=3, d=2, k=1, m=5)
    assert len(ws.steps) == len(ws.steps_back) == 4
    assert all(np.shares_memory(h_t, ws.h) and np.shares_memory(h_prev, ws.h) for h_t, h_prev in ws.steps)
    views = [a for a in ws if isinstance(a, np.ndarray) and a.base is not None]
    owners = [a for a in ws if isinstance(a, np.ndarray) and a.base is None]
    assert views and all(sum(np.shares_memory(v, a) for a in owners) == 1 for v in views)
    new = module.fresh(4, 3, 2, 1, 5, np.dtype(float))
    assert new.nbytes == sum(a.nbytes for a in new if isinstance(a, np.ndarray) and a.base is None)
    assert new.U_bar is None


def test_zero_is_an_array_of_the_precision_of_the_data() -> None:
    """np.maximum(Z, 0) turns the number into an array at each call."""
    made = mcalc.generate("mlp")
    assert "np.maximum(Z, zero, out=Z)" in made.text and "zero = ws.zero" in made.text
    sizes = {"n": 3, "d": 2, "m": 4, "k": 1}
    assert made.module.workspace(**sizes, dtype=np.float32).zero.dtype == np.float32


def faults_of_a_call(source: str, arrays: str) -> int:
    """The pages that the last of many calls fetches from the system, in a process of its own."""
    script = [
        "import resource, numpy as np",
        f"arrays = {arrays}",
        "for _ in range(20):",
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt",
        "    value_and_grad(*arrays)",
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)",
    ]
    text = source[: source.index('if __name__ == "__main__"')] + "\n".join(script)
    return int(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout)


GP = "model gp\ninput y : n\nparam K : n x n spd\nloss = logdet(K) + y^T inv(K) y\n"
CHAIN = "model chain\n" + "".join(f"param {x} : n x n\n" for x in "ABCDEFG") + "loss = norm(A B C D E F G)^2\n"


@pytest.mark.parametrize(
    ("model", "arrays", "size"),
    [(GP, "[np.ones(500), np.eye(500) + 0.1]", 500), (CHAIN, "[np.eye(110) for _ in range(7)]", 110)],
)
def test_matrices_of_each_call_are_not_fetched_from_the_system(model: str, arrays: str, size: int) -> None:
    """glibc gives memory of some megabytes back at once, unless such a block was freed before."""
    resource = pytest.importorskip("resource")
    source = mcalc.generate(model).text
    assert "np.empty(2**21)" in source and "np.empty(2**21)" not in mcalc.generate("logistic").text
    assert faults_of_a_call(source, arrays) < size**2 * 8 / resource.getpagesize()


def test_no_memory_is_kept_beyond_the_limit() -> None:
    module = mcalc.generate("mlp").module
    module.KEPT_BYTES = 0
    arrays = [np.ones(s) for s in [(3, 2), (3, 1), (2, 4), (1, 4), (4, 1), (1, 1)]]
    module.value_and_grad(*arrays)
    assert not module.KEPT


def test_results_with_one_scalar_share_it() -> None:
    """2 Z D^T and 2 C^T Z: what both read is doubled, and they are not."""
    names, sizes = "ABCDEF", "pqrstuv"
    shapes = "".join(f"param {x} : {sizes[i]} x {sizes[i + 1]}\n" for i, x in enumerate(names))
    typical = dict(zip(sizes, (500, 20, 400, 10, 300, 30, 200), strict=True))
    made = mcalc.generate(f"model chain\n{shapes}loss = norm({' '.join(names)})^2\n", typical=typical)
    assert 1 <= made.text.count("*= 2") <= 4
    assert made.module.check_gradients() < 1e-6


def test_a_kronecker_product_has_the_gradients_of_its_factors_without_their_kronecker_squares() -> None:
    text = "model fields\ninput y : p*q\nparam A : p x p\nparam B : q x q\nloss = norm(kron(A, B) y)^2\n"
    module = mcalc.generate(text).module
    assert module.check_gradients() < 1e-5
    n = 12
    module.value_and_grad(np.ones(n * n), np.ones((n, n)), np.ones((n, n)))  # kron of kron would be n^8 numbers
