"""Functions that a generated module brings along, where it uses them: name, text, what else it needs.

They are written for arrays of any number of axes and for scalars, in float32 and float64, and warn only where the
function itself is not finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Helper(NamedTuple):
    """A function of the module; `imports` is a line that it needs at the top."""

    name: str
    code: str
    imports: str = ""


_SIGMOID = '''
def sigmoid(x):
    """1 / (1 + exp(-x)), accurate in both tails: exp never sees a positive number."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)
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

HELPERS: Mapping[str, Helper] = {
    helper.name: helper
    for helper in (
        Helper("sigmoid", _SIGMOID),
        Helper("softplus", _SOFTPLUS),
        Helper("logsumexp", _LOGSUMEXP),
        Helper("softmax", _SOFTMAX),
        Helper("first_max", _FIRST_MAX),
        Helper("adjugate", _ADJUGATE),
        Helper("commutation", _COMMUTATION),
        Helper("duplication", _DUPLICATION),
        Helper("elimination", _ELIMINATION),
        Helper("put", _PUT),
        Helper("unit", _UNIT),
        Helper("erf", "", "from scipy.special import erf"),
        Helper("expm", "", "from scipy.linalg import expm"),
    )
}

USES: Mapping[str, str] = {
    # operation: the helper that its text calls
    "sigmoid": "sigmoid", "softplus": "softplus", "logsumexp": "logsumexp", "softmax": "softmax",
    "first_max": "first_max", "first_min": "first_max", "adjugate": "adjugate", "commutation": "commutation",
    "permute": "commutation", "duplication": "duplication", "elimination": "elimination", "put": "put", "unit": "unit",
    "erf": "erf", "expm": "expm",
}  # fmt: skip

CHECKED = '''
def checked(**arguments):
    """The arguments as arrays of one precision: float32 if all arrays are, else float64.

    Raises TypeError where one is not made of real numbers, ValueError where a shape is not as `SHAPES` declares it.
    """
    arrays = {name: np.asarray(value) for name, value in arguments.items()}
    sizes = {}
    for name, array in arrays.items():
        declared = SHAPES[name]
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name}: real numbers expected, got {array.dtype}")
        expected = [d if isinstance(d, int) else sizes.setdefault(d, s) for d, s in zip(declared, array.shape)]
        if array.ndim != len(declared) or list(array.shape) != expected:
            wanted = " x ".join(map(str, declared)) or "scalar"
            known = "".join(f", {d} = {sizes[d]}" for d in dict.fromkeys(declared) if d in sizes)
            raise ValueError(f"{name}: expected shape {wanted}{known}; got {array.shape}")
    judged = [a.dtype for a in arrays.values() if a.ndim] or [a.dtype for a in arrays.values()]
    single = all(dtype.kind == "f" and dtype.itemsize <= 4 for dtype in judged)
    precision = np.float32 if single else np.float64
    return [a.astype(precision, copy=False)[()] for a in arrays.values()]
'''

EXPECT = '''
def expect(name, array, *shape):
    """Raises ValueError where the shape of an argument is not this one."""
    if array.shape != shape:
        wanted = " x ".join(map(str, SHAPES[name]))
        raise ValueError(f"{name}: expected shape {wanted}, here {shape}; got {array.shape}")
'''
