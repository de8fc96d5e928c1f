"""Functions with NumPy's values and a composition's derivatives: bits, names, refusals."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.autodiff.rules.test_table import realise
from tinygrad_ugan.autodiff.rules import TABLE
from tinygrad_ugan.check.strategies.samples import samples_of
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

RNG = np.random.default_rng(0)
NUMPY = tuple(map(int, np.__version__.split(".")[:2]))
DERIVED = [r for r in TABLE.values() if "derive" in getattr(r.implementation, "__qualname__", "")]


@pytest.mark.parametrize("record", DERIVED, ids=lambda record: record.name)
def test_traced_values_are_numpys_bits(record):
    for sample in samples_of(record):
        places, restrict = realise(sample, np.random.default_rng(1))
        traced, operands = restrict(record, places)
        plain, _ = restrict(record.function, places)
        for dtype in (np.float64, np.float32):
            arguments = [x.astype(dtype) for x in operands]
            np.testing.assert_array_equal(ug.vjp(traced, *arguments)[0], plain(*arguments))


def test_there_are_many():
    assert len(DERIVED) > 30


@pytest.mark.parametrize(
    "f",
    [
        lambda x, s: np.sum(x, 1, initial=s),
        lambda x, s: np.sum(x, axis=0, where=np.eye(3, 4) > 0, initial=s),
        lambda x, s: np.prod(x, initial=s),
        lambda x, s: np.max(x, 0, initial=s),
        lambda x, s: np.min(x, initial=s, where=x > 0),
        lambda x, s: np.nansum(x, 1, initial=s),
        lambda x, s: np.var(x, 1, mean=x[:, :1] * s),
        lambda x, s: np.std(x, 0, mean=x[:1] * s, correction=0.5),
        lambda x, s: np.nanstd(x, 0, mean=x[:1] * s),
        lambda x, s: np.cov(x, aweights=np.exp(x[0] * s)),
        lambda x, s: np.polyfit(np.arange(4.0), x[0], 2, w=np.exp(x[1] * s)),
        lambda x, s: np.logspace(x[0], 1.0, 3, base=np.exp(s)),
        lambda x, s: np.unwrap(4 * x, period=2 + s),
        lambda x, s: np.polyint(x[0], k=s),
        lambda x, s: np.ediff1d(x, to_end=s),
        lambda x, s: np.nanquantile(x, q=0.4 + s / 100, axis=1),
    ],
)
def test_tensors_by_keyword_have_their_derivative(f):
    check_modes(f, (RNG.uniform(0.5, 2.5, (3, 4)), 0.7), RNG, order=2)


@pytest.mark.parametrize("f", [np.nansum, np.nanprod, np.nancumsum, np.sum])
def test_a_dtype_of_integers_makes_a_constant_and_a_complex_one_is_refused(f):
    x = np.array([1.5, 2.5])
    seen = []
    gradient = ug.grad(lambda x: seen.append(f(x, dtype=int)) or np.sum(x))(x)
    assert np.array_equal(seen[0], f(x, dtype=int))
    assert gradient.tolist() == [1, 1]
    with pytest.raises(NotDifferentiableError):
        ug.grad(lambda x: np.real(np.sum(np.nansum(x, dtype=complex))))(x)


def test_elements_that_are_missing_have_no_derivative():
    x = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 5.0]])
    missing = np.isnan(x)
    for f in (np.nansum, np.nanmean, np.nanprod, np.nanmax, np.nanvar, np.nanmedian):
        gradient = ug.grad(f)(x)
        assert np.all(gradient[missing] == 0)
        assert np.all(np.isfinite(gradient))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rows_of_nothing_but_missing_elements():
    x = np.full((2, 3), np.nan)
    for f in (np.nanmean, np.nanvar, np.nanmax, np.nanmedian):
        out, pullback = ug.vjp(lambda x, f=f: f(x, axis=1), x)
        np.testing.assert_array_equal(out, f(x, axis=1))
        assert pullback(np.ones(2))[0].shape == x.shape
    assert ug.grad(np.nansum)(x).tolist() == np.zeros((2, 3)).tolist()


def test_complex_eigenvalues_and_roots_are_refused():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    for f in (np.linalg.eigvals, lambda a: np.linalg.eig(a)[0]):
        with pytest.raises(NotDifferentiableError, match=r"complex"):
            ug.vjp(lambda a, f=f: np.real(f(a)), turn)
    with pytest.raises(NotDifferentiableError, match=r"numpy\.roots.*complex"):
        ug.vjp(np.roots, np.array([1.0, 0.0, 1.0]))


def test_characteristic_polynomials_do_not_ask_for_real_eigenvalues():
    check_modes(
        np.poly, (np.array([[0.5, -1.0, 0.0], [1.0, 0.2, 0.3], [0.0, 0.1, -1.0]]),), RNG, order=3
    )


def test_smooth_functions_through_equal_eigenvalues_are_right_or_not_a_number():
    a = np.eye(2)
    first = ug.grad(lambda a: np.sum(np.linalg.eig(a).eigenvalues))(a)
    np.testing.assert_allclose(first, np.eye(2))
    with np.errstate(all="ignore"):
        second = ug.hessian(lambda a: np.sum(np.linalg.eig(a).eigenvalues ** 2))(a)
    exact = 2 * np.einsum("il,jk->ijkl", np.eye(2), np.eye(2))  # of trace(a a)
    assert np.all((second == exact) | ~np.isfinite(second))


def test_what_numpy_refuses_is_refused_with_the_argument_named():
    x = np.arange(4.0)
    for f, argument in (
        (lambda x: np.piecewise(x, [x > 1], [1.0, 2.0, 3.0]), "funclist"),
        (lambda x: np.apply_over_axes(lambda a, i: np.sum(a), np.outer(x, x)[None], 0), "func"),
        (lambda x: np.nanquantile(x, 2.0), "q"),
    ):
        with pytest.raises(ArgumentError, match=f"{argument}: "):
            ug.vjp(f, x)


def test_quantiles_by_every_method_pick_what_numpy_picks():
    x = RNG.standard_normal(7)
    methods = "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf"
    methods += " hazen weibull linear median_unbiased normal_unbiased lower higher midpoint nearest"
    for method in methods.split():
        for q in np.linspace(0, 1, 15):
            value, gradient = ug.value_and_grad(np.quantile)(x, q, method=method)
            # every quantile is a mean of elements, with weights that do not depend on them
            np.testing.assert_allclose(gradient @ x, value, rtol=1e-13, err_msg=f"{method} {q}")
            np.testing.assert_allclose(np.sum(gradient), 1, rtol=1e-13)


def test_weighted_quantiles_pick_one_element():
    x, w = np.array([3.0, 1.0, 2.0]), np.array([1.0, 5.0, 1.0])
    f = lambda x, w: np.quantile(x, 0.8, method="inverted_cdf", weights=w)  # noqa: E731
    value, pullback = ug.vjp(f, x, w)
    assert value == f(x, w)
    of_x, of_w = pullback(1.0)
    assert (of_x @ x, np.sum(of_x), np.any(of_w)) == (value, 1, False)


@pytest.mark.parametrize("trim", ["fb", "f", "b"])
def test_zeros_are_trimmed_in_any_shape(trim):
    frame = np.pad(RNG.uniform(1, 2, (2, 3)), ((1, 2), (0, 1)))
    arrays = [np.zeros(3), np.pad(RNG.uniform(1, 2, 3), 2)]
    arrays += [frame, np.zeros((2, 2))] if NUMPY >= (2, 2) else []
    for x in arrays:
        value, pullback = ug.vjp(lambda x: np.trim_zeros(x, trim), x)
        np.testing.assert_array_equal(value, np.trim_zeros(x, trim))
        np.testing.assert_array_equal(pullback(value)[0], x)
