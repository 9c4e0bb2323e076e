"""Classifier with one hidden layer: softmax cross-entropy, the mean over n examples.

    # Classifier with one hidden layer: softmax cross-entropy, the mean over n examples.
    # Y is one-hot; the output holds the probability of each class.
    model mlp_classifier

    input X : n x d
    input Y : n x k
    param W1 : d x m
    param b1 : 1 x m
    param W2 : m x k
    param b2 : 1 x k

    H = tanh(X W1 + 1_n b1)
    Z = H W2 + 1_n b2
    P = softmax(Z)

    output P
    loss = (sum(logsumexp(Z, axis=1)) - sum(Y .* Z)) / n

Written by mcalc 0.1.0: mcalc generate mlp_classifier
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "k", "m")
SHAPES = {
    "X": ("n", "d"),
    "Y": ("n", "k"),
    "W1": ("d", "m"),
    "b1": (1, "m"),
    "W2": ("m", "k"),
    "b2": (1, "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    room: np.ndarray = None
    ZH: np.ndarray = None
    Z: np.ndarray = None
    tops: np.ndarray = None
    E: np.ndarray = None
    sums: np.ndarray = None
    ones_k: np.ndarray = None
    W2_bar: np.ndarray = None
    b2_bar: np.ndarray = None
    ones_n: np.ndarray = None
    S: np.ndarray = None
    one: np.ndarray = None
    ZH_bar: np.ndarray = None
    W1_bar: np.ndarray = None
    b1_bar: np.ndarray = None
    ones_n_row: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, Y, W1, b1, W2, b2):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, Y, W1, b1, W2, b2, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, Y, W1, b1, W2, b2, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X  : n x d
        Y  : n x k
        W1 : d x m
        b1 : 1 x m
        W2 : m x k
        b2 : 1 x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(X, Y, W1, b1, W2, b2, workspace)
    gradients = _backward(cache, wrt)
    if workspace is None:
        keep(cache[0])
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def predict(X, W1, b1, W2, b2):
    """P, from what it depends on."""
    try:
        _, d = X.shape
        m = W1.shape[1]
        k = W2.shape[1]
        plain = (
            type(X) is type(W1) is type(b1) is type(W2) is type(b2) is np.ndarray
            and X.dtype is W1.dtype is b1.dtype is W2.dtype is b2.dtype
            and X.dtype.char in "fd"
            and W1.shape == (d, m)
            and b1.shape == (1, m)
            and W2.shape == (m, k)
            and b2.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W1, b1, W2, b2 = checked(
            {
                "X": (X, ("n", "d")),
                "W1": (W1, ("d", "m")),
                "b1": (b1, (1, "m")),
                "W2": (W2, ("m", "k")),
                "b2": (b2, (1, "k")),
            }
        )
        _, d = X.shape
        m = W1.shape[1]
        k = W2.shape[1]
    # H = tanh(X W1 + ones(n) b1) : n x m
    H = X.dot(W1)
    H += b1
    np.tanh(H, out=H)
    # Z = H W2 + ones(n) b2 : n x k
    Z = H.dot(W2)
    Z += b2
    # P = softmax(Z) : n x k
    P = softmax(Z, axis=1)
    return P


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    W1 = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    b1 = np.zeros((1, m))
    W2 = rng.standard_normal((m, k)) / np.sqrt(max(m, 1))
    b2 = np.zeros((1, k))
    return Parameters(W1=W1, b1=b1, W2=W2, b2=b2)


def workspace(*, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, k, m, np.dtype(dtype))


def _buffers(n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    room = np.empty(max(n * k, n * m), dtype)
    ZH = np.empty((n, m), dtype)
    ones_n = np.ones((n,), dtype)
    ones_n_row = ones_n[None]
    return Workspace(
        sizes=(n, d, k, m, dtype),
        room=room,
        ZH=ZH,
        Z=np.empty((n, k), dtype),
        tops=np.empty((n,), dtype),
        E=room[: n * k].reshape(n, k),
        sums=np.empty((n,), dtype),
        ones_k=np.ones((k,), dtype),
        W2_bar=np.empty((m, k), dtype),
        b2_bar=np.empty((1, k), dtype),
        ones_n=ones_n,
        S=np.empty((n, m), dtype) if apart else ZH[...],
        one=np.ones((), dtype),
        ZH_bar=np.empty((n, m), dtype) if apart else room[: n * m].reshape(n, m),
        W1_bar=np.empty((d, m), dtype),
        b1_bar=np.empty((1, m), dtype),
        ones_n_row=ones_n_row,
    )


def fresh(n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, k, m, dtype, apart=apart)._replace(
        W1_bar=None,
        W2_bar=None,
        b1_bar=None,
        b2_bar=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d, k, m, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d, k, m, dtype) else fresh(n, d, k, m, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(X, Y, W1, b1, W2, b2, ws):
    try:
        n, d = X.shape
        k = Y.shape[1]
        m = W1.shape[1]
        plain = (
            type(X) is type(Y) is type(W1) is type(b1) is type(W2) is type(b2) is np.ndarray
            and X.dtype is Y.dtype is W1.dtype is b1.dtype is W2.dtype is b2.dtype
            and X.dtype.char in "fd"
            and Y.shape == (n, k)
            and W1.shape == (d, m)
            and b1.shape == (1, m)
            and W2.shape == (m, k)
            and b2.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Y, W1, b1, W2, b2 = checked(
            {
                "X": (X, ("n", "d")),
                "Y": (Y, ("n", "k")),
                "W1": (W1, ("d", "m")),
                "b1": (b1, (1, "m")),
                "W2": (W2, ("m", "k")),
                "b2": (b2, (1, "k")),
            }
        )
        n, d = X.shape
        k = Y.shape[1]
        m = W1.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, k, m, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, k, m, dtype, apart=True)
    else:
        fitting(ws, (n, d, k, m, dtype))
    # ZH = X W1 + ones(n) b1 : n x m
    ZH = X.dot(W1, out=ws.ZH)
    ZH += b1
    # H = tanh(ZH) : n x m
    H = np.tanh(ZH, out=ZH)
    # Z = H W2 + ones(n) b2 : n x k
    Z = H.dot(W2, out=ws.Z)
    Z += b2
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
    return float(loss), (ws, X, Y, W2, n, H, Z, P)


def _backward(cache, wrt):
    ws, X, Y, W2, n, H, Z, P = cache
    W2_bar = b2_bar = W1_bar = b1_bar = None
    # Z_bar = (P - Y) / n : n x k
    Z_bar = np.subtract(P, Y, out=Z)
    Z_bar *= 1 / n
    if wrt is None or "W2" in wrt:
        # W2_bar = H^T Z_bar : m x k
        W2_bar = H.T.dot(Z_bar, out=ws.W2_bar)
    ones_n_row = ws.ones_n_row
    if wrt is None or "b2" in wrt:
        # b2_bar = sum(Z_bar, axis=0) : 1 x k
        b2_bar = ones_n_row.dot(Z_bar, out=ws.b2_bar)
    one = ws.one
    if wrt is None or "W1" in wrt or "b1" in wrt:
        # S = 1 - H.^2 : n x m
        S = np.square(H, out=ws.S)
        np.subtract(one, S, out=S)
        # ZH_bar = (Z_bar W2^T) .* S : n x m
        ZH_bar = Z_bar.dot(W2.T, out=ws.ZH_bar)
        ZH_bar *= S
    if wrt is None or "W1" in wrt:
        # W1_bar = X^T ZH_bar : d x m
        W1_bar = X.T.dot(ZH_bar, out=ws.W1_bar)
    if wrt is None or "b1" in wrt:
        # b1_bar = sum(ZH_bar, axis=0) : 1 x m
        b1_bar = ones_n_row.dot(ZH_bar, out=ws.b1_bar)
    return Gradients(W1_bar, b1_bar, W2_bar, b2_bar)


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
    m = 5
    X = rng.standard_normal((n, d))
    Y = rng.standard_normal((n, k))
    W1 = rng.standard_normal((d, m))
    b1 = rng.standard_normal((1, m))
    W2 = rng.standard_normal((m, k))
    b2 = rng.standard_normal((1, k))
    given = {"X": X, "Y": Y, "W1": W1, "b1": b1, "W2": W2, "b2": b2}
    structures = {"W1": "", "b1": "", "W2": "", "b2": ""}
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
