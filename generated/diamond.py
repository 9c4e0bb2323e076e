"""A graph of scalars with two ways from a to d.

    # A graph of scalars with two ways from a to d.
    model diamond

    input a : scalar
    param w1 : scalar
    param w2 : scalar
    param w3 : scalar
    param w4 : scalar

    b = w1 a
    c = w2 a
    d = w3 b + w4 c

    output d
    loss = 10 - d

Written by mcalc 0.1.0: mcalc generate diamond
"""

from typing import NamedTuple

import numpy as np

DIMENSIONS = ()
SHAPES = {"a": (), "w1": (), "w2": (), "w3": (), "w4": ()}


class Parameters(NamedTuple):
    """The parameters."""

    w1: np.ndarray
    w2: np.ndarray
    w3: np.ndarray
    w4: np.ndarray


class Gradients(NamedTuple):
    """The derivatives of the loss, one field for each parameter, with its shape; None where it was not asked for."""

    w1: np.ndarray
    w2: np.ndarray
    w3: np.ndarray
    w4: np.ndarray


class Workspace(NamedTuple):
    """Memory of `value_and_grad`, for data of one size; made by `workspace`."""

    sizes: tuple = ()
    nbytes: int = 0


NO_WORKSPACE = Workspace()
KEPT_BYTES = 2**26
"""The most memory that `value_and_grad` without a workspace keeps for its next call; 0 keeps none."""
KEPT = []


def forward(a, w1, w2, w3, w4):
    """(loss, cache); the cache is what `backward` needs."""
    return _forward(a, w1, w2, w3, w4, NO_WORKSPACE)


def backward(cache):
    """The gradients, from the cache of `forward`."""
    return _backward(cache, None)


def value_and_grad(a, w1, w2, w3, w4, *, wrt=None, workspace=None):
    """(loss, gradients).

    Arguments:
        a  : scalar
        w1 : scalar
        w2 : scalar
        w3 : scalar
        w4 : scalar

    `wrt` names the parameters whose gradients are wanted (all, if it is None). With a `workspace` the gradients are
    arrays of the workspace, which the next call with it overwrites. Without one, up to KEPT_BYTES of memory for what is
    not returned are kept for the next call.
    """
    if wrt is not None:
        wrt = known_parameters(wrt)
    loss, cache = _forward(a, w1, w2, w3, w4, workspace)
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


def predict(a, w1, w2, w3, w4):
    """d, from what it depends on."""
    a, w1, w2, w3, w4 = checked(
        {"a": (a, ()), "w1": (w1, ()), "w2": (w2, ()), "w3": (w3, ()), "w4": (w4, ())}
    )
    # d = w3 (w1 a) + w4 (w2 a)
    d = w3 * (w1 * a) + w4 * (w2 * a)
    return float(d)


def init(seed=None):
    """Parameters to start from: random numbers scaled by the number of inputs, zeros for what is added."""
    rng = np.random.default_rng(seed)
    w1 = rng.standard_normal()
    w2 = rng.standard_normal()
    w3 = rng.standard_normal()
    w4 = rng.standard_normal()
    return Parameters(w1=w1, w2=w2, w3=w3, w4=w4)


def workspace(*, dtype=np.float64):
    """Memory for `value_and_grad` with data of these dimensions and this precision."""
    return _buffers(np.dtype(dtype))


def _buffers(dtype):
    """A workspace."""
    return Workspace(sizes=(dtype,))


def fresh(dtype):
    """New buffers; gradients are not written to them."""
    ws = _buffers(dtype)
    owners = [buffer for buffer in ws if isinstance(buffer, np.ndarray) and buffer.base is None]
    return ws._replace(nbytes=sum(buffer.nbytes for buffer in owners))


def borrowed(dtype):
    """What the last call kept, if it had these dimensions; else new buffers."""
    try:
        ws = KEPT.pop()
    except IndexError:
        ws = NO_WORKSPACE
    return ws if ws.sizes == (dtype,) else fresh(dtype)


def keep(ws):
    """Keep buffers for the next call, unless they are too large."""
    if ws.nbytes <= KEPT_BYTES:
        KEPT[:] = [ws]


def _forward(a, w1, w2, w3, w4, ws):
    a, w1, w2, w3, w4 = checked(
        {"a": (a, ()), "w1": (w1, ()), "w2": (w2, ()), "w3": (w3, ()), "w4": (w4, ())}
    )
    dtype = a.dtype
    if ws is None:
        ws = borrowed(dtype)
    elif ws is NO_WORKSPACE:
        ws = fresh(dtype)
    else:
        fitting(ws, (dtype,))
    # d = w3 (w1 a) + w4 (w2 a)
    d = w3 * (w1 * a) + w4 * (w2 * a)
    # loss = 10 - d
    loss = 10 - d
    return float(loss), (ws, a, w1, w2, w3, w4, dtype)


def _backward(cache, wrt):
    _, a, w1, w2, w3, w4, dtype = cache
    w3_bar = w4_bar = None
    if wrt is None or "w3" in wrt:
        # w3_bar = -w1 a
        w3_bar = -w1 * a
    if wrt is None or "w4" in wrt:
        # w4_bar = -w2 a
        w4_bar = -w2 * a
    return Gradients(
        dtype.type(-w3 * a),
        dtype.type(-w4 * a),
        None if w3_bar is None else dtype.type(w3_bar),
        None if w4_bar is None else dtype.type(w4_bar),
    )


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
    a = rng.standard_normal()
    w1 = rng.standard_normal()
    w2 = rng.standard_normal()
    w3 = rng.standard_normal()
    w4 = rng.standard_normal()
    given = {"a": a, "w1": w1, "w2": w2, "w3": w3, "w4": w4}
    structures = {"w1": "", "w2": "", "w3": "", "w4": ""}
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
