"""Conventions at the kinks of functions known at points."""

import numpy as np

import tinygrad_ugan as ug


def test_interpolation_at_a_point_takes_the_slope_on_the_right():
    xp, fp = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0])
    slope = ug.grad(lambda x: np.interp(x, xp, fp))
    assert [float(slope(x)) for x in (-1.0, 0.0, 1.0, 2.0, 3.0)] == [0, 1, 2, 2, 0]
