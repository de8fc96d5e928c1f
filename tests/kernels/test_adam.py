"""A step of Adam for many arrays at once, against its recurrence in NumPy."""

import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tinygrad_ugan.kernels.adam import AdamProgram

FEW = ((3, 5), (), (1,), (7, 2, 3))  # no size is a whole vector
MANY = ((130, 140), (140,), (65, 3))  # enough for two chunks
SCALARS = (0.9, 0.1, 0.99, 0.01, 1e-8, -0.05, 1.7)

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def state(shapes, dtype, seed=0):
    """Parameters, gradients, and the means of these and of their squares."""
    rng = np.random.default_rng(seed)
    parts = [[rng.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(4)]
    return [*parts[:3], [x**2 for x in parts[3]]]


def recurrence(theta, g, mean, square):
    beta1, rest1, beta2, rest2, floor, step, scale = SCALARS
    mean = beta1 * mean + rest1 * g
    square = beta2 * square + rest2 * g**2
    return theta + step * mean / np.sqrt(scale * square + floor), mean, square


@each_dtype
@each_target
@pytest.mark.parametrize("shapes", [FEW, MANY], ids=["few", "many"])
def test_is_the_recurrence(shapes, target, dtype):
    given = state(shapes, dtype)
    found = AdamProgram(shapes, target, dtype).step(SCALARS, *given)
    exact = [recurrence(*(x.astype(np.float64) for x in leaf)) for leaf in zip(*given, strict=True)]
    for got, expected in zip(zip(*found, strict=True), exact, strict=True):
        for x, right in zip(got, expected, strict=True):
            assert (x.dtype, x.shape) == (dtype, right.shape)
            rounding = 10 * np.finfo(dtype).eps
            np.testing.assert_allclose(x, right, rtol=rounding, atol=rounding)


def test_strides_do_not_matter_and_results_that_are_in_use_stay():
    descent = AdamProgram(FEW[:1], TARGETS["avx2"], np.float64)
    given = state(FEW[:1], np.float64)
    strided = [[np.asfortranarray(x) for x in group] for group in given]
    first = descent.step(SCALARS, *strided)
    copies = [group[0].copy() for group in first]
    second = descent.step(SCALARS, *state(FEW[:1], np.float64, seed=1))
    again = descent.step(SCALARS, *given)
    for held, copy, other, same in zip(first, copies, second, again, strict=True):
        np.testing.assert_array_equal(held[0], copy)
        np.testing.assert_array_equal(same[0], copy)
        assert not np.any(other[0] == copy)
