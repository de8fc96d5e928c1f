"""Checkpointed functions give the same derivatives and keep less."""

import tracemalloc

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error


def layer(w, h):
    return np.tanh(h @ w) + np.sin(h)


def network(layer):
    def f(w, x):
        for _ in range(3):
            x = layer(w, x)
        return np.sum(x * x)

    return f


plain = network(layer)
WRAPPED = {
    "pieces": network(ug.checkpoint(layer)),
    "whole": ug.checkpoint(plain),
    "nested": ug.checkpoint(network(ug.checkpoint(ug.checkpoint(layer)))),
}


@pytest.fixture
def args(rng):
    return rng.standard_normal((3, 3)) / 2, rng.standard_normal((2, 3))


@pytest.mark.parametrize("name", WRAPPED)
def test_agrees_with_differences_to_third_order(name, args, rng):
    check_modes(WRAPPED[name], args, rng, order=3)


@pytest.mark.parametrize("name", WRAPPED)
def test_agrees_with_the_plain_function_under_every_transform(name, args):
    f = WRAPPED[name]
    w, x = args
    assert f(w, x) == plain(w, x)

    def transforms(f):
        def of_w(w):
            return f(w, x)

        return {
            "grad": ug.grad(f, argnums=(0, 1))(w, x),
            "jvp": ug.jvp(f, (w, x), (w, x)),
            "hvp": ug.hvp(of_w, w, w + 1),
            "hessian": ug.hessian(of_w)(w),
            "jvp of jvp": ug.jvp(lambda w: ug.jvp(of_w, (w,), (w,))[1], (w,), (w,)),
            "grad of jvp": ug.grad(lambda w: ug.jvp(of_w, (w,), (w,))[1])(w),
        }

    ours, expected = transforms(f), transforms(plain)
    for key in expected:
        assert relative_error(ours[key], expected[key]) < 1e-14, key


def test_pytrees_constants_and_unused_results():
    @ug.checkpoint
    def f(tree, n, *, name):
        assert name == "f"
        return {"square": tree["x"] ** n, "count": n, "unused": (tree["y"] * 3, None), "is": True}

    def total(tree):
        out = f(tree, 2, name="f")
        assert (out["count"], out["is"], out["unused"][1]) == (2, True, None)
        return out["square"] + 0 * tree["y"]

    assert ug.grad(total)({"x": 3.0, "y": 1.0}) == {"x": 6.0, "y": 0.0}
    assert ug.jvp(total, ({"x": 3.0, "y": 1.0},), ({"x": 1.0, "y": 1.0},))[1] == 6.0


def test_a_value_traced_further_out_may_be_used_from_around():
    """d/da of d/dy (a y^2) at y = a: 2 a y gives 2 a + 2 a."""

    def slope(a):
        return ug.grad(ug.checkpoint(lambda y: a * y**2))(a)

    assert ug.grad(slope)(3.0) == 12.0
    assert ug.jvp(slope, (3.0,), (1.0,))[1] == 12.0


def closures(checkpoint):
    """The network with its weights, its input or both captured, and one that captures in turn."""

    def of_input(w, x):
        for _ in range(3):
            x = checkpoint(lambda x: layer(w, x))(x)
        return np.sum(x * x)

    def of_weights(w, x):
        for _ in range(3):
            x = checkpoint(lambda w, x=x: layer(w, x))(w)
        return np.sum(x * x)

    def of_nothing(w, x):
        for _ in range(3):
            x = checkpoint(lambda x=x: layer(w, x))()
        return np.sum(x * x)

    def nested(w, x):
        return checkpoint(lambda x: np.sum(checkpoint(lambda: layer(w, x) * x)() + layer(w, x)))(x)

    def passed_through(w, x):
        a, b, c = checkpoint(lambda x: (w, x @ w, 2 * x))(x)
        return np.sum(b * c) + np.sum(a * a * a)

    def with_a_gradient_inside(w, x):
        def inner(x):
            slope = ug.grad(lambda y: np.sum(checkpoint(lambda y: layer(w, y) * x)(y)))(x)
            return np.sum(np.sin(slope))

        return checkpoint(inner)(x)

    return [of_input, of_weights, of_nothing, nested, passed_through, with_a_gradient_inside]


@pytest.mark.parametrize("i", range(6))
def test_what_is_captured_has_its_derivative_to_third_order(i, args, rng):
    f, expected = closures(ug.checkpoint)[i], closures(lambda f: f)[i]
    check_modes(f, args, rng, order=3)
    for derive in (
        lambda f: ug.grad(f, argnums=(0, 1)),
        lambda f: lambda w, x: ug.hessian(f)(w, x),
        lambda f: lambda w, x: ug.jvp(lambda w: ug.grad(f)(w, x), (w,), (w,)),
        lambda f: lambda w, x: ug.grad(lambda w: ug.jvp(lambda x: f(w, x), (x,), (x,))[1])(w),
        lambda f: lambda w, x: ug.grad(lambda w: np.sum(ug.grad(lambda x: f(w, x))(x) ** 2))(w),
    ):
        assert relative_error(derive(f)(*args), derive(expected)(*args)) < 1e-14


@pytest.mark.parametrize("derive", [ug.grad, lambda f: lambda x: ug.jvp(f, (x,), (1.0,))[1]])
def test_a_value_traced_here_need_not_be_an_argument(derive):
    assert derive(lambda x: ug.checkpoint(lambda y: x * y)(2 * x))(3.0) == 12.0


def peak_of_gradient(f, x):
    """Bytes allocated at the highest point of a gradient."""
    ug.grad(f)(x)
    tracemalloc.start()
    ug.grad(f)(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_saves_memory():
    n = 10

    def piece(x):
        for _ in range(n):
            x = np.tanh(x)
        return x

    def chain(piece):
        def f(x):
            for _ in range(n):
                x = piece(x)
            return np.sum(x)

        return f

    x = np.full(20_000, 0.5)
    captured = chain(lambda x: ug.checkpoint(lambda: piece(x))())
    # The tape of 100 steps against that of 10 pieces and, on the way back, of the 10 steps of one.
    assert peak_of_gradient(chain(piece), x) > n * n * x.nbytes
    assert peak_of_gradient(chain(ug.checkpoint(piece)), x) < 3 * n * x.nbytes
    assert peak_of_gradient(captured, x) < 3 * n * x.nbytes
