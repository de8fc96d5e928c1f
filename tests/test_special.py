"""ug.special: SciPy's values, derivatives against differences, refusals."""

import numpy as np
import pytest
from scipy import special as sp

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("axis", [None, 0, (0, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_with_factors(axis, keepdims, rng):
    a, b = 30 * rng.standard_normal((3, 4)), rng.uniform(0.2, 1, (3, 4))
    b[0, 1] = 0
    expected = sp.logsumexp(a, axis, b, keepdims)
    np.testing.assert_allclose(ug.special.logsumexp(a, axis, b, keepdims), expected, rtol=1e-14)
    check_modes(lambda a, b: ug.special.logsumexp(a, axis, b, keepdims), (a / 20, b), rng, order=2)


def test_logsumexp_of_no_and_of_negative_sums():
    assert ug.special.logsumexp([1.0, 2.0]) == ug.logsumexp([1.0, 2.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert ug.special.logsumexp([0.0, 1e3], b=[0.0, 0.0]) == -np.inf
        assert np.isnan(ug.special.logsumexp([0.0, 1.0], b=[1.0, -1.0]))
    # an infinite term with the factor 0 has no part in the sum, nor in its derivatives
    value, pullback = ug.vjp(lambda a: ug.special.logsumexp(a, b=[1.0, 0.0]), np.array([2.0, 1e4]))
    assert (value, pullback(1.0)[0].tolist()) == (2, [1, 0])


@pytest.mark.parametrize("d", [1, 2, 5])
def test_multigammaln(d, rng):
    a = rng.uniform(4, 6, (2, 3))
    np.testing.assert_allclose(ug.special.multigammaln(a, d), sp.multigammaln(a, d), rtol=1e-14)
    check_modes(lambda a: ug.special.multigammaln(a, d), (a,), rng, order=3)


def test_polygamma(rng):
    n, x = np.array([[0], [1], [4]]), rng.uniform(1, 3, 5)
    np.testing.assert_allclose(ug.special.polygamma(n, x), sp.polygamma(n, x), rtol=1e-14)
    check_modes(lambda x: ug.special.polygamma(n, x), (x,), rng, order=2)
    assert ug.special.polygamma(1, np.float32(2)).dtype == np.float32


def test_arguments_out_of_range_are_named():
    with pytest.raises(ArgumentError, match=r"^d: "):
        ug.special.multigammaln(3.0, 0)
    with pytest.raises(ArgumentError, match=r"^a: "):
        ug.special.multigammaln(1.0, 4)
    for n in (-1, 0.5, [1, 2.5]):
        with pytest.raises(ArgumentError, match=r"^n: "):
            ug.special.polygamma(n, 1.0)
    with pytest.raises(NotDifferentiableError, match="no derivative rule in n;"):
        ug.grad(lambda n: ug.special.polygamma(n, 1.0))(1.0)
