"""Mahalanobis metric learning: the metric is M = L^T L, and q holds the squared distances of n

    # Mahalanobis metric learning: the metric is M = L^T L, and q holds the squared distances of n
    # pairs, rows of A and B. Each y is 1 for a pair that belongs together and -1 for one that does not;
    # softplus is a smooth hinge.
    model metric_learning

    input A : n x d
    input B : n x d
    input y : n
    param L : k x d
    param b : scalar

    E = (A - B) L^T
    q = sum(E.^2, axis=1)

    output q
    loss = sum(softplus(y .* (q - b))) / n

Written by mcalc 0.1.0: mcalc generate metric_learning
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "k")
SHAPES = {"A": ("n", "d"), "B": ("n", "d"), "y": ("n",), "L": ("k", "d"), "b": ()}


class Parameters(NamedTuple):
    """The parameters."""

    L: np.ndarray
    b: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    L: np.ndarray
    b: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    R: np.ndarray = None
    E: np.ndarray = None
    q: np.ndarray = None
    e: np.ndarray = None
    log1p_e: np.ndarray = None
    s: np.ndarray = None
    zero: np.ndarray = None
    E_bar: np.ndarray = None
    L_bar: np.ndarray = None
    z: np.ndarray = None
    scratch: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(A, B, y, L, b):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(A, B, y, L, b, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(A, B, y, L, b, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        A : n x d
        B : n x d
        y : n
        L : k x d
        b : scalar

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
        or (isinstance(A, np.ndarray) and A.nbytes > BLOCK_BYTES)
    ):
        loss, gradients = _by_rows(A, B, y, L, b, ws, wrt)
    else:
        loss, gradients = _at_once(A, B, y, L, b, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def predict(A, B, L):
    """q, from what it depends on."""
    try:
        n, d = A.shape
        k = L.shape[0]
        plain = (
            type(A) is type(B) is type(L) is np.ndarray
            and A.dtype is B.dtype is L.dtype
            and A.dtype.char in "fd"
            and B.shape == (n, d)
            and L.shape == (k, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        A, B, L = checked({"A": (A, ("n", "d")), "B": (B, ("n", "d")), "L": (L, ("k", "d"))})
        n, d = A.shape
        k = L.shape[0]
    # R = A - B : n x d
    R = np.subtract(A, B)
    # E = R L^T : n x k
    E = R.dot(L.T)
    # q = diag(E E^T) : n
    q = np.vecdot(E, E)
    return q


def init(seed=None, *, d, k):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    L = rng.standard_normal((k, d)) / np.sqrt(max(k, 1))
    b = 0.0
    return Parameters(L=L, b=b)


def workspace(*, n, d, k, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, k, np.dtype(dtype))


def _buffers(n, d, k, dtype, whole=False, apart=False):
    """A workspace; for all rows at once where it is `whole`.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    block_rows = 0 if whole else rows_of_block(n, d, k, dtype.itemsize)
    apart = apart or block_rows > 0  # there the order is another
    E = np.empty((block_rows or n, k), dtype)
    return Workspace(
        sizes=(n, d, k, dtype),
        block_rows=block_rows,
        R=np.empty((block_rows or n, d), dtype),
        E=E,
        q=np.empty((block_rows or n,), dtype),
        e=np.empty((block_rows or n,), dtype),
        log1p_e=np.empty((block_rows or n,), dtype),
        s=np.empty((block_rows or n,), dtype),
        zero=np.zeros((), dtype),
        E_bar=np.empty((block_rows or n, k), dtype) if apart else E[...],
        L_bar=np.empty((k, d), dtype),
        z=np.empty((block_rows or n,), dtype),
        scratch=np.empty((k, d), dtype),
    )


def fresh(n, d, k, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, k, dtype, whole=True, apart=apart)._replace(
        L_bar=None,
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


def _at_once(A, B, y, L, b, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(A, B, y, L, b, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(A, B, y, L, b, ws):
    try:
        n, d = A.shape
        k = L.shape[0]
        plain = (
            type(A) is type(B) is type(y) is type(L) is np.ndarray
            and type(b) is float
            and A.dtype is B.dtype is y.dtype is L.dtype
            and A.dtype.char in "fd"
            and B.shape == (n, d)
            and y.shape == (n,)
            and L.shape == (k, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        A, B, y, L, b = checked(
            {
                "A": (A, ("n", "d")),
                "B": (B, ("n", "d")),
                "y": (y, ("n",)),
                "L": (L, ("k", "d")),
                "b": (b, ()),
            }
        )
        n, d = A.shape
        k = L.shape[0]
    dtype = A.dtype
    b = dtype.type(b)
    if ws is None:
        ws = borrowed(n, d, k, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, k, dtype, apart=True)
    else:
        fitting(ws, (n, d, k, dtype))
    # R = A - B : n x d
    R = np.subtract(A, B, out=ws.R)
    # E = R L^T : n x k
    E = R.dot(L.T, out=ws.E)
    # q = diag(E E^T) : n
    q = np.vecdot(E, E, out=ws.q)
    # z = y .* (q - b) : n
    z = np.subtract(q, b, out=q)
    z *= y
    # e = exp(-abs(z)) : n
    e = np.abs(z, out=ws.e)
    np.negative(e, out=e)
    np.exp(e, out=e)
    # log1p_e = log1p(e) : n
    log1p_e = np.log1p(e, out=ws.log1p_e)
    zero = ws.zero
    # s = softplus(z) : n
    s = np.maximum(z, zero, out=ws.s)
    s += log1p_e
    # loss = sum(s) / n
    loss = s.sum() / n
    return float(loss), (ws, y, n, dtype, R, E, z, e, s)


def _backward(cache, wrt):
    ws, y, n, dtype, R, E, z, e, s = cache
    b_bar = L_bar = None
    # z_bar = sigmoid(z) / n : n
    z_bar = sigmoid_from(z, e, out=s)
    z_bar *= 1 / n
    if wrt is None or "b" in wrt:
        # b_bar = -z_bar^T y
        b_bar = -(z_bar @ y)
    if wrt is None or "L" in wrt:
        # v = 2 (z_bar .* y) : n
        v = np.multiply(z_bar, y, out=z_bar)
        v *= 2
        # E_bar = diag(v) E : n x k
        E_bar = np.multiply(E, v[:, None], out=ws.E_bar)
        # L_bar = E_bar^T R : k x d
        L_bar = E_bar.T.dot(R, out=ws.L_bar)
    return Gradients(L_bar, None if b_bar is None else dtype.type(b_bar))


def _by_rows(A, B, y, L, b, ws, wrt):
    """(loss, gradients) in one pass over A, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = A.shape
        k = L.shape[0]
        plain = (
            type(A) is type(B) is type(y) is type(L) is np.ndarray
            and type(b) is float
            and A.dtype is B.dtype is y.dtype is L.dtype
            and A.dtype.char in "fd"
            and B.shape == (n, d)
            and y.shape == (n,)
            and L.shape == (k, d)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        A, B, y, L, b = checked(
            {
                "A": (A, ("n", "d")),
                "B": (B, ("n", "d")),
                "y": (y, ("n",)),
                "L": (L, ("k", "d")),
                "b": (b, ()),
            }
        )
        n, d = A.shape
        k = L.shape[0]
    dtype = A.dtype
    b = dtype.type(b)
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, k, dtype))
    rows = ws.block_rows or rows_of_block(n, d, k, dtype.itemsize)
    if not rows:
        return _at_once(A, B, y, L, b, None if ws is NO_WORKSPACE else ws, wrt)
    b_bar = None
    total = 0.0
    L_bar = space(ws.L_bar, (k, d), dtype)
    L_bar[...] = 0
    s2 = 0.0
    R = space(ws.R, (rows, d), dtype)
    E = space(ws.E, (rows, k), dtype)
    z = space(ws.z, (rows,), dtype)
    e = space(ws.e, (rows,), dtype)
    log1p_e = space(ws.log1p_e, (rows,), dtype)
    s = space(ws.s, (rows,), dtype)
    scratch = space(ws.scratch, (k, d), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        A_b, B_b, y_b = A[start:stop], B[start:stop], y[start:stop]
        if stop > n:  # the last block is shorter
            R, E, z, e, log1p_e, s = (
                R[: n - start],
                E[: n - start],
                z[: n - start],
                e[: n - start],
                log1p_e[: n - start],
                s[: n - start],
            )
        # R = A - B : n x d
        np.subtract(A_b, B_b, out=R)
        # E = R L^T : n x k
        R.dot(L.T, out=E)
        # z = y .* (diag(E E^T) - b) : n
        np.vecdot(E, E, out=z)
        z -= b
        z *= y_b
        # e = exp(-abs(z)) : n
        np.abs(z, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        # log1p_e = log1p(e) : n
        np.log1p(e, out=log1p_e)
        # s = softplus(z) : n
        np.maximum(z, 0, out=s)
        s += log1p_e
        # total += sum(s)
        total += s.sum()
        # z_bar = sigmoid(z) / n : n
        z_bar = sigmoid_from(z, e, out=s)
        z_bar *= 1 / n
        if wrt is None or "L" in wrt:
            # v = 2 (z_bar .* y) : n
            v = np.multiply(z_bar, y_b, out=e)
            v *= 2
            # E_bar = diag(v) E : n x k
            E_bar = np.multiply(E, v[:, None], out=E)
            # L_bar += E_bar^T R : k x d
            L_bar += E_bar.T.dot(R, out=scratch)
        if wrt is None or "b" in wrt:
            # s2 += z_bar^T y
            s2 += z_bar @ y_b
    # loss = total / n
    loss = total / n
    if wrt is None or "b" in wrt:
        # b_bar = -s2
        b_bar = -s2
    return float(loss), Gradients(L_bar, None if b_bar is None else dtype.type(b_bar))


def sigmoid_from(Z, small, out=None):
    """sigmoid(Z), where small = exp(-|Z|); `out` may be either of them."""
    above = np.maximum(small, Z >= 0)  # exp(min(Z, 0)): the indicator counts as 1
    return np.divide(above, np.add(small, 1, out=out), out=out)


def space(buffer, shape, dtype):
    """The buffer, or new memory where there is none."""
    return np.empty(shape, dtype) if buffer is None else buffer


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
    entries = max(3 * d + k + 5, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
    small = SMALL_PRODUCT // max(d * k, 1)
    rows = min(rows, small) if small >= 2 * LEAST_ROWS else rows
    if n < LEAST_BLOCKS * rows or 2 * (d * k + 2) > rows * entries:
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
    A = rng.standard_normal((n, d))
    B = rng.standard_normal((n, d))
    y = rng.standard_normal((n,))
    L = rng.standard_normal((k, d))
    b = rng.standard_normal()
    given = {"A": A, "B": B, "y": y, "L": L, "b": b}
    structures = {"L": "", "b": ""}
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
