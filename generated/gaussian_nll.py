"""Negative log-likelihood of a multivariate normal distribution, without its constant n d log(2 pi) / 2.

    # Negative log-likelihood of a multivariate normal distribution, without its constant n d log(2 pi) / 2.
    # The rows of X are the observations; Sigma is the covariance.
    model gaussian_nll

    input X : n x d
    param mu : d
    param Sigma : d x d spd

    R = X - 1_n mu^T

    loss = n/2 logdet(Sigma) + 1/2 tr(Sigma^-1 R^T R)

Written by mcalc 0.1.0: mcalc generate gaussian_nll
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d")
SHAPES = {"X": ("n", "d"), "mu": ("d",), "Sigma": ("d", "d")}


class Parameters(NamedTuple):
    """The parameters."""

    mu: np.ndarray
    Sigma: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    mu: np.ndarray
    Sigma: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    R: np.ndarray = None
    Sigma_inv: np.ndarray = None
    RtR: np.ndarray = None
    Z: np.ndarray = None
    Sigma_bar: np.ndarray = None
    sums: np.ndarray = None
    ones_n: np.ndarray = None
    z: np.ndarray = None
    scratch: np.ndarray = None
    scratch2: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, mu, Sigma):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, mu, Sigma, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, mu, Sigma, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X     : n x d
        mu    : d
        Sigma : d x d spd

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    ws = NO_WORKSPACE if workspace is None else workspace
    if (
        not isinstance(ws, Workspace)
        or ws.block_rows
        or (isinstance(X, np.ndarray) and X.nbytes > BLOCK_BYTES)
    ):
        loss, gradients = _by_rows(X, mu, Sigma, ws, wrt)
    else:
        loss, gradients = _at_once(X, mu, Sigma, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def init(seed=None, *, d):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    mu = np.zeros((d,))
    Sigma = np.eye(d)
    return Parameters(mu=mu, Sigma=Sigma)


def workspace(*, n, d, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, np.dtype(dtype))


def _buffers(n, d, dtype, whole=False):
    """A workspace; for all rows at once where it is `whole`."""
    block_rows = 0 if whole else rows_of_block(n, d, dtype.itemsize)
    return Workspace(
        sizes=(n, d, dtype),
        block_rows=block_rows,
        R=np.empty((block_rows or n, d), dtype),
        Sigma_inv=np.empty((d, d), dtype),
        RtR=np.empty((d, d), dtype),
        Z=np.empty((d, d), dtype),
        Sigma_bar=np.empty((d, d), dtype),
        sums=np.empty((d,), dtype),
        ones_n=np.ones((block_rows or n,), dtype),
        z=np.empty((d,), dtype),
        scratch=np.empty((d, d), dtype),
        scratch2=np.empty((d,), dtype),
    )


def fresh(n, d, dtype):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, dtype, whole=True)._replace(
        Sigma_bar=None,
        sums=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d, dtype) else fresh(n, d, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _at_once(X, mu, Sigma, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(X, mu, Sigma, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(X, mu, Sigma, ws):
    try:
        n, d = X.shape
        plain = (
            type(X) is type(mu) is type(Sigma) is np.ndarray
            and X.dtype is mu.dtype is Sigma.dtype
            and X.dtype.char in "fd"
            and mu.shape == (d,)
            and Sigma.shape == (d, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, mu, Sigma = checked(
            {"X": (X, ("n", "d")), "mu": (mu, ("d",)), "Sigma": (Sigma, ("d", "d"))}
        )
        n, d = X.shape
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, dtype)
    else:
        fitting(ws, (n, d, dtype))
    # R = X - ones(n) mu^T : n x d
    R = np.subtract(X, mu, out=ws.R)
    # L = L L^T = Sigma : d x d
    L = np.linalg.cholesky(Sigma)
    # L_inv = L^-1 : d x d
    L_inv = inverse_of_lower(L, out=L)
    # Sigma_inv = L_inv^T L_inv = Sigma^-1 : d x d
    Sigma_inv = gram_of_lower(L_inv, out=ws.Sigma_inv)
    # RtR = R^T R : d x d
    RtR = R.T.dot(R, out=ws.RtR)
    # Z = Sigma_inv RtR : d x d
    Z = Sigma_inv.dot(RtR, out=ws.Z)
    # loss = -n sum(log(diag(L_inv))) + tr(Z) / 2
    loss = -n * np.log(np.diagonal(L_inv)).sum() + 0.5 * np.trace(Z)
    return float(loss), (ws, n, R, L_inv, Sigma_inv, RtR, Z)


def _backward(cache, wrt):
    ws, n, R, L_inv, Sigma_inv, RtR, Z = cache
    Sigma_bar = mu_bar = None
    if wrt is None or "Sigma" in wrt:
        # R2 = n I - Z^T : d x d
        R2 = np.negative(Z.T, out=RtR)
        np.einsum("ii->i", R2)[...] += n
        # Sigma_bar = Sigma_inv R2 / 2 : d x d
        Sigma_bar = Sigma_inv.dot(R2, out=ws.Sigma_bar)
        Sigma_bar *= 0.5
    ones_n = ws.ones_n
    if wrt is None or "mu" in wrt:
        # sums = sum(R, axis=0)^T : d
        sums = ones_n.dot(R, out=ws.sums)
        # z = L_inv sums : d
        z = L_inv.dot(sums, out=ws.z)
        # mu_bar = -L_inv^T z : d
        mu_bar = L_inv.T.dot(z, out=sums)
        np.negative(mu_bar, out=mu_bar)
    return Gradients(mu_bar, Sigma_bar)


def _by_rows(X, mu, Sigma, ws, wrt):
    """(loss, gradients) in one pass over X, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = X.shape
        plain = (
            type(X) is type(mu) is type(Sigma) is np.ndarray
            and X.dtype is mu.dtype is Sigma.dtype
            and X.dtype.char in "fd"
            and mu.shape == (d,)
            and Sigma.shape == (d, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, mu, Sigma = checked(
            {"X": (X, ("n", "d")), "mu": (mu, ("d",)), "Sigma": (Sigma, ("d", "d"))}
        )
        n, d = X.shape
    dtype = X.dtype
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, dtype))
    rows = ws.block_rows or rows_of_block(n, d, dtype.itemsize)
    if not rows:
        return _at_once(X, mu, Sigma, None if ws is NO_WORKSPACE else ws, wrt)
    mu_bar = Sigma_bar = None
    ones_n = ones(ws.ones_n, rows, dtype)
    RtR = space(ws.RtR, (d, d), dtype)
    RtR[...] = 0
    sums = space(ws.sums, (d,), dtype)
    sums[...] = 0
    R = space(ws.R, (rows, d), dtype)
    scratch = space(ws.scratch, (d, d), dtype)
    scratch2 = space(ws.scratch2, (d,), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        X_b = X[start:stop]
        if stop > n:  # the last block is shorter
            R, ones_n = R[: n - start], ones_n[: n - start]
        # R = X - ones(n) mu^T : n x d
        np.subtract(X_b, mu, out=R)
        # RtR += R^T R : d x d
        RtR += R.T.dot(R, out=scratch)
        if wrt is None or "mu" in wrt:
            # sums += sum(R, axis=0)^T : d
            sums += ones_n.dot(R, out=scratch2)
    # L = L L^T = Sigma : d x d
    L = np.linalg.cholesky(Sigma)
    # L_inv = L^-1 : d x d
    L_inv = inverse_of_lower(L, out=L)
    # Sigma_inv = L_inv^T L_inv = Sigma^-1 : d x d
    Sigma_inv = gram_of_lower(L_inv, out=ws.Sigma_inv)
    # Z = Sigma_inv RtR : d x d
    Z = Sigma_inv.dot(RtR, out=ws.Z)
    # loss = -n sum(log(diag(L_inv))) + tr(Z) / 2
    loss = -n * np.log(np.diagonal(L_inv)).sum() + 0.5 * np.trace(Z)
    if wrt is None or "mu" in wrt:
        # z = L_inv sums : d
        z = L_inv.dot(sums, out=ws.z)
        # mu_bar = -L_inv^T z : d
        mu_bar = L_inv.T.dot(z, out=sums)
        np.negative(mu_bar, out=mu_bar)
    if wrt is None or "Sigma" in wrt:
        # R2 = n I - Z^T : d x d
        R2 = np.negative(Z.T, out=L_inv)
        np.einsum("ii->i", R2)[...] += n
        # Sigma_bar = Sigma_inv R2 / 2 : d x d
        Sigma_bar = Sigma_inv.dot(R2, out=Z)
        Sigma_bar *= 0.5
    return float(loss), Gradients(mu_bar, Sigma_bar)


def gram_of_lower(M, out=None):
    """M^T M for M lower triangular, by blocks of columns: what is above the diagonal is not multiplied."""
    out = np.empty(M.shape, M.dtype) if out is None else out
    for i in range(0, len(M), 48):
        j = i + 48
        np.matmul(M[i:, i:j].T, M[i:, :j], out=out[i:j, :j])
        out[:i, i:j] = out[i:j, :i].T
    return out


def inverse_of_lower(L, out=None):
    """L^-1 for L lower triangular, by blocks of 32 columns from the last to the first; `out` may be L.

    The inverse of [A 0; B C] has the columns X with X A = [I; -C^-1 B], then those of C^-1. Where A^-1 is large, X is
    corrected by what it misses of that: it is as accurate as by substitution then.
    """
    n = len(L)
    if n < 50:  # L^T is upper triangular: it is inverted by substitution alone
        return np.positive(np.linalg.inv(L.T).T, order="C", out=out)
    out = np.empty(L.shape, L.dtype) if out is None else out
    out[...] = L
    identity = np.eye(32, dtype=L.dtype)
    # the blocks on the diagonal; the last may be smaller
    blocks = np.tile(identity, (-(-n // 32), 1, 1))
    for i in range(0, n, 32):
        j = i + 32
        blocks[i // 32, : n - i, : n - i] = L[i:j, i:j]
    inverses = inverses_of_blocks(blocks)
    large = np.abs(blocks).max(axis=(1, 2)) * np.abs(inverses).max(axis=(1, 2)) > 10
    for k in range(len(blocks) - 1, -1, -1):
        i, j = 32 * k, 32 * k + 32
        A, A_inv = blocks[k, : n - i, : n - i], inverses[k, : n - i, : n - i]
        P = np.empty((n - i, len(A)), L.dtype)
        P[:32] = -identity[: n - i, : n - i]
        for start in range(j, n, 64):  # C^-1 B, where C^-1 is zero above the diagonal
            stop = start + 64
            np.matmul(out[start:stop, j:stop], out[j:stop, i:j], out=P[start - i : stop - i])
        X = np.dot(P, A_inv)
        if large[k]:
            missed = np.dot(X, A)
            missed -= P
            X -= np.dot(missed, A_inv)
        np.negative(X, out=out[i:, i:j])
    return out


def inverses_of_blocks(L):
    """The inverses of lower triangular 32 x 32 matrices: [A 0; B C]^-1 = [A^-1 0; -C^-1 B A^-1 C^-1], B from 1 x 1."""
    inverses = L.copy()
    np.einsum("kii->ki", inverses)[...] = 1 / np.einsum("kii->ki", L)
    for size in (1, 2, 4, 8, 16):
        count = 16 // size
        pairs = np.einsum("kiaib->kiab", inverses.reshape(-1, count, 2 * size, count, 2 * size))
        A, B, C = pairs[..., :size, :size], pairs[..., size:, :size], pairs[..., size:, size:]
        np.matmul(-C, np.matmul(B, A), out=B)
    return inverses


def space(buffer, shape, dtype):
    """The buffer, or new memory where there is none."""
    return np.empty(shape, dtype) if buffer is None else buffer


def ones(buffer, n, dtype):
    """The buffer, or a new vector of ones where there is none: A @ ones(n) are the sums of rows."""
    return np.ones(n, dtype) if buffer is None else buffer


BLOCK_BYTES = 800_000
"""The rows of a block, and what is computed of them, take so much memory: they stay in the second-level cache."""

LEAST_BLOCKS = 2
"""Data of fewer blocks are taken at once: they stay in a cache in any case."""

LEAST_ROWS = 64
"""Products with fewer rows are slow, and every block adds to all sums."""


def rows_of_block(n, d, itemsize):
    """How many rows of the data make a block; 0 where blocks do not pay.

    Where there are few blocks, or where the sums that every block adds to are as large as half of it.
    """
    entries = max(2 * d + 1, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
    if n < LEAST_BLOCKS * rows or 2 * (d * d + d) > rows * entries:
        return 0
    count = -(-n // rows)
    return -(-n // count)


def fitting(workspace, sizes):
    """Raises TypeError where this is none of this module, ValueError where it is for other dimensions or precision."""
    if not isinstance(workspace, Workspace):
        raise TypeError(f"workspace: one of this module expected; got {type(workspace)}")
    if workspace.sizes != sizes:
        raise ValueError(f"the workspace is for {workspace.sizes}; the data have {sizes}")


def known_parameters(wrt):
    """The names as a tuple. Raises ValueError where one is no parameter's, TypeError where it is no sequence."""
    if isinstance(wrt, str):
        raise ValueError(f"wrt: a sequence of names expected, as ['{wrt}']; got the string {wrt}")
    try:
        named = tuple(wrt)
    except TypeError:
        names = ", ".join(Parameters._fields)
        raise TypeError(
            f"wrt: a sequence of names expected, of the parameters {names}; got {wrt!r}"
        ) from None
    unknown = [str(name) for name in named if name not in Parameters._fields]
    if unknown:
        raise ValueError(
            f"wrt: the parameters are {', '.join(Parameters._fields)}; got {', '.join(unknown)}"
        )
    return named


def checked(arguments):
    """The arguments as arrays of one precision: float32 if all arrays are, else float64.

    Raises TypeError where one is not made of real numbers, ValueError where a shape is not the declared one, or where
    entries are masked.
    """
    arrays, sizes = {}, {}
    for name, (value, declared) in arguments.items():
        try:
            array = arrays[name] = np.asarray(value)
        except ValueError:
            raise ValueError(f"{name}: the rows have different lengths") from None
        if np.ma.is_masked(value):
            raise ValueError(f"{name}: entries are masked")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: real numbers expected, got {array.dtype}")
        pairs = zip(declared, array.shape, strict=False)
        expected = [
            d if isinstance(d, int) else sizes.setdefault(d, (s, name))[0] for d, s in pairs
        ]
        if array.ndim != len(declared) or list(array.shape) != expected:
            wanted = " x ".join(map(str, declared)) or "scalar"
            known = {d: sizes[d] for d in declared if d in sizes and sizes[d][1] != name}
            told = "".join(f", {d} = {size} in {place}" for d, (size, place) in known.items())
            raise ValueError(f"{name}: expected shape {wanted}{told}; got {array.shape}")
    judged = [a.dtype for a in arrays.values() if a.ndim] or [a.dtype for a in arrays.values()]
    single = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in judged)
    precision = np.float32 if single else np.float64
    return [a.astype(precision, copy=False)[()] for a in arrays.values()]


def check_gradients(seed=0, directions=3):
    """Compare the gradients with central differences along random directions; the largest relative error.

    Of three steps the best counts: a kink within a step, as of abs at 0, is no error of the gradient. Prints a line for
    each parameter; raises AssertionError where an error is above 1e-5, or the loss of the data is not finite.
    """
    rng = np.random.default_rng(seed)
    n = 3
    d = 2
    X = rng.standard_normal((n, d))
    mu = rng.standard_normal((d,))
    Sigma = spd(rng, d)
    given = {"X": X, "mu": mu, "Sigma": Sigma}
    structures = {"mu": "", "Sigma": "symmetric"}
    loss, gradients = value_and_grad(**given)
    advice = "declare what is positive, spd or invertible"
    assert np.isfinite(loss), f"the loss is {loss} at random data; {advice}"
    worst = 0.0
    for name, gradient in zip(Parameters._fields, gradients, strict=True):
        start = given[name]
        error = 0.0
        for _ in range(directions):
            D = direction(rng, start, structures[name])
            found = sum(np.sum(g * d) for g, d in zip(parts(gradient), parts(D), strict=True))
            misses = []
            for reach in (1e-3, 1e-4, 1e-5):
                slopes = []
                for step in (reach, reach / 2):
                    above, _ = value_and_grad(**{**given, name: moved(start, D, step)})
                    below, _ = value_and_grad(**{**given, name: moved(start, D, -step)})
                    slopes.append((above - below) / (2 * step))
                slope = (4 * slopes[1] - slopes[0]) / 3
                scale = max(abs(slope), abs(found), 1e-3 * max(abs(loss), 1))
                miss = abs(slope - found)
                misses.append(miss / scale if np.isfinite(miss) else np.inf)
            error = max(error, min(misses))
        print(f"{name}: relative error {error:.1e}")
        worst = max(worst, error)
    assert worst < 1e-5, f"a gradient differs from central differences by {worst:.1e}"
    print("the gradients agree with central differences")
    return worst


def parts(value):
    """The arrays of a parameter."""
    return value if isinstance(value, list) else [value]


def moved(start, D, step):
    """start + step D."""
    if isinstance(start, list):
        return [s + step * d for s, d in zip(start, D, strict=True)]
    return start + step * D


def direction(rng, start, structure):
    """A random direction of the structure of a parameter."""
    if isinstance(start, list):
        return [direction(rng, s, structure) for s in start]
    if structure and len(np.shape(start)) > 2:
        return np.asarray([direction(rng, s, structure) for s in start])
    D = rng.standard_normal(np.shape(start))
    if structure == "symmetric":
        return (D + D.T) / 2
    if structure == "skew":
        return (D - D.T) / 2
    if structure == "diagonal":
        return np.diag(np.diag(D))
    if structure == "lower":
        return np.tril(D)
    return np.triu(D) if structure == "upper" else D


def spd(rng, n):
    """A random symmetric positive definite matrix."""
    A = rng.standard_normal((n, n))
    return A @ A.T + np.eye(n)


if __name__ == "__main__":
    check_gradients()
