"""The check that a module carries: its gradients against central differences at random data.

In: a model and the Python names; out: the function's text. Sizes are small and distinct; data have the declared
structure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcalc.backends.numpy.model_arguments import Given
from mcalc.backends.numpy.spelling import axes_text, size
from mcalc.model.ir import Model
from mcalc.program.operations import Axes

CHECK = '''
def check_gradients(seed=0, directions=3):
    """Compare the gradients with central differences along random directions; the largest relative error.

    Of three steps the best counts: a kink within a step, as of abs at 0, is no error of the gradient. Prints a line for
    each parameter; raises AssertionError where an error is above 1e-5, or the loss of the data is not finite.
    """
    rng = np.random.default_rng(seed)
    SAMPLE
    given = GIVEN
    structures = STRUCTURES
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
'''

SPD = '''
def spd(rng, n):
    """A random symmetric positive definite matrix."""
    A = rng.standard_normal((n, n))
    return A @ A.T + np.eye(n)
'''

_SIZES = (3, 2, 4, 5, 6, 7)


def sample_lines(model: Model, given: Sequence[Given], sizes: Mapping[str, str]) -> list[str]:
    """Dimensions, inputs and parameters of the check."""
    lines = []
    for place, python in enumerate(sizes.values()):
        lines.append(f"{python} = {_SIZES[place % len(_SIZES)]}")
    for g in given:
        sequence = model.sequences.get(g.argument.name)
        words = sequence.properties if sequence is not None else frozenset(g.argument.symbols[0].attrs[1])
        values = [_sample_of(p.axes, words, sizes) for p in g.pieces]
        lines.append(f"{g.python} = {'[' + ', '.join(values) + ']' if g.argument.ragged else values[0]}")
    return lines


def _sample_of(axes: Axes, words: frozenset[str], sizes: Mapping[str, str]) -> str:
    """A sample; of a sequence of matrices with a structure, one after another."""
    if len(axes) == 3 and words:
        return f"np.asarray([{_sample(axes_text(axes[1:], sizes), words)} for _ in range({size(axes[0], sizes)})])"
    return _sample(axes_text(axes, sizes) if axes else "()", words)


def _sample(shape: str, words: frozenset[str]) -> str:
    normal = f"rng.standard_normal({shape})" if shape != "()" else "rng.standard_normal()"
    n = shape[1:].split(",")[0]
    if "spd" in words or "psd" in words:
        return f"spd(rng, {n})"
    if "symmetric" in words:
        return f'direction(rng, np.zeros({shape}), "symmetric")'
    for word in ("skew", "diagonal", "lower", "upper"):
        if word in words:
            extra = f" + 2 * np.eye({n})" if word in ("lower", "upper", "diagonal") else ""
            return f'direction(rng, np.zeros({shape}), "{word}"){extra}'
    if "positive" in words:
        return f"np.exp({normal})"
    if "orthogonal" in words:
        return f"np.linalg.qr({normal})[0]"
    if "invertible" in words:
        return f"{normal} + 3 * np.eye({n})"
    return normal
