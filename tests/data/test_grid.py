import numpy as np

from tinygrad_ugan import data


def test_centres_are_distinct_and_evenly_spaced():
    centers = data.grid_centers(5, 2.0)
    assert len(np.unique(centers, axis=0)) == 25
    assert sorted(set(centers[:, 0])) == [-4, -2, 0, 2, 4]  # PacGAN's {-4, -2, 0, 2, 4}^2


def test_moments_and_shares(rng):
    n = 40_000
    x = data.grid(n, side=3, spacing=2.0, std=0.1, rng=rng)
    centers = data.grid_centers(3, 2.0)
    nearest = np.linalg.norm(x[:, None] - centers, axis=2).argmin(axis=1)
    shares = np.bincount(nearest) / n
    np.testing.assert_allclose(shares, 1 / 9, atol=4 * np.sqrt(8 / 81 / n))  # 4 standard errors
    np.testing.assert_allclose((x - centers[nearest]).std(), 0.1, rtol=4 / np.sqrt(4 * n))


def test_the_draws_do_not_depend_on_the_dtype():
    double, single = (
        data.grid(9, rng=np.random.default_rng(3), dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    assert (single == double.astype(np.float32)).all()


def test_the_class_draws_what_the_function_draws():
    whole = data.Grid(side=3, std=0.1)
    first, second = (np.random.default_rng(3) for _ in range(2))
    samples = data.grid(9, side=3, std=0.1, rng=second, dtype=np.float32)
    np.testing.assert_array_equal(whole.sample(9, first), samples)
    np.testing.assert_array_equal(whole.centers(), data.grid_centers(side=3))
    assert whole.modes == 9


def test_labels_are_those_of_the_modes_and_change_no_sample():
    plain, labelled = data.Grid(side=3), data.Grid(side=3, labelled=True)
    assert (plain.classes, labelled.classes) == (0, labelled.modes)
    x, labels = labelled.sample(200, np.random.default_rng(3))
    np.testing.assert_array_equal(x, plain.sample(200, np.random.default_rng(3)))
    distance = np.linalg.norm(x[:, None] - labelled.centers(), axis=2)
    np.testing.assert_array_equal(labels, distance.argmin(axis=1))
