import numpy as np

from tinygrad_ugan import data


def test_centres_are_distinct_and_evenly_spaced():
    centers = data.ring_centers(8, 2.0)
    np.testing.assert_allclose(np.hypot(*centers.T), 2.0)
    gaps = np.linalg.norm(centers - np.roll(centers, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 4 * np.sin(np.pi / 8))  # none of them zero


def test_moments_and_shares(rng):
    n = 40_000
    x = data.ring(n, modes=5, radius=1.5, std=0.1, rng=rng)
    centers = data.ring_centers(5, 1.5)
    nearest = np.linalg.norm(x[:, None] - centers, axis=2).argmin(axis=1)
    shares = np.bincount(nearest) / n
    np.testing.assert_allclose(shares, 0.2, atol=4 * np.sqrt(0.16 / n))  # 4 standard errors
    np.testing.assert_allclose((x - centers[nearest]).std(), 0.1, rtol=4 / np.sqrt(4 * n))


def test_same_seed_same_bits_in_every_dtype():
    one, two, single = (
        data.ring(9, rng=np.random.default_rng(3), dtype=dtype)
        for dtype in (np.float64, np.float64, np.float32)
    )
    assert one.tobytes() == two.tobytes()
    assert single.dtype == np.float32
    assert (single == one.astype(np.float32)).all()


def test_the_class_draws_what_the_function_draws():
    whole = data.Ring(modes=5, std=0.1)
    first, second = (np.random.default_rng(3) for _ in range(2))
    samples = data.ring(9, modes=5, std=0.1, rng=second, dtype=np.float32)
    np.testing.assert_array_equal(whole.sample(9, first), samples)
    np.testing.assert_array_equal(whole.centers(), data.ring_centers(modes=5))


def test_labels_are_those_of_the_modes_and_change_no_sample():
    plain, labelled = data.Ring(modes=5), data.Ring(modes=5, labelled=True)
    assert (plain.classes, labelled.classes) == (0, labelled.modes)
    x, labels = labelled.sample(200, np.random.default_rng(3))
    np.testing.assert_array_equal(x, plain.sample(200, np.random.default_rng(3)))
    distance = np.linalg.norm(x[:, None] - labelled.centers(), axis=2)
    np.testing.assert_array_equal(labels, distance.argmin(axis=1))
