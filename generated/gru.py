"""Gated recurrent unit (Cho et al. 2014), squared error at the last step.

    # Gated recurrent unit (Cho et al. 2014), squared error at the last step.
    # z is the update gate, r the reset gate, s the candidate state.
    model gru

    input x[1..T] : n x d
    input y : n x k
    param Wz : d x m
    param Uz : m x m
    param bz : 1 x m
    param Wr : d x m
    param Ur : m x m
    param br : 1 x m
    param Ws : d x m
    param Us : m x m
    param bs : 1 x m
    param V : m x k

    h[0] = zeros(n, m)
    for t in 1..T:
        z[t] = sigmoid(x[t] Wz + h[t-1] Uz + 1_n bz)
        r[t] = sigmoid(x[t] Wr + h[t-1] Ur + 1_n br)
        s[t] = tanh(x[t] Ws + (r[t] .* h[t-1]) Us + 1_n bs)
        h[t] = (1 - z[t]) .* h[t-1] + z[t] .* s[t]
    P = h[T] V

    output P
    loss = tr((y - P)^T (y - P)) / n

Written by mcalc 0.1.0: mcalc generate gru
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("T", "n", "d", "k", "m")
SHAPES = {
    "x": ("T", "n", "d"),
    "y": ("n", "k"),
    "Wz": ("d", "m"),
    "Uz": ("m", "m"),
    "bz": (1, "m"),
    "Wr": ("d", "m"),
    "Ur": ("m", "m"),
    "br": (1, "m"),
    "Ws": ("d", "m"),
    "Us": ("m", "m"),
    "bs": (1, "m"),
    "V": ("m", "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    Wz: np.ndarray
    Uz: np.ndarray
    bz: np.ndarray
    Wr: np.ndarray
    Ur: np.ndarray
    br: np.ndarray
    Ws: np.ndarray
    Us: np.ndarray
    bs: np.ndarray
    V: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    Wz: np.ndarray
    Uz: np.ndarray
    bz: np.ndarray
    Wr: np.ndarray
    Ur: np.ndarray
    br: np.ndarray
    Ws: np.ndarray
    Us: np.ndarray
    bs: np.ndarray
    V: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    h: np.ndarray = None
    z: np.ndarray = None
    r: np.ndarray = None
    s: np.ndarray = None
    q: np.ndarray = None
    one: np.ndarray = None
    scratch: np.ndarray = None
    S: np.ndarray = None
    P: np.ndarray = None
    P_bar: np.ndarray = None
    V_bar: np.ndarray = None
    h_bar: np.ndarray = None
    Us_T: np.ndarray = None
    Ur_T: np.ndarray = None
    Uz_T: np.ndarray = None
    zs_bar: np.ndarray = None
    zz_bar: np.ndarray = None
    zr_bar: np.ndarray = None
    S2: np.ndarray = None
    S4: np.ndarray = None
    S3: np.ndarray = None
    scratch2: np.ndarray = None
    Wz_bar: np.ndarray = None
    bz_bar: np.ndarray = None
    ones_: np.ndarray = None
    Wr_bar: np.ndarray = None
    br_bar: np.ndarray = None
    Ws_bar: np.ndarray = None
    bs_bar: np.ndarray = None
    zz_in_rows: np.ndarray = None
    zr_in_rows: np.ndarray = None
    zs_in_rows: np.ndarray = None
    steps: list = None
    steps_back: list = None
    zz_bar_rows: np.ndarray = None
    h_part: np.ndarray = None
    ones_row: np.ndarray = None
    zr_bar_rows: np.ndarray = None
    zs_bar_rows: np.ndarray = None
    q_rows: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        x  : T x n x d
        y  : n x k
        Wz : d x m
        Uz : m x m
        bz : 1 x m
        Wr : d x m
        Ur : m x m
        br : 1 x m
        Ws : d x m
        Us : m x m
        bs : 1 x m
        V  : m x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V, workspace)
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


def predict(x, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V):
    """P, from what it depends on."""
    try:
        T, n, d = x.shape
        m = Wz.shape[1]
        k = V.shape[1]
        plain = (
            type(x)
            is type(Wz)
            is type(Uz)
            is type(bz)
            is type(Wr)
            is type(Ur)
            is type(br)
            is type(Ws)
            is type(Us)
            is type(bs)
            is type(V)
            is np.ndarray
            and x.dtype
            is Wz.dtype
            is Uz.dtype
            is bz.dtype
            is Wr.dtype
            is Ur.dtype
            is br.dtype
            is Ws.dtype
            is Us.dtype
            is bs.dtype
            is V.dtype
            and x.dtype.char in "fd"
            and Wz.shape == (d, m)
            and Uz.shape == (m, m)
            and bz.shape == (1, m)
            and Wr.shape == (d, m)
            and Ur.shape == (m, m)
            and br.shape == (1, m)
            and Ws.shape == (d, m)
            and Us.shape == (m, m)
            and bs.shape == (1, m)
            and V.shape == (m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "Wz": (Wz, ("d", "m")),
                "Uz": (Uz, ("m", "m")),
                "bz": (bz, (1, "m")),
                "Wr": (Wr, ("d", "m")),
                "Ur": (Ur, ("m", "m")),
                "br": (br, (1, "m")),
                "Ws": (Ws, ("d", "m")),
                "Us": (Us, ("m", "m")),
                "bs": (bs, (1, "m")),
                "V": (V, ("m", "k")),
            }
        )
        T, n, d = x.shape
        m = Wz.shape[1]
        k = V.shape[1]
    dtype = x.dtype
    # h[0] = zeros(n,m) : n x m
    h = np.empty((T + 1, n, m), dtype)
    h[0] = 0
    z_t = np.empty((n, m), dtype)
    scratch = np.empty((n, m), dtype)
    D = np.empty((n, m), dtype)
    D2 = np.empty((n, m), dtype)
    for x_t, h_prev, h_t in zip(x, h[:-1], h[1:], strict=True):
        # z[t] = sigmoid(x[t] Wz + h[t-1] Uz + ones(n) bz) : n x m
        x_t.dot(Wz, out=z_t)
        z_t += h_prev.dot(Uz, out=scratch)
        z_t += bz
        sigmoid(z_t, out=z_t)
        # D = sigmoid(x[t] Wr + h[t-1] Ur + ones(n) br) .* h[t-1] : n x m
        x_t.dot(Wr, out=D)
        D += h_prev.dot(Ur, out=scratch)
        D += br
        sigmoid(D, out=D)
        D *= h_prev
        # D2 = z[t] .* tanh(x[t] Ws + D Us + ones(n) bs) : n x m
        x_t.dot(Ws, out=D2)
        D2 += D.dot(Us, out=scratch)
        D2 += bs
        np.tanh(D2, out=D2)
        D2 *= z_t
        # h[t] = (1 - z[t]) .* h[t-1] + D2 : n x m
        np.subtract(1, z_t, out=h_t)
        h_t *= h_prev
        h_t += D2
    # P = h[T] V : n x k
    P = h[-1].dot(V)
    return P


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    Wz = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Uz = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bz = np.zeros((1, m))
    Wr = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Ur = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    br = np.zeros((1, m))
    Ws = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Us = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bs = np.zeros((1, m))
    V = rng.standard_normal((m, k)) / np.sqrt(max(m, 1))
    return Parameters(Wz=Wz, Uz=Uz, bz=bz, Wr=Wr, Ur=Ur, br=br, Ws=Ws, Us=Us, bs=bs, V=V)


def workspace(*, T, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(T, n, d, k, m, np.dtype(dtype))


def _buffers(T, n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    h = np.empty((T + 1, n, m), dtype)
    z = np.empty((T, n, m), dtype)
    r = np.empty((T, n, m), dtype)
    s = np.empty((T, n, m), dtype)
    q = np.empty((T, n, m), dtype)
    P = np.empty((n, k), dtype)
    zs_bar = np.empty((T, n, m), dtype)
    zz_bar = np.empty((T, n, m), dtype) if apart else s[...]
    zr_bar = np.empty((T, n, m), dtype) if apart else z[...]
    ones_ = np.ones((T * n,), dtype)
    zz_in = z
    zz_in_rows = zz_in.reshape(T * n, m)
    zr_in = r
    zr_in_rows = zr_in.reshape(T * n, m)
    zs_in = s
    zs_in_rows = zs_in.reshape(T * n, m)
    z_steps = list(z)
    h_steps = list(h)
    r_steps = list(r)
    q_steps = list(q)
    s_steps = list(s)
    steps = list(zip(z_steps, h_steps[:-1], r_steps, q_steps, s_steps, h_steps[1:], strict=True))
    zs_bar_steps = list(zs_bar)
    zz_bar_steps = list(zz_bar)
    zr_bar_steps = list(zr_bar)
    steps_back = list(
        zip(
            s_steps[::-1],
            zs_bar_steps[::-1],
            z_steps[::-1],
            zz_bar_steps[::-1],
            h_steps[:-1][::-1],
            r_steps[::-1],
            zr_bar_steps[::-1],
            strict=True,
        )
    )
    zz_bar_rows = zz_bar.reshape(T * n, m)
    h_part = h[:-1].reshape(T * n, m)
    ones_row = ones_[None]
    zr_bar_rows = zr_bar.reshape(T * n, m)
    zs_bar_rows = zs_bar.reshape(T * n, m)
    q_rows = q.reshape(T * n, m)
    return Workspace(
        sizes=(T, n, d, k, m, dtype),
        h=h,
        z=z,
        r=r,
        s=s,
        q=q,
        one=np.ones((), dtype),
        scratch=np.empty((n, m), dtype),
        S=np.empty((n, m), dtype),
        P=P,
        P_bar=np.empty((n, k), dtype) if apart else P[...],
        V_bar=np.empty((m, k), dtype),
        h_bar=np.empty((n, m), dtype),
        Us_T=np.empty((m, m), dtype),
        Ur_T=np.empty((m, m), dtype),
        Uz_T=np.empty((m, m), dtype),
        zs_bar=zs_bar,
        zz_bar=zz_bar,
        zr_bar=zr_bar,
        S2=np.empty((n, m), dtype),
        S4=np.empty((n, m), dtype),
        S3=np.empty((n, m), dtype),
        scratch2=np.empty((n, m), dtype),
        Wz_bar=np.empty((d, m), dtype),
        bz_bar=np.empty((1, m), dtype),
        ones_=ones_,
        Wr_bar=np.empty((d, m), dtype),
        br_bar=np.empty((1, m), dtype),
        Ws_bar=np.empty((d, m), dtype),
        bs_bar=np.empty((1, m), dtype),
        zz_in_rows=zz_in_rows,
        zr_in_rows=zr_in_rows,
        zs_in_rows=zs_in_rows,
        steps=steps,
        steps_back=steps_back,
        zz_bar_rows=zz_bar_rows,
        h_part=h_part,
        ones_row=ones_row,
        zr_bar_rows=zr_bar_rows,
        zs_bar_rows=zs_bar_rows,
        q_rows=q_rows,
    )


def fresh(T, n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(T, n, d, k, m, dtype, apart=apart)._replace(
        Ur_T=None,
        Us_T=None,
        Uz_T=None,
        V_bar=None,
        Wr_bar=None,
        Ws_bar=None,
        Wz_bar=None,
        br_bar=None,
        bs_bar=None,
        bz_bar=None,
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


def _forward(x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V, ws):
    try:
        T, n, d = x.shape
        k = y.shape[1]
        m = Wz.shape[1]
        plain = (
            type(x)
            is type(y)
            is type(Wz)
            is type(Uz)
            is type(bz)
            is type(Wr)
            is type(Ur)
            is type(br)
            is type(Ws)
            is type(Us)
            is type(bs)
            is type(V)
            is np.ndarray
            and x.dtype
            is y.dtype
            is Wz.dtype
            is Uz.dtype
            is bz.dtype
            is Wr.dtype
            is Ur.dtype
            is br.dtype
            is Ws.dtype
            is Us.dtype
            is bs.dtype
            is V.dtype
            and x.dtype.char in "fd"
            and y.shape == (n, k)
            and Wz.shape == (d, m)
            and Uz.shape == (m, m)
            and bz.shape == (1, m)
            and Wr.shape == (d, m)
            and Ur.shape == (m, m)
            and br.shape == (1, m)
            and Ws.shape == (d, m)
            and Us.shape == (m, m)
            and bs.shape == (1, m)
            and V.shape == (m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, y, Wz, Uz, bz, Wr, Ur, br, Ws, Us, bs, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "y": (y, ("n", "k")),
                "Wz": (Wz, ("d", "m")),
                "Uz": (Uz, ("m", "m")),
                "bz": (bz, (1, "m")),
                "Wr": (Wr, ("d", "m")),
                "Ur": (Ur, ("m", "m")),
                "br": (br, (1, "m")),
                "Ws": (Ws, ("d", "m")),
                "Us": (Us, ("m", "m")),
                "bs": (bs, (1, "m")),
                "V": (V, ("m", "k")),
            }
        )
        T, n, d = x.shape
        k = y.shape[1]
        m = Wz.shape[1]
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
    # zz_in[1..T] = x[1..T] Wz + ones(T*n) bz : T*n x m
    zz_in_rows = ws.zz_in_rows
    x_rows.dot(Wz, out=zz_in_rows)
    zz_in_rows += bz
    # zr_in[1..T] = x[1..T] Wr + ones(T*n) br : T*n x m
    zr_in_rows = ws.zr_in_rows
    x_rows.dot(Wr, out=zr_in_rows)
    zr_in_rows += br
    # zs_in[1..T] = x[1..T] Ws + ones(T*n) bs : T*n x m
    zs_in_rows = ws.zs_in_rows
    x_rows.dot(Ws, out=zs_in_rows)
    zs_in_rows += bs
    one = ws.one
    scratch = ws.scratch
    S = ws.S
    for z_t, h_prev, r_t, q_t, s_t, h_t in ws.steps:
        # z[t] = sigmoid(zz_in[t] + h[t-1] Uz) : n x m
        z_t += h_prev.dot(Uz, out=scratch)
        sigmoid(z_t, out=z_t)
        # r[t] = sigmoid(zr_in[t] + h[t-1] Ur) : n x m
        r_t += h_prev.dot(Ur, out=scratch)
        sigmoid(r_t, out=r_t)
        # q[t] = r[t] .* h[t-1] : n x m
        np.multiply(r_t, h_prev, out=q_t)
        # s[t] = tanh(zs_in[t] + q[t] Us) : n x m
        s_t += q_t.dot(Us, out=scratch)
        np.tanh(s_t, out=s_t)
        # S = 1 - z[t] : n x m
        np.subtract(one, z_t, out=S)
        # h[t] = S .* h[t-1] + z[t] .* s[t] : n x m
        np.multiply(S, h_prev, out=h_t)
        h_t += np.multiply(z_t, s_t, out=scratch)
    # P = h[T] V : n x k
    P = h[-1].dot(V, out=ws.P)
    # R = y - P : n x k
    R = np.subtract(y, P, out=P)
    # loss = norm(R)^2 / n
    loss = np.vdot(R, R) / n
    return float(loss), (ws, Uz, Ur, Us, V, n, h, x_rows, R)


def _backward(cache, wrt):
    ws, Uz, Ur, Us, V, n, h, x_rows, R = cache
    V_bar = Wz_bar = Uz_bar = bz_bar = Wr_bar = Ur_bar = br_bar = Ws_bar = Us_bar = bs_bar = None
    # P_bar = -2 R / n : n x k
    P_bar = np.multiply(R, -2 / n, out=ws.P_bar)
    if wrt is None or "V" in wrt:
        # V_bar = h[T]^T P_bar : m x k
        V_bar = h[-1].T.dot(P_bar, out=ws.V_bar)
    # h_bar[T] = P_bar V^T : n x m
    h_bar = ws.h_bar
    P_bar.dot(V.T, out=h_bar)
    # Us_T = Us^T : m x m
    Us_T = np.positive(Us.T, order="C", out=ws.Us_T)
    # Ur_T = Ur^T : m x m
    Ur_T = np.positive(Ur.T, order="C", out=ws.Ur_T)
    # Uz_T = Uz^T : m x m
    Uz_T = np.positive(Uz.T, order="C", out=ws.Uz_T)
    one = ws.one
    S2 = ws.S2
    S4 = ws.S4
    S3 = ws.S3
    scratch2 = ws.scratch2
    for s_t, zs_bar_t, z_t, zz_bar_t, h_prev, r_t, zr_bar_t in ws.steps_back:
        # S2 = 1 - s[t].^2 : n x m
        np.square(s_t, out=S2)
        np.subtract(one, S2, out=S2)
        # zs_bar[t] = (h_bar[t] .* z[t]) .* S2 : n x m
        np.multiply(h_bar, z_t, out=zs_bar_t)
        zs_bar_t *= S2
        # q_bar[t] = zs_bar[t] Us_T : n x m
        q_bar_t = zs_bar_t.dot(Us_T, out=S2)
        # S4 = 1 - z[t] : n x m
        np.subtract(one, z_t, out=S4)
        # zz_bar[t] = (h_bar[t] .* (s[t] - h[t-1])) .* z[t] .* S4 : n x m
        np.subtract(s_t, h_prev, out=zz_bar_t)
        zz_bar_t *= h_bar
        zz_bar_t *= z_t
        zz_bar_t *= S4
        # S3 = 1 - r[t] : n x m
        np.subtract(one, r_t, out=S3)
        # zr_bar[t] = (q_bar[t] .* h[t-1]) .* r[t] .* S3 : n x m
        np.multiply(q_bar_t, h_prev, out=zr_bar_t)
        zr_bar_t *= r_t
        zr_bar_t *= S3
        # h_bar[t-1] = h_bar[t] .* S4 + q_bar[t] .* r[t] + zr_bar[t] Ur_T + zz_bar[t] Uz_T : n x m
        np.multiply(h_bar, S4, out=h_bar)
        h_bar += np.multiply(q_bar_t, r_t, out=scratch2)
        h_bar += zr_bar_t.dot(Ur_T, out=scratch2)
        h_bar += zz_bar_t.dot(Uz_T, out=scratch2)
    zz_bar_rows = ws.zz_bar_rows
    if wrt is None or "Wz" in wrt:
        # Wz_bar = x[1..T]^T zz_bar[1..T] : d x m
        Wz_bar = x_rows.T.dot(zz_bar_rows, out=ws.Wz_bar)
    h_part = ws.h_part
    if wrt is None or "Uz" in wrt:
        # Uz_bar = h[0..T-1]^T zz_bar[1..T] : m x m
        Uz_bar = h_part.T.dot(zz_bar_rows, out=Ur_T)
    ones_row = ws.ones_row
    if wrt is None or "bz" in wrt:
        # bz_bar = sum(zz_bar[1..T], axis=0) : 1 x m
        bz_bar = ones_row.dot(zz_bar_rows, out=ws.bz_bar)
    zr_bar_rows = ws.zr_bar_rows
    if wrt is None or "Wr" in wrt:
        # Wr_bar = x[1..T]^T zr_bar[1..T] : d x m
        Wr_bar = x_rows.T.dot(zr_bar_rows, out=ws.Wr_bar)
    if wrt is None or "Ur" in wrt:
        # Ur_bar = h[0..T-1]^T zr_bar[1..T] : m x m
        Ur_bar = h_part.T.dot(zr_bar_rows, out=Uz_T)
    if wrt is None or "br" in wrt:
        # br_bar = sum(zr_bar[1..T], axis=0) : 1 x m
        br_bar = ones_row.dot(zr_bar_rows, out=ws.br_bar)
    zs_bar_rows = ws.zs_bar_rows
    if wrt is None or "Ws" in wrt:
        # Ws_bar = x[1..T]^T zs_bar[1..T] : d x m
        Ws_bar = x_rows.T.dot(zs_bar_rows, out=ws.Ws_bar)
    q_rows = ws.q_rows
    if wrt is None or "Us" in wrt:
        # Us_bar = q[1..T]^T zs_bar[1..T] : m x m
        Us_bar = q_rows.T.dot(zs_bar_rows, out=Us_T)
    if wrt is None or "bs" in wrt:
        # bs_bar = sum(zs_bar[1..T], axis=0) : 1 x m
        bs_bar = ones_row.dot(zs_bar_rows, out=ws.bs_bar)
    return Gradients(Wz_bar, Uz_bar, bz_bar, Wr_bar, Ur_bar, br_bar, Ws_bar, Us_bar, bs_bar, V_bar)


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
    Wz = rng.standard_normal((d, m))
    Uz = rng.standard_normal((m, m))
    bz = rng.standard_normal((1, m))
    Wr = rng.standard_normal((d, m))
    Ur = rng.standard_normal((m, m))
    br = rng.standard_normal((1, m))
    Ws = rng.standard_normal((d, m))
    Us = rng.standard_normal((m, m))
    bs = rng.standard_normal((1, m))
    V = rng.standard_normal((m, k))
    given = {
        "x": x,
        "y": y,
        "Wz": Wz,
        "Uz": Uz,
        "bz": bz,
        "Wr": Wr,
        "Ur": Ur,
        "br": br,
        "Ws": Ws,
        "Us": Us,
        "bs": bs,
        "V": V,
    }
    structures = {
        "Wz": "",
        "Uz": "",
        "bz": "",
        "Wr": "",
        "Ur": "",
        "br": "",
        "Ws": "",
        "Us": "",
        "bs": "",
        "V": "",
    }
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
