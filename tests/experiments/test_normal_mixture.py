import itertools

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from tinygrad_ugan import autodiff
from tinygrad_ugan.experiments.normal_mixture import NormalMixture, quadrature

TWO = NormalMixture((-2.0, 5.0), (0.5, 2.0), (0.3, 0.7))
FAR = NormalMixture((500.0,), (5.0,))


def density(x):
    return 0.3 * scipy.stats.norm.pdf(x, -2, 0.5) + 0.7 * scipy.stats.norm.pdf(x, 5, 2)


def test_density():
    x = np.linspace(-5, 15, 41)
    np.testing.assert_allclose(np.exp(TWO.log_density(x)), density(x), rtol=1e-13)


def test_the_density_can_be_differentiated():
    x = np.linspace(-5, 15, 41)
    slope = autodiff.grad(lambda x: np.sum(TWO.log_density(x)))(x)
    h = 1e-6  # central differences: an error of h^2 f''', and of rounding / h
    differences = (TWO.log_density(x + h) - TWO.log_density(x - h)) / (2 * h)
    np.testing.assert_allclose(slope, differences, rtol=1e-7, atol=1e-7)


def test_samples(rng):
    def cdf(x):
        return 0.3 * scipy.stats.norm.cdf(x, -2, 0.5) + 0.7 * scipy.stats.norm.cdf(x, 5, 2)

    x = TWO.sample(4_000, rng)
    assert x.shape == (4_000, 1)
    assert scipy.stats.kstest(x[:, 0], cdf).pvalue > 0.01


@pytest.mark.parametrize("around", [(TWO,), (FAR,), (TWO, FAR), (FAR, TWO)])
def test_every_moment_is_exact(around):
    x, weights = quadrature(*around)
    for p in around:
        mass = weights * np.exp(p.log_density(x))
        mean = np.dot(p.weights, p.means)
        square = np.dot(p.weights, np.square(p.stds) + np.square(p.means))
        np.testing.assert_allclose([mass.sum(), mass @ x, mass @ x**2], [1, mean, square], 1e-12)


def test_against_adaptive_quadrature():
    """The value of the game, whose integrand bends where the densities cross."""
    near = NormalMixture((2.0,), (1.5,))

    def integrand(x):
        log_p, log_q = TWO.log_density(x), near.log_density(x)
        return -np.exp(log_p) * np.logaddexp(0, log_q - log_p)

    x, weights = quadrature(TWO, near)
    edges = [-12, -4, -2, 0, 2, 5, 9, 40]
    expected = sum(
        scipy.integrate.quad(integrand, low, high, epsabs=1e-13, epsrel=1e-13)[0]
        for low, high in itertools.pairwise(edges)
    )
    np.testing.assert_allclose(weights @ integrand(x), expected, rtol=1e-11)
