"""Negative log marginal likelihood of a Gaussian process with the squared exponential kernel.

    # Negative log marginal likelihood of a Gaussian process with the squared exponential kernel.
    # D holds squared distances; a, l and c are the logarithms of the signal variance, of the squared length
    # scale and of the noise variance, so that every value is allowed.
    model gp_marginal_likelihood

    input D : n x n symmetric
    input y : n
    param a : scalar
    param l : scalar
    param c : scalar

    K = exp(a) * exp(-D / (2 exp(l))) + exp(c) I(n)

    loss = 1/2 y^T K^-1 y + 1/2 logdet(K) + n/2 log(2 pi)

Written by mcalc 0.1.0: mcalc generate gp_marginal_likelihood
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ("n",)
SHAPES = {"D": ("n", "n"), "y": ("n",), "a": (), "l": (), "c": ()}


class Parameters(NamedTuple):
    """The parameters."""

    a: np.ndarray
    l: np.ndarray
    c: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    a: np.ndarray
    l: np.ndarray
    c: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0
    Z: np.ndarray = None
    K: np.ndarray = None
    K_inv: np.ndarray = None
    K_inv_y: np.ndarray = None
    K_bar: np.ndarray = None


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []

# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)


def forward(D, y, a, l, c):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(D, y, a, l, c, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(D, y, a, l, c, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        D : n x n symmetric
        y : n
        a : scalar
        l : scalar
        c : scalar

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(D, y, a, l, c, workspace)
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


def init(seed=None):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal()
    l = rng.standard_normal()
    c = rng.standard_normal()
    return Parameters(a=a, l=l, c=c)


def workspace(*, n, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(n, np.dtype(dtype))


def _buffers(n, dtype):
    """A workspace."""
    return Workspace(
        sizes=(n, dtype),
        Z=np.empty((n, n), dtype),
        K=np.empty((n, n), dtype),
        K_inv=np.empty((n, n), dtype),
        K_inv_y=np.empty((n,), dtype),
        K_bar=np.empty((n, n), dtype),
    )


def fresh(n, dtype):
    """New buffers; gradients are not written to them."""
    ws = _buffers(n, dtype)
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(n, dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (n, dtype) else fresh(n, dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(D, y, a, l, c, ws):
    try:
        n = D.shape[0]
        plain = (
            type(D) is type(y) is np.ndarray
            and type(a) is float
            and type(l) is float
            and type(c) is float
            and D.dtype is y.dtype
            and D.dtype.char in "fd"
            and D.shape == (n, n)
            and y.shape == (n,)
        )
    except (AttributeError, TypeError, ValueError, IndexError):
        plain = False
    if not plain:
        D, y, a, l, c = checked(
            {"D": (D, ("n", "n")), "y": (y, ("n",)), "a": (a, ()), "l": (l, ()), "c": (c, ())}
        )
        n = D.shape[0]
    dtype = D.dtype
    a = dtype.type(a)
    l = dtype.type(l)
    c = dtype.type(c)
    if ws is None:
        ws = borrowed(n, dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(n, dtype)
    else:
        fitting(ws, (n, dtype))
    # eK = exp(a)
    eK = np.exp(a)
    # e = exp(l)
    e = np.exp(l)
    # Z = D / 2 / e : n x n
    Z = np.multiply(D, 0.5 / e, out=ws.Z)
    # E = exp(-Z) : n x n
    E = np.negative(Z, out=Z)
    np.exp(E, out=E)
    # e2 = exp(c)
    e2 = np.exp(c)
    # K = eK E + e2 I : n x n
    K = np.multiply(E, eK, out=ws.K)
    np.einsum("ii->i", K)[...] += e2
    # L = L L^T = K, if it is positive definite : n x n
    L = cholesky_or_none(K)
    # K_inv = K^-1 : n x n
    K_inv = inverse_from(L, K, out=ws.K_inv)
    # K_inv_y = K_inv y = K^-1 y : n
    K_inv_y = K_inv.dot(y, out=ws.K_inv_y)
    # loss = y^T K_inv_y / 2 + logdet(K) / 2 + n log(2 pi) / 2
    loss = 0.5 * (y @ K_inv_y) + 0.5 * logdet_from(L, K) + 0.5 * n * float(np.log(2 * np.pi))
    return float(loss), (ws, D, dtype, eK, e, E, e2, K, K_inv, K_inv_y)


def _backward(cache, wrt):
    ws, D, dtype, eK, e, E, e2, K, K_inv, K_inv_y = cache
    c_bar = l_bar = a_bar = None
    # K_bar = (K_inv - K_inv_y K_inv_y^T) / 2 : n x n
    K_bar = K_inv_y[:, None].dot(K_inv_y[None], out=ws.K_bar)
    np.subtract(K_inv, K_bar, out=K_bar)
    K_bar *= 0.5
    if wrt is None or "c" in wrt:
        # c_bar = tr(K_bar) e2
        c_bar = np.trace(K_bar) * e2
    if wrt is None or "l" in wrt:
        # Z_bar = -eK (K_bar .* E) : n x n
        Z_bar = np.multiply(K_bar, E, out=K)
        Z_bar *= -eK
        # l_bar = -tr(D^T Z_bar) / 2 / e
        l_bar = -0.5 * np.vdot(D, Z_bar) / e
    if wrt is None or "a" in wrt:
        # a_bar = tr(E^T K_bar) eK
        a_bar = np.vdot(E, K_bar) * eK
    return Gradients(
        None if a_bar is None else dtype.type(a_bar),
        None if l_bar is None else dtype.type(l_bar),
        None if c_bar is None else dtype.type(c_bar),
    )


def cholesky_or_none(K):
    """L with L L^T = K; None where K is symmetric, but not positive definite."""
    try:
        return np.linalg.cholesky(K)
    except np.linalg.LinAlgError:
        return None


def gram_of_lower(M, out=None):
    """M^T M for M lower triangular, by blocks of columns: what is above the diagonal is not multiplied."""
    out = np.empty(M.shape, M.dtype) if out is None else out
    for i in range(0, len(M), 48):
        j = i + 48
        np.matmul(M[i:, i:j].T, M[i:, :j], out=out[i:j, :j])
        out[:i, i:j] = out[i:j, :i].T
    return out


def inverse_from(L, K, out=None):
    """K^-1 = L^-T L^-1, where L L^T = K; by elimination where there is no L."""
    if L is None:
        return np.positive(np.linalg.inv(K), out=out)
    return gram_of_lower(inverse_of_lower(L), out)


def inverse_of_lower(L, out=None):
    """L^-1 for L lower triangular, by blocks of 32 columns from the last to the first; `out` may be L.

    The inverse of [A 0; B C] has the columns X with X A = [I; -C^-1 B], then those of C^-1. Where A^-1 is large, X is
    corrected by what it misses of that: it is as accurate as by substitution then.
    """
    n = len(L)
    if n < 50:  # L^T is upper triangular: it is inverted by substitution alone
        return np.positive(np.linalg.inv(L.T).T, order="C", out=out)
    out = np.empty(L.shape, L.dtype) if out is None else out
    out[...] = L
    identity = np.eye(32, dtype=L.dtype)
    # the blocks on the diagonal; the last may be smaller
    blocks = np.tile(identity, (-(-n // 32), 1, 1))
    for i in range(0, n, 32):
        j = i + 32
        blocks[i // 32, : n - i, : n - i] = L[i:j, i:j]
    inverses = inverses_of_blocks(blocks)
    large = np.abs(blocks).max(axis=(1, 2)) * np.abs(inverses).max(axis=(1, 2)) > 10
    for k in range(len(blocks) - 1, -1, -1):
        i, j = 32 * k, 32 * k + 32
        A, A_inv = blocks[k, : n - i, : n - i], inverses[k, : n - i, : n - i]
        P = np.empty((n - i, len(A)), L.dtype)
        P[:32] = -identity[: n - i, : n - i]
        for start in range(j, n, 64):  # C^-1 B, where C^-1 is zero above the diagonal
            stop = start + 64
            np.matmul(out[start:stop, j:stop], out[j:stop, i:j], out=P[start - i : stop - i])
        X = np.dot(P, A_inv)
        if large[k]:
            missed = np.dot(X, A)
            missed -= P
            X -= np.dot(missed, A_inv)
        np.negative(X, out=out[i:, i:j])
    return out


def inverses_of_blocks(L):
    """The inverses of lower triangular 32 x 32 matrices: [A 0; B C]^-1 = [A^-1 0; -C^-1 B A^-1 C^-1], B from 1 x 1."""
    inverses = L.copy()
    np.einsum("kii->ki", inverses)[...] = 1 / np.einsum("kii->ki", L)
    for size in (1, 2, 4, 8, 16):
        count = 16 // size
        pairs = np.einsum("kiaib->kiab", inverses.reshape(-1, count, 2 * size, count, 2 * size))
        A, B, C = pairs[..., :size, :size], pairs[..., size:, :size], pairs[..., size:, size:]
        np.matmul(-C, np.matmul(B, A), out=B)
    return inverses


def logdet_from(L, K):
    """log|det(K)| = 2 log(det(L)), where L L^T = K; by elimination where there is no L."""
    return np.linalg.slogdet(K)[1] if L is None else 2 * np.log(np.diagonal(L)).sum()


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
    D = direction(rng, np.zeros((n, n)), "symmetric")
    y = rng.standard_normal((n,))
    a = rng.standard_normal()
    l = rng.standard_normal()
    c = rng.standard_normal()
    given = {"D": D, "y": y, "a": a, "l": l, "c": c}
    structures = {"a": "", "l": "", "c": ""}
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
