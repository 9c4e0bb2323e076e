"""The module as its user meets it: arguments, shapes, precision, names; and what may not get into it."""

from __future__ import annotations

import ast
import gc
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcalc.algebra import operators as o
from mcalc.algebra.expr import Expr
from mcalc.algebra.shape import ONE, SCALAR, dim
from mcalc.backends.numpy import compile_value_and_grad, emit_function, emit_module
from mcalc.backends.numpy.emit import module_of
from mcalc.backends.numpy.module import compiled, formatted, formatted_text, loaded
from mcalc.backends.numpy.whitelist import check_module
from mcalc.errors import InternalError, NotSupported
from mcalc.frontend import parse

ROOT = Path(__file__).resolve().parents[2]
N, M = dim("n"), dim("m")


def build(f: str, where: str, **gradients: str) -> Callable[..., Any]:
    return compile_value_and_grad(*_built(f, where, gradients)[:2], arguments=_built(f, where, gradients)[2])


def source(f: str, where: str, **gradients: str) -> str:
    expression, built, arguments = _built(f, where, gradients)
    return emit_module(expression, built, arguments=arguments)


def _built(f: str, where: str, gradients: dict[str, str]) -> tuple[Expr, dict[Expr, Expr], list[Expr]]:
    parsed = parse(f, where=where, wrt=list(gradients))
    built = {
        x: parse(g, where=where, shape=x.shape).expression for x, g in zip(parsed.wrt, gradients.values(), strict=True)
    }
    return parsed.expression, built, [s.expr for s in parsed.symbols.values()]


def least_squares() -> Callable[..., Any]:
    return build("norm(X w - y)^2", "X: n x d; w: d; y: n", w="2 X^T (X w - y)")


def data(dtype: Any = np.float64) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=3).astype(dtype), rng.normal(size=5).astype(dtype)


# --- arguments --------------------------------------------------------------------------------------------------------


def test_arguments_stand_in_reading_order() -> None:
    assert list(inspect.signature(least_squares()).parameters) == ["X", "w", "y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, w, y: (X[0], w, y), r"X: expected shape n x d.*got \(3,\)"),
        (lambda X, w, y: (X, w[:2], y), r"w: expected shape d, d = 3 in X; got \(2,\)"),
        (lambda X, w, y: (X, w, y[:, None]), r"y: expected shape n, n = 5 in X; got \(5, 1\)"),
        (lambda X, w, y: (X, 1.0, y), r"w: expected shape d, d = 3 in X; got \(\)"),
    ],
)
def test_a_wrong_shape_is_named(change: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        least_squares()(*change(*data()))


@pytest.mark.parametrize("bad", ["text", None, 1j, ["a", "b", "c"]])
def test_what_is_no_number_is_refused(bad: Any) -> None:
    X, _, y = data()
    with pytest.raises(TypeError, match="w: real numbers expected"):
        least_squares()(X, bad, y)


def test_ragged_rows_and_masked_entries_are_refused_by_name() -> None:
    function = least_squares()
    with pytest.raises(ValueError, match="X: the rows have different lengths"):
        function([[1, 2], [3]], np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match="X: entries are masked"):
        function(np.ma.masked_array(np.eye(2), np.eye(2) > 0), np.ones(2), np.ones(2))


def test_square_matrices_and_fixed_lengths() -> None:
    function = build("tr(A) + x^T x", "A: n x n; x: 3", A="eye(n)")
    with pytest.raises(ValueError, match=r"A: expected shape n x n; got \(2, 3\)"):
        function(np.ones((2, 3)), np.ones(3))
    with pytest.raises(ValueError, match=r"x: expected shape 3; got \(4,\)"):
        function(np.ones((2, 2)), np.ones(4))


def test_lengths_that_are_sums_and_products() -> None:
    x, y, z = o.symbol("x", (N + dim(1), ONE)), o.symbol("y", (N * M, ONE)), o.symbol("z", (dim(2) * M, ONE))
    total = o.add(o.total(x), o.total(y), o.total(z), o.dimension_number(N), o.dimension_number(M))
    function = compile_value_and_grad(total, {x: o.ones(N + dim(1))}, arguments=[x, y, z])
    value, grad = function(np.ones(4), np.ones(6), np.ones(4))
    assert value == 4 + 6 + 4 + 3 + 2
    assert grad.shape == (4,)
    for wrong in ((4, 5, 4), (4, 6, 5), (3, 6, 4), (0, 6, 4)):
        with pytest.raises(ValueError, match="expected shape"):
            function(*map(np.ones, wrong))


def test_a_dimension_that_no_argument_has() -> None:
    x = o.symbol("x", (N * M, ONE))
    with pytest.raises(NotSupported, match="cannot be read off"):
        emit_function(o.total(x), {x: o.ones(N * M)}, arguments=[x])


def test_lists_integers_and_booleans_are_numbers() -> None:
    integers = np.arange(15).reshape(5, 3)
    value, grad = least_squares()(integers, [1, 2, 3], np.ones(5, dtype=bool))
    assert value.dtype == grad.dtype == np.float64
    assert value == ((integers @ [1, 2, 3] - 1) ** 2).sum()


@pytest.mark.parametrize("layout", ["fortran", "strided", "read-only", "transposed"])
def test_any_layout_of_memory(layout: str) -> None:
    X, w, y = data()
    expected = least_squares()(X, w, y)
    match layout:
        case "fortran":
            X = np.asfortranarray(X)
        case "strided":
            X, w = np.repeat(X, 2, axis=1)[:, ::2], np.repeat(w, 3)[::3]
        case "read-only":
            for a in (X, w, y):
                a.flags.writeable = False
        case "transposed":
            X = np.ascontiguousarray(X.T).T
    value, grad = least_squares()(X, w, y)
    assert value == pytest.approx(expected[0], rel=1e-14)
    assert grad == pytest.approx(expected[1], rel=1e-13)


def test_no_rows() -> None:
    value, grad = least_squares()(np.ones((0, 3)), np.ones(3), np.ones(0))
    assert value == 0
    assert grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("f", "where", "gradients"),
    [
        ("tr(A X)", "A: m x n; X: n x m", {"X": "A^T"}),
        ("a^T x", "a, x: n", {"x": "a"}),
        ("sum(A .* X)", "A, X: n x m", {"X": "A"}),
        ("tr(A diag(x))", "A: n x n; x: n", {"x": "diag(A)"}),
        ("x A b", "x: 1 x n; A: n x m; b: m", {"x": "(A b)^T"}),
        ("b x", "b: 1 x n; x: n", {"b": "x^T", "x": "b^T"}),
        ("X[1,:] b", "X: n x m; b: m", {"b": "X[1,:]^T"}),
    ],
)
def test_arguments_are_neither_changed_nor_returned(f: str, where: str, gradients: dict[str, str]) -> None:
    function = build(f, where, **gradients)
    rng = np.random.default_rng(0)
    shapes = {"n": 3, "m": 4}
    arguments = {
        name: rng.normal(size=[int(shapes.get(d, d)) for d in declared])
        for name, declared in function.__globals__["SHAPES"].items()
    }
    kept = {name: a.copy() for name, a in arguments.items()}
    _, grad = function(**arguments)
    for g in grad if isinstance(grad, tuple) else (grad,):
        assert not any(np.shares_memory(g, a) for a in arguments.values())
        assert g.flags.writeable
        g[...] = 0
    for name, a in arguments.items():
        assert (a == kept[name]).all()


# --- precision and results --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_in_is_precision_out(dtype: Any) -> None:
    value, grad = least_squares()(*data(dtype))
    assert value.dtype == grad.dtype == dtype


def test_a_scalar_argument_does_not_raise_the_precision() -> None:
    function = build(
        "norm(w)^2 / lambda + pi sum(w)",
        "w: d; lambda: scalar",
        w="2 w / lambda + pi",
        **{"lambda": "-norm(w)^2 / lambda^2"},
    )
    for scalar in (2.0, np.float64(2.0), np.float32(2.0), 2):
        value, grad = function(np.ones(3, np.float32), scalar)
        assert value.dtype == grad[0].dtype == grad[1].dtype == np.float32


def test_half_precision_is_raised_and_mixed_precision_is_double() -> None:
    X, w, y = data()
    assert least_squares()(*data(np.float16))[1].dtype == np.float32
    assert least_squares()(X.astype(np.float32), w, y)[1].dtype == np.float64


def test_the_gradient_by_a_scalar_is_a_numpy_scalar() -> None:
    value, grad = build("exp(2 t)", "t: scalar", t="2 exp(2 t)")(1.5)
    assert isinstance(value, np.float64)
    assert isinstance(grad, np.float64)
    value, grad = build("x^T x", "x: n; t: scalar", t="0")(np.ones(2), 1.0)
    assert isinstance(grad, np.float64)


def test_several_variables_give_a_named_tuple() -> None:
    _, grad = build("a^T X b", "a: n; X: n x m; b: m", a="X b", X="a b^T")(np.ones(2), np.ones((2, 3)), np.ones(3))
    assert grad._fields == ("a", "X")
    assert type(grad).__name__ == "Gradients"
    assert grad.a.tolist() == [3.0, 3.0]
    assert isinstance(grad, tuple)


def test_a_row_vector_keeps_two_axes() -> None:
    function = build("norm(X + 1_n b)^2", "X: n x m; b: 1 x m", b="2 sum(X + 1_n b, axis=0)")
    _, grad = function(np.ones((2, 3)), np.ones((1, 3)))
    assert grad.shape == (1, 3)
    with pytest.raises(ValueError, match="b: expected shape 1 x m"):
        function(np.ones((2, 3)), np.ones(3))


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_that_python_or_the_module_needs() -> None:
    names = [
        "lambda",
        "np",
        "sum",
        "W_{hh}",
        "W_hh",
        "value",
        "sigmoid",
        "dtype",
        "e",
        "I",
        "r",
        "checked",
        "grad_e",
        "T",
    ]
    found = [o.symbol(name, (N, ONE)) for name in names]
    f = o.total(o.add(*(o.app("sigmoid", o.sub(x, y)) for x, y in pairwise(found))))
    gradients = {found[8]: o.app("sigmoid", found[8]), found[0]: o.neg(found[0])}
    text = emit_module(f, gradients, arguments=found)
    function = compile_value_and_grad(f, gradients, arguments=found)
    parameters = list(inspect.signature(function).parameters)
    assert parameters == ["lambda_", "np_", "sum_", "W_hh", "W_hh_", "value_", "sigmoid_", "dtype_", "e", "I", "r",
                          "checked_", "grad_e_", "T"]  # fmt: skip
    assert "(W_{hh} in the formula)" in text
    assert function(*(np.ones(3) for _ in found))[0] == pytest.approx(3 * 13 / 2)


def test_greek_letters_are_words() -> None:
    assert list(inspect.signature(build("x^T Σ x", "x: n; Σ: n x n symmetric", x="2 Σ x")).parameters) == ["x", "Sigma"]


def test_temporaries_do_not_take_the_names_of_arguments_and_dimensions() -> None:
    function = build("norm(r - X Z)^2", "X: n x R; Z: R; r: n", Z="-2 X^T (r - X Z)")
    assert function(np.zeros(2), np.ones((2, 3)), np.ones(3))[0] == 18.0


def test_a_name_that_is_no_identifier_cannot_get_in() -> None:
    evil = '"""; import os; os.system("true")\n#'
    x = o.symbol(evil, (N, ONE))
    text = emit_function(o.mul(o.T(x), x), {x: o.mul(o.number(2), x)}, arguments=[x], header=[evil, '\\"""', "a\nb"])
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.Import) or node.names[0].name == "numpy"
    compiled_function = compile_value_and_grad(o.mul(o.T(x), x), {x: o.mul(o.number(2), x)}, arguments=[x])
    assert compiled_function(np.ones(2))[0] == 2


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "import numpy",
        "from numpy import *",
        "from os import path",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\nnp.linalg.eig(1)",
        "import numpy as np\nnp.lib.npyio",
        "import numpy as np\nnp.ndarray.tofile",
        "eval('1')",
        "open('x')",
        "__import__('os')",
        "x = (1).__class__",
        "getattr(1, 'real')",
        "def f(x):\n    return x.__dict__",
        "def f(x):\n    return x.tofile('y')",
        "lambda: 1",
        "while True:\n    pass",
        "import numpy as np\nnp = 1",
        "@print\ndef f():\n    return 1",
        "global x",
        "del x",
        "with x:\n    pass",
        "async def f():\n    return 1",
        "def __getattr__(x):\n    return x",
        "x: 1 = (yield)",
    ],
)
def test_the_whitelist_refuses(code: str) -> None:
    with pytest.raises((InternalError, SyntaxError)):
        check_module(code)


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "import numpy as np; import os",
        "from os import path",
        "def f():\n    import os",
        "def f():\n    from os import path",
        "import numpy as np\nnp.load('x')",
        "import numpy as np\n(np).load('x')",
        "import numpy as np\ndef f():\n    return np.lib.npyio",
        "import numpy as np\nclass C:\n    x: np.lib = None",
        "eval('1')",
        "def f():\n    return [open(x) for x in 'y']",
        "class C:\n    x = open('y')",
        "__import__('os')",
        "x = (1).__class__",
        "x = 1..__class__",
        "def f(x):\n    return x.__dict__",
        "def f(x):\n    return (x\n    .tofile('y'))",
        "x = f'{eval(1)}'",
        "def f():\n    return f'{1:{open(1)}}'",
        "x = lambda: eval('1')",
        "@print\ndef f():\n    return getattr(1, 'real')",
        "def f(x=open('y')):\n    return x",
        "def f():\n    return __builtins__",
        "def f():\n    global g\n    g = vars()",
        "def f():\n    return undefined",
        "class A:\n    open = 1\ndef f():\n    return open\nx = f()",
        "class A:\n    global open\n    x = open",
        "open = 1\ndel open\nx = open",
        "def f():\n    return open\nopen = 1",
        "def f():\n    pass\nmatch f:\n    case object(__globals__=g):\n        pass",
        "def f(x):\n    match x:\n        case object(__globals__=g):\n            return g",
        "import typing",
        "import typing as np",
        "import scipy.special",
        "from typing import *",
        "from typing import NamedTuple as np, sys",
        "import numpy as np\nnp.foo = 1",
        "def f(x):\n    x.shape = 1",
        "class A:\n    def __getattr__(self, name):\n        return 1",
        "def f():\n    with 1:\n        pass",
        "def f():\n    class A:\n        pass",
    ],
)
def test_code_is_not_run(code: str) -> None:
    with pytest.raises(InternalError, match="generated code may not"):
        loaded(code, "code")


def test_nothing_is_printed_and_nothing_but_numpy_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "ridge.py"
    path.write_text(
        source(
            "norm(X w - y)^2 + lambda norm(w)^2",
            "X: n x d; w: d; y: n; lambda: scalar",
            w="2 X^T (X w - y) + 2 lambda w",
        )
    )
    code = (
        "import ridge, sys, numpy as np\n"
        "assert not any(m.split('.')[0] in ('mcalc', 'scipy', 'jinja2', 'black') for m in sys.modules)\n"
        "v, g = ridge.value_and_grad(np.ones((2, 3)), np.ones(3), np.zeros(2), 0.5)\n"
        "assert v == 19.5, v\n"
        "assert ridge.SHAPES == {'X': ('n', 'd'), 'w': ('d',), 'y': ('n',), 'lambda_': ()}\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_backend_imports_neither_black_nor_jinja() -> None:
    code = "import mcalc.backends.numpy, sys; assert not {'black', 'jinja2', 'numpy'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_source_of_a_compiled_function_can_be_read() -> None:
    assert "r @ r" in inspect.getsource(least_squares())


def test_the_text_does_not_depend_on_hashes() -> None:
    code = (
        "from tests.backends.test_modules import source\n"
        "print(source('logdet(S) + tr(S^-1 A) + norm(X - Y)^2', 'S, A: n x n symmetric; X, Y: n x m',"
        " S='S^-1 - S^-1 A S^-1', X='2 (X - Y)'))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(texts) == 1


def test_other_derivatives_are_the_same_emitter() -> None:
    x, A = o.symbol("x", (N, ONE)), o.symbol("A", (M, N))
    module = module_of(
        "jacobian", {"J": A}, arguments=[A, x], returns=["J"], summary=["d(A x)/dx."], derivatives=frozenset("J")
    )
    assert compiled(module, "jacobian")(np.ones((2, 3)), np.ones(3)).shape == (2, 3)
    assert "def jacobian(A, x):" in formatted(module)


def test_a_scalar_constant() -> None:
    t = o.symbol("t", SCALAR)
    value, grad = compile_value_and_grad(o.number(3), {t: o.number(0)}, arguments=[t])(1.0)
    assert (value, grad) == (3.0, 0.0)
    assert isinstance(value, np.float64)


def test_results_do_not_share_memory() -> None:
    _, grad = build("tr(A X B)", "A: k x n; X: n x m; B: m x k", X="(B A)^T", B="(A X)^T")(
        *map(np.ones, ((2, 3), (3, 4), (4, 2)))
    )
    assert not np.shares_memory(grad.X, grad.B)
    x, y = o.symbol("x", (N, ONE)), o.symbol("y", (N, ONE))
    both = o.app("exp", o.add(x, y))
    _, grad = compile_value_and_grad(o.total(both), {x: both, y: both}, arguments=[x, y])(np.ones(2), np.ones(2))
    assert grad.x == pytest.approx(grad.y)
    assert not np.shares_memory(grad.x, grad.y)


@pytest.mark.parametrize("on", [True, False])
def test_formatting_leaves_the_garbage_collector_as_it_was(on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> str:
        assert not gc.isenabled()
        raise ValueError("cannot parse")

    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        assert formatted_text("x=(1\n)") == "x = 1\n"
        assert gc.isenabled() == on
        monkeypatch.setattr("black.format_str", fails)
        with pytest.raises(ValueError, match="parse"):
            formatted_text("x = (1\n)")
        assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()
