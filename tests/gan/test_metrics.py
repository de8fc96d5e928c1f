import numpy as np
import pytest

from tinygrad_ugan import data, gan
from tinygrad_ugan.errors import ArgumentError

CENTERS = data.ring_centers()


def test_the_data_covers_all_modes(rng):
    samples = data.ring(20_000, rng=rng)
    coverage = gan.mode_coverage(samples, CENTERS, 0.02)
    assert coverage.modes == 8
    # within 3 std in two dimensions: 1 - exp(-9/2) = 0.98889, here +- 4 standard errors
    assert coverage.high_quality == pytest.approx(1 - np.exp(-4.5), abs=4 * np.sqrt(0.011 / 20_000))


def test_collapsed_and_stray_samples():
    samples = np.concatenate([np.repeat(CENTERS[2:4], 10, axis=0), np.zeros((20, 2))])
    assert gan.mode_coverage(samples, CENTERS, 0.02) == gan.Coverage(modes=2, high_quality=0.5)


def test_three_standard_deviations_are_the_limit():
    just_inside, just_outside = CENTERS[0] + [0.0599, 0], CENTERS[1] + [0, 0.0601]
    assert gan.mode_coverage([just_inside, just_outside], CENTERS, 0.02) == (1, 0.5)


@pytest.mark.parametrize(
    ("samples", "centers", "std", "words"),
    [
        (np.zeros((0, 2)), CENTERS, 0.1, "samples.*n >= 1"),
        (np.zeros(3), CENTERS, 0.1, "samples.*shape"),
        (np.zeros((3, 3)), CENTERS, 0.1, r"centers.*\(modes, 3\)"),
        (np.zeros((3, 2)), CENTERS, 0.0, "std.*positive"),
    ],
)
def test_bad_input(samples, centers, std, words):
    with pytest.raises(ArgumentError, match=words):
        gan.mode_coverage(samples, centers, std)
