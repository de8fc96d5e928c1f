"""All optimisers against textbook recurrences, and differentiated through."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError

OPTIMIZERS = [optim.SGD(0.1), optim.Momentum(0.1, 0.7), optim.Adam(0.1, 0.5, 0.9, 1e-3)]
each = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)


def textbook(optimizer, x, gradient, steps):
    """Scalar recurrences as the papers write them, but for epsilon inside Adam's root."""
    v, m = 0.0, 0.0
    for t in range(1, steps + 1):
        g = gradient(x)
        if isinstance(optimizer, optim.SGD):
            x = x - optimizer.lr * g
        elif isinstance(optimizer, optim.Momentum):
            v = optimizer.momentum * v + g
            x = x - optimizer.lr * v
        else:
            m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
            v = optimizer.beta2 * v + (1 - optimizer.beta2) * g**2
            m_hat, v_hat = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
            x = x - optimizer.lr * m_hat / np.sqrt(v_hat + optimizer.eps**2)
    return x


def run(optimizer, params, gradient, steps):
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update(gradient(params), state, params)
        params = optim.apply_updates(params, updates)
    return params


@each
def test_follows_the_textbook(optimizer):
    params = run(optimizer, {"x": np.array([1.0, -2.0])}, ug.grad(lambda p: np.sum(p["x"] ** 4)), 5)
    expected = [textbook(optimizer, x, lambda x: 4 * x**3, 5) for x in (1.0, -2.0)]
    np.testing.assert_allclose(params["x"], expected, rtol=1e-13)


@each
def test_is_pure_and_keeps_float32(optimizer):
    params, grads = [np.ones(3, np.float32)], [np.full(3, 2, np.float32)]
    state = optimizer.init(params)
    first, _ = optimizer.update(grads, state, params)
    again, _ = optimizer.update(grads, state, params)
    assert first[0].dtype == np.float32
    assert first[0].tobytes() == again[0].tobytes()
    assert params[0].tolist() == [1, 1, 1]
    assert grads[0].tolist() == [2, 2, 2]


@each
def test_second_order_through_three_updates(optimizer, rng):
    def final(x):
        return run(optimizer, x, ug.grad(lambda x: np.sum(np.cos(x) + x**4 / 7)), 3)

    check_modes(final, (rng.standard_normal(4),), rng, order=2)


@each
def test_differentiable_at_a_zero_gradient(optimizer):
    def final(x):  # the gradient of (x - 1)^2 vanishes at the start
        return run(optimizer, x, ug.grad(lambda x: (x - 1) ** 2), 3)

    assert np.isfinite(ug.grad(final)(1.0))
    assert np.isfinite(ug.grad(ug.grad(final))(1.0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optim.SGD(lr=0.0), "lr.*positive"),
        (lambda: optim.Momentum(momentum=1.0), r"momentum.*\[0, 1\)"),
        (lambda: optim.Adam(beta2=-0.1), r"beta2.*\[0, 1\).*-0.1"),
        (lambda: optim.Adam(lr=float("nan")), "lr.*positive"),
    ],
)
def test_bad_settings(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
