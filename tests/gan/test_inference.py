import numpy as np
import scipy.stats

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import gan, nn


def test_density_is_that_of_scipy(rng):
    encoder = gan.Encoder(nn.MLP((2, 5, 6)))
    params = encoder.init(rng, float)
    z, x = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    mean, log_deviation = encoder(params, x)
    expected = scipy.stats.norm(mean, np.exp(log_deviation)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(encoder.log_density(params, z, x), expected, rtol=1e-12)


def test_density_to_second_order(rng):
    encoder = gan.Encoder(nn.MLP((2, 4)))
    w, b = rng.standard_normal((2, 4)), rng.standard_normal(4)
    x, z = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    check_modes(
        lambda w, b, z: encoder.log_density([{"w": w, "b": b}], z, x), (w, b, z), rng, order=2
    )


def test_samples_have_the_mean_and_the_deviation(rng):
    encoder = gan.Encoder(nn.MLP((2, 4)))
    params = encoder.init(rng, float)
    x = np.ones((40_000, 2))
    mean, log_deviation = encoder(params, x[:1])
    z = encoder.sample(params, x, rng)
    deviation = np.exp(log_deviation[0])
    np.testing.assert_allclose(z.mean(axis=0), mean[0], atol=5 * deviation.max() / 200)
    np.testing.assert_allclose(z.std(axis=0), deviation, rtol=0.02)  # 5 standard errors


def test_finds_the_posterior_of_a_linear_generator(rng):
    """x = 3 z_1: p(z | x) is a point along z_1 at x / 3, and N(0, 1) along z_2, which x hides."""
    encoder = gan.Encoder(nn.MLP((1, 4)))
    params = encoder.init(rng, float)
    z = rng.standard_normal((2_000, 2))
    x = 3 * z[:, :1] + 0.3 * rng.standard_normal((2_000, 1))  # so that the point has a width
    descend = ug.grad(lambda p: -np.mean(encoder.log_density(p, z, x)))
    optimizer = ug.optim.Adam(0.05)
    memory = optimizer.init(params)
    for step in range(500):
        updates, memory = optimizer.update(descend(params), memory, params)
        params = ug.optim.apply_updates(params, updates, 1 - step / 500)
    mean, log_deviation = encoder(params, np.array([[1.5], [-3.0]]))
    # Bayes: mean 3 x / 9.09, variance 0.09 / 9.09; the tolerance is that of 2,000 pairs
    np.testing.assert_allclose(mean, [[0.495, 0], [-0.99, 0]], atol=0.05)
    np.testing.assert_allclose(np.exp(log_deviation), [[0.0995, 1]] * 2, rtol=0.08)
