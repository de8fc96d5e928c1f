"""The multivariate normal and the Dirichlet distribution."""

import numpy as np
import pytest
import scipy.stats

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

RNG = np.random.default_rng(5)
ROOT = RNG.standard_normal((3, 3)) / 3 + np.eye(3)
COV, MEAN = ROOT @ ROOT.T, RNG.standard_normal(3)
X = RNG.standard_normal((2, 4, 3))
ours, scipys = ug.stats.multivariate_normal, scipy.stats.multivariate_normal
ALPHA = np.array([2.5, 1.0, 0.7])
POINTS = RNG.dirichlet(ALPHA, 5).T


@pytest.mark.parametrize("x", [X[0, 0], X[0], X], ids=np.shape)
@pytest.mark.parametrize("method", ["pdf", "logpdf"])
def test_multivariate_normal(method, x):
    f, g = getattr(ours, method), getattr(scipys, method)
    np.testing.assert_allclose(f(x, MEAN, COV), g(x, MEAN, COV), rtol=1e-13)
    check_modes(f, (x, MEAN, COV), np.random.default_rng(0), order=2)


def test_other_forms_of_its_arguments():
    for args in [
        (0.3,),
        (X[0, 0],),
        (X[0, 0], MEAN),
        (X, MEAN, 2.0),
        (X, MEAN, np.array([1.0, 2.0, 3.0])),
        (X, None, COV),
        (X[0, 0], 0.5, 2.0),
    ]:
        value, expected = ours.logpdf(*args), scipys.logpdf(*args)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
        assert np.shape(value) == np.shape(expected)


def test_entropy():
    np.testing.assert_allclose(ours.entropy(MEAN, COV), scipys.entropy(MEAN, COV), rtol=1e-14)
    slope, gradient = ug.vjp(ours.entropy, MEAN, COV)[1](1.0)
    inverse = np.linalg.inv(COV)
    np.testing.assert_array_equal(slope, 0)
    np.testing.assert_allclose((gradient + gradient.T) / 2, inverse / 2, rtol=1e-12)


def test_one_triangle_of_the_covariance_is_read():
    lower = np.tril(COV)
    assert ours.logpdf(X[0, 0], MEAN, lower) == ours.logpdf(X[0, 0], MEAN, COV)
    gradient = ug.grad(ours.logpdf, 2)(X[0, 0], MEAN, COV)
    np.testing.assert_array_equal(np.triu(gradient, 1), 0)


def test_a_singular_covariance():
    cov, mean = np.diag([1.0, 4.0, 0.0]), np.array([0.1, 0.2, 0.3])
    x = np.array([0.5, -1.0, 0.3])
    with pytest.raises(np.linalg.LinAlgError):
        ours.logpdf(x, mean, cov)
    value, pullback = ug.vjp(lambda x: ours.logpdf(x, mean, cov, allow_singular=True), x)
    assert value == pytest.approx(scipys.logpdf(x, mean, cov, allow_singular=True), rel=1e-14)
    np.testing.assert_allclose(pullback(1.0)[0], [-0.4, 0.3, 0], rtol=1e-14)
    assert ours.logpdf(x + [0, 0, 1], mean, cov, allow_singular=True) == -np.inf
    with pytest.raises(NotDifferentiableError, match="a tensor for cov with allow_singular"):
        ug.grad(lambda c: ours.logpdf(x, mean, c, allow_singular=True))(cov)
    with pytest.raises(np.linalg.LinAlgError, match="not positive semidefinite"):
        ours.logpdf(x, mean, -cov, allow_singular=True)


@pytest.mark.parametrize("method", ["pdf", "logpdf"])
def test_dirichlet(method):
    f, g = (getattr(m.dirichlet, method) for m in (ug.stats, scipy.stats))
    for x in (POINTS, POINTS[:, 0], POINTS[:-1], POINTS[:-1, 0]):
        np.testing.assert_allclose(f(x, ALPHA), g(x, ALPHA), rtol=1e-13)
    check_modes(lambda alpha: f(POINTS, alpha), (ALPHA,), np.random.default_rng(0), order=2)

    def of_any(weights, alpha):
        return f(weights / np.sum(weights), alpha)

    weights = np.array([0.4, 0.8, 0.5])
    check_modes(of_any, (weights, ALPHA), np.random.default_rng(0), order=2)
    check_modes(lambda x: f(x, ALPHA), (np.array([0.3, 0.4]),), np.random.default_rng(0), order=2)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: ours.logpdf(X, MEAN[:2], COV), "mean, cov"),
        (lambda: ours.logpdf(X[..., :2], MEAN, COV), "x"),
        (lambda: ug.stats.dirichlet.pdf([0.5, 0.5], [1.0, -1.0]), "alpha"),
        (lambda: ug.stats.dirichlet.pdf([0.5, 0.6], [1.0, 1.0]), "x"),
        (lambda: ug.stats.dirichlet.pdf([1.5, -0.5], [1.0, 1.0]), "x"),
        (lambda: ug.stats.dirichlet.pdf(0.5, [1.0, 1.0, 1.0]), "x"),
    ],
)
def test_arguments_that_make_no_sense_are_named(call, argument):
    with pytest.raises(ArgumentError, match=f"^{argument}: "):
        call()
