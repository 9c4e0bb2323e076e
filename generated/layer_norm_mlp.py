"""Perceptron with layer normalization (Ba et al. 2016) before the nonlinearity, squared error.

    # Perceptron with layer normalization (Ba et al. 2016) before the nonlinearity, squared error.
    # Each row of H is brought to mean 0 and variance 1, then scaled by the gain g and shifted by the bias b.
    model layer_norm_mlp

    input X : n x d
    input y : n x k
    param W1 : d x m
    param g : 1 x m
    param b : 1 x m
    param W2 : m x k
    param c : 1 x k

    H = X W1
    C = H - mean(H, axis=1) ones(1, m)
    v = mean(C.^2, axis=1)
    N = C ./ (sqrt(v + 1e-5) ones(1, m))
    P = relu(N .* (1_n g) + 1_n b) W2 + 1_n c

    output P
    loss = tr((y - P)^T (y - P)) / n

Written by mcalc 0.1.0: mcalc generate layer_norm_mlp
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "k", "m")
SHAPES = {
    "X": ("n", "d"),
    "y": ("n", "k"),
    "W1": ("d", "m"),
    "g": (1, "m"),
    "b": (1, "m"),
    "W2": ("m", "k"),
    "c": (1, "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    W1: np.ndarray
    g: np.ndarray
    b: np.ndarray
    W2: np.ndarray
    c: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    W1: np.ndarray
    g: np.ndarray
    b: np.ndarray
    W2: np.ndarray
    c: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    room: np.ndarray = None
    H: np.ndarray = None
    means: np.ndarray = None
    ones_m: np.ndarray = None
    N: np.ndarray = None
    Z: np.ndarray = None
    zero: np.ndarray = None
    P: np.ndarray = None
    P_bar: np.ndarray = None
    W2_bar: np.ndarray = None
    c_bar: np.ndarray = None
    ones_n: np.ndarray = None
    active: np.ndarray = None
    Z_bar: np.ndarray = None
    D: np.ndarray = None
    g_bar: np.ndarray = None
    b_bar: np.ndarray = None
    N_bar: np.ndarray = None
    squares: np.ndarray = None
    v2: np.ndarray = None
    scratch: np.ndarray = None
    W1_bar: np.ndarray = None
    ones_n_row: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, y, W1, g, b, W2, c):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, y, W1, g, b, W2, c, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, y, W1, g, b, W2, c, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X  : n x d
        y  : n x k
        W1 : d x m
        g  : 1 x m
        b  : 1 x m
        W2 : m x k
        c  : 1 x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(X, y, W1, g, b, W2, c, workspace)
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


def predict(X, W1, g, b, W2, c):
    """P, from what it depends on."""
    try:
        _, d = X.shape
        m = W1.shape[1]
        k = W2.shape[1]
        plain = (
            type(X) is type(W1) is type(g) is type(b) is type(W2) is type(c) is np.ndarray
            and X.dtype is W1.dtype is g.dtype is b.dtype is W2.dtype is c.dtype
            and X.dtype.char in "fd"
            and W1.shape == (d, m)
            and g.shape == (1, m)
            and b.shape == (1, m)
            and W2.shape == (m, k)
            and c.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, W1, g, b, W2, c = checked(
            {
                "X": (X, ("n", "d")),
                "W1": (W1, ("d", "m")),
                "g": (g, (1, "m")),
                "b": (b, (1, "m")),
                "W2": (W2, ("m", "k")),
                "c": (c, (1, "k")),
            }
        )
        _, d = X.shape
        m = W1.shape[1]
        k = W2.shape[1]
    dtype = X.dtype
    # H = X W1 : n x m
    H = X.dot(W1)
    ones_m = np.ones((m,), dtype)
    # means = mean(H, axis=1) : n
    means = H.dot(ones_m)
    means /= m
    # C = H - means ones(m)^T : n x m
    C = np.subtract(H, means[:, None])
    # v = diag(C C^T) / m : n
    v = np.vecdot(C, C, out=means)
    v *= 1 / m
    # root = sqrt(v + 0.00001) : n
    root = np.add(v, 1e-5)
    np.sqrt(root, out=root)
    # N = C ./ (root ones(m)^T) : n x m
    N = np.divide(C, root[:, None])
    # H2 = relu(N diag(g^T) + ones(n) b) : n x m
    H2 = np.multiply(N, g)
    H2 += b
    np.maximum(H2, 0, out=H2)
    # P = H2 W2 + ones(n) c : n x k
    P = H2.dot(W2)
    P += c
    return P


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    W1 = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    g = np.ones((1, m))
    b = np.zeros((1, m))
    W2 = rng.standard_normal((m, k)) / np.sqrt(max(m, 1))
    c = np.zeros((1, k))
    return Parameters(W1=W1, g=g, b=b, W2=W2, c=c)


def workspace(*, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, d, k, m, np.dtype(dtype))


def _buffers(n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    room = np.empty(n * m, dtype)
    N = room[: n * m].reshape(n, m)
    Z = np.empty((n, m), dtype)
    P = np.empty((n, k), dtype)
    ones_n = np.ones((n,), dtype)
    ones_n_row = ones_n[None]
    return Workspace(
        sizes=(n, d, k, m, dtype),
        room=room,
        H=np.empty((n, m), dtype),
        means=np.empty((n,), dtype),
        ones_m=np.ones((m,), dtype),
        N=N,
        Z=Z,
        zero=np.zeros((), dtype),
        P=P,
        P_bar=np.empty((n, k), dtype) if apart else P[...],
        W2_bar=np.empty((m, k), dtype),
        c_bar=np.empty((1, k), dtype),
        ones_n=ones_n,
        active=np.empty((n, m), bool),
        Z_bar=np.empty((n, m), dtype) if apart else Z[...],
        D=np.empty((n, m), dtype) if apart else N[...],
        g_bar=np.empty((1, m), dtype),
        b_bar=np.empty((1, m), dtype),
        N_bar=np.empty((n, m), dtype) if apart else room[: n * m].reshape(n, m),
        squares=np.empty((n,), dtype),
        v2=np.empty((n,), dtype),
        scratch=np.empty((n, m), dtype),
        W1_bar=np.empty((d, m), dtype),
        ones_n_row=ones_n_row,
    )


def fresh(n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, k, m, dtype, apart=apart)._replace(
        W1_bar=None,
        W2_bar=None,
        b_bar=None,
        c_bar=None,
        g_bar=None,
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


def _forward(X, y, W1, g, b, W2, c, ws):
    try:
        n, d = X.shape
        k = y.shape[1]
        m = W1.shape[1]
        plain = (
            type(X)
            is type(y)
            is type(W1)
            is type(g)
            is type(b)
            is type(W2)
            is type(c)
            is np.ndarray
            and X.dtype is y.dtype is W1.dtype is g.dtype is b.dtype is W2.dtype is c.dtype
            and X.dtype.char in "fd"
            and y.shape == (n, k)
            and W1.shape == (d, m)
            and g.shape == (1, m)
            and b.shape == (1, m)
            and W2.shape == (m, k)
            and c.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, y, W1, g, b, W2, c = checked(
            {
                "X": (X, ("n", "d")),
                "y": (y, ("n", "k")),
                "W1": (W1, ("d", "m")),
                "g": (g, (1, "m")),
                "b": (b, (1, "m")),
                "W2": (W2, ("m", "k")),
                "c": (c, (1, "k")),
            }
        )
        n, d = X.shape
        k = y.shape[1]
        m = W1.shape[1]
    dtype = X.dtype
    if ws is None:
        ws = borrowed(n, d, k, m, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, k, m, dtype, apart=True)
    else:
        fitting(ws, (n, d, k, m, dtype))
    # H = X W1 : n x m
    H = X.dot(W1, out=ws.H)
    ones_m = ws.ones_m
    # means = mean(H, axis=1) : n
    means = H.dot(ones_m, out=ws.means)
    means /= m
    # C = H - means ones(m)^T : n x m
    C = np.subtract(H, means[:, None], out=H)
    # v = diag(C C^T) / m : n
    v = np.vecdot(C, C, out=means)
    v *= 1 / m
    # AN = sqrt(v + 0.00001) : n
    AN = np.add(v, 1e-5, out=v)
    np.sqrt(AN, out=AN)
    # N = C ./ (AN ones(m)^T) : n x m
    N = np.divide(C, AN[:, None], out=ws.N)
    # Z = N diag(g^T) + ones(n) b : n x m
    Z = np.multiply(N, g, out=ws.Z)
    Z += b
    zero = ws.zero
    # AP = relu(Z) : n x m
    AP = np.maximum(Z, zero, out=Z)
    # P = AP W2 + ones(n) c : n x k
    P = AP.dot(W2, out=ws.P)
    P += c
    # R = y - P : n x k
    R = np.subtract(y, P, out=P)
    # loss = norm(R)^2 / n
    loss = np.vdot(R, R) / n
    return float(loss), (ws, X, g, W2, n, m, C, AN, N, AP, R)


def _backward(cache, wrt):
    ws, X, g, W2, n, m, C, AN, N, AP, R = cache
    W2_bar = c_bar = g_bar = b_bar = W1_bar = None
    # P_bar = -2 R / n : n x k
    P_bar = np.multiply(R, -2 / n, out=ws.P_bar)
    if wrt is None or "W2" in wrt:
        # W2_bar = AP^T P_bar : m x k
        W2_bar = AP.T.dot(P_bar, out=ws.W2_bar)
    ones_n_row = ws.ones_n_row
    if wrt is None or "c" in wrt:
        # c_bar = sum(P_bar, axis=0) : 1 x k
        c_bar = ones_n_row.dot(P_bar, out=ws.c_bar)
    zero = ws.zero
    if wrt is None or "W1" in wrt or "g" in wrt or "b" in wrt:
        # active = AP > 0 : n x m
        active = np.greater(AP, zero, out=ws.active)
        # Z_bar = (P_bar W2^T) .* active : n x m
        Z_bar = P_bar.dot(W2.T, out=ws.Z_bar)
        Z_bar *= active
    if wrt is None or "g" in wrt:
        # D = Z_bar .* N : n x m
        D = np.multiply(N, Z_bar, out=ws.D)
        # g_bar = sum(D, axis=0) : 1 x m
        g_bar = ones_n_row.dot(D, out=ws.g_bar)
    if wrt is None or "b" in wrt:
        # b_bar = sum(Z_bar, axis=0) : 1 x m
        b_bar = ones_n_row.dot(Z_bar, out=ws.b_bar)
    if wrt is None or "W1" in wrt:
        # N_bar = Z_bar diag(g^T) : n x m
        N_bar = np.multiply(Z_bar, g[0], out=ws.N_bar)
        # squares = AN.^2 : n
        squares = np.square(AN, out=ws.squares)
        # v2 = diag(N_bar C^T) ./ squares ./ AN / m : n
        v2 = np.vecdot(N_bar, C, out=ws.v2)
        v2 /= squares
        v2 /= AN
        v2 *= 1 / m
        # C_bar = N_bar ./ (AN ones(m)^T) - diag(v2) C : n x m
        C_bar = np.divide(N_bar, AN[:, None], out=N_bar)
        C_bar -= np.multiply(C, v2[:, None], out=ws.scratch)
    ones_m = ws.ones_m
    if wrt is None or "W1" in wrt:
        # v3 = sum(C_bar, axis=1) / m : n
        v3 = C_bar.dot(ones_m, out=v2)
        v3 *= 1 / m
        # H_bar = C_bar - v3 ones(m)^T : n x m
        H_bar = np.subtract(C_bar, v3[:, None], out=C_bar)
        # W1_bar = X^T H_bar : d x m
        W1_bar = X.T.dot(H_bar, out=ws.W1_bar)
    return Gradients(W1_bar, g_bar, b_bar, W2_bar, c_bar)


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
    y = rng.standard_normal((n, k))
    W1 = rng.standard_normal((d, m))
    g = rng.standard_normal((1, m))
    b = rng.standard_normal((1, m))
    W2 = rng.standard_normal((m, k))
    c = rng.standard_normal((1, k))
    given = {"X": X, "y": y, "W1": W1, "g": g, "b": b, "W2": W2, "c": c}
    structures = {"W1": "", "g": "", "b": "", "W2": "", "c": ""}
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
