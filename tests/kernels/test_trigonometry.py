"""Angles that are hard to reduce: large ones, and those next to multiples of pi / 2."""

import mpmath
import numpy as np
import pytest

from tests.kernels.emitted import TARGETS, Elementwise
from tests.oracles import ulps
from tinygrad_ugan.kernels import trigonometry

BOUNDS = {"sin": 1, "cos": 1, "tan": 2.5}


def hard_angles():
    """Of all sizes; and the numbers on both sides of multiples of pi / 2."""
    rng = np.random.default_rng(0)
    anywhere = np.ldexp(rng.uniform(0.5, 1, 600), rng.integers(-20, 1025, 600))
    multiples = np.rint(np.exp2(rng.uniform(0, 53, 600))) * (np.pi / 2)
    worst = np.ldexp(6381956970095103.0, 797)  # the nearest of all to such a multiple
    beside = [np.nextafter(multiples, end) for end in (0, np.inf)]
    angles = np.concatenate([anywhere, multiples, *beside, [worst, 2.0**20, np.finfo(float).max]])
    return np.concatenate([angles, -angles])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs a wider longdouble")
def test_hard_angles(name, dtype, target):
    with np.errstate(over="ignore"):
        x = hard_angles().astype(dtype)
    x = x[np.isfinite(x)]
    got = Elementwise(getattr(trigonometry, name), TARGETS[target], dtype)(x)
    with mpmath.workprec(1300):
        high = [getattr(mpmath, name)(mpmath.mpf(float(angle))) for angle in x]
        wide = [np.longdouble(float(y)) + np.longdouble(float(y - float(y))) for y in high]
    assert np.max(ulps(got, np.array(wide), dtype)) < BOUNDS[name]


def test_digits_of_two_over_pi():
    with mpmath.workprec(1400):
        assert trigonometry._two_over_pi() == int(2 / mpmath.pi * 2**trigonometry._DIGITS)
