"""Autoencoder with one hidden layer and tied weights, squared reconstruction error.

    # Autoencoder with one hidden layer and tied weights, squared reconstruction error.
    model autoencoder

    input X : n x d
    param W : d x m
    param b : 1 x m
    param c : 1 x d

    H = sigmoid(X W + 1_n b)
    R = H W^T + 1_n c

    output H, R
    loss = norm(X - R)^2 / n

Written by mcalc 0.1.0: mcalc generate autoencoder
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "m")
SHAPES = {"X": ("n", "d"), "W": ("d", "m"), "b": (1, "m"), "c": (1, "d")}


class Parameters(NamedTuple):
    """The parameters."""

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    Z: np.ndarray = None
    H: np.ndarray = None
    R: np.ndarray = None
    R_bar: np.ndarray = None
    c_bar: np.ndarray = None
    ones_n: np.ndarray = None
    one: np.ndarray = None
    Z_bar: np.ndarray = None
    W_bar: np.ndarray = None
    scratch: np.ndarray = None
    b_bar: np.ndarray = None
    Z2: np.ndarray = None
    Z3: np.ndarray = None
    M: np.ndarray = None
    R2: np.ndarray = None
    S: np.ndarray = None
    scratch2: np.ndarray = None
    scratch3: np.ndarray = None
    scratch4: np.ndarray = None
    ones_n_row: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, W, b, c):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, W, b, c, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, W, b, c, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X : n x d
        W : d x m
        b : 1 x m
        c : 1 x d

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
        loss, gradients = _by_rows(X, W, b, c, ws, wrt)
    else:
        loss, gradients = _at_once(X, W, b, c, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def predict(X, W, b, c):
    """H, R, from what it depends on."""
    try:
        _, d = X.shape
        m = W.shape[1]
        plain = (
            type(X) is type(W) is type(b) is type(c) is np.ndarray
            and X.dtype is W.dtype is b.dtype is c.dtype
            and X.dtype.char in "fd"
            and W.shape == (d, m)
            and b.shape == (1, m)
            and c.shape == (1, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W, b, c = checked(
            {"X": (X, ("n", "d")), "W": (W, ("d", "m")), "b": (b, (1, "m")), "c": (c, (1, "d"))}
        )
        _, d = X.shape
        m = W.shape[1]
    # H = sigmoid(X W + ones(n) b) : n x m
    H = X.dot(W)
    H += b
    sigmoid(H, out=H)
    # R = H W^T + ones(n) c : n x d
    R = H.dot(W.T)
    R += c
    return H, R


def init(seed=None, *, d, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    b = np.zeros((1, m))
    c = np.zeros((1, d))
    return Parameters(W=W, b=b, c=c)


def workspace(*, n, d, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, m, np.dtype(dtype))


def _buffers(n, d, m, dtype, whole=False, apart=False):
    """A workspace; for all rows at once where it is `whole`.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    block_rows = 0 if whole else rows_of_block(n, d, m, dtype.itemsize)
    apart = apart or block_rows > 0  # there the order is another
    R = np.empty((block_rows or n, d), dtype)
    ones_n = np.ones((block_rows or n,), dtype)
    ones_n_row = ones_n[None]
    return Workspace(
        sizes=(n, d, m, dtype),
        block_rows=block_rows,
        Z=np.empty((block_rows or n, m), dtype),
        H=np.empty((block_rows or n, m), dtype),
        R=R,
        R_bar=np.empty((block_rows or n, d), dtype) if apart else R[...],
        c_bar=np.empty((1, d), dtype),
        ones_n=ones_n,
        one=np.ones((), dtype),
        Z_bar=np.empty((block_rows or n, m), dtype),
        W_bar=np.empty((d, m), dtype),
        scratch=np.empty((d, m), dtype),
        b_bar=np.empty((1, m), dtype),
        Z2=np.empty((d, m), dtype),
        Z3=np.empty((d, m), dtype),
        M=np.empty((1, d), dtype),
        R2=np.empty((block_rows or n, d), dtype),
        S=np.empty((block_rows or n, m), dtype),
        scratch2=np.empty((d, m), dtype),
        scratch3=np.empty((1, m), dtype),
        scratch4=np.empty((1, d), dtype),
        ones_n_row=ones_n_row,
    )


def fresh(n, d, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, m, dtype, whole=True, apart=apart)._replace(
        W_bar=None,
        b_bar=None,
        c_bar=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d, m, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d, m, dtype) else fresh(n, d, m, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _at_once(X, W, b, c, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(X, W, b, c, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(X, W, b, c, ws):
    try:
        n, d = X.shape
        m = W.shape[1]
        plain = (
            type(X) is type(W) is type(b) is type(c) is np.ndarray
            and X.dtype is W.dtype is b.dtype is c.dtype
            and X.dtype.char in "fd"
            and W.shape == (d, m)
            and b.shape == (1, m)
            and c.shape == (1, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W, b, c = checked(
            {"X": (X, ("n", "d")), "W": (W, ("d", "m")), "b": (b, (1, "m")), "c": (c, (1, "d"))}
        )
        n, d = X.shape
        m = W.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, m, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, m, dtype, apart=True)
    else:
        fitting(ws, (n, d, m, dtype))
    # Z = X W + ones(n) b : n x m
    Z = X.dot(W, out=ws.Z)
    Z += b
    # H = sigmoid(Z) : n x m
    H = sigmoid(Z, out=ws.H)
    # R = H W^T + ones(n) c : n x d
    R = H.dot(W.T, out=ws.R)
    R += c
    # R2 = X - R : n x d
    R2 = np.subtract(X, R, out=R)
    # loss = norm(R2)^2 / n
    loss = np.vdot(R2, R2) / n
    return float(loss), (ws, X, W, n, Z, H, R2)


def _backward(cache, wrt):
    ws, X, W, n, Z, H, R2 = cache
    c_bar = W_bar = b_bar = None
    # R_bar = -2 R2 / n : n x d
    R_bar = np.multiply(R2, -2 / n, out=ws.R_bar)
    ones_n_row = ws.ones_n_row
    if wrt is None or "c" in wrt:
        # c_bar = sum(R_bar, axis=0) : 1 x d
        c_bar = ones_n_row.dot(R_bar, out=ws.c_bar)
    one = ws.one
    if wrt is None or "W" in wrt or "b" in wrt:
        # S = 1 - H : n x m
        S = np.subtract(one, H, out=Z)
        # Z_bar = (R_bar W) .* H .* S : n x m
        Z_bar = R_bar.dot(W, out=ws.Z_bar)
        Z_bar *= H
        Z_bar *= S
    if wrt is None or "W" in wrt:
        # W_bar = R_bar^T H + X^T Z_bar : d x m
        W_bar = R_bar.T.dot(H, out=ws.W_bar)
        W_bar += X.T.dot(Z_bar, out=ws.scratch)
    if wrt is None or "b" in wrt:
        # b_bar = sum(Z_bar, axis=0) : 1 x m
        b_bar = ones_n_row.dot(Z_bar, out=ws.b_bar)
    return Gradients(W_bar, b_bar, c_bar)


def _by_rows(X, W, b, c, ws, wrt):
    """(loss, gradients) in one pass over X, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = X.shape
        m = W.shape[1]
        plain = (
            type(X) is type(W) is type(b) is type(c) is np.ndarray
            and X.dtype is W.dtype is b.dtype is c.dtype
            and X.dtype.char in "fd"
            and W.shape == (d, m)
            and b.shape == (1, m)
            and c.shape == (1, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W, b, c = checked(
            {"X": (X, ("n", "d")), "W": (W, ("d", "m")), "b": (b, (1, "m")), "c": (c, (1, "d"))}
        )
        n, d = X.shape
        m = W.shape[1]
    dtype = X.dtype
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, m, dtype))
    rows = ws.block_rows or rows_of_block(n, d, m, dtype.itemsize)
    if not rows:
        return _at_once(X, W, b, c, None if ws is NO_WORKSPACE else ws, wrt)
    W_bar = c_bar = None
    ones_n = ones(ws.ones_n, rows, dtype)
    R2R2 = 0.0
    Z2 = space(ws.Z2, (d, m), dtype)
    Z2[...] = 0
    Z3 = space(ws.Z3, (d, m), dtype)
    Z3[...] = 0
    b_bar = space(ws.b_bar, (1, m), dtype)
    b_bar[...] = 0
    M = space(ws.M, (1, d), dtype)
    M[...] = 0
    H = space(ws.H, (rows, m), dtype)
    R2 = space(ws.R2, (rows, d), dtype)
    R_bar = space(ws.R_bar, (rows, d), dtype)
    S = space(ws.S, (rows, m), dtype)
    Z_bar = space(ws.Z_bar, (rows, m), dtype)
    scratch2 = space(ws.scratch2, (d, m), dtype)
    scratch3 = space(ws.scratch3, (1, m), dtype)
    scratch4 = space(ws.scratch4, (1, d), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        X_b = X[start:stop]
        if stop > n:  # the last block is shorter
            H, R2, R_bar, S, Z_bar, ones_n = (
                H[: n - start],
                R2[: n - start],
                R_bar[: n - start],
                S[: n - start],
                Z_bar[: n - start],
                ones_n[: n - start],
            )
        # H = sigmoid(X W + ones(n) b) : n x m
        X_b.dot(W, out=H)
        H += b
        sigmoid(H, out=H)
        # R2 = X - (H W^T + ones(n) c) : n x d
        H.dot(W.T, out=R2)
        R2 += c
        np.subtract(X_b, R2, out=R2)
        # R2R2 += norm(R2)^2
        R2R2 += np.vdot(R2, R2)
        if wrt is None or "W" in wrt or "b" in wrt:
            # R_bar = -2 R2 / n : n x d
            np.multiply(R2, -2 / n, out=R_bar)
            # S = 1 - H : n x m
            np.subtract(1, H, out=S)
            # Z_bar = (R_bar W) .* H .* S : n x m
            R_bar.dot(W, out=Z_bar)
            Z_bar *= H
            Z_bar *= S
        if wrt is None or "W" in wrt:
            # Z2 += X^T Z_bar : d x m
            Z2 += X_b.T.dot(Z_bar, out=scratch2)
            # Z3 += R2^T H : d x m
            Z3 += R2.T.dot(H, out=scratch2)
        if wrt is None or "b" in wrt:
            # b_bar += sum(Z_bar, axis=0) : 1 x m
            b_bar += ones_n[None].dot(Z_bar, out=scratch3)
        if wrt is None or "c" in wrt:
            # M += sum(R2, axis=0) : 1 x d
            M += ones_n[None].dot(R2, out=scratch4)
    # loss = R2R2 / n
    loss = R2R2 / n
    if wrt is None or "W" in wrt:
        # W_bar = Z2 - 2 (Z3 / n) : d x m
        W_bar = np.multiply(Z3, 1 / n, out=Z3)
        W_bar *= 2
        np.subtract(Z2, W_bar, out=W_bar)
    if wrt is None or "c" in wrt:
        # c_bar = -2 M / n : 1 x d
        c_bar = np.multiply(M, -2 / n, out=M)
    return float(loss), Gradients(W_bar, b_bar, c_bar)


LIMITS = {"d": (np.asarray(709.0), np.ones(())), "f": (np.asarray(88.0, "f"), np.ones((), "f"))}
"""The largest number whose exponential is finite, and one, by precision: as arrays, which NumPy takes faster."""


def sigmoid(X, out=None):
    """1 / (1 + exp(-X)), without overflow."""
    out = np.asarray(np.negative(X, out=out))
    limit, one = LIMITS[out.dtype.char]
    np.minimum(out, limit, out=out)
    np.exp(out, out=out)
    out += one
    return np.divide(one, out, out=out)[()]


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

SMALL_PRODUCT = 1_000_000
"""OpenBLAS multiplies (m x k) (k x n) a fourth faster where m k n is at most this: blocks are made so small, unless
that leaves them few rows."""

LEAST_ROWS = 64
"""Products with fewer rows are slow, and every block adds to all sums."""


def rows_of_block(n, d, m, itemsize):
    """How many rows of the data make a block; 0 where blocks do not pay.

    Where there are few blocks, or where the sums that every block adds to are as large as half of it.
    """
    entries = max(3 * d + 3 * m + 1, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
    small = SMALL_PRODUCT // max(d * m, 1)
    rows = min(rows, small) if small >= 2 * LEAST_ROWS else rows
    if n < LEAST_BLOCKS * rows or 2 * (2 * d * m + d + m + 1) > rows * entries:
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
    m = 4
    X = rng.standard_normal((n, d))
    W = rng.standard_normal((d, m))
    b = rng.standard_normal((1, m))
    c = rng.standard_normal((1, d))
    given = {"X": X, "W": W, "b": b, "c": c}
    structures = {"W": "", "b": "", "c": ""}
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


if __name__ == "__main__":
    check_gradients()
