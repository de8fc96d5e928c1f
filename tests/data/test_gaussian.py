import numpy as np
import scipy.stats

from tinygrad_ugan import data


def test_the_law(rng):
    x = data.gaussian_1d(5_000, rng=rng)
    assert x.shape == (5_000, 1)
    assert scipy.stats.kstest(x[:, 0], scipy.stats.norm(500, 5).cdf).pvalue > 0.01
    moved = data.gaussian_1d(5_000, mean=-2.0, std=0.1, rng=rng)
    assert scipy.stats.kstest(moved[:, 0], scipy.stats.norm(-2, 0.1).cdf).pvalue > 0.01


def test_the_draws_do_not_depend_on_the_dtype():
    double, single = (
        data.gaussian_1d(9, rng=np.random.default_rng(3), dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    assert single.dtype == np.float32
    assert (single == double.astype(np.float32)).all()


def test_the_class_draws_what_the_function_draws():
    whole = data.Gaussian1D(mean=-2.0, std=0.1)
    samples = data.gaussian_1d(9, mean=-2.0, std=0.1, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(whole.sample(9, np.random.default_rng(3), float), samples)
    np.testing.assert_array_equal(whole.centers(), [[-2.0]])
