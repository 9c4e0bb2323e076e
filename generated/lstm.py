"""LSTM, squared error at the last step.

    # LSTM, squared error at the last step.
    model lstm

    input x[1..T] : n x d
    input y : n x k
    param Wi : d x m
    param Ui : m x m
    param bi : 1 x m
    param Wf : d x m
    param Uf : m x m
    param bf : 1 x m
    param Wo : d x m
    param Uo : m x m
    param bo : 1 x m
    param Wg : d x m
    param Ug : m x m
    param bg : 1 x m
    param V : m x k

    h[0] = zeros(n, m)
    c[0] = zeros(n, m)
    for t in 1..T:
        i[t] = sigmoid(x[t] Wi + h[t-1] Ui + 1_n bi)
        f[t] = sigmoid(x[t] Wf + h[t-1] Uf + 1_n bf)
        o[t] = sigmoid(x[t] Wo + h[t-1] Uo + 1_n bo)
        g[t] = tanh(x[t] Wg + h[t-1] Ug + 1_n bg)
        c[t] = f[t] .* c[t-1] + i[t] .* g[t]
        h[t] = o[t] .* tanh(c[t])
    P = h[T] V

    output P
    loss = tr((y - P)^T (y - P)) / n

Written by mcalc 0.1.0: mcalc generate lstm
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("T", "n", "d", "k", "m")
SHAPES = {
    "x": ("T", "n", "d"),
    "y": ("n", "k"),
    "Wi": ("d", "m"),
    "Ui": ("m", "m"),
    "bi": (1, "m"),
    "Wf": ("d", "m"),
    "Uf": ("m", "m"),
    "bf": (1, "m"),
    "Wo": ("d", "m"),
    "Uo": ("m", "m"),
    "bo": (1, "m"),
    "Wg": ("d", "m"),
    "Ug": ("m", "m"),
    "bg": (1, "m"),
    "V": ("m", "k"),
}


class Parameters(NamedTuple):
    """The parameters."""

    Wi: np.ndarray
    Ui: np.ndarray
    bi: np.ndarray
    Wf: np.ndarray
    Uf: np.ndarray
    bf: np.ndarray
    Wo: np.ndarray
    Uo: np.ndarray
    bo: np.ndarray
    Wg: np.ndarray
    Ug: np.ndarray
    bg: np.ndarray
    V: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    Wi: np.ndarray
    Ui: np.ndarray
    bi: np.ndarray
    Wf: np.ndarray
    Uf: np.ndarray
    bf: np.ndarray
    Wo: np.ndarray
    Uo: np.ndarray
    bo: np.ndarray
    Wg: np.ndarray
    Ug: np.ndarray
    bg: np.ndarray
    V: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    h: np.ndarray = None
    c: np.ndarray = None
    i: np.ndarray = None
    f: np.ndarray = None
    o: np.ndarray = None
    g: np.ndarray = None
    a: np.ndarray = None
    scratch: np.ndarray = None
    P: np.ndarray = None
    P_bar: np.ndarray = None
    V_bar: np.ndarray = None
    h_bar: np.ndarray = None
    c_prev_bar: np.ndarray = None
    Ug_T: np.ndarray = None
    Uo_T: np.ndarray = None
    Uf_T: np.ndarray = None
    Ui_T: np.ndarray = None
    zo_bar: np.ndarray = None
    zg_bar: np.ndarray = None
    zi_bar: np.ndarray = None
    zf_bar: np.ndarray = None
    one: np.ndarray = None
    S: np.ndarray = None
    c_bar_t: np.ndarray = None
    scratch2: np.ndarray = None
    Wi_bar: np.ndarray = None
    bi_bar: np.ndarray = None
    ones_: np.ndarray = None
    Wf_bar: np.ndarray = None
    bf_bar: np.ndarray = None
    Wo_bar: np.ndarray = None
    bo_bar: np.ndarray = None
    Wg_bar: np.ndarray = None
    bg_bar: np.ndarray = None
    zi_in_rows: np.ndarray = None
    zf_in_rows: np.ndarray = None
    zo_in_rows: np.ndarray = None
    zg_in_rows: np.ndarray = None
    steps: list = None
    steps_back: list = None
    zi_bar_rows: np.ndarray = None
    h_part: np.ndarray = None
    ones_row: np.ndarray = None
    zf_bar_rows: np.ndarray = None
    zo_bar_rows: np.ndarray = None
    zg_bar_rows: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(
    x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V, *, wrt=None, workspace=None
):
    """(loss, gradients).

    Arguments:
        x  : T x n x d
        y  : n x k
        Wi : d x m
        Ui : m x m
        bi : 1 x m
        Wf : d x m
        Uf : m x m
        bf : 1 x m
        Wo : d x m
        Uo : m x m
        bo : 1 x m
        Wg : d x m
        Ug : m x m
        bg : 1 x m
        V  : m x k

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V, workspace)
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


def predict(x, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V):
    """P, from what it depends on."""
    try:
        T, n, d = x.shape
        m = Wi.shape[1]
        k = V.shape[1]
        plain = (
            type(x)
            is type(Wi)
            is type(Ui)
            is type(bi)
            is type(Wf)
            is type(Uf)
            is type(bf)
            is type(Wo)
            is type(Uo)
            is type(bo)
            is type(Wg)
            is type(Ug)
            is type(bg)
            is type(V)
            is np.ndarray
            and x.dtype
            is Wi.dtype
            is Ui.dtype
            is bi.dtype
            is Wf.dtype
            is Uf.dtype
            is bf.dtype
            is Wo.dtype
            is Uo.dtype
            is bo.dtype
            is Wg.dtype
            is Ug.dtype
            is bg.dtype
            is V.dtype
            and x.dtype.char in "fd"
            and Wi.shape == (d, m)
            and Ui.shape == (m, m)
            and bi.shape == (1, m)
            and Wf.shape == (d, m)
            and Uf.shape == (m, m)
            and bf.shape == (1, m)
            and Wo.shape == (d, m)
            and Uo.shape == (m, m)
            and bo.shape == (1, m)
            and Wg.shape == (d, m)
            and Ug.shape == (m, m)
            and bg.shape == (1, m)
            and V.shape == (m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "Wi": (Wi, ("d", "m")),
                "Ui": (Ui, ("m", "m")),
                "bi": (bi, (1, "m")),
                "Wf": (Wf, ("d", "m")),
                "Uf": (Uf, ("m", "m")),
                "bf": (bf, (1, "m")),
                "Wo": (Wo, ("d", "m")),
                "Uo": (Uo, ("m", "m")),
                "bo": (bo, (1, "m")),
                "Wg": (Wg, ("d", "m")),
                "Ug": (Ug, ("m", "m")),
                "bg": (bg, (1, "m")),
                "V": (V, ("m", "k")),
            }
        )
        T, n, d = x.shape
        m = Wi.shape[1]
        k = V.shape[1]
    dtype = x.dtype
    # h[0] = zeros(n,m) : n x m
    h = np.empty((T + 1, n, m), dtype)
    h[0] = 0
    # c[0] = zeros(n,m) : n x m
    c = np.empty((T + 1, n, m), dtype)
    c[0] = 0
    g_t = np.empty((n, m), dtype)
    scratch = np.empty((n, m), dtype)
    D = np.empty((n, m), dtype)
    for x_t, h_prev, c_t, c_prev, h_t in zip(x, h[:-1], c[1:], c[:-1], h[1:], strict=True):
        # g[t] = tanh(x[t] Wg + h[t-1] Ug + ones(n) bg) : n x m
        x_t.dot(Wg, out=g_t)
        g_t += h_prev.dot(Ug, out=scratch)
        g_t += bg
        np.tanh(g_t, out=g_t)
        # D = sigmoid(x[t] Wi + h[t-1] Ui + ones(n) bi) .* g[t] : n x m
        x_t.dot(Wi, out=D)
        D += h_prev.dot(Ui, out=scratch)
        D += bi
        sigmoid(D, out=D)
        D *= g_t
        # c[t] = sigmoid(x[t] Wf + h[t-1] Uf + ones(n) bf) .* c[t-1] + D : n x m
        x_t.dot(Wf, out=c_t)
        c_t += h_prev.dot(Uf, out=scratch)
        c_t += bf
        sigmoid(c_t, out=c_t)
        c_t *= c_prev
        c_t += D
        # H = tanh(c[t]) : n x m
        H = np.tanh(c_t, out=D)
        # h[t] = sigmoid(x[t] Wo + h[t-1] Uo + ones(n) bo) .* H : n x m
        x_t.dot(Wo, out=h_t)
        h_t += h_prev.dot(Uo, out=scratch)
        h_t += bo
        sigmoid(h_t, out=h_t)
        h_t *= H
    # P = h[T] V : n x k
    P = h[-1].dot(V)
    return P


def init(seed=None, *, d, k, m):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    Wi = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Ui = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bi = np.zeros((1, m))
    Wf = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Uf = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bf = np.zeros((1, m))
    Wo = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Uo = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bo = np.zeros((1, m))
    Wg = rng.standard_normal((d, m)) / np.sqrt(max(d, 1))
    Ug = rng.standard_normal((m, m)) / np.sqrt(max(m, 1))
    bg = np.zeros((1, m))
    V = rng.standard_normal((m, k)) / np.sqrt(max(m, 1))
    return Parameters(
        Wi=Wi, Ui=Ui, bi=bi, Wf=Wf, Uf=Uf, bf=bf, Wo=Wo, Uo=Uo, bo=bo, Wg=Wg, Ug=Ug, bg=bg, V=V
    )


def workspace(*, T, n, d, k, m, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(T, n, d, k, m, np.dtype(dtype))


def _buffers(T, n, d, k, m, dtype, apart=False):
    """A workspace.

    What the backward phase makes lies where the forward phase left what is not needed any more; `apart` from it where
    the backward phase may run a second time.
    """
    h = np.empty((T + 1, n, m), dtype)
    c = np.empty((T + 1, n, m), dtype)
    i = np.empty((T, n, m), dtype)
    f = np.empty((T, n, m), dtype)
    o = np.empty((T, n, m), dtype)
    g = np.empty((T, n, m), dtype)
    a = np.empty((T, n, m), dtype)
    P = np.empty((n, k), dtype)
    zo_bar = np.empty((T, n, m), dtype) if apart else a[...]
    zg_bar = np.empty((T, n, m), dtype) if apart else o[...]
    zi_bar = np.empty((T, n, m), dtype) if apart else g[...]
    zf_bar = np.empty((T, n, m), dtype) if apart else i[...]
    ones_ = np.ones((T * n,), dtype)
    zi_in = i
    zi_in_rows = zi_in.reshape(T * n, m)
    zf_in = f
    zf_in_rows = zf_in.reshape(T * n, m)
    zo_in = o
    zo_in_rows = zo_in.reshape(T * n, m)
    zg_in = g
    zg_in_rows = zg_in.reshape(T * n, m)
    i_steps = list(i)
    h_steps = list(h)
    f_steps = list(f)
    o_steps = list(o)
    g_steps = list(g)
    c_steps = list(c)
    a_steps = list(a)
    steps = list(
        zip(
            i_steps,
            h_steps[:-1],
            f_steps,
            o_steps,
            g_steps,
            c_steps[1:],
            c_steps[:-1],
            a_steps,
            h_steps[1:],
            strict=True,
        )
    )
    zo_bar_steps = list(zo_bar)
    zg_bar_steps = list(zg_bar)
    zi_bar_steps = list(zi_bar)
    zf_bar_steps = list(zf_bar)
    steps_back = list(
        zip(
            a_steps[::-1],
            o_steps[::-1],
            zo_bar_steps[::-1],
            g_steps[::-1],
            zg_bar_steps[::-1],
            i_steps[::-1],
            zi_bar_steps[::-1],
            f_steps[::-1],
            zf_bar_steps[::-1],
            c_steps[:-1][::-1],
            strict=True,
        )
    )
    zi_bar_rows = zi_bar.reshape(T * n, m)
    h_part = h[:-1].reshape(T * n, m)
    ones_row = ones_[None]
    zf_bar_rows = zf_bar.reshape(T * n, m)
    zo_bar_rows = zo_bar.reshape(T * n, m)
    zg_bar_rows = zg_bar.reshape(T * n, m)
    return Workspace(
        sizes=(T, n, d, k, m, dtype),
        h=h,
        c=c,
        i=i,
        f=f,
        o=o,
        g=g,
        a=a,
        scratch=np.empty((n, m), dtype),
        P=P,
        P_bar=np.empty((n, k), dtype) if apart else P[...],
        V_bar=np.empty((m, k), dtype),
        h_bar=np.empty((n, m), dtype),
        c_prev_bar=np.empty((n, m), dtype),
        Ug_T=np.empty((m, m), dtype),
        Uo_T=np.empty((m, m), dtype),
        Uf_T=np.empty((m, m), dtype),
        Ui_T=np.empty((m, m), dtype),
        zo_bar=zo_bar,
        zg_bar=zg_bar,
        zi_bar=zi_bar,
        zf_bar=zf_bar,
        one=np.ones((), dtype),
        S=np.empty((n, m), dtype),
        c_bar_t=np.empty((n, m), dtype),
        scratch2=np.empty((n, m), dtype),
        Wi_bar=np.empty((d, m), dtype),
        bi_bar=np.empty((1, m), dtype),
        ones_=ones_,
        Wf_bar=np.empty((d, m), dtype),
        bf_bar=np.empty((1, m), dtype),
        Wo_bar=np.empty((d, m), dtype),
        bo_bar=np.empty((1, m), dtype),
        Wg_bar=np.empty((d, m), dtype),
        bg_bar=np.empty((1, m), dtype),
        zi_in_rows=zi_in_rows,
        zf_in_rows=zf_in_rows,
        zo_in_rows=zo_in_rows,
        zg_in_rows=zg_in_rows,
        steps=steps,
        steps_back=steps_back,
        zi_bar_rows=zi_bar_rows,
        h_part=h_part,
        ones_row=ones_row,
        zf_bar_rows=zf_bar_rows,
        zo_bar_rows=zo_bar_rows,
        zg_bar_rows=zg_bar_rows,
    )


def fresh(T, n, d, k, m, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(T, n, d, k, m, dtype, apart=apart)._replace(
        Uf_T=None,
        Ug_T=None,
        Ui_T=None,
        Uo_T=None,
        V_bar=None,
        Wf_bar=None,
        Wg_bar=None,
        Wi_bar=None,
        Wo_bar=None,
        bf_bar=None,
        bg_bar=None,
        bi_bar=None,
        bo_bar=None,
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


def _forward(x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V, ws):
    try:
        T, n, d = x.shape
        k = y.shape[1]
        m = Wi.shape[1]
        plain = (
            type(x)
            is type(y)
            is type(Wi)
            is type(Ui)
            is type(bi)
            is type(Wf)
            is type(Uf)
            is type(bf)
            is type(Wo)
            is type(Uo)
            is type(bo)
            is type(Wg)
            is type(Ug)
            is type(bg)
            is type(V)
            is np.ndarray
            and x.dtype
            is y.dtype
            is Wi.dtype
            is Ui.dtype
            is bi.dtype
            is Wf.dtype
            is Uf.dtype
            is bf.dtype
            is Wo.dtype
            is Uo.dtype
            is bo.dtype
            is Wg.dtype
            is Ug.dtype
            is bg.dtype
            is V.dtype
            and x.dtype.char in "fd"
            and y.shape == (n, k)
            and Wi.shape == (d, m)
            and Ui.shape == (m, m)
            and bi.shape == (1, m)
            and Wf.shape == (d, m)
            and Uf.shape == (m, m)
            and bf.shape == (1, m)
            and Wo.shape == (d, m)
            and Uo.shape == (m, m)
            and bo.shape == (1, m)
            and Wg.shape == (d, m)
            and Ug.shape == (m, m)
            and bg.shape == (1, m)
            and V.shape == (m, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        x, y, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wg, Ug, bg, V = checked(
            {
                "x": (x, ("T", "n", "d")),
                "y": (y, ("n", "k")),
                "Wi": (Wi, ("d", "m")),
                "Ui": (Ui, ("m", "m")),
                "bi": (bi, (1, "m")),
                "Wf": (Wf, ("d", "m")),
                "Uf": (Uf, ("m", "m")),
                "bf": (bf, (1, "m")),
                "Wo": (Wo, ("d", "m")),
                "Uo": (Uo, ("m", "m")),
                "bo": (bo, (1, "m")),
                "Wg": (Wg, ("d", "m")),
                "Ug": (Ug, ("m", "m")),
                "bg": (bg, (1, "m")),
                "V": (V, ("m", "k")),
            }
        )
        T, n, d = x.shape
        k = y.shape[1]
        m = Wi.shape[1]
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
    # c[0] = zeros(n,m) : n x m
    c = ws.c
    c[0] = 0
    x_rows = x.reshape(T * n, d)
    # zi_in[1..T] = x[1..T] Wi + ones(T*n) bi : T*n x m
    zi_in_rows = ws.zi_in_rows
    x_rows.dot(Wi, out=zi_in_rows)
    zi_in_rows += bi
    # zf_in[1..T] = x[1..T] Wf + ones(T*n) bf : T*n x m
    zf_in_rows = ws.zf_in_rows
    x_rows.dot(Wf, out=zf_in_rows)
    zf_in_rows += bf
    # zo_in[1..T] = x[1..T] Wo + ones(T*n) bo : T*n x m
    zo_in_rows = ws.zo_in_rows
    x_rows.dot(Wo, out=zo_in_rows)
    zo_in_rows += bo
    # zg_in[1..T] = x[1..T] Wg + ones(T*n) bg : T*n x m
    zg_in_rows = ws.zg_in_rows
    x_rows.dot(Wg, out=zg_in_rows)
    zg_in_rows += bg
    scratch = ws.scratch
    for i_t, h_prev, f_t, o_t, g_t, c_t, c_prev, a_t, h_t in ws.steps:
        # i[t] = sigmoid(zi_in[t] + h[t-1] Ui) : n x m
        i_t += h_prev.dot(Ui, out=scratch)
        sigmoid(i_t, out=i_t)
        # f[t] = sigmoid(zf_in[t] + h[t-1] Uf) : n x m
        f_t += h_prev.dot(Uf, out=scratch)
        sigmoid(f_t, out=f_t)
        # o[t] = sigmoid(zo_in[t] + h[t-1] Uo) : n x m
        o_t += h_prev.dot(Uo, out=scratch)
        sigmoid(o_t, out=o_t)
        # g[t] = tanh(zg_in[t] + h[t-1] Ug) : n x m
        g_t += h_prev.dot(Ug, out=scratch)
        np.tanh(g_t, out=g_t)
        # c[t] = f[t] .* c[t-1] + i[t] .* g[t] : n x m
        np.multiply(f_t, c_prev, out=c_t)
        c_t += np.multiply(i_t, g_t, out=scratch)
        # a[t] = tanh(c[t]) : n x m
        np.tanh(c_t, out=a_t)
        # h[t] = o[t] .* a[t] : n x m
        np.multiply(o_t, a_t, out=h_t)
    # P = h[T] V : n x k
    P = h[-1].dot(V, out=ws.P)
    # R = y - P : n x k
    R = np.subtract(y, P, out=P)
    # loss = norm(R)^2 / n
    loss = np.vdot(R, R) / n
    return float(loss), (ws, Ui, Uf, Uo, Ug, V, n, h, x_rows, R)


def _backward(cache, wrt):
    ws, Ui, Uf, Uo, Ug, V, n, h, x_rows, R = cache
    V_bar = Wi_bar = Ui_bar = bi_bar = Wf_bar = Uf_bar = bf_bar = Wo_bar = Uo_bar = bo_bar = None
    Wg_bar = Ug_bar = bg_bar = None
    # P_bar = -2 R / n : n x k
    P_bar = np.multiply(R, -2 / n, out=ws.P_bar)
    if wrt is None or "V" in wrt:
        # V_bar = h[T]^T P_bar : m x k
        V_bar = h[-1].T.dot(P_bar, out=ws.V_bar)
    # h_bar[T] = P_bar V^T : n x m
    h_bar = ws.h_bar
    P_bar.dot(V.T, out=h_bar)
    # c_prev_bar[T+1] = zeros(n,m) : n x m
    c_prev_bar = ws.c_prev_bar
    c_prev_bar[...] = 0
    # Ug_T = Ug^T : m x m
    Ug_T = np.positive(Ug.T, order="C", out=ws.Ug_T)
    # Uo_T = Uo^T : m x m
    Uo_T = np.positive(Uo.T, order="C", out=ws.Uo_T)
    # Uf_T = Uf^T : m x m
    Uf_T = np.positive(Uf.T, order="C", out=ws.Uf_T)
    # Ui_T = Ui^T : m x m
    Ui_T = np.positive(Ui.T, order="C", out=ws.Ui_T)
    one = ws.one
    S = ws.S
    c_bar_t = ws.c_bar_t
    scratch2 = ws.scratch2
    for a_t, o_t, zo_bar_t, g_t, zg_bar_t, i_t, zi_bar_t, f_t, zf_bar_t, c_prev in ws.steps_back:
        # S = 1 - a[t].^2 : n x m
        np.square(a_t, out=S)
        np.subtract(one, S, out=S)
        # c_bar[t] = (h_bar[t] .* o[t]) .* S + c_prev_bar[t+1] : n x m
        np.multiply(h_bar, o_t, out=c_bar_t)
        c_bar_t *= S
        c_bar_t += c_prev_bar
        # S3 = 1 - o[t] : n x m
        S3 = np.subtract(one, o_t, out=S)
        # zo_bar[t] = (h_bar[t] .* a[t]) .* o[t] .* S3 : n x m
        np.multiply(a_t, h_bar, out=zo_bar_t)
        zo_bar_t *= o_t
        zo_bar_t *= S3
        # S2 = 1 - g[t].^2 : n x m
        S2 = np.square(g_t, out=S3)
        np.subtract(one, S2, out=S2)
        # zg_bar[t] = (c_bar[t] .* i[t]) .* S2 : n x m
        np.multiply(c_bar_t, i_t, out=zg_bar_t)
        zg_bar_t *= S2
        # S5 = 1 - i[t] : n x m
        S5 = np.subtract(one, i_t, out=S2)
        # zi_bar[t] = (c_bar[t] .* g[t]) .* i[t] .* S5 : n x m
        np.multiply(g_t, c_bar_t, out=zi_bar_t)
        zi_bar_t *= i_t
        zi_bar_t *= S5
        # S4 = 1 - f[t] : n x m
        S4 = np.subtract(one, f_t, out=S5)
        # zf_bar[t] = (c_bar[t] .* c[t-1]) .* f[t] .* S4 : n x m
        np.multiply(c_bar_t, c_prev, out=zf_bar_t)
        zf_bar_t *= f_t
        zf_bar_t *= S4
        # h_bar[t-1] = zg_bar[t] Ug_T + zo_bar[t] Uo_T + zf_bar[t] Uf_T + zi_bar[t] Ui_T : n x m
        zg_bar_t.dot(Ug_T, out=h_bar)
        h_bar += zo_bar_t.dot(Uo_T, out=scratch2)
        h_bar += zf_bar_t.dot(Uf_T, out=scratch2)
        h_bar += zi_bar_t.dot(Ui_T, out=scratch2)
        # c_prev_bar[t] = c_bar[t] .* f[t] : n x m
        np.multiply(c_bar_t, f_t, out=c_prev_bar)
    zi_bar_rows = ws.zi_bar_rows
    if wrt is None or "Wi" in wrt:
        # Wi_bar = x[1..T]^T zi_bar[1..T] : d x m
        Wi_bar = x_rows.T.dot(zi_bar_rows, out=ws.Wi_bar)
    h_part = ws.h_part
    if wrt is None or "Ui" in wrt:
        # Ui_bar = h[0..T-1]^T zi_bar[1..T] : m x m
        Ui_bar = h_part.T.dot(zi_bar_rows, out=Ug_T)
    ones_row = ws.ones_row
    if wrt is None or "bi" in wrt:
        # bi_bar = sum(zi_bar[1..T], axis=0) : 1 x m
        bi_bar = ones_row.dot(zi_bar_rows, out=ws.bi_bar)
    zf_bar_rows = ws.zf_bar_rows
    if wrt is None or "Wf" in wrt:
        # Wf_bar = x[1..T]^T zf_bar[1..T] : d x m
        Wf_bar = x_rows.T.dot(zf_bar_rows, out=ws.Wf_bar)
    if wrt is None or "Uf" in wrt:
        # Uf_bar = h[0..T-1]^T zf_bar[1..T] : m x m
        Uf_bar = h_part.T.dot(zf_bar_rows, out=Uo_T)
    if wrt is None or "bf" in wrt:
        # bf_bar = sum(zf_bar[1..T], axis=0) : 1 x m
        bf_bar = ones_row.dot(zf_bar_rows, out=ws.bf_bar)
    zo_bar_rows = ws.zo_bar_rows
    if wrt is None or "Wo" in wrt:
        # Wo_bar = x[1..T]^T zo_bar[1..T] : d x m
        Wo_bar = x_rows.T.dot(zo_bar_rows, out=ws.Wo_bar)
    if wrt is None or "Uo" in wrt:
        # Uo_bar = h[0..T-1]^T zo_bar[1..T] : m x m
        Uo_bar = h_part.T.dot(zo_bar_rows, out=Uf_T)
    if wrt is None or "bo" in wrt:
        # bo_bar = sum(zo_bar[1..T], axis=0) : 1 x m
        bo_bar = ones_row.dot(zo_bar_rows, out=ws.bo_bar)
    zg_bar_rows = ws.zg_bar_rows
    if wrt is None or "Wg" in wrt:
        # Wg_bar = x[1..T]^T zg_bar[1..T] : d x m
        Wg_bar = x_rows.T.dot(zg_bar_rows, out=ws.Wg_bar)
    if wrt is None or "Ug" in wrt:
        # Ug_bar = h[0..T-1]^T zg_bar[1..T] : m x m
        Ug_bar = h_part.T.dot(zg_bar_rows, out=Ui_T)
    if wrt is None or "bg" in wrt:
        # bg_bar = sum(zg_bar[1..T], axis=0) : 1 x m
        bg_bar = ones_row.dot(zg_bar_rows, out=ws.bg_bar)
    return Gradients(
        Wi_bar,
        Ui_bar,
        bi_bar,
        Wf_bar,
        Uf_bar,
        bf_bar,
        Wo_bar,
        Uo_bar,
        bo_bar,
        Wg_bar,
        Ug_bar,
        bg_bar,
        V_bar,
    )


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
    Wi = rng.standard_normal((d, m))
    Ui = rng.standard_normal((m, m))
    bi = rng.standard_normal((1, m))
    Wf = rng.standard_normal((d, m))
    Uf = rng.standard_normal((m, m))
    bf = rng.standard_normal((1, m))
    Wo = rng.standard_normal((d, m))
    Uo = rng.standard_normal((m, m))
    bo = rng.standard_normal((1, m))
    Wg = rng.standard_normal((d, m))
    Ug = rng.standard_normal((m, m))
    bg = rng.standard_normal((1, m))
    V = rng.standard_normal((m, k))
    given = {
        "x": x,
        "y": y,
        "Wi": Wi,
        "Ui": Ui,
        "bi": bi,
        "Wf": Wf,
        "Uf": Uf,
        "bf": bf,
        "Wo": Wo,
        "Uo": Uo,
        "bo": bo,
        "Wg": Wg,
        "Ug": Ug,
        "bg": bg,
        "V": V,
    }
    structures = {
        "Wi": "",
        "Ui": "",
        "bi": "",
        "Wf": "",
        "Uf": "",
        "bf": "",
        "Wo": "",
        "Uo": "",
        "bo": "",
        "Wg": "",
        "Ug": "",
        "bg": "",
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
