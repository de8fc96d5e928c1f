"""Transforms: values, pytrees, nesting, threads, errors."""

import dataclasses
import math
import threading
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, normal_like, relative_error
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

CLOSED_FORMS = {
    "exp": (np.exp, lambda x: math.exp(x)),
    "tanh": (np.tanh, lambda x: (lambda t: (1 - t * t) * (6 * t * t - 2))(math.tanh(x))),
    "x**5": (lambda x: x**5, lambda x: 60 * x * x),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
@given(x=st.floats(-2, 2))
def test_third_derivatives_match_closed_forms(name, x):
    f, third = CLOSED_FORMS[name]
    computed = ug.grad(ug.grad(ug.grad(f)))(x)
    assert computed == pytest.approx(third(x), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_third_derivatives_by_every_mix_of_modes(name):
    f, third = CLOSED_FORMS[name]

    def forward(f):
        return lambda x: ug.jvp(f, (x,), (1.0,))[1]

    for outer in (forward, ug.grad):
        for middle in (forward, ug.grad):
            for inner in (forward, ug.grad):
                assert outer(middle(inner(f)))(0.7) == pytest.approx(third(0.7), rel=1e-12)


def test_no_perturbation_confusion():
    assert ug.grad(lambda x: x * ug.grad(lambda y: x + y)(x))(5.0) == 1.0

    def forward(f):
        return lambda x: ug.jvp(f, (x,), (1.0,))[1]

    assert forward(lambda x: x * forward(lambda y: x + y)(x))(5.0) == 1.0
    assert ug.grad(lambda x: x * forward(lambda y: x + y)(x))(5.0) == 1.0
    assert forward(lambda x: x * ug.grad(lambda y: x + y)(x))(5.0) == 1.0


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
def test_hessian_is_symmetric_and_matches_differences_of_grad(seed, n):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((n, n)), rng.standard_normal(n)

    def f(x):
        return np.sum(np.tanh(a @ x) ** 2) + np.mean(np.logaddexp(x * b, np.sin(a @ x)))

    x, v = rng.standard_normal(n), rng.standard_normal(n)
    h = ug.hessian(f)(x)
    # differentiated twice, every entry is a sum of n products: a few n roundings
    np.testing.assert_allclose(h, h.T, rtol=0, atol=1e-14 * (1 + n) * (1 + np.abs(h).max()))
    assert relative_error(h @ v, directional_derivative(ug.grad(f), x, v)) < 1e-8
    assert relative_error(h @ v, ug.hvp(f, x, v)) < 1e-13


class Point(NamedTuple):
    x: float
    y: np.ndarray


def test_pytrees_of_every_kind():
    tree = {"a": [np.ones(2), (2.0,)], "b": Point(3.0, np.full((2, 1), 4.0)), "none": None}

    def f(t):
        return t["a"][0].sum() * t["a"][1][0] + t["b"].x * t["b"].y.sum()

    gradient = ug.grad(f)(tree)
    assert gradient["a"][0].tolist() == [2.0, 2.0]
    assert gradient["a"][1] == (2.0,)
    assert isinstance(gradient["b"], Point)
    assert gradient["b"].x == 8.0
    assert gradient["b"].y.tolist() == [[3.0], [3.0]]
    assert gradient["none"] is None

    v = normal_like(np.random.default_rng(0), tree)
    _, tangent = ug.jvp(f, (tree,), (v,))
    assert tangent == pytest.approx(directional_derivative(f, tree, v), rel=1e-9)
    assert relative_error(ug.hvp(f, tree, v), directional_derivative_of_tree(f, tree, v)) < 1e-9


@optree.dataclasses.dataclass(namespace=optree.registry.__GLOBAL_NAMESPACE)
class Line:
    slope: np.ndarray
    offset: float
    name: str = optree.dataclasses.field(default="line", pytree_node=False)


def test_dataclasses_registered_with_optree():
    def f(line):
        return np.sum(line.slope) * line.offset

    line = Line(np.array([1.0, 2.0]), 3.0)
    gradient = ug.grad(f)(line)
    assert isinstance(gradient, Line)
    assert (gradient.slope.tolist(), gradient.offset, gradient.name) == ([3.0, 3.0], 3.0, "line")
    assert ug.hvp(f, line, line).offset == 3.0
    assert ug.jvp(ug.checkpoint(f), (line,), (line,))[1] == 18.0
    with pytest.raises(ArgumentTypeError, match=r"argument 0\.slope: .*int64"):
        ug.grad(f)(Line(np.array([1, 2]), 3.0))


@dataclasses.dataclass
class Unregistered:
    x: float


def directional_derivative_of_tree(f, tree, v):
    leaves, treedef = optree.tree_flatten(ug.grad(f)(tree))

    def at(i):
        return lambda t: optree.tree_leaves(ug.grad(f)(t))[i]

    derivatives = [directional_derivative(at(i), tree, v) for i in range(len(leaves))]
    return optree.tree_unflatten(treedef, derivatives)


def test_argnums_keywords_and_aux():
    def f(x, y, *, scale):
        return scale * x * y, {"sum": x + y}

    assert ug.grad(f, argnums=1, has_aux=True)(2.0, 3.0, scale=10.0) == (20.0, {"sum": 5.0})
    (value, aux), gradients = ug.value_and_grad(f, argnums=(0, -1), has_aux=True)(
        2.0, 3.0, scale=10.0
    )
    assert (value, aux, gradients) == (60.0, {"sum": 5.0}, (30.0, 20.0))
    _, (traced, constant) = ug.grad(lambda x: (x, (2 * x, "as it is")), has_aux=True)(3.0)
    assert (type(traced), traced, constant) == (np.float64, 6.0, "as it is")


def test_pullback_may_be_called_again_and_inside_other_transforms():
    out, pullback = ug.vjp(lambda x: x**3, 2.0)
    assert (out, pullback(1.0), pullback(2.0)) == (8.0, (12.0,), (24.0,))
    assert ug.grad(lambda u: pullback(u)[0])(5.0) == 12.0


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_jacobian_of_trees(mode):
    def f(x, p):
        return {"s": x.sum() * p["k"], "m": np.stack([x, x * x])}

    x, p = np.array([1.0, 2.0]), {"k": 3.0}
    jx, jp = (lambda j: (j["s"], j["m"]))(ug.jacobian(f, argnums=(0, 1), mode=mode)(x, p))
    assert jx[0].tolist() == [3.0, 3.0]
    assert jx[1] == {"k": 3.0}
    assert jp[0].tolist() == [[[1, 0], [0, 1]], [[2, 0], [0, 4]]]
    assert jp[1]["k"].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_jacobian_nests_and_takes_empty_arrays(mode):
    second = ug.jacobian(ug.jacobian(lambda x: x**3, mode=mode), mode=mode)(np.array([1.0, 2.0]))
    expected = np.zeros((2, 2, 2))
    expected[0, 0, 0], expected[1, 1, 1] = 6, 12
    np.testing.assert_array_equal(second, expected)
    assert ug.jacobian(lambda x: x[:0], mode=mode)(np.ones(3)).shape == (0, 3)


@pytest.mark.parametrize(("mode", "evaluations"), [("reverse", 1), ("forward", 1 + 3)])
def test_jacobian_takes_the_sweeps_of_its_mode(mode, evaluations):
    taken = []
    ug.jacobian(lambda x: taken.append(x) or x[:2], mode=mode)(np.ones(3))
    assert len(taken) == evaluations


def test_outputs_that_do_not_depend_on_the_input():
    assert ug.grad(lambda x: 1.0)(2.0) == 0.0
    assert ug.grad(lambda t: t["x"] ** 2)({"x": 3.0, "y": np.ones(2)})["y"].tolist() == [0.0, 0.0]
    out, tangent = ug.jvp(lambda x: (x, np.ones(2)), (1.0,), (1.0,))
    assert tangent[0] == 1.0
    assert tangent[1].tolist() == [0.0, 0.0]
    assert out[1].tolist() == [1.0, 1.0]


def test_stop_gradient_at_every_level():
    assert ug.grad(lambda x: x * ug.stop_gradient({"x": x})["x"])(3.0) == 3.0
    assert ug.grad(ug.grad(lambda x: ug.stop_gradient(x) * x**2))(3.0) == 6.0
    assert ug.jvp(lambda x: ug.stop_gradient(x), (1.0,), (1.0,))[1] == 0.0


def test_gradients_are_arrays_of_their_own():
    x, y = np.ones(3), np.ones(3)
    gx, gy = ug.grad(lambda x, y: np.sum(x + y), argnums=(0, 1))(x, y)
    gx += 1  # writable, and not shared
    assert gy.tolist() == [1, 1, 1]
    gx, gy = ug.vjp(lambda x, y: np.tanh(x + y), x, y)[1](np.ones(3))
    assert not np.shares_memory(gx, gy)
    cotangent = np.ones(3)
    (g,) = ug.vjp(lambda x: x + 0.0, x)[1](cotangent)
    g += 1
    assert cotangent.tolist() == [1, 1, 1]


def test_a_thousand_steps_do_not_recurse():
    def f(x):
        for _ in range(1000):
            x = np.tanh(x + 0.001)
        return x

    assert np.isfinite(ug.grad(ug.grad(f))(0.1))


def test_an_exception_leaves_the_engine_usable():
    def broken(x):
        ug.grad(lambda y: 1 / 0)(x)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            ug.grad(broken)(1.0)
    assert ug.grad(lambda x: x * ug.grad(lambda y: x * y * y)(x))(2.0) == 24.0


def test_threads_do_not_disturb_each_other():
    start = threading.Barrier(2)
    results = [[], []]

    def work(i):
        start.wait()
        for k in range(200):
            c = float(i + k)
            f = ug.grad(lambda x, c=c: np.sin(c * x) * ug.grad(lambda y: x * y**2)(x))
            expected = c / 2 * math.cos(c / 2) + 2 * math.sin(c / 2)
            results[i].append(f(0.5) == pytest.approx(expected))

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(r) for r in results] == [200, 200]
    assert all(results[0] + results[1])


def test_generators_interleave():
    def terms(x):
        for k in range(3):
            yield x**k

    def f(x):
        mine = terms(x)
        next(mine)
        inner = ug.grad(lambda y: sum(a * b for a, b in zip(terms(y), terms(x), strict=True)))(x)
        return inner + sum(mine)

    x = 1.5  # inner = x + 2 x^3, mine = x + x^2
    assert ug.grad(f)(x) == pytest.approx(2 + 2 * x + 6 * x**2, rel=1e-14)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ug.grad(np.sum)(np.arange(3)), ArgumentTypeError, "argument 0.*floating.*int64"),
        (lambda: ug.grad(np.sum)(2), ArgumentTypeError, "argument 0.*floating.*int"),
        (lambda: ug.grad(np.sum)("x"), ArgumentTypeError, "argument 0.*str"),
        (
            lambda: ug.grad(lambda p: p[0]["w"].sum())([{"w": np.arange(2)}]),
            ArgumentTypeError,
            r"argument 0\[0\]\['w'\].*int64",
        ),
        (
            lambda: ug.grad(lambda p: p.x)(Unregistered(1.0)),
            ArgumentTypeError,
            r"argument 0.*Unregistered.*optree\.dataclasses",
        ),
        (
            lambda: ug.grad(lambda p: p.x)(Point(1, 2.0)),
            ArgumentTypeError,
            r"argument 0\.x: .*got int; convert",
        ),
        (lambda: ug.grad(lambda x: None)(1.0), ArgumentTypeError, "<lambda>.*scalar.*NoneType"),
        (lambda: ug.grad(lambda x: (x, 1))(1.0), ArgumentTypeError, "scalar.*tuple.*has_aux"),
        (lambda: ug.vjp(np.sin, True), ArgumentTypeError, r"primals\[0\].*bool"),
        (lambda: ug.grad(np.sin)(np.ones(3)), ArgumentError, r"sin.*shape \(3,\).*np.sum"),
        (lambda: ug.grad(lambda x: x > 0)(1.0), ArgumentTypeError, "floating.*bool"),
        (lambda: ug.grad(np.sin, argnums=1)(1.0), ArgumentError, "argnums.*1 positional"),
        (lambda: ug.grad(lambda x: x, has_aux=True)(1.0), ArgumentTypeError, "has_aux.*aux"),
        (lambda: ug.jvp(np.sin, (1.0,), (np.ones(2),)), ArgumentError, r"tangents.*shape \(2,\)"),
        (lambda: ug.jvp(np.sin, (1.0,), (1.0, 2.0)), ArgumentError, "tangents.*structure"),
        (lambda: ug.vjp(lambda x: (x, x), 1.0)[1]([1.0]), ArgumentError, "cotangent.*structure"),
        (lambda: ug.vjp(np.sin, np.ones(2))[1](1.0), ArgumentError, r"cotangent.*shape \(2,\)"),
        (lambda: ug.jacobian(np.sin, mode="revers"), ArgumentError, "mode.*did you mean 'reverse'"),
    ],
)
def test_bad_input_names_the_argument(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("argnums", [(0, 0), (0, -2), [1, 0, 1]])
def test_an_argument_is_differentiated_once(argnums):
    for transform in (ug.grad, ug.jacobian):
        with pytest.raises(ArgumentError, match=r"argnums.*named once"):
            transform(lambda x, y: x * y, argnums)(2.0, 3.0)
