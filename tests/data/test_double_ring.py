import numpy as np

from tinygrad_ugan import data


def test_centres_alternate_between_two_circles():
    centers = data.double_ring_centers(10, 2.0, 1.0)
    np.testing.assert_allclose(np.hypot(*centers.T), [2, 1] * 5)
    np.testing.assert_allclose(np.diff(np.unwrap(np.arctan2(*centers.T[::-1]))), 2 * np.pi / 10)


def test_moments_and_shares(rng):
    n = 40_000
    x = data.double_ring(n, modes=6, radius=3.0, inner_radius=1.5, std=0.1, rng=rng)
    centers = data.double_ring_centers(6, 3.0, 1.5)
    nearest = np.linalg.norm(x[:, None] - centers, axis=2).argmin(axis=1)
    shares = np.bincount(nearest) / n
    np.testing.assert_allclose(shares, 1 / 6, atol=4 * np.sqrt(5 / 36 / n))  # 4 standard errors
    np.testing.assert_allclose((x - centers[nearest]).std(), 0.1, rtol=4 / np.sqrt(4 * n))


def test_the_draws_do_not_depend_on_the_dtype():
    double, single = (
        data.double_ring(9, rng=np.random.default_rng(3), dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    assert (single == double.astype(np.float32)).all()


def test_the_class_draws_what_the_function_draws():
    whole = data.DoubleRing(modes=5, inner_radius=0.5)
    first, second = (np.random.default_rng(3) for _ in range(2))
    samples = data.double_ring(9, modes=5, inner_radius=0.5, rng=second, dtype=np.float32)
    np.testing.assert_array_equal(whole.sample(9, first), samples)
    np.testing.assert_array_equal(whole.centers(), data.double_ring_centers(5, 2.0, 0.5))
