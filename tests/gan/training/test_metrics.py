import numpy as np
import pytest
import scipy.optimize
import scipy.spatial.distance
import scipy.stats

from tinygrad_ugan import data, gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training import metrics

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


def covered(points, centers, k):
    """The definition of Kynkäänniemi et al., word by word."""
    count = 0
    for point in points:
        for i, center in enumerate(centers):
            others = np.delete(centers, i, axis=0)
            radius = np.sort(np.linalg.norm(others - center, axis=1))[k - 1]
            if np.linalg.norm(point - center) <= radius:
                count += 1
                break
    return count / len(points)


@pytest.mark.parametrize("d", [1, 2, 7])
@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_by_their_definition(d, k, rng):
    real, generated = rng.standard_normal((40, d)), 0.7 * rng.standard_normal((30, d)) + 0.5
    found = metrics.precision_recall(real, generated, neighbours=k)
    assert found == (covered(generated, real, k), covered(real, generated, k))


def test_precision_and_recall_tell_noise_from_collapse(rng):
    real = rng.standard_normal((500, 2))
    spread = metrics.precision_recall(real, 5 * rng.standard_normal((500, 2)))
    assert spread.precision < 0.3
    assert spread.recall > 0.7
    collapsed = metrics.precision_recall(real, np.zeros((500, 2)))
    assert collapsed == (1.0, 0.0)


def test_their_null_values_are_those_of_the_documentation(rng):
    for d, expected in ((2, 0.98), (10, 0.86), (64, 0.62)):
        found = metrics.precision_recall(*rng.standard_normal((2, 1_000, d)))
        assert found == pytest.approx((expected, expected), abs=0.06)


def test_the_two_sample_test_by_its_definition(rng):
    real, generated = rng.standard_normal((30, 3)), rng.standard_normal((30, 3)) + 0.5
    both = np.concatenate([real, generated])
    right = 0
    for i in range(60):
        distance = np.linalg.norm(both - both[i], axis=1)
        distance[i] = np.inf
        right += (distance.argmin() < 30) == (i < 30)
    assert metrics.two_sample_accuracy(real, generated) == right / 60


def test_its_null_value_and_its_extremes(rng):
    n = 1_000
    found = [metrics.two_sample_accuracy(*rng.standard_normal((2, n, 2))) for _ in range(20)]
    assert np.mean(found) == pytest.approx((n - 1) / (2 * n - 1), abs=4 * 0.5 / np.sqrt(20 * n))
    assert np.std(found) == pytest.approx(0.5 / np.sqrt(n), rel=0.6)
    real = rng.standard_normal((n, 2))
    assert metrics.two_sample_accuracy(real, real + 99) == 1
    assert metrics.two_sample_accuracy(real, real + 1e-9) == 0  # copies
    assert metrics.two_sample_accuracy(real, np.zeros((n, 2))) > 0.99


def test_what_is_not_finite_has_no_neighbours(rng):
    real, wild = rng.standard_normal((9, 2)), np.full((9, 2), np.inf)
    assert np.isnan(metrics.precision_recall(real, wild)).all()
    assert np.isnan(metrics.two_sample_accuracy(real, wild))


def test_samples_of_few_rows_are_told_apart_by_the_distinct_ones(rng):
    rows = rng.standard_normal((50, 2))
    drawn = rows[rng.integers(50, size=400)]
    found = metrics.distinct(drawn, 30)
    assert len(np.unique(found, axis=0)) == len(found) == 30
    np.testing.assert_array_equal(found[0], drawn[0])
    assert len(metrics.distinct(drawn, 1_000)) == len(np.unique(drawn, axis=0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: metrics.precision_recall(x, x[:, :1]), r"two sets of shape \(n, d\)"),
        (lambda x: metrics.precision_recall(x, x[:3]), "neighbours: expected fewer than the sam"),
        (lambda x: metrics.precision_recall(x, x, neighbours=0), "neighbours"),
        (lambda x: metrics.two_sample_accuracy(x, x[:3]), "as many as real ones, 9"),
        (lambda x: metrics.two_sample_accuracy(x, x[0]), r"two sets of shape \(n, d\)"),
    ],
)
def test_sets_that_do_not_fit_are_refused(call, words, rng):
    with pytest.raises(ArgumentError, match=words):
        call(rng.standard_normal((9, 2)))


def test_own_class_by_the_nearest_real_sample(rng):
    labels = rng.integers(3, size=400)
    real, generated = labels[:, None] * 9 + rng.standard_normal((2, 400, 1))
    assert gan.own_class(real, generated, labels) == 1
    assert gan.own_class(real, generated[::-1], labels) == pytest.approx(
        np.mean(labels == labels[::-1])
    )
    assert np.isnan(gan.own_class(real, np.where(labels[:, None] == 1, np.nan, generated), labels))
    with pytest.raises(ArgumentError, match="labels: expected as many as real and generated"):
        gan.own_class(real, generated, labels[1:])
