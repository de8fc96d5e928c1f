"""The condition under which looking ahead turns the spiral of V = x y inwards."""

import numpy as np
import pytest

from tinygrad_ugan import unroll
from tinygrad_ugan.experiments.foundations.bilinear import GAME


def step_matrix(rate, steps, eta):
    """One simultaneous step of both players, which is linear, by the engine."""
    columns = [
        np.concatenate(unroll.field(GAME, unit[:1], unit[1:], None, steps=steps, lr=eta))
        for unit in np.eye(2)
    ]
    return np.eye(2) + rate * np.stack(columns, axis=1)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5, 1.0, 1.9])
@pytest.mark.parametrize("steps", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("eta", [0.011, 0.12, 0.53])
def test_inwards_between_the_two_bounds_of_the_page(rate, steps, eta):
    g = steps * eta
    found = step_matrix(rate, steps, eta)
    np.testing.assert_allclose(found, [[1 - 2 * rate * g, -rate], [rate, 1]], atol=1e-13)
    root = rate * np.emath.sqrt(g**2 - 1)
    expected = max(abs(1 - rate * g + root), abs(1 - rate * g - root))
    radius = np.abs(np.linalg.eigvals(found)).max()
    assert radius == pytest.approx(expected, rel=1e-7)
    assert (radius < 1) == (rate / 2 < g < 1 / rate + rate / 4)


def test_the_larger_eigenvalue_that_the_page_names():
    assert np.abs(np.linalg.eigvals(step_matrix(0.1, 20, 0.1))).max() == pytest.approx(
        0.9732, abs=5e-5
    )
