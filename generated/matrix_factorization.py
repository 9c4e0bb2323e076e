"""Low-rank factorization X ~ U V^T with quadratic penalties.

    # Low-rank factorization X ~ U V^T with quadratic penalties.
    model matrix_factorization

    input X : n x d
    input lambda : scalar
    param U : n x k
    param V : d x k

    loss = norm(X - U V^T)^2 + lambda (norm(U)^2 + norm(V)^2)

Written by mcalc 0.1.0: mcalc generate matrix_factorization
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n", "d", "k")
SHAPES = {"X": ("n", "d"), "lambda_": (), "U": ("n", "k"), "V": ("d", "k")}


class Parameters(NamedTuple):
    """The parameters."""

    U: np.ndarray
    V: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    U: np.ndarray
    V: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    block_rows: int = 0
    R: np.ndarray = None
    R_bar: np.ndarray = None
    U_bar: np.ndarray = None
    scratch: np.ndarray = None
    V_bar: np.ndarray = None
    scratch2: np.ndarray = None
    RtU: np.ndarray = None
    scratch3: np.ndarray = None
    scratch4: np.ndarray = None
    XtU: np.ndarray = None
    UtU: np.ndarray = None
    VtV: np.ndarray = None
    scratch5: np.ndarray = None
    scratch6: np.ndarray = None
    scratch7: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(X, lambda_, U, V):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(X, lambda_, U, V, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(X, lambda_, U, V, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        X       : n x d
        lambda_ : scalar (lambda in the model)
        U       : n x k
        V       : d x k

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
        loss, gradients = _by_rows(X, lambda_, U, V, ws, wrt)
    else:
        loss, gradients = _at_once(X, lambda_, U, V, workspace, wrt)
    if wrt is not None:
        gradients = Gradients(
            *(
                g if name in wrt else None
                for name, g in zip(Gradients._fields, gradients, strict=True)
            )
        )
    return loss, gradients


def init(seed=None, *, n, d, k):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((n, k)) / np.sqrt(max(n, 1))
    V = rng.standard_normal((d, k)) / np.sqrt(max(d, 1))
    return Parameters(U=U, V=V)


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
    R = np.empty((block_rows or n, d), dtype)
    return Workspace(
        sizes=(n, d, k, dtype),
        block_rows=block_rows,
        R=R,
        R_bar=np.empty((block_rows or n, d), dtype) if apart else R[...],
        U_bar=np.empty((n, k), dtype),
        scratch=np.empty((block_rows or n, k), dtype),
        V_bar=np.empty((d, k), dtype),
        scratch2=np.empty((d, k), dtype),
        RtU=np.empty((d, k), dtype),
        scratch3=np.empty((block_rows or n, k), dtype),
        scratch4=np.empty((d, k), dtype),
        XtU=np.empty((d, k), dtype),
        UtU=np.empty((k, k), dtype),
        VtV=np.empty((k, k), dtype),
        scratch5=np.empty((d, k), dtype),
        scratch6=np.empty((k, k), dtype),
        scratch7=np.empty((block_rows or n, k), dtype),
    )


def fresh(n, d, k, dtype, apart=False):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, d, k, dtype, whole=True, apart=apart)._replace(
        U_bar=None,
        V_bar=None,
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


def _at_once(X, lambda_, U, V, ws, wrt):
    """(loss, gradients) of all rows; without a workspace, in the memory that the last call has kept."""
    loss, cache = _forward(X, lambda_, U, V, ws)
    gradients = _backward(cache, wrt)
    if ws is None:
        keep(cache[0])
    return loss, gradients


def _forward(X, lambda_, U, V, ws):
    try:
        n, d = X.shape
        k = U.shape[1]
        plain = (
            type(X) is type(U) is type(V) is np.ndarray
            and type(lambda_) is float
            and X.dtype is U.dtype is V.dtype
            and X.dtype.char in "fd"
            and U.shape == (n, k)
            and V.shape == (d, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, lambda_, U, V = checked(
            {
                "X": (X, ("n", "d")),
                "lambda": (lambda_, ()),
                "U": (U, ("n", "k")),
                "V": (V, ("d", "k")),
            }
        )
        n, d = X.shape
        k = U.shape[1]
    dtype = X.dtype
    lambda_ = dtype.type(lambda_)
    if ws is None:
        ws = borrowed(n, d, k, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, d, k, dtype, apart=True)
    else:
        fitting(ws, (n, d, k, dtype))
    form = FORMS[cheaper(n, d, k, (X, U, V.T))]
    loss, cache = form.forward(X, lambda_, U, V, n, d, k, dtype, ws)
    if loss != loss:  # not a number: the terms have cancelled
        form = FORMS["residual"]
        loss, cache = form.forward(X, lambda_, U, V, n, d, k, dtype, ws)
    return loss, (ws, form, cache)


def _backward(cache, wrt):
    _, form, cache = cache
    return form.backward(cache, wrt)


# --- the residuals are computed


def _forward_residual(X, lambda_, U, V, n, d, k, dtype, ws):
    # R = X - U V^T : n x d
    R = U.dot(V.T, out=ws.R)
    np.subtract(X, R, out=R)
    # loss = norm(R)^2 + lambda (norm(U)^2 + norm(V)^2)
    loss = np.vdot(R, R) + lambda_ * (np.vdot(U, U) + np.vdot(V, V))
    return float(loss), (ws, lambda_, U, V, R)


def _backward_residual(cache, wrt):
    ws, lambda_, U, V, R = cache
    U_bar = V_bar = None
    # R_bar = 2 R : n x d
    R_bar = np.multiply(R, 2, out=ws.R_bar)
    if wrt is None or "U" in wrt:
        # U_bar = 2 lambda U - R_bar V : n x k
        U_bar = np.multiply(U, lambda_, out=ws.U_bar)
        U_bar *= 2
        U_bar -= R_bar.dot(V, out=ws.scratch)
    if wrt is None or "V" in wrt:
        # V_bar = 2 lambda V - R_bar^T U : d x k
        V_bar = np.multiply(V, lambda_, out=ws.V_bar)
        V_bar *= 2
        V_bar -= R_bar.T.dot(U, out=ws.scratch2)
    return Gradients(U_bar, V_bar)


def _by_rows_residual(X, lambda_, U, V, n, d, k, dtype, ws, rows, wrt):
    V_bar = None
    RR = 0.0
    UU = 0.0
    U_bar = space(ws.U_bar, (n, k), dtype)
    RtU = space(ws.RtU, (d, k), dtype)
    RtU[...] = 0
    R = space(ws.R, (rows, d), dtype)
    scratch3 = space(ws.scratch3, (rows, k), dtype)
    scratch4 = space(ws.scratch4, (d, k), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        U_b, X_b, U_bar_b = U[start:stop], X[start:stop], U_bar[start:stop]
        if stop > n:  # the last block is shorter
            R, scratch3 = R[: n - start], scratch3[: n - start]
        # R = X - U V^T : n x d
        U_b.dot(V.T, out=R)
        np.subtract(X_b, R, out=R)
        # RR += norm(R)^2
        RR += np.vdot(R, R)
        # UU += norm(U)^2
        UU += np.vdot(U_b, U_b)
        if wrt is None or "U" in wrt:
            # U_bar = 2 lambda U - 2 R V : n x k
            np.multiply(U_b, lambda_, out=U_bar_b)
            U_bar_b *= 2
            R.dot(V, out=scratch3)
            U_bar_b -= np.multiply(scratch3, 2, out=scratch3)
        if wrt is None or "V" in wrt:
            # RtU += R^T U : d x k
            RtU += R.T.dot(U_b, out=scratch4)
    # loss = RR + lambda (UU + norm(V)^2)
    loss = RR + lambda_ * (UU + np.vdot(V, V))
    if wrt is None or "V" in wrt:
        # V_bar = 2 lambda V - 2 RtU : d x k
        V_bar = np.multiply(V, lambda_, out=ws.V_bar)
        V_bar *= 2
        V_bar -= np.multiply(RtU, 2, out=scratch4)
    return float(loss), Gradients(U_bar, V_bar)


# --- the residuals are not computed: |X - U V|^2 = |X|^2 - 2 <X, U V> + <U^T U, V V^T>


def _forward_expanded(X, lambda_, U, V, n, d, k, dtype, ws):
    # XtU = X^T U : d x k
    XtU = X.T.dot(U, out=ws.XtU)
    # UtU = U^T U : k x k
    UtU = U.T.dot(U, out=ws.UtU)
    # VtV = V^T V : k x k
    VtV = V.T.dot(V, out=ws.VtV)
    # loss = norm(X)^2 - 2 tr(XtU^T V) + tr(UtU VtV) + lambda (norm(U)^2 + norm(V)^2)
    loss = square_of_residual(np.vdot(X, X), np.vdot(XtU, V), UtU, VtV) + lambda_ * (
        np.vdot(U, U) + np.vdot(V, V)
    )
    return float(loss), (ws, X, lambda_, U, V, XtU, UtU, VtV)


def _backward_expanded(cache, wrt):
    ws, X, lambda_, U, V, XtU, UtU, VtV = cache
    U_bar = V_bar = None
    if wrt is None or "U" in wrt:
        # U_bar = 2 (lambda U + U VtV - X V) : n x k
        U_bar = np.multiply(U, lambda_, out=ws.U_bar)
        U_bar += U.dot(VtV, out=ws.scratch)
        U_bar -= X.dot(V, out=ws.scratch)
        U_bar *= 2
    if wrt is None or "V" in wrt:
        # V_bar = 2 (lambda V + V UtU - XtU) : d x k
        V_bar = np.multiply(V, lambda_, out=ws.V_bar)
        V_bar += V.dot(UtU, out=ws.scratch2)
        V_bar -= XtU
        V_bar *= 2
    return Gradients(U_bar, V_bar)


def _by_rows_expanded(X, lambda_, U, V, n, d, k, dtype, ws, rows, wrt):
    V_bar = None
    # VtV = V^T V : k x k
    VtV = V.T.dot(V, out=ws.VtV)
    XX = 0.0
    XtU = space(ws.XtU, (d, k), dtype)
    XtU[...] = 0
    UtU = space(ws.UtU, (k, k), dtype)
    UtU[...] = 0
    UU = 0.0
    U_bar = space(ws.U_bar, (n, k), dtype)
    scratch5 = space(ws.scratch5, (d, k), dtype)
    scratch6 = space(ws.scratch6, (k, k), dtype)
    scratch7 = space(ws.scratch7, (rows, k), dtype)
    for start in range(0, n, rows):
        stop = start + rows
        X_b, U_b, U_bar_b = X[start:stop], U[start:stop], U_bar[start:stop]
        if stop > n:  # the last block is shorter
            scratch7 = scratch7[: n - start]
        # XX += norm(X)^2
        XX += np.vdot(X_b, X_b)
        # XtU += X^T U : d x k
        XtU += X_b.T.dot(U_b, out=scratch5)
        # UtU += U^T U : k x k
        UtU += U_b.T.dot(U_b, out=scratch6)
        # UU += norm(U)^2
        UU += np.vdot(U_b, U_b)
        if wrt is None or "U" in wrt:
            # U_bar = 2 (lambda U + U VtV - X V) : n x k
            np.multiply(U_b, lambda_, out=U_bar_b)
            U_bar_b += U_b.dot(VtV, out=scratch7)
            U_bar_b -= X_b.dot(V, out=scratch7)
            U_bar_b *= 2
    # loss = XX - 2 tr(XtU^T V) + tr(UtU VtV) + lambda (UU + norm(V)^2)
    loss = square_of_residual(XX, np.vdot(XtU, V), UtU, VtV) + lambda_ * (UU + np.vdot(V, V))
    if wrt is None or "V" in wrt:
        # V_bar = 2 (lambda V + V UtU - XtU) : d x k
        V_bar = np.multiply(V, lambda_, out=ws.V_bar)
        V_bar += V.dot(UtU, out=scratch5)
        V_bar -= XtU
        V_bar *= 2
    return float(loss), Gradients(U_bar, V_bar)


class Form(NamedTuple):
    """The functions with one form of the squares of residuals."""

    forward: object
    backward: object
    by_rows: object


FORMS = {
    "residual": Form(_forward_residual, _backward_residual, _by_rows_residual),
    "expanded": Form(_forward_expanded, _backward_expanded, _by_rows_expanded),
}
"""Without the residuals there is less to compute where the product that is fitted is thin."""


LEAST_SAVED = 300_000
"""So many multiplications take as long as the calls that the expanded form has more."""


def cheaper(n, d, k, *residuals):
    """The form that takes less time; where a residual X - U V is small, the one that does not cancel.

    Expanded, a product with X is saved, and there are four of U or V with a square matrix as thin as they are.
    """
    thin = k * (n * d - 2 * k * (n + d)) > LEAST_SAVED
    return "expanded" if thin and not any(fits(*residual) for residual in residuals) else "residual"


def _by_rows(X, lambda_, U, V, ws, wrt):
    """(loss, gradients) in one pass over X, a block of rows at a time.

    Both are made of sums over the rows. Each block is used by all products while it is in the cache, and what is
    computed of it is overwritten by the next: comments name whole matrices, the code has the rows of a block.
    """
    try:
        n, d = X.shape
        k = U.shape[1]
        plain = (
            type(X) is type(U) is type(V) is np.ndarray
            and type(lambda_) is float
            and X.dtype is U.dtype is V.dtype
            and X.dtype.char in "fd"
            and U.shape == (n, k)
            and V.shape == (d, k)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        X, lambda_, U, V = checked(
            {
                "X": (X, ("n", "d")),
                "lambda": (lambda_, ()),
                "U": (U, ("n", "k")),
                "V": (V, ("d", "k")),
            }
        )
        n, d = X.shape
        k = U.shape[1]
    dtype = X.dtype
    lambda_ = dtype.type(lambda_)
    if ws is not NO_WORKSPACE:
        fitting(ws, (n, d, k, dtype))
    rows = ws.block_rows or rows_of_block(n, d, k, dtype.itemsize)
    if not rows:
        return _at_once(X, lambda_, U, V, None if ws is NO_WORKSPACE else ws, wrt)
    loss, gradients = FORMS[cheaper(n, d, k, (X, U, V.T))].by_rows(
        X, lambda_, U, V, n, d, k, dtype, ws, rows, wrt
    )
    if loss != loss:  # not a number: the terms have cancelled
        loss, gradients = FORMS["residual"].by_rows(X, lambda_, U, V, n, d, k, dtype, ws, rows, wrt)
    return loss, gradients


CANCELLED = {"d": 1e-3, "f": 1e-2}
"""An expanded square that is a smaller share of its terms, by precision, has lost too many digits."""


def square_of_residual(XX, XUV, UU, VV):
    """|X - U V|^2 = |X|^2 - 2 <X, U V> + <U^T U, V V^T>; nan where the terms cancel, as in a good fit.

    Rounding errors are relative to the terms: |X|^2, and the |u_k|^2 |v_k|^2 of U V, the sum of the u_k v_k^T.
    """
    square = float(XX) - 2 * float(XUV) + float(np.vdot(UU, VV))
    terms = float(XX) + float(np.dot(np.diagonal(UU), np.diagonal(VV)))
    return UU.dtype.type(square if square > CANCELLED[UU.dtype.char] * terms else np.nan)


def fits(X, U, V):
    """Whether |X - U V|^2 is likely to cancel when it is expanded, by the look of some rows."""
    step = max(1, len(X) // 16)
    X = X[::step]
    R = X - U[::step] @ V
    return np.vdot(R, R) <= 2 * CANCELLED[X.dtype.char] * np.vdot(X, X)


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
    entries = max(2 * d + 3 * k, 1)  # of a row, and of what is computed of it
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
    X = rng.standard_normal((n, d))
    lambda_ = rng.standard_normal()
    U = rng.standard_normal((n, k))
    V = rng.standard_normal((d, k))
    given = {"X": X, "lambda_": lambda_, "U": U, "V": V}
    structures = {"U": "", "V": ""}
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
