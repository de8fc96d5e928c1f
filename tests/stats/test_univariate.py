"""Distributions of one variable: SciPy's values, derivatives against differences, edges."""

import mpmath
import numpy as np
import pytest
import scipy.stats

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import NotDifferentiableError

SHAPES = {"t": 1, "gamma": 1, "chi2": 1, "beta": 2, "norm": 0, "expon": 0, "uniform": 0}
METHODS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf")
WITH_QUANTILES = ("norm", "expon", "uniform")


def arguments(name, rng):
    """A variable inside the support, shapes, location and scale, which broadcast."""
    x = rng.uniform(0.3, 0.7, (3, 1))
    shapes = rng.uniform(2, 3, (SHAPES[name], 1, 2))
    return (x * 1.5 + 0.2, *shapes, np.array(0.2), rng.uniform(1.4, 1.6, 2))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_continuous(name, method):
    args = arguments(name, np.random.default_rng(1))
    ours, scipys = (getattr(getattr(m, name), method) for m in (ug.stats, scipy.stats))
    np.testing.assert_allclose(ours(*args), scipys(*args), rtol=1e-13)
    smooth = [0, len(args) - 2, len(args) - 1]  # all but the shapes
    if method in ("pdf", "logpdf"):
        smooth = range(len(args))

    def f(*chosen):
        full = list(args)
        for i, x in zip(smooth, chosen, strict=True):
            full[i] = x
        return ours(*full)

    check_modes(f, tuple(args[i] for i in smooth), np.random.default_rng(2), order=2)


@pytest.mark.parametrize("name", WITH_QUANTILES)
@pytest.mark.parametrize("method", ["ppf", "isf"])
def test_quantiles(name, method):
    ours, scipys = (getattr(getattr(m, name), method) for m in (ug.stats, scipy.stats))
    q, loc, scale = np.array([[0.3], [0.6]]), np.array([0.5, -1.0]), np.array([2.0, 0.7])
    np.testing.assert_allclose(ours(q, loc, scale), scipys(q, loc, scale), rtol=1e-13)
    check_modes(ours, (q, loc, scale), np.random.default_rng(2), order=2)


@pytest.mark.parametrize("name", ["t", "gamma", "chi2", "beta"])
def test_quantiles_without_a_rule_are_refused(name):
    with pytest.raises(NotDifferentiableError, match=f"ug.stats.{name}.ppf has no derivative rule"):
        getattr(ug.stats, name).ppf(0.5, *[2.0] * SHAPES[name])


@pytest.mark.parametrize(("name", "shapes"), [("t", 1), ("gamma", 1), ("chi2", 1), ("beta", 2)])
def test_shapes_of_distribution_functions_are_refused_by_name(name, shapes):
    with pytest.raises(NotDifferentiableError, match="no derivative rule in "):
        ug.grad(lambda a: getattr(ug.stats, name).cdf(0.5, *[a] * shapes))(2.0)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("method", METHODS)
def test_outside_of_the_support_and_at_its_ends(name, method):
    shapes = [2.0] * SHAPES[name]
    ours, scipys = (getattr(getattr(m, name), method) for m in (ug.stats, scipy.stats))
    x = np.array([-np.inf, -2.0, 0.0, 1.0, 7.0, np.inf])
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_allclose(ours(x, *shapes), scipys(x, *shapes), rtol=1e-13)
        if name not in ("norm", "t"):
            outside = np.array([-2.0, -1e300])
            value, pullback = ug.vjp(lambda x: ours(x, *shapes), outside)
            np.testing.assert_array_equal(value, scipys(outside, *shapes))
            np.testing.assert_array_equal(pullback(np.ones(2))[0], 0)


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_out_of_range_give_nan_and_so_do_their_derivatives(name):
    count, f = SHAPES[name] + 1, getattr(ug.stats, name).logpdf
    for wrong in range(count):
        parameters = [np.array([2.0, -1.0 if i == wrong else 2.0]) for i in range(count)]

        def g(x, *parameters):
            *shapes, scale = parameters
            return f(x, *shapes, 0.0, scale)

        with np.errstate(invalid="ignore"):
            value, pullback = ug.vjp(g, np.full(2, 0.5), *parameters)
            slopes = pullback(np.ones(2))
        assert np.isnan(value).tolist() == [False, True]
        assert all(np.isfinite(s[0]) and np.isnan(s[1]) for s in (slopes[0], slopes[1 + wrong]))


def test_far_out_in_the_tails():
    x = np.array([-38.0, -1e5, 1e200])
    np.testing.assert_allclose(ug.stats.norm.logcdf(x), scipy.stats.norm.logcdf(x), rtol=1e-14)
    assert ug.grad(ug.stats.norm.logsf)(1e5) == pytest.approx(-1e5, rel=1e-9)
    assert ug.stats.gamma.sf(700.0, 2.0) == pytest.approx(701 * np.exp(-700), rel=1e-12)


@pytest.mark.parametrize("df", [0.5, 30.0, 1e4, 1e8])
def test_the_slope_in_the_degrees_of_freedom(df):
    """It is that of a difference of log-gamma functions, which cancel."""
    with mpmath.workdps(50):
        m = mpmath.mpf(df)
        slope = (mpmath.psi(0, (m + 1) / 2) - mpmath.psi(0, m / 2)) / 2 - 1 / (2 * m)
        slope += -mpmath.log1p(4 / m) / 2 + (m + 1) / 2 * 4 / m**2 / (1 + 4 / m)
        exact = float(slope)
    # the terms cancel to the square of their size 1 / df
    assert ug.grad(ug.stats.t.logpdf, 1)(2.0, df) == pytest.approx(exact, rel=1e-15 * (1 + 10 * df))


@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf", "sf", "logcdf", "logsf"])
@pytest.mark.parametrize("name", ["poisson", "bernoulli"])
def test_discrete(name, method):
    ours, scipys = (getattr(getattr(m, name), method) for m in (ug.stats, scipy.stats))
    k = np.array([[-1.0], [0.0], [0.5], [1.0], [4.0]])
    p = np.array([0.3, 0.6])
    with np.errstate(divide="ignore"):
        for loc in (0, 2):
            np.testing.assert_allclose(ours(k + loc, p, loc), scipys(k + loc, p, loc), rtol=1e-13)
        slopes = ug.vjp(lambda p: ours(k, p), p)[1](np.ones((5, 2)))[0]
    check_modes(lambda p: ours(0, p), (p,), np.random.default_rng(2), order=2)
    assert np.all(np.isfinite(slopes)) or method in ("logcdf", "logsf")


def test_the_ends_of_the_discrete_parameters():
    assert ug.stats.poisson.logpmf(0, 0.0) == 0
    assert ug.grad(ug.stats.poisson.logpmf, 1)(0, 0.0) == -1
    assert ug.grad(ug.stats.bernoulli.logpmf, 1)(1, 1.0) == 1
    with np.errstate(invalid="ignore"):
        for family in (ug.stats.poisson, ug.stats.bernoulli):
            assert np.isnan(family.logpmf(1, -1.0))
            assert np.isnan(ug.grad(family.pmf, 1)(1, -1.0))


@pytest.mark.parametrize(("place", "argument"), [(0, "k"), (2, "loc")])
def test_whole_numbers_are_constants(place, argument):
    with pytest.raises(NotDifferentiableError, match=f"a tensor for {argument}, which"):
        ug.grad(ug.stats.poisson.logpmf, place)(3.0, 2.0, 1.0)


def test_arguments_have_scipys_names():
    assert ug.stats.t.pdf(x=0.3, df=2.0, loc=0.1, scale=3.0) == ug.stats.t.pdf(0.3, 2.0, 0.1, 3.0)
    with pytest.raises(TypeError, match="missing a required argument: 'df'"):
        ug.stats.t.pdf(1.0)
    assert repr(ug.stats.beta) == "<ug.stats.beta(x, a, b, loc=0.0, scale=1.0)>"
