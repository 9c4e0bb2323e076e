"""Softmax (multinomial logistic) regression: cross-entropy, the mean over n examples; Y is one-hot.

    # Softmax (multinomial logistic) regression: cross-entropy, the mean over n examples; Y is one-hot.
    model softmax_regression

    input X : n x d
    input Y : n x k
    param W : d x k
    param b : 1 x k

    Z = X W + 1_n b
    P = softmax(Z)

    output P
    loss = (sum(logsumexp(Z, axis=1)) - sum(Y .* Z)) / n

Written by mcalc 0.1.0: mcalc generate softmax_regression
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "k")
SHAPES = {"X": ("n", "d"), "Y": ("n", "k"), "W": ("d", "k"), "b": (1, "k")}


class Parameters(NamedTuple):
    """The parameters."""

    W: np.ndarray
    b: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    W: np.ndarray
    b: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    Z: np.ndarray = None
    tops: np.ndarray = None
    E: np.ndarray = None
    sums: np.ndarray = None
    ones_k: np.ndarray = None
    W_bar: np.ndarray = None
    b_bar: np.ndarray = None
    ones_n: np.ndarray = None
    XtR: np.ndarray = None
    M: np.ndarray = None
    s: np.ndarray = None
    scratch: np.ndarray = None
    scratch2: np.ndarray = None
    ones_n_row: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, Y, W, b):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, Y, W, b, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, Y, W, b, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X : n x d
        Y : n x k
        W : d x k
        b : 1 x k

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
        loss, gradients = _by_rows(X, Y, W, b, ws, wrt)
    else:
        loss, gradients = _at_once(X, Y, W, b, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def predict(X, W, b):
    """P, from what it depends on."""
    try:
        _, d = X.shape
        k = W.shape[1]
        plain = (
            type(X) is type(W) is type(b) is np.ndarray
            and X.dtype is W.dtype is b.dtype
            and X.dtype.char in "fd"
            and W.shape == (d, k)
            and b.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W, b = checked({"X": (X, ("n", "d")), "W": (W, ("d", "k")), "b": (b, (1, "k"))})
        _, d = X.shape
        k = W.shape[1]
    # Z = X W + ones(n) b : n x k
    Z = X.dot(W)
    Z += b
    # P = softmax(Z) : n x k
    P = softmax(Z, axis=1)
    return P


def init(seed=None, *, d, k):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((d, k)) / np.sqrt(max(d, 1))
    b = np.zeros((1, k))
    return Parameters(W=W, b=b)


def workspace(*, n, d, k, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, k, np.dtype(dtype))


def _buffers(n, d, k, dtype, whole=False):
    """A workspace; for all rows at once where it is `whole`."""
    block_rows = 0 if whole else rows_of_block(n, d, k, dtype.itemsize)
    ones_n = np.ones((block_rows or n,), dtype)
    ones_n_row = ones_n[None]
    return Workspace(
        sizes=(n, d, k, dtype),
        block_rows=block_rows,
        Z=np.empty((block_rows or n, k), dtype),
        tops=np.empty((block_rows or n,), dtype),
        E=np.empty((block_rows or n, k), dtype),
        sums=np.empty((block_rows or n,), dtype),
        ones_k=np.ones((k,), dtype),
        W_bar=np.empty((d, k), dtype),
        b_bar=np.empty((1, k), dtype),
        ones_n=ones_n,
        XtR=np.empty((d, k), dtype),
        M=np.empty((1, k), dtype),
        s=np.empty((block_rows or n,), dtype),
        scratch=np.empty((d, k), dtype),
        scratch2=np.empty((1, k), dtype),
        ones_n_row=ones_n_row,
    )


def fresh(n, d, k, dtype):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, k, dtype, whole=True)._replace(
        W_bar=None,
        b_bar=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d, k, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d, k, dtype) else fresh(n, d, k, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _at_once(X, Y, W, b, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(X, Y, W, b, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(X, Y, W, b, ws):
    try:
        n, d = X.shape
        k = Y.shape[1]
        plain = (
            type(X) is type(Y) is type(W) is type(b) is np.ndarray
            and X.dtype is Y.dtype is W.dtype is b.dtype
            and X.dtype.char in "fd"
            and Y.shape == (n, k)
            and W.shape == (d, k)
            and b.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Y, W, b = checked(
            {"X": (X, ("n", "d")), "Y": (Y, ("n", "k")), "W": (W, ("d", "k")), "b": (b, (1, "k"))}
        )
        n, d = X.shape
        k = Y.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, k, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, k, dtype)
    else:
        fitting(ws, (n, d, k, dtype))
    # Z = X W + ones(n) b : n x k
    Z = X.dot(W, out=ws.Z)
    Z += b
    # tops = max of each row of Z : n
    tops = largest_of_rows(Z, out=ws.tops)
    # E = exp(Z - tops ones(k)^T) : n x k
    E = np.subtract(Z, tops[:, None], out=ws.E)
    np.exp(E, out=E)
    ones_k = ws.ones_k
    # sums = sum(E, axis=1) : n
    sums = E.dot(ones_k, out=ws.sums)
    # P = softmax(Z) : n x k
    P = np.divide(E, sums[:, None], out=E)
    # s = tops + log(sums) : n
    s = np.log(sums, out=sums)
    s += tops
    # loss = (sum(s) - tr(Y^T Z)) / n
    loss = (s.sum() - np.vdot(Y, Z)) / n
    return float(loss), (ws, X, Y, n, Z, P)


def _backward(cache, wrt):
    ws, X, Y, n, Z, P = cache
    W_bar = b_bar = None
    # Z_bar = (P - Y) / n : n x k
    Z_bar = np.subtract(P, Y, out=Z)
    Z_bar *= 1 / n
    if wrt is None or "W" in wrt:
        # W_bar = X^T Z_bar : d x k
        W_bar = X.T.dot(Z_bar, out=ws.W_bar)
    ones_n_row = ws.ones_n_row
    if wrt is None or "b" in wrt:
        # b_bar = sum(Z_bar, axis=0) : 1 x k
        b_bar = ones_n_row.dot(Z_bar, out=ws.b_bar)
    return Gradients(W_bar, b_bar)


def _by_rows(X, Y, W, b, ws, wrt):
    """(loss, gradients) in one pass over X, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = X.shape
        k = Y.shape[1]
        plain = (
            type(X) is type(Y) is type(W) is type(b) is np.ndarray
            and X.dtype is Y.dtype is W.dtype is b.dtype
            and X.dtype.char in "fd"
            and Y.shape == (n, k)
            and W.shape == (d, k)
            and b.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Y, W, b = checked(
            {"X": (X, ("n", "d")), "Y": (Y, ("n", "k")), "W": (W, ("d", "k")), "b": (b, (1, "k"))}
        )
        n, d = X.shape
        k = Y.shape[1]
    dtype = X.dtype
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, k, dtype))
    rows = ws.block_rows or rows_of_block(n, d, k, dtype.itemsize)
    if not rows:
        return _at_once(X, Y, W, b, None if ws is NO_WORKSPACE else ws, wrt)
    W_bar = b_bar = None
    ones_k = ones(ws.ones_k, k, dtype)
    ones_n = ones(ws.ones_n, rows, dtype)
    total = 0.0
    YtZ = 0.0
    XtR = space(ws.XtR, (d, k), dtype)
    XtR[...] = 0
    M = space(ws.M, (1, k), dtype)
    M[...] = 0
    Z = space(ws.Z, (rows, k), dtype)
    tops = space(ws.tops, (rows,), dtype)
    E = space(ws.E, (rows, k), dtype)
    sums = space(ws.sums, (rows,), dtype)
    s = space(ws.s, (rows,), dtype)
    scratch = space(ws.scratch, (d, k), dtype)
    scratch2 = space(ws.scratch2, (1, k), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        X_b, Y_b = X[start:stop], Y[start:stop]
        if stop > n:  # the last block is shorter
            Z, tops, E, sums, s, ones_n = (
                Z[: n - start],
                tops[: n - start],
                E[: n - start],
                sums[: n - start],
                s[: n - start],
                ones_n[: n - start],
            )
        # Z = X W + ones(n) b : n x k
        X_b.dot(W, out=Z)
        Z += b
        # tops = max of each row of Z : n
        largest_of_rows(Z, out=tops)
        # E = exp(Z - tops ones(k)^T) : n x k
        np.subtract(Z, tops[:, None], out=E)
        np.exp(E, out=E)
        # sums = sum(E, axis=1) : n
        E.dot(ones_k, out=sums)
        # s = tops + log(sums) : n
        np.log(sums, out=s)
        s += tops
        # total += sum(s)
        total += s.sum()
        # YtZ += tr(Y^T Z)
        YtZ += np.vdot(Y_b, Z)
        # R = E ./ (sums ones(k)^T) - Y : n x k
        R = np.divide(E, sums[:, None], out=E)
        R -= Y_b
        if wrt is None or "W" in wrt:
            # XtR += X^T R : d x k
            XtR += X_b.T.dot(R, out=scratch)
        if wrt is None or "b" in wrt:
            # M += sum(R, axis=0) : 1 x k
            M += ones_n[None].dot(R, out=scratch2)
    # loss = (total - YtZ) / n
    loss = (total - YtZ) / n
    if wrt is None or "W" in wrt:
        # W_bar = XtR / n : d x k
        W_bar = np.multiply(XtR, 1 / n, out=XtR)
    if wrt is None or "b" in wrt:
        # b_bar = M / n : 1 x k
        b_bar = np.multiply(M, 1 / n, out=M)
    return float(loss), Gradients(W_bar, b_bar)


def largest_of_rows(X, out=None):
    """The largest entry of each row; NumPy is slow along short rows, and compares their columns instead."""
    if X.shape[1] < 50:
        return np.maximum.reduce(X.T.copy(), axis=0, out=out)
    return np.maximum.reduce(X, axis=1, out=out)


def softmax(X, axis=None, out=None):
    """exp(X) / sum(exp(X)), shifted by the maximum."""
    top = largest_of_rows(X)[:, None] if axis == 1 else X.max(axis=axis, keepdims=True)
    out = np.subtract(X, top, out=out)
    out = np.exp(out, out=out)
    if axis == 1:  # BLAS adds faster than np.sum
        out /= out.dot(np.ones((out.shape[1], 1), out.dtype))
    else:
        out /= out.sum(axis=axis, keepdims=True)
    return out


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


def rows_of_block(n, d, k, itemsize):
    """How many rows of the data make a block; 0 where blocks do not pay.

    Where there are few blocks, or where the sums that every block adds to are as large as half of it.
    """
    entries = max(d + 3 * k + 4, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
    small = SMALL_PRODUCT // max(d * k, 1)
    rows = min(rows, small) if small >= 2 * LEAST_ROWS else rows
    if n < LEAST_BLOCKS * rows or 2 * (d * k + k + 2) > rows * entries:
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
    k = 4
    X = rng.standard_normal((n, d))
    Y = rng.standard_normal((n, k))
    W = rng.standard_normal((d, k))
    b = rng.standard_normal((1, k))
    given = {"X": X, "Y": Y, "W": W, "b": b}
    structures = {"W": "", "b": ""}
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
