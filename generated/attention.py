"""Scaled dot-product attention (Vaswani et al. 2017), one head over n positions, squared error.

    # Scaled dot-product attention (Vaswani et al. 2017), one head over n positions, squared error.
    model attention

    input X : n x d
    input Y : n x m
    param Wq : d x k
    param Wk : d x k
    param Wv : d x m

    Q = X Wq
    K = X Wk
    V = X Wv
    A = softmax(Q K^T / sqrt(k))
    P = A V

    output P
    loss = norm(Y - P)^2 / n

Written by mcalc 0.1.0: mcalc generate attention
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "m", "k")
SHAPES = {"X": ("n", "d"), "Y": ("n", "m"), "Wq": ("d", "k"), "Wk": ("d", "k"), "Wv": ("d", "m")}


class Parameters(NamedTuple):
    """The parameters."""

    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    room: np.ndarray = None
    Q: np.ndarray = None
    K: np.ndarray = None
    V: np.ndarray = None
    Z: np.ndarray = None
    P: np.ndarray = None
    P_bar: np.ndarray = None
    Z2: np.ndarray = None
    dots: np.ndarray = None
    V_bar: np.ndarray = None
    Wv_bar: np.ndarray = None
    K_bar: np.ndarray = None
    Wk_bar: np.ndarray = None
    Q_bar: np.ndarray = None
    Wq_bar: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, Y, Wq, Wk, Wv):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, Y, Wq, Wk, Wv, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, Y, Wq, Wk, Wv, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X  : n x d
        Y  : n x m
        Wq : d x k
        Wk : d x k
        Wv : d x m

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(X, Y, Wq, Wk, Wv, workspace)
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


def predict(X, Wq, Wk, Wv):
    """P, from what it depends on."""
    try:
        _, d = X.shape
        k = Wq.shape[1]
        m = Wv.shape[1]
        plain = (
            type(X) is type(Wq) is type(Wk) is type(Wv) is np.ndarray
            and X.dtype is Wq.dtype is Wk.dtype is Wv.dtype
            and X.dtype.char in "fd"
            and Wq.shape == (d, k)
            and Wk.shape == (d, k)
            and Wv.shape == (d, m)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Wq, Wk, Wv = checked(
            {
                "X": (X, ("n", "d")),
                "Wq": (Wq, ("d", "k")),
                "Wk": (Wk, ("d", "k")),
                "Wv": (Wv, ("d", "m")),
            }
        )
        _, d = X.shape
        k = Wq.shape[1]
        m = Wv.shape[1]
    # Q = X Wq : n x k
    Q = X.dot(Wq)
    # K = X Wk : n x k
    K = X.dot(Wk)
    # V = X Wv : n x m
    V = X.dot(Wv)
    # M = Q K^T / sqrt(k) : n x n
    M = Q.dot(K.T)
    M *= 1 / float(np.sqrt(k))
    # A = softmax(M) : n x n
    A = softmax(M, axis=1, out=M)
    # P = A V : n x m
    P = A.dot(V)
    return P


def init(seed=None, *, d, m, k):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    Wq = rng.standard_normal((d, k)) / np.sqrt(max(d, 1))
    Wk = rng.standard_normal((d, k)) / np.sqrt(max(d, 1))
    Wv = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    return Parameters(Wq=Wq, Wk=Wk, Wv=Wv)


def workspace(*, n, d, m, k, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, m, k, np.dtype(dtype))


def _buffers(n, d, m, k, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    room = np.empty(max(n * m, n * k), dtype)
    Q = np.empty((n, k), dtype)
    V = room[: n * m].reshape(n, m)
    P = np.empty((n, m), dtype)
    return Workspace(
        sizes=(n, d, m, k, dtype),
        room=room,
        Q=Q,
        K=np.empty((n, k), dtype),
        V=V,
        Z=np.empty((n, n), dtype),
        P=P,
        P_bar=np.empty((n, m), dtype) if apart else P[...],
        Z2=np.empty((n, n), dtype),
        dots=np.empty((n,), dtype),
        V_bar=np.empty((n, m), dtype) if apart else V[...],
        Wv_bar=np.empty((d, m), dtype),
        K_bar=np.empty((n, k), dtype) if apart else room[: n * k].reshape(n, k),
        Wk_bar=np.empty((d, k), dtype),
        Q_bar=np.empty((n, k), dtype) if apart else Q[...],
        Wq_bar=np.empty((d, k), dtype),
    )


def fresh(n, d, m, k, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, m, k, dtype, apart=apart)._replace(
        Wk_bar=None,
        Wq_bar=None,
        Wv_bar=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, d, m, k, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, d, m, k, dtype) else fresh(n, d, m, k, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(X, Y, Wq, Wk, Wv, ws):
    try:
        n, d = X.shape
        m = Y.shape[1]
        k = Wq.shape[1]
        plain = (
            type(X) is type(Y) is type(Wq) is type(Wk) is type(Wv) is np.ndarray
            and X.dtype is Y.dtype is Wq.dtype is Wk.dtype is Wv.dtype
            and X.dtype.char in "fd"
            and Y.shape == (n, m)
            and Wq.shape == (d, k)
            and Wk.shape == (d, k)
            and Wv.shape == (d, m)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, Y, Wq, Wk, Wv = checked(
            {
                "X": (X, ("n", "d")),
                "Y": (Y, ("n", "m")),
                "Wq": (Wq, ("d", "k")),
                "Wk": (Wk, ("d", "k")),
                "Wv": (Wv, ("d", "m")),
            }
        )
        n, d = X.shape
        m = Y.shape[1]
        k = Wq.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, m, k, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, m, k, dtype, apart=True)
    else:
        fitting(ws, (n, d, m, k, dtype))
    # Q = X Wq : n x k
    Q = X.dot(Wq, out=ws.Q)
    # K = X Wk : n x k
    K = X.dot(Wk, out=ws.K)
    # V = X Wv : n x m
    V = X.dot(Wv, out=ws.V)
    # root = sqrt(k)
    root = float(np.sqrt(k))
    # Z = Q K^T / root : n x n
    Z = Q.dot(K.T, out=ws.Z)
    Z *= 1 / root
    # A = softmax(Z) : n x n
    A = softmax(Z, axis=1, out=Z)
    # P = A V : n x m
    P = A.dot(V, out=ws.P)
    # R = Y - P : n x m
    R = np.subtract(Y, P, out=P)
    # loss = norm(R)^2 / n
    loss = np.vdot(R, R) / n
    return float(loss), (ws, X, n, Q, K, V, root, A, R)


def _backward(cache, wrt):
    ws, X, n, Q, K, V, root, A, R = cache
    Wv_bar = Wk_bar = Wq_bar = None
    # P_bar = -2 R / n : n x m
    P_bar = np.multiply(R, -2 / n, out=ws.P_bar)
    if wrt is None or "Wq" in wrt or "Wk" in wrt:
        # Z2 = P_bar V^T : n x n
        Z2 = P_bar.dot(V.T, out=ws.Z2)
        # dots = diag(Z2 A^T) : n
        dots = np.vecdot(Z2, A, out=ws.dots)
        # Z_bar = (Z2 - dots ones(n)^T) .* A : n x n
        Z_bar = np.subtract(Z2, dots[:, None], out=Z2)
        Z_bar *= A
    if wrt is None or "Wv" in wrt:
        # V_bar = A^T P_bar : n x m
        V_bar = A.T.dot(P_bar, out=ws.V_bar)
        # Wv_bar = X^T V_bar : d x m
        Wv_bar = X.T.dot(V_bar, out=ws.Wv_bar)
    if wrt is None or "Wk" in wrt:
        # K_bar = Z_bar^T Q / root : n x k
        K_bar = Z_bar.T.dot(Q, out=ws.K_bar)
        K_bar *= 1 / root
        # Wk_bar = X^T K_bar : d x k
        Wk_bar = X.T.dot(K_bar, out=ws.Wk_bar)
    if wrt is None or "Wq" in wrt:
        # Q_bar = Z_bar K / root : n x k
        Q_bar = Z_bar.dot(K, out=ws.Q_bar)
        Q_bar *= 1 / root
        # Wq_bar = X^T Q_bar : d x k
        Wq_bar = X.T.dot(Q_bar, out=ws.Wq_bar)
    return Gradients(Wq_bar, Wk_bar, Wv_bar)


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
    m = 4
    k = 5
    X = rng.standard_normal((n, d))
    Y = rng.standard_normal((n, m))
    Wq = rng.standard_normal((d, k))
    Wk = rng.standard_normal((d, k))
    Wv = rng.standard_normal((d, m))
    given = {"X": X, "Y": Y, "Wq": Wq, "Wk": Wk, "Wv": Wv}
    structures = {"Wq": "", "Wk": "", "Wv": ""}
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
