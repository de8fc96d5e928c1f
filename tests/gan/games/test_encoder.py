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


def test_likelihood_is_largest_at_the_posterior(rng):
    """x = 3 z_1 + 0.3 e: by Bayes z_1 is N(3 x / 9.09, 0.09 / 9.09), and z_2, hidden, N(0, 1)."""
    n = 100_000
    z = rng.standard_normal((n, 2))
    x = 3 * z[:, :1] + 0.3 * rng.standard_normal((n, 1))
    encoder = gan.Encoder(nn.MLP((1, 4)))
    w = np.array([[3 / 9.09, 0, 0, 0]])
    posterior = [{"w": w, "b": np.array([0, 0, np.log(0.09 / 9.09) / 2, 0])}]
    slope = ug.grad(lambda p: np.mean(encoder.log_density(p, z, x)))(posterior)[0]
    # in units of the standard errors of the scores: 1 / deviation of z_1, or sqrt(2) for a log
    errors = np.array([10, 1, np.sqrt(2), np.sqrt(2)]) / np.sqrt(n)
    assert (np.abs(slope["b"]) < 4 * errors).all()
    assert (np.abs(slope["w"]) < 4 * 3.02 * errors).all()
