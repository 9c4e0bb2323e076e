"""Functions that a generated module brings along, where it uses them: name, text, what else it needs.

They are written for arrays of any number of axes and for scalars, in float32 and float64, and warn only where the
function itself is not finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcalc.algebra.functions import CODE_FUNCTIONS
from mcalc.program.ir import Array


class Helper(NamedTuple):
    """A function of the module; `imports` is a line that it needs at the top, `needs` other functions that it calls
    where it writes to buffers."""

    name: str
    code: str
    imports: str = ""
    needs: tuple[str, ...] = ()


_SIGMOID = '''
def sigmoid(x):
    """1 / (1 + exp(-x)), accurate in both tails: exp never sees a positive number."""
    small = np.exp(-np.abs(x))
    return np.maximum(small, x >= 0) / (1 + small)
'''

_COSIGMOID = '''
def cosigmoid(x):
    """1 / (1 - exp(-x)), without overflow: exp never sees a positive number."""
    small = -np.abs(x)
    return np.maximum(np.exp(small), x >= 0) / (-np.expm1(small) * np.sign(x))
'''

_LOG1MEXP = '''
def log1mexp(x):
    """log(1 - exp(x)) for x < 0: the smaller of exp(x) and 1 - exp(x) is what is rounded."""
    near = np.log(-np.expm1(np.where(x > -0.7, x, -1)))
    return np.where(x > -0.7, near, np.log1p(-np.exp(np.minimum(x, -0.7))))[()]
'''

_LOG_ERFC = '''
def log_erfc(x):
    """log(1 - erf(x)), in the right tail too, where 1 - erf(x) is zero."""
    tail = np.maximum(x, 0.5)
    return np.where(x > 0.5, np.log(erfcx(tail)) - tail * tail, np.log1p(-erf(np.minimum(x, 0.5))))[()]
'''

_LOG_HALF_ERFC = '''
def log_half_erfc(x):
    """log((1 - erf(x)) / 2), in both tails."""
    return log_ndtr(-float(np.sqrt(2)) * x)
'''

_SOFTPLUS = '''
def softplus(x):
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
'''

_LOGSUMEXP = '''
def logsumexp(X, axis=None):
    """log(sum(exp(X))), shifted by the maximum."""
    top = np.max(X, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(X - top), axis=axis)) + np.squeeze(top, axis=axis)
'''

_SOFTMAX = '''
def softmax(X, axis=None):
    """exp(X) / sum(exp(X)), shifted by the maximum."""
    E = np.exp(X - np.max(X, axis=axis, keepdims=True))
    return E / np.sum(E, axis=axis, keepdims=True)
'''

_FIRST_MAX = '''
def first_max(X):
    """1 at the largest entry, 0 elsewhere; of several largest, the first in column order counts."""
    mark = np.zeros_like(X)
    mark.T[np.unravel_index(np.argmax(X.T), X.T.shape)] = 1
    return mark
'''

_ADJUGATE = '''
def adjugate(A):
    """The adjugate, also of a singular matrix: A = U S V^T gives adj(A) = det(U) det(V) V adj(S) U^T (Stewart 1998)."""
    U, s, Vt = np.linalg.svd(A)
    others = np.where(np.eye(len(s), dtype=bool), 1, s).prod(axis=1)
    return np.linalg.det(U) * np.linalg.det(Vt) * (Vt.T * others) @ U.T
'''

_COMMUTATION = '''
def commutation(m, n):
    """The permutation p with K(m,n) A = A[p], where K(m,n) vec(X) = vec(X^T) for X m x n."""
    return np.arange(m * n).reshape(n, m).flatten(order="F")
'''

_DUPLICATION = '''
def duplication(n):
    """The rows p with D(n) A = A[p], where D(n) vech(X) = vec(X) for X symmetric."""
    j, i = np.divmod(np.arange(n * n), n)
    low, high = np.minimum(i, j), np.maximum(i, j)
    return low * (2 * n - low - 1) // 2 + high
'''

_ELIMINATION = '''
def elimination(n):
    """The rows p with L(n) A = A[p], where L(n) vec(X) = vech(X), the columns on and below the diagonal."""
    j, i = np.divmod(np.arange(n * n), n)
    return np.arange(n * n)[i >= j]
'''

_PUT = '''
def put(A, p, n):
    """P^T A with n rows, where P B = B[p]: row k of A is added to row p[k]."""
    result = np.zeros((n, *A.shape[1:]), dtype=A.dtype)
    np.add.at(result, p, A)
    return result
'''

_UNIT = '''
def unit(i, n, dtype):
    """The unit vector e_i of length n, i from 1."""
    return np.eye(1, n, i - 1, dtype=dtype)[0]
'''

_INVERSE_OF_LOWER = '''
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
'''

_INVERSES_OF_BLOCKS = '''
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
'''

_GRAM_OF_LOWER = '''
def gram_of_lower(M, out=None):
    """M^T M for M lower triangular, by blocks of columns: what is above the diagonal is not multiplied."""
    out = np.empty(M.shape, M.dtype) if out is None else out
    for i in range(0, len(M), 48):
        j = i + 48
        np.matmul(M[i:, i:j].T, M[i:, :j], out=out[i:j, :j])
        out[:i, i:j] = out[i:j, :i].T
    return out
'''

_CHOLESKY_OR_NONE = '''
def cholesky_or_none(K):
    """L with L L^T = K; None where K is symmetric, but not positive definite."""
    try:
        return np.linalg.cholesky(K)
    except np.linalg.LinAlgError:
        return None
'''

_INVERSE_FROM = '''
def inverse_from(L, K, out=None):
    """K^-1 = L^-T L^-1, where L L^T = K; by elimination where there is no L."""
    if L is None:
        return np.positive(np.linalg.inv(K), out=out)
    return gram_of_lower(inverse_of_lower(L), out)
'''

_SQUARE_OF_RESIDUAL = '''
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
'''

_LOGDET_FROM = '''
def logdet_from(L, K):
    """log|det(K)| = 2 log(det(L)), where L L^T = K; by elimination where there is no L."""
    return np.linalg.slogdet(K)[1] if L is None else 2 * np.log(np.diagonal(L)).sum()
'''

HELPERS: Mapping[str, Helper] = {
    helper.name: helper
    for helper in (
        Helper("sigmoid", _SIGMOID),
        Helper("softplus", _SOFTPLUS),
        Helper("logsumexp", _LOGSUMEXP, needs=("largest_of_rows",)),
        Helper("softmax", _SOFTMAX, needs=("largest_of_rows",)),
        Helper("first_max", _FIRST_MAX),
        Helper("adjugate", _ADJUGATE),
        Helper("commutation", _COMMUTATION),
        Helper("duplication", _DUPLICATION),
        Helper("elimination", _ELIMINATION),
        Helper("put", _PUT),
        Helper("unit", _UNIT),
        Helper("inverse_of_lower", _INVERSE_OF_LOWER, needs=("inverses_of_blocks",)),
        Helper("inverses_of_blocks", _INVERSES_OF_BLOCKS),
        Helper("gram_of_lower", _GRAM_OF_LOWER),
        Helper("cholesky_or_none", _CHOLESKY_OR_NONE),
        Helper("inverse_from", _INVERSE_FROM, needs=("inverse_of_lower", "gram_of_lower")),
        Helper("logdet_from", _LOGDET_FROM),
        Helper("square_of_residual", _SQUARE_OF_RESIDUAL),
        Helper("erf", "", "from scipy.special import erf"),
        Helper("erfcx", "", "from scipy.special import erfcx"),
        Helper("log_ndtr", "", "from scipy.special import log_ndtr"),
        Helper("log_erfc", _LOG_ERFC, needs=("erf", "erfcx")),
        Helper("log_half_erfc", _LOG_HALF_ERFC, needs=("log_ndtr",)),
        Helper("log1mexp", _LOG1MEXP),
        Helper("cosigmoid", _COSIGMOID),
        Helper("expm", "", "from scipy.linalg import expm"),
    )
}

USES: Mapping[str, str] = {
    # operation: the helper that its text calls
    "sigmoid": "sigmoid", "softplus": "softplus", "logsumexp": "logsumexp", "softmax": "softmax",
    "first_max": "first_max", "first_min": "first_max", "adjugate": "adjugate", "commutation": "commutation",
    "permute": "commutation", "duplication": "duplication", "elimination": "elimination", "put": "put", "unit": "unit",
    **{name: name for name in CODE_FUNCTIONS},
    "erf": "erf", "expm": "expm", "lower_inverse": "inverse_of_lower", "lower_gram": "gram_of_lower",
    "try_cholesky": "cholesky_or_none", "inv_from": "inverse_from", "logdet_from": "logdet_from",
    "residual_square": "square_of_residual",
}  # fmt: skip


def called(a: Array) -> set[str]:
    """The helpers that the text of an operation calls."""
    chosen = {a.attrs[0]} if a.op in ("take", "put") else set()
    return chosen | ({USES[a.op]} if a.op in USES else set())


def with_needs(names: Iterable[str]) -> set[str]:
    """The names, and those of the functions that they call, and that these call."""
    pending = list(names)
    for name in pending:
        pending += HELPERS[name].needs if name in HELPERS else ()
    return set(pending)


_CHECKED = '''
def checked(PARAMETERS):
    """The arguments as arrays of one precision: float32 if all arrays are, else float64.

    Raises TypeError where one is not made of real numbers, ValueError where a shape is not the declared one, or where
    entries are masked.
    """
    arrays, sizes = {}, {}
    for ITEMS
        try:
            array = arrays[name] = np.asarray(value)
        except ValueError:
            raise ValueError(f"{name}: the rows have different lengths") from None
        if np.ma.is_masked(value):
            raise ValueError(f"{name}: entries are masked")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: real numbers expected, got {array.dtype}")
        pairs = zip(declared, array.shape, strict=False)
        expected = [d if isinstance(d, int) else sizes.setdefault(d, (s, name))[0] for d, s in pairs]
        if array.ndim != len(declared) or list(array.shape) != expected:
            wanted = " x ".join(map(str, declared)) or "scalar"
            known = {d: sizes[d] for d in declared if d in sizes and sizes[d][1] != name}
            told = "".join(f", {d} = {size} in {place}" for d, (size, place) in known.items())
            raise ValueError(f"{name}: expected shape {wanted}{told}; got {array.shape}")
    judged = [a.dtype for a in arrays.values() if a.ndim] or [a.dtype for a in arrays.values()]
    single = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in judged)
    precision = np.float32 if single else np.float64
    return [a.astype(precision, copy=False)[()] for a in arrays.values()]
'''


def _checked(parameters: str, items: str) -> str:
    return _CHECKED.replace("PARAMETERS", parameters).replace("ITEMS", items)


KEEPING = """
# Freed at once: from then on malloc (glibc, M_MMAP_THRESHOLD) keeps what a call frees for the next one. To fetch memory
# from the system again takes about as much time as to compute with it.
np.empty(2**21)
"""

CHECKED = _checked("**arguments", "name, value in arguments.items():\n        declared = SHAPES[name]")
"""The shapes are those of the table SHAPES."""
CHECKED_WITH_SHAPES = _checked("arguments", "name, (value, declared) in arguments.items():")
"""The shapes come with the arguments."""

EXPECT = '''
def expect(name, array, *shape):
    """Raises ValueError where the shape of an argument is not this one."""
    if array.shape != shape:
        wanted = " x ".join(map(str, SHAPES[name]))
        raise ValueError(f"{name}: expected shape {wanted}, here {shape}; got {array.shape}")
'''
