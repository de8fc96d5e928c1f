"""Activations in kernels against their statements, and these against the engine."""

import numpy as np
import pytest

import tinygrad_ugan.nn.activations as engine
from tests.kernels.emitted import TARGETS, Elementwise
from tinygrad_ugan.autodiff import jvp
from tinygrad_ugan.kernels.activations import ACTIVATIONS, LEAKY_SLOPE
from tinygrad_ugan.kernels.reference import layers

Z = np.concatenate([np.linspace(-30, 30, 601), np.linspace(-1, 1, 403), [0.0, 1e-30, -1e-30]])
TANGENT = np.random.default_rng(0).normal(size=Z.size)
TIMES_EPSILON = 4  # of a few roundings, and of functions within 2.6 ulp

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_target = pytest.mark.parametrize("target", TARGETS)


def stated(part, name, *arguments):
    """What the statements say of an activation, on arrays."""
    return np.vectorize(getattr(layers, part))(layers.ACTIVATIONS.index(name), *arguments)


def assert_close(got, expected, dtype, scale=1.0):
    allowed = TIMES_EPSILON * np.finfo(dtype).eps * np.maximum(scale, np.abs(expected))
    assert np.all(np.abs(got - expected) <= allowed)


def slope_along(f, z, direction):
    return jvp(f, (z,), (direction,))[1]


@each_target
@each_dtype
@each_activation
def test_kernels_are_what_they_are_stated_to_be(name, dtype, target):
    activation, target = ACTIVATIONS[name], TARGETS[target]
    z, tangent = Z.astype(dtype), TANGENT.astype(dtype)
    exact = stated("value", name, z.astype(np.float64))
    h = exact.astype(dtype)
    wide = h.astype(np.float64), tangent.astype(np.float64)

    value = Elementwise(activation.value, target, dtype)(z)
    assert_close(value, exact, dtype, scale=0)
    slope = Elementwise(activation.slope, target, dtype)(h)
    assert_close(slope, stated("slope", name, wide[0]), dtype)
    slope_tangent = Elementwise(activation.slope_tangent, target, dtype, arguments=2)(h, tangent)
    assert_close(slope_tangent, stated("slope_tangent", name, *wide), dtype, scale=np.abs(tangent))


@each_activation
def test_statements_follow_the_engine(name):
    act = engine.ACTIVATIONS[name]
    z = Z[np.abs(Z) < 10]  # farther out 1 - h loses digits
    direction = np.random.default_rng(1).normal(size=z.size)
    h = stated("value", name, z)
    slope = slope_along(act, z, np.ones_like(z))
    slope_tangent = slope_along(lambda z: slope_along(act, z, np.ones_like(z)), z, direction)
    np.testing.assert_allclose(h, act(z), rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(stated("slope", name, h), slope, rtol=1e-9, atol=1e-14)
    found = stated("slope_tangent", name, h, slope * direction)
    np.testing.assert_allclose(found, slope_tangent, rtol=1e-9, atol=1e-14)
    assert ACTIVATIONS[name].curved == np.any(slope_tangent != 0)


def test_the_names_and_the_leak_are_the_engines():
    assert ACTIVATIONS.keys() == engine.ACTIVATIONS.keys()
    assert LEAKY_SLOPE == engine.LEAKY_SLOPE == layers.LEAKY_SLOPE
    assert set(layers.ACTIVATIONS) == set(ACTIVATIONS)


@each_target
@each_dtype
@each_activation
def test_values_at_nan_and_infinity(name, dtype, target):
    z = np.array([np.nan, np.inf, -np.inf], dtype)
    got = Elementwise(ACTIVATIONS[name].value, TARGETS[target], dtype)(z)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got, stated("value", name, z))
