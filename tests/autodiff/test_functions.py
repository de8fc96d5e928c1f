"""`array` against NumPy; logsumexp, softmax and log_softmax against scipy.special, also far out."""

import numpy as np
import pytest
from scipy import special as sp

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import ArgumentError

X = np.random.default_rng(1).standard_normal((3, 4, 2)) * 5
FAR = np.array([[1e300, -1e300, 1e300], [-1e300, -1e300, -1e300], [1000.0, 0.0, -1000.0]])
PAIRS = [(ug.logsumexp, sp.logsumexp), (ug.softmax, sp.softmax), (ug.log_softmax, sp.log_softmax)]


@pytest.mark.parametrize(("ours", "scipys"), PAIRS)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, -1)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_agree_with_scipy(ours, scipys, axis, dtype):
    x = X.astype(dtype)
    out, expected = ours(x, axis), scipys(x, axis)
    assert (out.shape, out.dtype) == (expected.shape, dtype)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(out, expected, rtol=20 * eps, atol=20 * eps)


@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_keepdims(axis):
    out = ug.logsumexp(X, axis, keepdims=True)
    np.testing.assert_allclose(out, sp.logsumexp(X, axis, keepdims=True), rtol=1e-14)


@pytest.mark.parametrize(("ours", "scipys"), PAIRS)
def test_lists_ties_integers_and_numbers(ours, scipys):
    for x in ([1.0, 2.0], [2.0, 2.0, 1.0], [[1, 2], [3, 5]], 3.0):
        np.testing.assert_allclose(ours(x), scipys(x), rtol=1e-14)


@pytest.mark.parametrize(("ours", "scipys"), PAIRS)
def test_finite_far_out(ours, scipys):
    out, pullback = ug.vjp(lambda x: ours(x, -1), FAR)
    np.testing.assert_allclose(out, scipys(FAR, -1), rtol=1e-15)
    assert np.all(np.isfinite(out))
    assert np.all(np.isfinite(pullback(np.ones_like(out))[0]))
    curvature = ug.jvp(ug.grad(lambda x: np.sum(ours(x, -1))), (FAR,), (np.ones_like(FAR),))[1]
    assert np.all(np.isfinite(curvature))


def test_small_terms_beside_a_large_one_are_not_lost():
    assert ug.logsumexp([0.0, -50.0]) == pytest.approx(np.exp(-50.0), rel=1e-15)
    assert ug.log_softmax([0.0, -50.0])[0] == pytest.approx(-np.exp(-50.0), rel=1e-15)
    x = np.array([1e8, 1e8 + 1])
    np.testing.assert_allclose(ug.grad(ug.logsumexp)(x), sp.softmax([0, 1]), rtol=1e-15)


def test_infinite_and_missing_numbers_are_taken_as_scipy_takes_them():
    inf = np.inf
    x = np.array([[-inf, -inf], [-inf, 1.0], [inf, 1.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(ug.logsumexp(x, 1), sp.logsumexp(x, 1))
    assert ug.logsumexp(-inf) == -inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ug.softmax(x, 1), sp.softmax(x, 1))
        np.testing.assert_array_equal(ug.log_softmax(x[:2], 1), sp.log_softmax(x[:2], 1))


@pytest.mark.parametrize("keepdims", [False, True])
def test_a_sum_of_zeros_has_no_derivative(keepdims):
    x = np.array([[-np.inf, -np.inf], [-np.inf, 1.0]])
    out, pullback = ug.vjp(lambda x: ug.logsumexp(x, 1, keepdims), x)
    np.testing.assert_array_equal(np.ravel(out), [-np.inf, 1])
    assert pullback(np.ones_like(out))[0].tolist() == [[0, 0], [0, 1]]
    second = ug.jvp(ug.grad(lambda x: ug.logsumexp(x, 1)[0]), (x,), (np.ones_like(x),))[1]
    assert second.tolist() == [[0, 0], [0, 0]]


def test_they_are_derivatives_of_each_other():
    x = X[0, :, 0]
    np.testing.assert_allclose(ug.grad(ug.logsumexp)(x), ug.softmax(x), rtol=1e-14)
    p = ug.softmax(x)
    np.testing.assert_allclose(ug.hessian(ug.logsumexp)(x), np.diag(p) - np.outer(p, p), atol=1e-15)
    np.testing.assert_allclose(
        ug.jacobian(ug.log_softmax)(x), np.eye(4) - p, rtol=1e-13, atol=1e-15
    )


def test_a_dominant_term_leaves_the_digits_of_the_rest():
    """``1 - p`` for a share p that rounds to 1, in every derivative that holds it."""
    x = np.array([40.0, 0.0, 1.0])
    rest = np.exp(-40.0) + np.exp(-39.0)  # to 1e-17 of it
    for mode in ("reverse", "forward"):
        for f in (ug.softmax, ug.log_softmax):
            jacobian = ug.jacobian(f, mode=mode)(x)
            assert jacobian[0, 0] == pytest.approx(rest, rel=1e-15, abs=0)
            np.testing.assert_allclose(jacobian[0].sum(), 0, atol=1e-32)
    assert ug.hessian(ug.logsumexp)(x)[0, 0] == pytest.approx(rest, rel=1e-15, abs=0)
    assert ug.grad(ug.grad(lambda t: np.logaddexp(t, 0.0)))(50.0) == pytest.approx(
        np.exp(-50.0), rel=1e-15, abs=0
    )


@pytest.mark.parametrize("f", [ug.logsumexp, lambda x: np.logaddexp(x[0], x[1])])
def test_both_logarithms_of_a_sum_have_the_same_derivatives_at_infinity(f):
    inf = np.inf
    for x, expected in [
        ([-inf, -inf], [0, 0]),
        ([-inf, 0.0], [0, 1]),
        ([inf, 0.0], [1, 0]),
        ([inf, -inf], [1, 0]),
        ([inf, inf], [np.nan, np.nan]),
    ]:
        np.testing.assert_array_equal(ug.grad(f)(np.array(x)), expected)


def test_array_builds_what_numpy_builds(rng):
    def nested(make):
        return lambda x, y: make([[x[0], 2.0, y], [1, x[1] * y, x[0] ** 2]])

    def beside(make):
        return lambda x, y: make([[x, [y, 1.0]], np.ones((2, 2))])

    x, y = rng.standard_normal(2), rng.standard_normal()
    for f in (nested, beside):
        np.testing.assert_array_equal(f(ug.array)(x, y), f(np.array)(x, y))
        check_modes(f(ug.array), (x, y), rng, order=3)


def test_array_of_no_tensors_is_that_of_numpy():
    assert ug.array([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert ug.array([[1, 2]]).dtype == int
    assert ug.array(1.0, np.float32).dtype == np.float32
    assert ug.array([np.float32(1), 1.0, 2]).dtype == np.float32
    assert ug.array([]).dtype == float


def test_array_promotes_as_arithmetic_does():
    def dtype_of(make, x):
        return ug.vjp(make, x)[0].dtype

    assert dtype_of(lambda x: ug.array([x, 1.0, 2]), np.float32(1)) == np.float32
    assert dtype_of(lambda x: ug.array([x, np.float64(1)]), np.float32(1)) == np.float64
    assert dtype_of(lambda x: ug.array([x, 1.0], np.float64), np.float32(1)) == np.float64
    assert dtype_of(lambda x: ug.array(x, np.float32), np.float64(1)) == np.float32


def test_array_refuses_ragged_lists():
    with pytest.raises(ArgumentError, match="one shape"):
        ug.grad(lambda x: ug.array([x, [x, x]]).sum())(1.0)
