"""Perceptron of any depth, softmax cross-entropy; Y is one-hot.

    # Perceptron of any depth, softmax cross-entropy; Y is one-hot.
    model deep_mlp

    size L = 3
    input X : n x d[0]
    input Y : n x d[L]
    param W[l in 1..L] : d[l-1] x d[l]
    param b[l in 1..L] : 1 x d[l]

    A[0] = X
    for l in 1..L-1:
        A[l] = tanh(A[l-1] W[l] + 1_n b[l])
    Z = A[L-1] W[L] + 1_n b[L]

    output Z
    loss = (sum(logsumexp(Z, axis=1)) - sum(Y .* Z)) / n

Written by mcalc 0.1.0: mcalc generate deep_mlp
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d")
SHAPES = {
    "X": ("n", "d[0]"),
    "Y": ("n", "d[3]"),
    "W": [("d[0]", "d[1]"), ("d[1]", "d[2]"), ("d[2]", "d[3]")],
    "b": [(1, "d[1]"), (1, "d[2]"), (1, "d[3]")],
}


class Parameters(NamedTuple):
    """The parameters."""

    W: list
    b: list


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    W: list
    b: list


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    room: np.ndarray = None
    room2: np.ndarray = None
    ZA1: np.ndarray = None
    ZA2: np.ndarray = None
    Z: np.ndarray = None
    tops: np.ndarray = None
    E: np.ndarray = None
    sums: np.ndarray = None
    ones_d3: np.ndarray = None
    s: np.ndarray = None
    W_bar3: np.ndarray = None
    b_bar3: np.ndarray = None
    ones_n: np.ndarray = None
    S: np.ndarray = None
    one: np.ndarray = None
    ZA_bar2: np.ndarray = None
    W_bar2: np.ndarray = None
    b_bar2: np.ndarray = None
    S2: np.ndarray = None
    ZA_bar1: np.ndarray = None
    W_bar1: np.ndarray = None
    b_bar1: np.ndarray = None
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
        X : n x d[0]
        Y : n x d[3]
        W : list of 3: d[0] x d[1] and d[1] x d[2] and d[2] x d[3]
        b : list of 3: 1 x d[1] and 1 x d[2] and 1 x d[3]

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(X, Y, W, b, workspace)
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


def predict(X, W, b):
    """Z, from what it depends on."""
    W1, W2, W3 = listed("W", W, 3)
    b1, b2, b3 = listed("b", b, 3)
    try:
        _, d0 = X.shape
        d1 = W1.shape[1]
        d2 = W2.shape[1]
        d3 = W3.shape[1]
        plain = (
            type(X)
            is type(W1)
            is type(W2)
            is type(W3)
            is type(b1)
            is type(b2)
            is type(b3)
            is np.ndarray
            and X.dtype is W1.dtype is W2.dtype is W3.dtype is b1.dtype is b2.dtype is b3.dtype
            and X.dtype.char in "fd"
            and W1.shape == (d0, d1)
            and W2.shape == (d1, d2)
            and W3.shape == (d2, d3)
            and b1.shape == (1, d1)
            and b2.shape == (1, d2)
            and b3.shape == (1, d3)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W1, W2, W3, b1, b2, b3 = checked(
            {
                "X": (X, ("n", "d[0]")),
                "W[1]": (W1, ("d[0]", "d[1]")),
                "W[2]": (W2, ("d[1]", "d[2]")),
                "W[3]": (W3, ("d[2]", "d[3]")),
                "b[1]": (b1, (1, "d[1]")),
                "b[2]": (b2, (1, "d[2]")),
                "b[3]": (b3, (1, "d[3]")),
            }
        )
        _, d0 = X.shape
        d1 = W1.shape[1]
        d2 = W2.shape[1]
        d3 = W3.shape[1]
    # A[1] = tanh(X W[1] + ones(n) b[1]) : n x d[1]
    A1 = X.dot(W1)
    A1 += b1
    np.tanh(A1, out=A1)
    # A[2] = tanh(A[1] W[2] + ones(n) b[2]) : n x d[2]
    A2 = A1.dot(W2)
    A2 += b2
    np.tanh(A2, out=A2)
    # Z = A[2] W[3] + ones(n) b[3] : n x d[3]
    Z = A2.dot(W3)
    Z += b3
    return Z


def init(seed=None, *, d):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    d0, d1, d2, d3 = listed("d", d, 4, "numbers")
    rng = np.random.default_rng(seed)
    W1 = rng.standard_normal((d0, d1)) / np.sqrt(max(d0, 1))
    W2 = rng.standard_normal((d1, d2)) / np.sqrt(max(d1, 1))
    W3 = rng.standard_normal((d2, d3)) / np.sqrt(max(d2, 1))
    b1 = np.zeros((1, d1))
    b2 = np.zeros((1, d2))
    b3 = np.zeros((1, d3))
    return Parameters(W=[W1, W2, W3], b=[b1, b2, b3])


def workspace(*, n, d, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    d0, d1, d2, d3 = listed("d", d, 4, "numbers")
    return _buffers(n, d0, d3, d1, d2, np.dtype(dtype))


def _buffers(n, d0, d3, d1, d2, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    room = np.empty(max(n * d3, n * d2), dtype)
    room2 = np.empty(max(n * d2, n * d1), dtype)
    ZA1 = np.empty((n, d1), dtype)
    ZA2 = room2[: n * d2].reshape(n, d2)
    ones_n = np.ones((n,), dtype)
    ones_n_row = ones_n[None]
    return Workspace(
        sizes=(n, d0, d3, d1, d2, dtype),
        room=room,
        room2=room2,
        ZA1=ZA1,
        ZA2=ZA2,
        Z=np.empty((n, d3), dtype),
        tops=np.empty((n,), dtype),
        E=room[: n * d3].reshape(n, d3),
        sums=np.empty((n,), dtype),
        ones_d3=np.ones((d3,), dtype),
        s=np.empty((n,), dtype),
        W_bar3=np.empty((d2, d3), dtype),
        b_bar3=np.empty((1, d3), dtype),
        ones_n=ones_n,
        S=np.empty((n, d2), dtype) if apart else ZA2[...],
        one=np.ones((), dtype),
        ZA_bar2=np.empty((n, d2), dtype) if apart else room[: n * d2].reshape(n, d2),
        W_bar2=np.empty((d1, d2), dtype),
        b_bar2=np.empty((1, d2), dtype),
        S2=np.empty((n, d1), dtype) if apart else ZA1[...],
        ZA_bar1=np.empty((n, d1), dtype) if apart else room2[: n * d1].reshape(n, d1),
        W_bar1=np.empty((d0, d1), dtype),
        b_bar1=np.empty((1, d1), dtype),
        ones_n_row=ones_n_row,
    )


def fresh(n, d0, d3, d1, d2, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d0, d3, d1, d2, dtype, apart=apart)._replace(
        W_bar1=None,
        W_bar2=None,
        W_bar3=None,
        b_bar1=None,
        b_bar2=None,
        b_bar3=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d0, d3, d1, d2, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d0, d3, d1, d2, dtype) else fresh(n, d0, d3, d1, d2, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(X, Y, W, b, ws):
    W1, W2, W3 = listed("W", W, 3)
    b1, b2, b3 = listed("b", b, 3)
    try:
        n, d0 = X.shape
        d3 = Y.shape[1]
        d1 = W1.shape[1]
        d2 = W2.shape[1]
        plain = (
            type(X)
            is type(Y)
            is type(W1)
            is type(W2)
            is type(W3)
            is type(b1)
            is type(b2)
            is type(b3)
            is np.ndarray
            and X.dtype
            is Y.dtype
            is W1.dtype
            is W2.dtype
            is W3.dtype
            is b1.dtype
            is b2.dtype
            is b3.dtype
            and X.dtype.char in "fd"
            and Y.shape == (n, d3)
            and W1.shape == (d0, d1)
            and W2.shape == (d1, d2)
            and W3.shape == (d2, d3)
            and b1.shape == (1, d1)
            and b2.shape == (1, d2)
            and b3.shape == (1, d3)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Y, W1, W2, W3, b1, b2, b3 = checked(
            {
                "X": (X, ("n", "d[0]")),
                "Y": (Y, ("n", "d[3]")),
                "W[1]": (W1, ("d[0]", "d[1]")),
                "W[2]": (W2, ("d[1]", "d[2]")),
                "W[3]": (W3, ("d[2]", "d[3]")),
                "b[1]": (b1, (1, "d[1]")),
                "b[2]": (b2, (1, "d[2]")),
                "b[3]": (b3, (1, "d[3]")),
            }
        )
        n, d0 = X.shape
        d3 = Y.shape[1]
        d1 = W1.shape[1]
        d2 = W2.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d0, d3, d1, d2, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d0, d3, d1, d2, dtype, apart=True)
    else:
        fitting(ws, (n, d0, d3, d1, d2, dtype))
    # ZA[1] = X W[1] + ones(n) b[1] : n x d[1]
    ZA1 = X.dot(W1, out=ws.ZA1)
    ZA1 += b1
    # A[1] = tanh(ZA[1]) : n x d[1]
    A1 = np.tanh(ZA1, out=ZA1)
    # ZA[2] = A[1] W[2] + ones(n) b[2] : n x d[2]
    ZA2 = A1.dot(W2, out=ws.ZA2)
    ZA2 += b2
    # A[2] = tanh(ZA[2]) : n x d[2]
    A2 = np.tanh(ZA2, out=ZA2)
    # Z = A[2] W[3] + ones(n) b[3] : n x d[3]
    Z = A2.dot(W3, out=ws.Z)
    Z += b3
    # tops = max of each row of Z : n
    tops = largest_of_rows(Z, out=ws.tops)
    # E = exp(Z - tops ones(d[3])^T) : n x d[3]
    E = np.subtract(Z, tops[:, None], out=ws.E)
    np.exp(E, out=E)
    ones_d3 = ws.ones_d3
    # sums = sum(E, axis=1) : n
    sums = E.dot(ones_d3, out=ws.sums)
    # s = tops + log(sums) : n
    s = np.log(sums, out=ws.s)
    s += tops
    # loss = (sum(s) - tr(Y^T Z)) / n
    loss = (s.sum() - np.vdot(Y, Z)) / n
    return float(loss), (ws, X, Y, W2, W3, n, A1, A2, Z, E, sums)


def _backward(cache, wrt):
    ws, X, Y, W2, W3, n, A1, A2, Z, E, sums = cache
    W_bar3 = b_bar3 = W_bar2 = b_bar2 = W_bar1 = b_bar1 = None
    # Z_bar = (E ./ (sums ones(d[3])^T) - Y) / n : n x d[3]
    Z_bar = np.divide(E, sums[:, None], out=Z)
    Z_bar -= Y
    Z_bar *= 1 / n
    if wrt is None or "W" in wrt:
        # W_bar[3] = A2^T Z_bar : d[2] x d[3]
        W_bar3 = A2.T.dot(Z_bar, out=ws.W_bar3)
    ones_n_row = ws.ones_n_row
    if wrt is None or "b" in wrt:
        # b_bar[3] = sum(Z_bar, axis=0) : 1 x d[3]
        b_bar3 = ones_n_row.dot(Z_bar, out=ws.b_bar3)
    one = ws.one
    # S = 1 - A2.^2 : n x d[2]
    S = np.square(A2, out=ws.S)
    np.subtract(one, S, out=S)
    # ZA_bar[2] = (Z_bar W[3]^T) .* S : n x d[2]
    ZA_bar2 = Z_bar.dot(W3.T, out=ws.ZA_bar2)
    ZA_bar2 *= S
    if wrt is None or "W" in wrt:
        # W_bar[2] = A1^T ZA_bar[2] : d[1] x d[2]
        W_bar2 = A1.T.dot(ZA_bar2, out=ws.W_bar2)
    if wrt is None or "b" in wrt:
        # b_bar[2] = sum(ZA_bar[2], axis=0) : 1 x d[2]
        b_bar2 = ones_n_row.dot(ZA_bar2, out=ws.b_bar2)
    # S2 = 1 - A1.^2 : n x d[1]
    S2 = np.square(A1, out=ws.S2)
    np.subtract(one, S2, out=S2)
    # ZA_bar[1] = (ZA_bar[2] W[2]^T) .* S2 : n x d[1]
    ZA_bar1 = ZA_bar2.dot(W2.T, out=ws.ZA_bar1)
    ZA_bar1 *= S2
    if wrt is None or "W" in wrt:
        # W_bar[1] = X^T ZA_bar[1] : d[0] x d[1]
        W_bar1 = X.T.dot(ZA_bar1, out=ws.W_bar1)
    if wrt is None or "b" in wrt:
        # b_bar[1] = sum(ZA_bar[1], axis=0) : 1 x d[1]
        b_bar1 = ones_n_row.dot(ZA_bar1, out=ws.b_bar1)
    return Gradients([W_bar1, W_bar2, W_bar3], [b_bar1, b_bar2, b_bar3])


def largest_of_rows(X, out=None):
    """The largest entry of each row; NumPy is slow along short rows, and compares their columns instead."""
    if X.shape[1] < 50:
        return np.maximum.reduce(X.T.copy(), axis=0, out=out)
    return np.maximum.reduce(X, axis=1, out=out)


def listed(name, value, count, of="arrays"):
    """The arrays of a ragged argument, or the numbers of a ragged dimension."""
    if not isinstance(value, (list, tuple)) or len(value) != count:
        got = f"{len(value)} of them" if isinstance(value, (list, tuple)) else type(value)
        raise ValueError(f"{name}: a list of {count} {of} expected; got {got}")
    return value


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
    d0 = 2
    d3 = 4
    d1 = 5
    d2 = 6
    X = rng.standard_normal((n, d0))
    Y = rng.standard_normal((n, d3))
    W = [
        rng.standard_normal((d0, d1)),
        rng.standard_normal((d1, d2)),
        rng.standard_normal((d2, d3)),
    ]
    b = [rng.standard_normal((1, d1)), rng.standard_normal((1, d2)), rng.standard_normal((1, d3))]
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
