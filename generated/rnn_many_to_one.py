"""Elman recurrent network that reads a sequence and answers once, after the last step; squared error.

    # Elman recurrent network that reads a sequence and answers once, after the last step; squared error.
    model rnn_many_to_one

    input x[1..T] : n x d
    input y : n x k
    param U : d x m
    param W : m x m
    param b : 1 x m
    param V : m x k
    param c : 1 x k

    h[0] = zeros(n, m)
    for t in 1..T:
        h[t] = tanh(x[t] U + h[t-1] W + 1_n b)
    P = h[T] V + 1_n c

    output P
    loss = tr((y - P)^T (y - P)) / n

Written by mcalc 0.1.0: mcalc generate rnn_many_to_one
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("T", "n", "d", "k", "m")
SHAPES = {
    "x": ("T", "n", "d"),
    "y": ("n", "k"),
    "U": ("d", "m"),
    "W": ("m", "m"),
    "b": (1, "m"),
    "V": ("m", "k"),
    "c": (1, "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    U: np.ndarray
    W: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    U: np.ndarray
    W: np.ndarray
    b: np.ndarray
    V: np.ndarray
    c: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    h: np.ndarray = None
    scratch: np.ndarray = None
    P: np.ndarray = None
    P_bar: np.ndarray = None
    V_bar: np.ndarray = None
    c_bar: np.ndarray = None
    ones_n: np.ndarray = None
    h_bar: np.ndarray = None
    W_T: np.ndarray = None
    z_bar: np.ndarray = None
    one: np.ndarray = None
    U_bar: np.ndarray = None
    b_bar: np.ndarray = None
    ones_: np.ndarray = None
    z_in_rows: np.ndarray = None
    steps: list = None
    ones_n_row: np.ndarray = None
    steps_back: list = None
    z_bar_rows: np.ndarray = None
    h_part: np.ndarray = None
    ones_row: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(x, y, U, W, b, V, c):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(x, y, U, W, b, V, c, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(x, y, U, W, b, V, c, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        x : T x n x d
        y : n x k
        U : d x m
        W : m x m
        b : 1 x m
        V : m x k
        c : 1 x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(x, y, U, W, b, V, c, workspace)
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


def predict(x, U, W, b, V, c):
    """P, from what it depends on."""
    try:
        T, n, d = x.shape
        m = U.shape[1]
        k = V.shape[1]
        plain = (
            type(x) is type(U) is type(W) is type(b) is type(V) is type(c) is np.ndarray
            and x.dtype is U.dtype is W.dtype is b.dtype is V.dtype is c.dtype
            and x.dtype.char in "fd"
            and U.shape == (d, m)
            and W.shape == (m, m)
            and b.shape == (1, m)
            and V.shape == (m, k)
            and c.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, U, W, b, V, c = checked(
            {
                "x": (x, ("T", "n", "d")),
                "U": (U, ("d", "m")),
                "W": (W, ("m", "m")),
                "b": (b, (1, "m")),
                "V": (V, ("m", "k")),
                "c": (c, (1, "k")),
            }
        )
        T, n, d = x.shape
        m = U.shape[1]
        k = V.shape[1]
    dtype = x.dtype
    # h[0] = zeros(n,m) : n x m
    h = np.empty((T + 1, n, m), dtype)
    h[0] = 0
    scratch = np.empty((n, m), dtype)
    for h_t, x_t, h_prev in zip(h[1:], x, h[:-1], strict=True):
        # h[t] = tanh(x[t] U + h[t-1] W + ones(n) b) : n x m
        x_t.dot(U, out=h_t)
        h_t += h_prev.dot(W, out=scratch)
        h_t += b
        np.tanh(h_t, out=h_t)
    # P = h[T] V + ones(n) c : n x k
    P = h[-1].dot(V)
    P += c
    return P


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    W = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    b = np.zeros((1, m))
    V = rng.standard_normal((m, k)) / np.sqrt(max(m, 1))
    c = np.zeros((1, k))
    return Parameters(U=U, W=W, b=b, V=V, c=c)


def workspace(*, T, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(T, n, d, k, m, np.dtype(dtype))


def _buffers(T, n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    h = np.empty((T + 1, n, m), dtype)
    P = np.empty((n, k), dtype)
    ones_n = np.ones((n,), dtype)
    z_bar = np.empty((T, n, m), dtype)
    ones_ = np.ones((T * n,), dtype)
    z_in = h[1:]
    z_in_rows = z_in.reshape(T * n, m)
    h_steps = list(h)
    steps = list(zip(h_steps[1:], h_steps[:-1], strict=True))
    ones_n_row = ones_n[None]
    z_bar_steps = list(z_bar)
    steps_back = list(zip(z_bar_steps[::-1], h_steps[1:][::-1], strict=True))
    z_bar_rows = z_bar.reshape(T * n, m)
    h_part = h[:-1].reshape(T * n, m)
    ones_row = ones_[None]
    return Workspace(
        sizes=(T, n, d, k, m, dtype),
        h=h,
        scratch=np.empty((n, m), dtype),
        P=P,
        P_bar=np.empty((n, k), dtype) if apart else P[...],
        V_bar=np.empty((m, k), dtype),
        c_bar=np.empty((1, k), dtype),
        ones_n=ones_n,
        h_bar=np.empty((n, m), dtype),
        W_T=np.empty((m, m), dtype),
        z_bar=z_bar,
        one=np.ones((), dtype),
        U_bar=np.empty((d, m), dtype),
        b_bar=np.empty((1, m), dtype),
        ones_=ones_,
        z_in_rows=z_in_rows,
        steps=steps,
        ones_n_row=ones_n_row,
        steps_back=steps_back,
        z_bar_rows=z_bar_rows,
        h_part=h_part,
        ones_row=ones_row,
    )


def fresh(T, n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(T, n, d, k, m, dtype, apart=apart)._replace(
        U_bar=None,
        V_bar=None,
        W_T=None,
        b_bar=None,
        c_bar=None,
    )
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(T, n, d, k, m, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (T, n, d, k, m, dtype) else fresh(T, n, d, k, m, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(x, y, U, W, b, V, c, ws):
    try:
        T, n, d = x.shape
        k = y.shape[1]
        m = U.shape[1]
        plain = (
            type(x) is type(y) is type(U) is type(W) is type(b) is type(V) is type(c) is np.ndarray
            and x.dtype is y.dtype is U.dtype is W.dtype is b.dtype is V.dtype is c.dtype
            and x.dtype.char in "fd"
            and y.shape == (n, k)
            and U.shape == (d, m)
            and W.shape == (m, m)
            and b.shape == (1, m)
            and V.shape == (m, k)
            and c.shape == (1, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, y, U, W, b, V, c = checked(
            {
                "x": (x, ("T", "n", "d")),
                "y": (y, ("n", "k")),
                "U": (U, ("d", "m")),
                "W": (W, ("m", "m")),
                "b": (b, (1, "m")),
                "V": (V, ("m", "k")),
                "c": (c, (1, "k")),
            }
        )
        T, n, d = x.shape
        k = y.shape[1]
        m = U.shape[1]
    dtype = x.dtype
    if ws is None:
        ws = borrowed(T, n, d, k, m, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(T, n, d, k, m, dtype, apart=True)
    else:
        fitting(ws, (T, n, d, k, m, dtype))
    # h[0] = zeros(n,m) : n x m
    h = ws.h
    h[0] = 0
    x_rows = x.reshape(T * n, d)
    # z_in[1..T] = x[1..T] U + ones(T*n) b : T*n x m
    z_in_rows = ws.z_in_rows
    x_rows.dot(U, out=z_in_rows)
    z_in_rows += b
    scratch = ws.scratch
    for h_t, h_prev in ws.steps:
        # h[t] = tanh(z_in[t] + h[t-1] W) : n x m
        h_t += h_prev.dot(W, out=scratch)
        np.tanh(h_t, out=h_t)
    # P = h[T] V + ones(n) c : n x k
    P = h[-1].dot(V, out=ws.P)
    P += c
    # R = y - P : n x k
    R = np.subtract(y, P, out=P)
    # loss = norm(R)^2 / n
    loss = np.vdot(R, R) / n
    return float(loss), (ws, W, V, n, h, x_rows, R)


def _backward(cache, wrt):
    ws, W, V, n, h, x_rows, R = cache
    V_bar = c_bar = U_bar = W_bar = b_bar = None
    # P_bar = -2 R / n : n x k
    P_bar = np.multiply(R, -2 / n, out=ws.P_bar)
    if wrt is None or "V" in wrt:
        # V_bar = h[T]^T P_bar : m x k
        V_bar = h[-1].T.dot(P_bar, out=ws.V_bar)
    ones_n_row = ws.ones_n_row
    if wrt is None or "c" in wrt:
        # c_bar = sum(P_bar, axis=0) : 1 x k
        c_bar = ones_n_row.dot(P_bar, out=ws.c_bar)
    # h_bar[T] = P_bar V^T : n x m
    h_bar = ws.h_bar
    P_bar.dot(V.T, out=h_bar)
    # W_T = W^T : m x m
    W_T = np.positive(W.T, order="C", out=ws.W_T)
    one = ws.one
    for z_bar_t, h_t in ws.steps_back:
        # z_bar[t] = h_bar[t] .* (1 - h[t].^2) : n x m
        np.square(h_t, out=z_bar_t)
        np.subtract(one, z_bar_t, out=z_bar_t)
        z_bar_t *= h_bar
        # h_bar[t-1] = z_bar[t] W_T : n x m
        z_bar_t.dot(W_T, out=h_bar)
    z_bar_rows = ws.z_bar_rows
    if wrt is None or "U" in wrt:
        # U_bar = x[1..T]^T z_bar[1..T] : d x m
        U_bar = x_rows.T.dot(z_bar_rows, out=ws.U_bar)
    h_part = ws.h_part
    if wrt is None or "W" in wrt:
        # W_bar = h[0..T-1]^T z_bar[1..T] : m x m
        W_bar = h_part.T.dot(z_bar_rows, out=W_T)
    ones_row = ws.ones_row
    if wrt is None or "b" in wrt:
        # b_bar = sum(z_bar[1..T], axis=0) : 1 x m
        b_bar = ones_row.dot(z_bar_rows, out=ws.b_bar)
    return Gradients(U_bar, W_bar, b_bar, V_bar, c_bar)


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
    T = 3
    n = 2
    d = 4
    k = 5
    m = 6
    x = rng.standard_normal((T, n, d))
    y = rng.standard_normal((n, k))
    U = rng.standard_normal((d, m))
    W = rng.standard_normal((m, m))
    b = rng.standard_normal((1, m))
    V = rng.standard_normal((m, k))
    c = rng.standard_normal((1, k))
    given = {"x": x, "y": y, "U": U, "W": W, "b": b, "V": V, "c": c}
    structures = {"U": "", "W": "", "b": "", "V": "", "c": ""}
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
