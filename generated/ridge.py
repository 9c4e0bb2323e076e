"""Ridge regression: least squares with a quadratic penalty.

    # Ridge regression: least squares with a quadratic penalty.
    model ridge

    input X : n x d
    input y : n
    input lambda : scalar
    param w : d

    p = X w

    output p
    loss = (y - p)^T (y - p) + lambda w^T w

Written by mcalc 0.1.0: mcalc generate ridge
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d")
SHAPES = {"X": ("n", "d"), "y": ("n",), "lambda_": (), "w": ("d",)}


class Parameters(NamedTuple):
    """The parameters."""

    w: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    w: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    p: np.ndarray = None
    p_bar: np.ndarray = None
    w_bar: np.ndarray = None
    scratch: np.ndarray = None
    Xtr: np.ndarray = None
    r: np.ndarray = None
    scratch2: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []


def forward(X, y, lambda_, w):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, y, lambda_, w, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, y, lambda_, w, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X       : n x d
        y       : n
        lambda_ : scalar (lambda in the model)
        w       : d

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
        loss, gradients = _by_rows(X, y, lambda_, w, ws, wrt)
    else:
        loss, gradients = _at_once(X, y, lambda_, w, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def predict(X, w):
    """p, from what it depends on."""
    try:
        _, d = X.shape
        plain = (
            type(X) is type(w) is np.ndarray
            and X.dtype is w.dtype
            and X.dtype.char in "fd"
            and w.shape == (d,)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, w = checked({"X": (X, ("n", "d")), "w": (w, ("d",))})
        _, d = X.shape
    # p = X w : n
    p = X.dot(w)
    return p


def init(seed=None, *, d):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((d,)) / np.sqrt(max(d, 1))
    return Parameters(w=w)


def workspace(*, n, d, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, np.dtype(dtype))


def _buffers(n, d, dtype, whole=False, apart=False):
    """A workspace; for all rows at once where it is `whole`.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    block_rows = 0 if whole else rows_of_block(n, d, dtype.itemsize)
    apart = apart or block_rows > 0  # there the order is another
    p = np.empty((block_rows or n,), dtype)
    return Workspace(
        sizes=(n, d, dtype),
        block_rows=block_rows,
        p=p,
        p_bar=np.empty((block_rows or n,), dtype) if apart else p[...],
        w_bar=np.empty((d,), dtype),
        scratch=np.empty((d,), dtype),
        Xtr=np.empty((d,), dtype),
        r=np.empty((block_rows or n,), dtype),
        scratch2=np.empty((d,), dtype),
    )


def fresh(n, d, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, dtype, whole=True, apart=apart)._replace(
        w_bar=None,
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


def _at_once(X, y, lambda_, w, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(X, y, lambda_, w, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(X, y, lambda_, w, ws):
    try:
        n, d = X.shape
        plain = (
            type(X) is type(y) is type(w) is np.ndarray
            and type(lambda_) is float
            and X.dtype is y.dtype is w.dtype
            and X.dtype.char in "fd"
            and y.shape == (n,)
            and w.shape == (d,)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, y, lambda_, w = checked(
            {"X": (X, ("n", "d")), "y": (y, ("n",)), "lambda": (lambda_, ()), "w": (w, ("d",))}
        )
        n, d = X.shape
    dtype = X.dtype
    lambda_ = dtype.type(lambda_)
    if ws is None:
        ws = borrowed(n, d, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, dtype, apart=True)
    else:
        fitting(ws, (n, d, dtype))
    # p = X w : n
    p = X.dot(w, out=ws.p)
    # r = y - p : n
    r = np.subtract(y, p, out=p)
    # loss = r^T r + lambda w^T w
    loss = r @ r + lambda_ * (w @ w)
    return float(loss), (ws, X, lambda_, w, r)


def _backward(cache, wrt):
    ws, X, lambda_, w, r = cache
    # p_bar = -2 r : n
    p_bar = np.multiply(r, -2, out=ws.p_bar)
    # w_bar = 2 lambda w + X^T p_bar : d
    w_bar = np.multiply(w, lambda_, out=ws.w_bar)
    w_bar *= 2
    w_bar += X.T.dot(p_bar, out=ws.scratch)
    return Gradients(w_bar)


def _by_rows(X, y, lambda_, w, ws, wrt):
    """(loss, gradients) in one pass over X, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = X.shape
        plain = (
            type(X) is type(y) is type(w) is np.ndarray
            and type(lambda_) is float
            and X.dtype is y.dtype is w.dtype
            and X.dtype.char in "fd"
            and y.shape == (n,)
            and w.shape == (d,)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, y, lambda_, w = checked(
            {"X": (X, ("n", "d")), "y": (y, ("n",)), "lambda": (lambda_, ()), "w": (w, ("d",))}
        )
        n, d = X.shape
    dtype = X.dtype
    lambda_ = dtype.type(lambda_)
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, dtype))
    rows = ws.block_rows or rows_of_block(n, d, dtype.itemsize)
    if not rows:
        return _at_once(X, y, lambda_, w, None if ws is NO_WORKSPACE else ws, wrt)
    rr = 0.0
    Xtr = space(ws.Xtr, (d,), dtype)
    Xtr[...] = 0
    r = space(ws.r, (rows,), dtype)
    scratch2 = space(ws.scratch2, (d,), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        X_b, y_b = X[start:stop], y[start:stop]
        if stop > n:  # the last block is shorter
            r = r[: n - start]
        # r = y - X w : n
        X_b.dot(w, out=r)
        np.subtract(y_b, r, out=r)
        # rr += r^T r
        rr += r @ r
        # Xtr += X^T r : d
        Xtr += X_b.T.dot(r, out=scratch2)
    # loss = rr + lambda w^T w
    loss = rr + lambda_ * (w @ w)
    # w_bar = 2 lambda w - 2 Xtr : d
    w_bar = np.multiply(w, lambda_, out=ws.w_bar)
    w_bar *= 2
    w_bar -= np.multiply(Xtr, 2, out=scratch2)
    return float(loss), Gradients(w_bar)


def space(buffer, shape, dtype):
    """The buffer, or new memory where there is none."""
    return np.empty(shape, dtype) if buffer is None else buffer


BLOCK_BYTES = 2_000_000
"""The rows of a block, and what is computed of them, take so much memory: more than with products of matrices, for
products with a vector are so fast that the calls for a block would take as long."""

LEAST_BLOCKS = 16
"""Data of fewer blocks are taken at once: they stay in the last cache, which is as fast for a vector."""

LEAST_ROWS = 64
"""Products with fewer rows are slow, and every block adds to all sums."""


def rows_of_block(n, d, itemsize):
    """How many rows of the data make a block; 0 where blocks do not pay.

    Where there are few blocks, or where the sums that every block adds to are as large as half of it.
    """
    entries = max(d + 2, 1)  # of a row, and of what is computed of it
    rows = max(LEAST_ROWS, BLOCK_BYTES // (itemsize * entries))
    if n < LEAST_BLOCKS * rows or 2 * (d + 1) > rows * entries:
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
    y = rng.standard_normal((n,))
    lambda_ = rng.standard_normal()
    w = rng.standard_normal((d,))
    given = {"X": X, "y": y, "lambda_": lambda_, "w": w}
    structures = {"w": ""}
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
