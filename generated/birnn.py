"""Bidirectional recurrent network: h reads the sequence forwards, g backwards; both give the answer of each step.

    # Bidirectional recurrent network: h reads the sequence forwards, g backwards; both give the answer of each step.
    model birnn

    input x[1..T] : n x d
    input y[1..T] : n x k
    param U : d x m
    param W : m x m
    param b : 1 x m
    param R : d x m
    param S : m x m
    param c : 1 x m
    param V : 2*m x k

    h[0] = zeros(n, m)
    for t in 1..T:
        h[t] = tanh(x[t] U + h[t-1] W + 1_n b)
    g[T+1] = zeros(n, m)
    for t in T..1:
        g[t] = tanh(x[t] R + g[t+1] S + 1_n c)
    for t in 1..T:
        p[t] = [h[t], g[t]] V

    output p
    loss = sum(t in 1..T, norm(y[t] - p[t])^2) / (n T)

Written by mcalc 0.1.0: mcalc generate birnn
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("T", "n", "d", "k", "m")
SHAPES = {
    "x": ("T", "n", "d"),
    "y": ("T", "n", "k"),
    "U": ("d", "m"),
    "W": ("m", "m"),
    "b": (1, "m"),
    "R": ("d", "m"),
    "S": ("m", "m"),
    "c": (1, "m"),
    "V": ("2*m", "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    U: np.ndarray
    W: np.ndarray
    b: np.ndarray
    R: np.ndarray
    S: np.ndarray
    c: np.ndarray
    V: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    U: np.ndarray
    W: np.ndarray
    b: np.ndarray
    R: np.ndarray
    S: np.ndarray
    c: np.ndarray
    V: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    h: np.ndarray = None
    scratch: np.ndarray = None
    g: np.ndarray = None
    q: np.ndarray = None
    p_rows: np.ndarray = None
    p_bar_rows: np.ndarray = None
    q_bar_rows: np.ndarray = None
    V_bar: np.ndarray = None
    zg_bar: np.ndarray = None
    S_T: np.ndarray = None
    one: np.ndarray = None
    S2: np.ndarray = None
    scratch2: np.ndarray = None
    R_bar: np.ndarray = None
    c_bar: np.ndarray = None
    ones_: np.ndarray = None
    zh_bar: np.ndarray = None
    W_T: np.ndarray = None
    S3: np.ndarray = None
    U_bar: np.ndarray = None
    b_bar: np.ndarray = None
    zh_in_rows: np.ndarray = None
    steps: list = None
    zg_in_rows: np.ndarray = None
    steps_back: list = None
    q_rows: np.ndarray = None
    g_part: np.ndarray = None
    h_part: np.ndarray = None
    g_bar_in_rows: np.ndarray = None
    steps2: list = None
    zg_bar_part: np.ndarray = None
    g_part2: np.ndarray = None
    ones_row: np.ndarray = None
    h_bar_in_rows: np.ndarray = None
    steps_back2: list = None
    zh_bar_part: np.ndarray = None
    h_part2: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(x, y, U, W, b, R, S, c, V):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(x, y, U, W, b, R, S, c, V, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(x, y, U, W, b, R, S, c, V, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        x : T x n x d
        y : T x n x k
        U : d x m
        W : m x m
        b : 1 x m
        R : d x m
        S : m x m
        c : 1 x m
        V : 2*m x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(x, y, U, W, b, R, S, c, V, workspace)
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


def predict(x, U, W, b, R, S, c, V):
    """p, from what it depends on."""
    try:
        T, n, d = x.shape
        m = U.shape[1]
        k = V.shape[1]
        plain = (
            type(x)
            is type(U)
            is type(W)
            is type(b)
            is type(R)
            is type(S)
            is type(c)
            is type(V)
            is np.ndarray
            and x.dtype is U.dtype is W.dtype is b.dtype is R.dtype is S.dtype is c.dtype is V.dtype
            and x.dtype.char in "fd"
            and U.shape == (d, m)
            and W.shape == (m, m)
            and b.shape == (1, m)
            and R.shape == (d, m)
            and S.shape == (m, m)
            and c.shape == (1, m)
            and V.shape == (2 * m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, U, W, b, R, S, c, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "U": (U, ("d", "m")),
                "W": (W, ("m", "m")),
                "b": (b, (1, "m")),
                "R": (R, ("d", "m")),
                "S": (S, ("m", "m")),
                "c": (c, (1, "m")),
                "V": (V, ("2*m", "k")),
            }
        )
        T, n, d = x.shape
        m = U.shape[1]
        k = V.shape[1]
        expect("V", V, 2 * m, k)
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
    # g[T+1] = zeros(n,m) : n x m
    g = np.empty((T + 1, n, m), dtype)
    g[-1] = 0
    scratch = np.empty((n, m), dtype)
    for g_t, x_t, g_next in zip(g[:-1][::-1], x[::-1], g[1:][::-1], strict=True):
        # g[t] = tanh(x[t] R + g[t+1] S + ones(n) c) : n x m
        x_t.dot(R, out=g_t)
        g_t += g_next.dot(S, out=scratch)
        g_t += c
        np.tanh(g_t, out=g_t)
    p = np.empty((T, n, k), dtype)
    for g_t, h_t, p_t in zip(g[:-1], h[1:], p, strict=True):
        # B = [h[t], g[t]] : n x 2*m
        B = np.block([[h_t, g_t]])
        # p[t] = B V : n x k
        B.dot(V, out=p_t)
    return p


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    W = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    b = np.zeros((1, m))
    R = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    S = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    c = np.zeros((1, m))
    V = rng.standard_normal((2 * m, k)) / np.sqrt(max(2 * m, 1))
    return Parameters(U=U, W=W, b=b, R=R, S=S, c=c, V=V)


def workspace(*, T, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(T, n, d, k, m, np.dtype(dtype))


def _buffers(T, n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    h = np.empty((T + 1, n, m), dtype)
    g = np.empty((T + 1, n, m), dtype)
    q = np.empty((T, n, 2 * m), dtype)
    p_rows = np.empty((T * n, k), dtype)
    zg_bar = np.empty((T + 1, n, m), dtype)
    ones_ = np.ones((T * n,), dtype)
    zh_bar = np.empty((T + 1, n, m), dtype)
    zh_in = h[1:]
    zh_in_rows = zh_in.reshape(T * n, m)
    h_steps = list(h)
    steps = list(zip(h_steps[1:], h_steps[:-1], strict=True))
    zg_in = g[:-1]
    zg_in_rows = zg_in.reshape(T * n, m)
    g_steps = list(g)
    steps_back = list(zip(g_steps[:-1][::-1], g_steps[1:][::-1], strict=True))
    q_rows = q.reshape(T * n, 2 * m)
    g_part = g[:-1].reshape(T * n, m)
    h_part = h[1:].reshape(T * n, m)
    g_bar_in = zg_bar[1:]
    g_bar_in_rows = g_bar_in.reshape(T * n, m)
    zg_bar_steps = list(zg_bar)
    steps2 = list(zip(g_steps[:-1], zg_bar_steps[1:], zg_bar_steps[:-1], strict=True))
    zg_bar_part = zg_bar[1:].reshape(T * n, m)
    g_part2 = g[1:].reshape(T * n, m)
    ones_row = ones_[None]
    h_bar_in = zh_bar[:-1]
    h_bar_in_rows = h_bar_in.reshape(T * n, m)
    zh_bar_steps = list(zh_bar)
    steps_back2 = list(
        zip(h_steps[1:][::-1], zh_bar_steps[:-1][::-1], zh_bar_steps[1:][::-1], strict=True)
    )
    zh_bar_part = zh_bar[:-1].reshape(T * n, m)
    h_part2 = h[:-1].reshape(T * n, m)
    return Workspace(
        sizes=(T, n, d, k, m, dtype),
        h=h,
        scratch=np.empty((n, m), dtype),
        g=g,
        q=q,
        p_rows=p_rows,
        p_bar_rows=np.empty((T * n, k), dtype) if apart else p_rows[...],
        q_bar_rows=np.empty((T * n, 2 * m), dtype),
        V_bar=np.empty((2 * m, k), dtype),
        zg_bar=zg_bar,
        S_T=np.empty((m, m), dtype),
        one=np.ones((), dtype),
        S2=np.empty((n, m), dtype),
        scratch2=np.empty((n, m), dtype),
        R_bar=np.empty((d, m), dtype),
        c_bar=np.empty((1, m), dtype),
        ones_=ones_,
        zh_bar=zh_bar,
        W_T=np.empty((m, m), dtype),
        S3=np.empty((n, m), dtype),
        U_bar=np.empty((d, m), dtype),
        b_bar=np.empty((1, m), dtype),
        zh_in_rows=zh_in_rows,
        steps=steps,
        zg_in_rows=zg_in_rows,
        steps_back=steps_back,
        q_rows=q_rows,
        g_part=g_part,
        h_part=h_part,
        g_bar_in_rows=g_bar_in_rows,
        steps2=steps2,
        zg_bar_part=zg_bar_part,
        g_part2=g_part2,
        ones_row=ones_row,
        h_bar_in_rows=h_bar_in_rows,
        steps_back2=steps_back2,
        zh_bar_part=zh_bar_part,
        h_part2=h_part2,
    )


def fresh(T, n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(T, n, d, k, m, dtype, apart=apart)._replace(
        R_bar=None,
        S_T=None,
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


def _forward(x, y, U, W, b, R, S, c, V, ws):
    try:
        T, n, d = x.shape
        k = y.shape[2]
        m = U.shape[1]
        plain = (
            type(x)
            is type(y)
            is type(U)
            is type(W)
            is type(b)
            is type(R)
            is type(S)
            is type(c)
            is type(V)
            is np.ndarray
            and x.dtype
            is y.dtype
            is U.dtype
            is W.dtype
            is b.dtype
            is R.dtype
            is S.dtype
            is c.dtype
            is V.dtype
            and x.dtype.char in "fd"
            and y.shape == (T, n, k)
            and U.shape == (d, m)
            and W.shape == (m, m)
            and b.shape == (1, m)
            and R.shape == (d, m)
            and S.shape == (m, m)
            and c.shape == (1, m)
            and V.shape == (2 * m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, y, U, W, b, R, S, c, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "y": (y, ("T", "n", "k")),
                "U": (U, ("d", "m")),
                "W": (W, ("m", "m")),
                "b": (b, (1, "m")),
                "R": (R, ("d", "m")),
                "S": (S, ("m", "m")),
                "c": (c, (1, "m")),
                "V": (V, ("2*m", "k")),
            }
        )
        T, n, d = x.shape
        k = y.shape[2]
        m = U.shape[1]
        expect("V", V, 2 * m, k)
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
    # zh_in[1..T] = x[1..T] U + ones(T*n) b : T*n x m
    zh_in_rows = ws.zh_in_rows
    x_rows.dot(U, out=zh_in_rows)
    zh_in_rows += b
    scratch = ws.scratch
    for h_t, h_prev in ws.steps:
        # h[t] = tanh(zh_in[t] + h[t-1] W) : n x m
        h_t += h_prev.dot(W, out=scratch)
        np.tanh(h_t, out=h_t)
    # g[T+1] = zeros(n,m) : n x m
    g = ws.g
    g[-1] = 0
    # zg_in[1..T] = x[1..T] R + ones(T*n) c : T*n x m
    zg_in_rows = ws.zg_in_rows
    x_rows.dot(R, out=zg_in_rows)
    zg_in_rows += c
    scratch = ws.scratch
    for g_t, g_next in ws.steps_back:
        # g[t] = tanh(zg_in[t] + g[t+1] S) : n x m
        g_t += g_next.dot(S, out=scratch)
        np.tanh(g_t, out=g_t)
    g_part = ws.g_part
    h_part = ws.h_part
    # q[1..T] = [h[1..T], g[1..T]] : T*n x 2*m
    q_rows = ws.q_rows
    q_rows[...] = np.block([[h_part, g_part]])
    # p[1..T] = q[1..T] V : T*n x k
    p_rows = q_rows.dot(V, out=ws.p_rows)
    y_rows = y.reshape(T * n, k)
    # R2 = y[1..T] - p[1..T] : T*n x k
    R2 = np.subtract(y_rows, p_rows, out=p_rows)
    # loss_sum = norm(R2)^2
    loss_sum = np.vdot(R2, R2)
    # loss = loss_sum / (n T)
    loss = loss_sum / (n * T)
    return float(loss), (ws, W, S, V, T, n, m, dtype, x_rows, q_rows, R2)


def _backward(cache, wrt):
    ws, W, S, V, T, n, m, dtype, x_rows, q_rows, R2 = cache
    V_bar = R_bar = S_bar = c_bar = U_bar = W_bar = b_bar = None
    # p_bar[1..T] = -2 R2 / (n T) : T*n x k
    p_bar_rows = np.multiply(R2, -2 / (n * T), out=ws.p_bar_rows)
    # q_bar[1..T] = p_bar[1..T] V^T : T*n x 2*m
    q_bar_rows = p_bar_rows.dot(V.T, out=ws.q_bar_rows)
    if wrt is None or "V" in wrt:
        # V_bar = q_rows^T p_bar[1..T] : 2*m x k
        V_bar = q_rows.T.dot(p_bar_rows, out=ws.V_bar)
    # zg_bar[0] = zeros(n,m) : n x m
    zg_bar = ws.zg_bar
    zg_bar[0] = 0
    # B = [zeros(m,m); I(m)] : 2*m x m
    B = np.block([[np.zeros((m, m), dtype=dtype)], [np.eye(m, dtype=dtype)]])
    # g_bar_in[1..T] = q_bar[1..T] B : T*n x m
    g_bar_in_rows = ws.g_bar_in_rows
    q_bar_rows.dot(B, out=g_bar_in_rows)
    # S_T = S^T : m x m
    S_T = np.positive(S.T, order="C", out=ws.S_T)
    one = ws.one
    S2 = ws.S2
    scratch2 = ws.scratch2
    for g_t, zg_bar_t, zg_bar_prev in ws.steps2:
        # S2 = 1 - g[t].^2 : n x m
        np.square(g_t, out=S2)
        np.subtract(one, S2, out=S2)
        # zg_bar[t] = (g_bar_in[t] + zg_bar[t-1] S_T) .* S2 : n x m
        zg_bar_t += zg_bar_prev.dot(S_T, out=scratch2)
        zg_bar_t *= S2
    zg_bar_part = ws.zg_bar_part
    if wrt is None or "R" in wrt:
        # R_bar = x[1..T]^T zg_bar[1..T] : d x m
        R_bar = x_rows.T.dot(zg_bar_part, out=ws.R_bar)
    g_part2 = ws.g_part2
    if wrt is None or "S" in wrt:
        # S_bar = g[2..T+1]^T zg_bar[1..T] : m x m
        S_bar = g_part2.T.dot(zg_bar_part, out=S_T)
    ones_row = ws.ones_row
    if wrt is None or "c" in wrt:
        # c_bar = sum(zg_bar[1..T], axis=0) : 1 x m
        c_bar = ones_row.dot(zg_bar_part, out=ws.c_bar)
    # zh_bar[T+1] = zeros(n,m) : n x m
    zh_bar = ws.zh_bar
    zh_bar[-1] = 0
    # B2 = [I(m); zeros(m,m)] : 2*m x m
    B2 = np.block([[np.eye(m, dtype=dtype)], [np.zeros((m, m), dtype=dtype)]])
    # h_bar_in[1..T] = q_bar[1..T] B2 : T*n x m
    h_bar_in_rows = ws.h_bar_in_rows
    q_bar_rows.dot(B2, out=h_bar_in_rows)
    # W_T = W^T : m x m
    W_T = np.positive(W.T, order="C", out=ws.W_T)
    S3 = ws.S3
    scratch2 = ws.scratch2
    for h_t, zh_bar_t, zh_bar_next in ws.steps_back2:
        # S3 = 1 - h[t].^2 : n x m
        np.square(h_t, out=S3)
        np.subtract(one, S3, out=S3)
        # zh_bar[t] = (h_bar_in[t] + zh_bar[t+1] W_T) .* S3 : n x m
        zh_bar_t += zh_bar_next.dot(W_T, out=scratch2)
        zh_bar_t *= S3
    zh_bar_part = ws.zh_bar_part
    if wrt is None or "U" in wrt:
        # U_bar = x[1..T]^T zh_bar[1..T] : d x m
        U_bar = x_rows.T.dot(zh_bar_part, out=ws.U_bar)
    h_part2 = ws.h_part2
    if wrt is None or "W" in wrt:
        # W_bar = h[0..T-1]^T zh_bar[1..T] : m x m
        W_bar = h_part2.T.dot(zh_bar_part, out=W_T)
    if wrt is None or "b" in wrt:
        # b_bar = sum(zh_bar[1..T], axis=0) : 1 x m
        b_bar = ones_row.dot(zh_bar_part, out=ws.b_bar)
    return Gradients(U_bar, W_bar, b_bar, R_bar, S_bar, c_bar, V_bar)


def expect(name, array, *shape):
    """Raises ValueError where the shape of an argument is not this one."""
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}; got {array.shape}")


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
    y = rng.standard_normal((T, n, k))
    U = rng.standard_normal((d, m))
    W = rng.standard_normal((m, m))
    b = rng.standard_normal((1, m))
    R = rng.standard_normal((d, m))
    S = rng.standard_normal((m, m))
    c = rng.standard_normal((1, m))
    V = rng.standard_normal((2 * m, k))
    given = {"x": x, "y": y, "U": U, "W": W, "b": b, "R": R, "S": S, "c": c, "V": V}
    structures = {"U": "", "W": "", "b": "", "R": "", "S": "", "c": "", "V": ""}
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
