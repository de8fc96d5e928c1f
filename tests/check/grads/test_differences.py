"""Differences and complex steps where derivatives are known, and the bounds on their errors."""

import numpy as np
import pytest

from tinygrad_ugan.check.grads.differences import by_complex_step, by_differences, noise_of

# What the judge allows too.
CAUTION = 10

KNOWN = {
    "sin": (np.sin, np.cos),
    "a tenth of a period at first": (lambda x: np.sin(60 * x), lambda x: 60 * np.cos(60 * x)),
    "near its pole": (lambda x: 1 / (x - 0.999), lambda x: -1 / (x - 0.999) ** 2),
    "ends at a distance of 0.01": (lambda x: np.sqrt(x - 0.99), lambda x: 0.5 / np.sqrt(x - 0.99)),
    "a kink at a distance of 1e-4": (lambda x: np.abs(x - 0.9999) * x, lambda x: 2 * x - 0.9999),
    "beside a large constant": (lambda x: 1e8 + np.exp(x), np.exp),
    "in float32": (lambda x: np.float32(np.exp(x)).astype(float), np.exp),
    "constant": (lambda x: 0 * x + 3, lambda x: 0 * x),
    "large": (lambda x: 1e200 * x**3, lambda x: 3e200 * x**2),
    "one side only matters": (lambda x: np.exp(-1 / x**2), lambda x: 2 / x**3 * np.exp(-1 / x**2)),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("options", [{}, {"longest": 0.073, "ratio": 1.7}])
def test_errors_are_bounded_and_small(name, options):
    f, slope = KNOWN[name]

    def line(t):
        return f(np.array([1.0 + t]))

    found = by_differences(line, noise_of(line), **options)
    exact = slope(np.array([1.0]))
    size = np.abs(exact) + np.finfo(float).tiny
    assert np.all(np.abs(found.value - exact) <= CAUTION * found.error)
    coarse = name in ("in float32", "beside a large constant")
    assert np.all(found.error <= (1e-4 if coarse else 1e-7) * size) or name == "constant"


def test_each_element_has_a_step_of_its_own():
    def line(t):
        return np.array([np.sin(t), np.sin(1e4 * t), 1e-12 * np.exp(t)])

    found = by_differences(line, noise_of(line))
    assert found.value == pytest.approx([1, 1e4, 1e-12], rel=1e-8)


def test_nothing_is_claimed_where_nothing_settles():
    def jump(t):
        return np.array([float(t > 0)])

    assert by_differences(jump, noise_of(jump)).error > 1
    lonely = by_differences(lambda t: np.array([np.nan]), np.zeros(1))
    assert np.isinf(lonely.error)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_that_of_the_precision(dtype):
    epsilon = np.finfo(dtype).eps
    noise = noise_of(lambda t: np.sin(np.linspace(1, 2, 50) + t, dtype=dtype).astype(float))
    assert 0.02 * epsilon < np.median(noise) < epsilon


def test_a_jump_is_not_noise():
    assert noise_of(lambda t: np.array([float(t > 0)])) == 0


def test_complex_steps_are_exact_or_refused():
    x = np.array([0.3, 2.0])
    found = by_complex_step(lambda t: np.exp(np.sin(x + t)))
    np.testing.assert_allclose(found, np.cos(x) * np.exp(np.sin(x)), rtol=1e-15)
    for refuses in (np.logaddexp, np.arctan2):
        assert by_complex_step(lambda t, f=refuses: f(x + t, 1.0)) is None
    assert by_complex_step(lambda t: np.sin((x + t).astype(float))) is None
    assert by_complex_step(lambda t: np.array([float(x[0] + t)])) is None
