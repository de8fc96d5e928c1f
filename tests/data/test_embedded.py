import numpy as np

from tinygrad_ugan import data

SHAPE = {"modes": 4, "dimension": 30, "rank": 20}


def test_samples_lie_on_a_subspace_and_around_the_centres(rng):
    n = 4_000
    x, centers = data.embedded(n, **SHAPE, std=0.1, rng=rng), data.embedded_centers(**SHAPE)
    assert np.linalg.matrix_rank(x) == np.linalg.matrix_rank(np.vstack([x, centers])) == 20
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 2.0)
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    shares = np.bincount(distance.argmin(axis=1)) / n
    np.testing.assert_allclose(shares, 0.25, atol=4 * np.sqrt(3 / 16 / n))  # 4 standard errors
    squares = (distance.min(axis=1) / 0.1) ** 2  # chi squared with 20 degrees of freedom
    np.testing.assert_allclose(squares.mean(), 20, atol=4 * np.sqrt(40 / n))


def test_it_is_one_data_set_and_the_draws_do_not_depend_on_the_dtype():
    double, single = (
        data.embedded(9, **SHAPE, rng=np.random.default_rng(3), dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-4)  # a product in single precision


def test_the_class_draws_what_the_function_draws():
    whole = data.Embedded(**SHAPE)
    first, second = (np.random.default_rng(3) for _ in range(2))
    samples = data.embedded(9, **SHAPE, rng=second, dtype=np.float32)
    np.testing.assert_array_equal(whole.sample(9, first), samples)
    np.testing.assert_array_equal(whole.centers(), data.embedded_centers(**SHAPE))
