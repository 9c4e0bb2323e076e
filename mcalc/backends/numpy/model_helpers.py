"""Functions that the module of a model brings along.

As `helpers`, with `out`: the buffer that the result is written to (a new array, if it is None).
"""

from __future__ import annotations

from collections.abc import Mapping

SIGMOID = '''
def sigmoid(X, out=None):
    """1 / (1 + exp(-X)), without overflow."""
    out = np.asarray(np.negative(X, out=out))
    limit, one = LIMITS[out.dtype.char]
    np.minimum(out, limit, out=out)
    np.exp(out, out=out)
    out += one
    return np.divide(one, out, out=out)[()]
'''

LIMITS = '''
LIMITS = {"d": (np.asarray(709.0), np.ones(())), "f": (np.asarray(88.0, "f"), np.ones((), "f"))}
"""The largest number whose exponential is finite, and one, by precision: as arrays, which NumPy takes faster."""
'''

SOFTPLUS = '''
def softplus(X, out=None):
    """log(1 + exp(X)) = max(X, 0) + log(1 + exp(-|X|)), without overflow."""
    small = np.asarray(np.abs(X))
    np.negative(small, out=small)
    np.exp(small, out=small)
    np.log1p(small, out=small)
    out = np.maximum(X, 0, out=out)
    out += small
    return out
'''

LARGEST_OF_ROWS = '''
def largest_of_rows(X, out=None):
    """The largest entry of each row; NumPy is slow along short rows, and compares their columns instead."""
    if X.shape[1] < 50:
        return np.maximum.reduce(X.T.copy(), axis=0, out=out)
    return np.maximum.reduce(X, axis=1, out=out)
'''

LOGSUMEXP = '''
def logsumexp(X, axis=None, out=None):
    """log(sum(exp(X))), shifted by the maximum."""
    top = largest_of_rows(X)[:, None] if axis == 1 else X.max(axis=axis, keepdims=True)
    shifted = np.subtract(X, top)
    total = np.exp(shifted, out=shifted).sum(axis=axis, out=out)
    total = np.log(total, out=out)
    return np.add(total, top.reshape(total.shape), out=out)
'''

SOFTMAX = '''
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
'''

SIGMOID_FROM = '''
def sigmoid_from(Z, small, out=None):
    """sigmoid(Z), where small = exp(-|Z|); `out` may be either of them."""
    above = np.maximum(small, Z >= 0)  # exp(min(Z, 0)): the indicator counts as 1
    return np.divide(above, np.add(small, 1, out=out), out=out)
'''

SIGMOID_OF_NEGATIVE_FROM = '''
def sigmoid_of_negative_from(Z, small, out=None):
    """sigmoid(-Z), where small = exp(-|Z|); `out` may be either of them."""
    above = np.maximum(small, Z <= 0)  # exp(min(-Z, 0)): the indicator counts as 1
    return np.divide(above, np.add(small, 1, out=out), out=out)
'''

WITH_OUT: Mapping[str, str] = {
    # operation to the functions that it calls
    "sigmoid": LIMITS + "\n" + SIGMOID, "softplus": SOFTPLUS,
    "largest_of_rows": LARGEST_OF_ROWS, "logsumexp": LOGSUMEXP, "softmax": SOFTMAX,
    "sigmoid_from": SIGMOID_FROM, "sigmoid_of_negative_from": SIGMOID_OF_NEGATIVE_FROM,
}  # fmt: skip

SPACE = '''
def space(buffer, shape, dtype):
    """The buffer, or new memory where there is none."""
    return np.empty(shape, dtype) if buffer is None else buffer
'''

ONES = '''
def ones(buffer, n, dtype):
    """The buffer, or a new vector of ones where there is none: A @ ones(n) are the sums of rows."""
    return np.ones(n, dtype) if buffer is None else buffer
'''

FITTING = '''
def fitting(workspace, sizes):
    """Raises TypeError where this is none of this module, ValueError where it is for other dimensions or precision."""
    if not isinstance(workspace, Workspace):
        raise TypeError(f"workspace: one of this module expected; got {type(workspace)}")
    if workspace.sizes != sizes:
        raise ValueError(f"the workspace is for {workspace.sizes}; the data have {sizes}")
'''

KNOWN = '''
def known_parameters(wrt):
    """The names as a tuple. Raises ValueError where one is no parameter's, TypeError where it is no sequence."""
    if isinstance(wrt, str):
        raise ValueError(f"wrt: a sequence of names expected, as ['{wrt}']; got the string {wrt}")
    try:
        named = tuple(wrt)
    except TypeError:
        names = ", ".join(Parameters._fields)
        raise TypeError(f"wrt: a sequence of names expected, of the parameters {names}; got {wrt!r}") from None
    unknown = [str(name) for name in named if name not in Parameters._fields]
    if unknown:
        raise ValueError(f"wrt: the parameters are {', '.join(Parameters._fields)}; got {', '.join(unknown)}")
    return named
'''

LISTED = '''
def listed(name, value, count, of="arrays"):
    """The arrays of a ragged argument, or the numbers of a ragged dimension."""
    if not isinstance(value, (list, tuple)) or len(value) != count:
        got = f"{len(value)} of them" if isinstance(value, (list, tuple)) else type(value)
        raise ValueError(f"{name}: a list of {count} {of} expected; got {got}")
    return value
'''

EXPECT = '''
def expect(name, array, *shape):
    """Raises ValueError where the shape of an argument is not this one."""
    if array.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}; got {array.shape}")
'''
