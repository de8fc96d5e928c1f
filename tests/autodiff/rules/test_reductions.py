"""Reductions: every name and spelling, agreement with NumPy, zeros, ties, constant rows."""

import inspect

import numpy as np
import pytest

from tinygrad_ugan import grad, hessian, vjp
from tinygrad_ugan.autodiff.rules import CONSTANTS, TABLE
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NotDifferentiableError

DIFFERENTIATED = """
    sum mean average prod max min amax amin ptp var std cumsum cumprod median quantile
    percentile nansum nanmean nanprod nanmax nanmin nanvar nanstd nancumsum nancumprod nanmedian
    nanquantile nanpercentile
"""
CONSTANT = """
    any all argmax argmin count_nonzero nanargmax nanargmin
"""

# 5 along the last axis: odd and even counts, and a middle for the median.
X = np.random.default_rng(3).standard_normal((4, 3, 5))

AXES = [None, 0, -1, (0, 2), (-1, 1), ()]


def second(name):
    return (0.3,) if name.endswith(("quantile", "percentile")) else ()


@pytest.mark.parametrize("name", DIFFERENTIATED.split())
def test_has_a_rule(name):
    assert getattr(np, name) in TABLE


@pytest.mark.parametrize("name", CONSTANT.split())
def test_is_a_constant(name):
    function = getattr(np, name)
    assert function in CONSTANTS

    def f(x):
        assert np.array_equal(function(x, axis=0), function(X, axis=0))
        return np.sum(x)

    assert np.all(grad(f)(X) == 1)


def outcome(f, x):
    """The value of f, and with it that there is a derivative."""
    out, pullback = vjp(f, x)
    assert pullback(np.ones_like(out))[0].shape == x.shape
    return out


@pytest.mark.parametrize("name", [n for n in DIFFERENTIATED.split() if "cum" not in n])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_values_shapes_and_dtypes_are_numpys(name, axis, keepdims):
    function = getattr(np, name)
    for x in (X, np.float32(X)):
        out = outcome(lambda x: function(x, *second(name), axis=axis, keepdims=keepdims), x)
        expected = function(x, *second(name), axis=axis, keepdims=keepdims)
        assert (np.shape(out), out.dtype) == (np.shape(expected), expected.dtype)
        np.testing.assert_allclose(out, expected, rtol=60 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_running_values_are_numpys(name, axis):
    function = getattr(np, name)
    out = outcome(lambda x: function(x, axis), X)
    np.testing.assert_allclose(out, function(X, axis), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "std", "cumsum", "cumprod"])
def test_dtype_is_what_is_computed_in(name):
    function = getattr(np, name)
    x = np.float32(X)
    out, pullback = vjp(lambda x: function(x, dtype=np.float64), x)
    np.testing.assert_allclose(out, function(np.float64(x)), rtol=1e-14)
    assert out.dtype == np.float64
    assert pullback(np.ones_like(out))[0].dtype == np.float32
    whole = vjp(lambda x: function(x, dtype=int) + 0 * np.sum(x), 3 * np.abs(X))[0]
    np.testing.assert_array_equal(whole, function(3 * np.abs(X), dtype=int))


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        (lambda x: np.sum(x, 0, None, None, True), lambda x: np.sum(x, axis=0, keepdims=True)),
        (lambda x: np.max(x, 0, None, True), lambda x: np.max(x, axis=0, keepdims=True)),
        (lambda x: np.ptp(x, 0, None, True), lambda x: np.ptp(x, axis=0, keepdims=True)),
        (lambda x: np.var(x, 1, None, None, 1), lambda x: np.var(x, axis=1, ddof=1)),
        (lambda x: np.std(x, 1, None, None, 1, True), lambda x: x.std(1, ddof=1, keepdims=True)),
        (lambda x: np.average(x, 1, [1, 2, 3]), lambda x: np.average(x, axis=1, weights=[1, 2, 3])),
        (lambda x: np.median(x, 0, None, False, True), lambda x: np.median(a=x, axis=0)[None]),
        (
            lambda x: np.quantile(x, 0.3, 0, None, False, "linear", True),
            lambda x: np.quantile(q=0.3, a=x, axis=0, method="".join(["lin", "ear"]))[None],
        ),
        (lambda x: np.percentile(x, 30, 0), lambda x: np.quantile(x, 0.3, 0)),
        (lambda x: np.cumsum(x, 1, None, None), lambda x: x.cumsum(axis=1, out=None)),
        (lambda x: np.prod(x, (0, 1), np.float64), lambda x: x.prod(axis=(0, 1))),
        (lambda x: x.cumprod(1), lambda x: np.cumprod(x, axis=1)),
        (lambda x: x.sum(0), lambda x: np.sum(a=x, axis=0)),
        (lambda x: x.mean(0), lambda x: np.mean(x, axis=0)),
        (lambda x: x.var(), lambda x: np.var(x)),
        (lambda x: x.min(0, None, True), lambda x: np.amin(x, axis=0, keepdims=True)),
    ],
)
def test_positional_and_named_arguments_say_the_same(positional, named):
    out, pullback = vjp(positional, X)
    again, pullback_again = vjp(named, X)
    np.testing.assert_allclose(out, positional(X), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(again, out, rtol=1e-13, atol=1e-15)
    weights = np.cos(np.arange(np.size(out))).reshape(np.shape(out))
    np.testing.assert_allclose(pullback(weights)[0], pullback_again(weights)[0], rtol=1e-13)


@pytest.mark.parametrize("name", DIFFERENTIATED.split())
def test_every_argument_that_has_no_rule_is_refused_by_name_at_the_call(name):
    function = getattr(np, name)
    known = TABLE[function].signature.keywords
    values = {"where": X > 0, "weights": np.abs(X), "out": np.zeros(()), "method": "nearest"}
    unknown = [p for p in inspect.signature(function).parameters if p not in known]
    assert unknown

    reached = []

    def f(x):
        for keyword in unknown:
            match = f"numpy.{name} with {keyword}="
            with pytest.raises(NotDifferentiableError, match=match):
                function(x, *second(name), **{keyword: values.get(keyword, 1.5)})
            reached.append(keyword)
        return np.sum(x)

    grad(f)(X)
    assert reached == unknown


def test_what_numpy_itself_refuses_is_a_type_error():
    def f(x):
        with pytest.raises(TypeError, match="axes"):
            np.sum(x, axes=0)
        with pytest.raises(TypeError, match="multiple values"):
            np.sum(x, 0, axis=0)
        return np.sum(x)

    grad(f)(X)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 3), (0, 1, 2, 3)])
def test_products_are_exact_at_zeros_to_second_order(zeros):
    x = np.array([2.0, -3.0, 5.0, 0.5])
    x[list(zeros)] = 0
    others = [np.prod(np.delete(x, i)) for i in range(4)]
    pairs = [[0 if i == j else np.prod(np.delete(x, [i, j])) for i in range(4)] for j in range(4)]
    assert grad(np.prod)(x).tolist() == pytest.approx(others)
    np.testing.assert_allclose(hessian(np.prod)(x), pairs, rtol=1e-15)

    weights = np.array([1.0, -2.0, 3.0, 0.25])

    def f(x):
        return np.sum(weights * np.cumprod(x))

    def g(x):  # the same, of products of leading elements
        return sum(w * np.prod(x[: k + 1]) for k, w in enumerate(weights))

    np.testing.assert_allclose(grad(f)(x), grad(g)(x), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(hessian(f)(x), hessian(g)(x), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 7, 17])
def test_products_of_every_length(n):
    x = np.random.default_rng(n).uniform(0.5, 1.5, (2, n))
    out, pullback = vjp(lambda x: np.prod(x, axis=1), x)
    np.testing.assert_allclose(out, np.prod(x, axis=1), rtol=1e-14)
    np.testing.assert_allclose(pullback(np.ones(2))[0], out[:, None] / x, rtol=1e-14)
    running, pullback = vjp(lambda x: np.cumprod(x, axis=1), x)
    np.testing.assert_allclose(running, np.cumprod(x, axis=1), rtol=1e-14)
    tails = np.cumsum(running[:, ::-1], axis=1)[:, ::-1]
    np.testing.assert_allclose(pullback(np.ones((2, n)))[0], tails / x, rtol=1e-13)


def test_ties_share_evenly():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    for f in (np.max, np.amax):
        assert grad(f)(x).tolist() == [[0, 0.5, 0.5], [0, 0, 0]]
    for f in (np.min, np.amin):
        assert grad(f)(x).tolist() == [[1, 0, 0], [0, 0, 0]]
    rows = grad(lambda x: np.sum(np.ptp(x, axis=1)))(x)
    np.testing.assert_allclose(rows, [[-1, 0.5, 0.5], [0, 0, 0]], atol=1e-16)


def test_constant_values_have_no_deviation_and_no_derivative():
    def f(x):
        return np.sum(np.std(x, axis=1))

    x = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
    assert vjp(f, x)[0] == np.sum(np.std(x, axis=1))
    gradient = grad(f)(x)
    assert gradient[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(gradient[1], [-1 / 6**0.5, 0, 1 / 6**0.5], rtol=1e-15, atol=1e-16)
    # the second derivative does not exist: var(x), which is std(x)**2, has one that is not 0
    assert np.all(np.isnan(hessian(lambda v: f(np.stack([v, x[1]])))(x[0])))
    assert grad(np.std)(5.0) == hessian(np.std)(5.0) == 0  # of one number it is 0 throughout


def test_the_median_takes_what_the_sort_puts_in_the_middle():
    assert grad(np.median)(np.array([3.0, 1.0, 2.0])).tolist() == [0, 0, 1]
    assert grad(np.median)(np.array([3.0, 1.0, 2.0, 9.0])).tolist() == [0.5, 0, 0.5, 0]
    tied = grad(np.median)(np.array([1.0, 2.0, 2.0, 2.0, 3.0]))
    assert sorted(tied.tolist()) == [0, 0, 0, 0, 1]
    assert tied[[0, 4]].tolist() == [0, 0]
    assert grad(np.quantile)(np.array([4.0, 0.0, 1.0]), 0.75).tolist() == [0.5, 0, 0.5]


def test_quantiles_differentiate_in_their_order():
    x = np.array([4.0, 0.0, 1.0])
    assert grad(lambda q: np.quantile(x, q))(0.75) == 6  # (n - 1) (4 - 1)
    assert grad(lambda q: np.percentile(x, q))(20.0) == pytest.approx(0.02)
    assert grad(lambda q: np.quantile(x, q))(1.0) == 0


def test_missing_and_infinite_numbers_in_order_statistics():
    x = np.array([[1.0, np.nan, 3.0], [1.0, 5.0, np.inf]])
    for f in (lambda x: np.median(x, axis=1), lambda x: np.quantile(x, 0.5, axis=1)):
        with np.errstate(invalid="ignore"):  # some versions of NumPy multiply infinity by 0 here
            np.testing.assert_array_equal(vjp(f, x)[0], f(x))
    assert vjp(np.median, np.full(4, np.inf))[0] == np.inf


def test_averages_differentiate_in_their_weights():
    x, w = np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0])
    mean = np.average(x, weights=w)
    gradient = grad(lambda w: np.average(x.tolist(), weights=w))(w)
    np.testing.assert_allclose(gradient, (x - mean) / 4, rtol=1e-15)


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda x: np.average(x, weights=[1.0, 2.0]), ArgumentTypeError, "axis.*None"),
        (lambda x: np.average(x, axis=0, weights=[1.0, 2.0]), ArgumentError, r"weights.*\(2,\)"),
        (lambda x: np.average(x, axis=1, weights=[1, 0, -1]), ZeroDivisionError, "weights"),
        (lambda x: np.quantile(x, 1.5), ArgumentError, "q: expected numbers from 0 to 1"),
        (lambda x: np.percentile(x, [50, -1]), ArgumentError, "q: expected numbers from 0 to 100"),
    ],
)
def test_bad_input_names_the_argument(f, error, words):
    with pytest.raises(error, match=words):
        vjp(f, X)


def test_empty_rows():
    x = np.zeros((0, 3))
    for function in (np.sum, np.prod):
        out, pullback = vjp(lambda x, f=function: f(x, axis=1), x)
        assert (out.shape, pullback(out)[0].shape) == ((0,), (0, 3))
    assert vjp(lambda x: np.mean(x, axis=1), x)[1](np.zeros(0))[0].shape == (0, 3)


def test_methods_of_constants():
    x = np.array([1.5, -0.5])

    def f(x):
        assert x.any()
        assert not (x.all() and x[1] > 0)
        assert (x.argmax(), x.argmin()) == (0, 1)
        assert x.round(0).tolist() == [2, 0]
        assert x.imag.tolist() == [0, 0]
        return (x.conj() * x.real * x.conjugate()).sum()

    np.testing.assert_allclose(grad(f)(x), 3 * x**2, rtol=1e-15)
