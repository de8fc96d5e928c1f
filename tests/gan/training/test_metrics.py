import numpy as np
import pytest
import scipy.optimize
import scipy.spatial.distance
import scipy.stats

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


def test_divergences_against_scipy(rng):
    samples = 0.3 * rng.standard_normal((500, 2)) + CENTERS[rng.choice(8, 500, p=np.arange(8) / 28)]
    found = gan.mode_divergences(samples, CENTERS)
    nearest = np.linalg.norm(samples[:, None] - CENTERS, axis=2).argmin(axis=1)
    q, p = np.bincount(nearest, minlength=8) / 500, np.full(8, 1 / 8)
    assert found.reverse_kl == pytest.approx(scipy.stats.entropy(q, p), rel=1e-12)
    assert found.js == pytest.approx(scipy.spatial.distance.jensenshannon(p, q) ** 2, rel=1e-12)


def test_the_divergences_of_a_collapse():
    found = gan.mode_divergences(CENTERS[:1], CENTERS)
    assert found.reverse_kl == pytest.approx(np.log(8))
    # m is 9/16 at the mode and 1/16 elsewhere
    expected = (np.log((1 / 8) / (9 / 16)) / 8 + 7 / 8 * np.log(2) + np.log(16 / 9)) / 2
    assert found.js == pytest.approx(expected)


def test_sliced_wasserstein_in_one_dimension_is_wasserstein(rng):
    """Where there is only one direction: the cost of the best assignment, found by scipy."""
    x, y = rng.standard_normal((40, 1)), rng.exponential(size=(40, 1))
    cost = scipy.spatial.distance.cdist(x, y, "sqeuclidean")
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    expected = np.sqrt(cost[rows, columns].mean())
    assert gan.sliced_wasserstein(x, y, projections=3, rng=rng) == pytest.approx(expected)


def test_sliced_wasserstein_of_a_scaled_set(rng):
    """Along every direction the distance of x to 3 x is twice the norm of the projection."""
    x = rng.standard_normal((100, 3))
    found = gan.sliced_wasserstein(x, 3 * x, projections=5, rng=np.random.default_rng(1))
    directions = np.random.default_rng(1).standard_normal((5, 3))
    projected = x @ (directions.T / np.linalg.norm(directions, axis=1))
    assert found == pytest.approx(2 * np.sqrt(np.mean(projected**2)))
    # the order of the rows may change the last bit of a product
    assert gan.sliced_wasserstein(x, rng.permutation(x), rng=rng) < 1e-15


@pytest.mark.parametrize(
    ("x", "y", "projections", "words"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), 5, r"y: .*\(3, 2\) and \(4, 2\)"),
        (np.zeros(3), np.zeros(3), 5, "y: expected two sets"),
        (np.zeros((0, 2)), np.zeros((0, 2)), 5, "y: expected two sets"),
        (np.zeros((3, 2)), np.zeros((3, 2)), 0, "projections: "),
    ],
)
def test_sets_that_cannot_be_compared(x, y, projections, words, rng):
    with pytest.raises(ArgumentError, match=words):
        gan.sliced_wasserstein(x, y, projections=projections, rng=rng)


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
