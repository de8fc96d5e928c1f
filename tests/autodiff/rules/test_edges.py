"""Arguments at the edge of what a function takes: nothing, one point, a fill that is traced."""

import warnings

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.autodiff.rules.test_values import TRACINGS, check_bits
from tinygrad_ugan.errors import ArgumentTypeError

EMPTY = {
    "var": (np.var, (0,)),
    "var of rows": (lambda x: np.var(x, axis=-1), (3, 0)),
    "var of no rows": (lambda x: np.var(x, axis=-1), (0, 3)),
    "std": (np.std, (0,)),
    "std, ddof": (lambda x: np.std(x, axis=0, ddof=1, keepdims=True), (0, 4)),
    "mean": (np.mean, (0,)),
    "median": (np.median, (0,)),
    "median of rows": (lambda x: np.median(x, axis=-1, keepdims=True), (3, 0)),
    "median of no rows": (lambda x: np.median(x, axis=0), (0, 3)),
    "nanmedian": (np.nanmedian, (0,)),
    "eigh": (np.linalg.eigh, (0, 0)),
    "eigh of none": (np.linalg.eigh, (0, 2, 2)),
    "eigvalsh": (np.linalg.eigvalsh, (2, 0, 0)),
    "svd": (lambda a: np.linalg.svd(a, full_matrices=False), (0, 3)),
    "svd of none": (lambda a: np.linalg.svd(a, full_matrices=False), (0, 2, 3)),
    "singular values": (np.linalg.svdvals, (3, 0)),
    "lstsq": (lambda a: np.linalg.lstsq(a, np.ones(3))[0], (3, 0)),
    "lstsq without equations": (lambda a: np.linalg.lstsq(a, np.ones(0))[0], (0, 3)),
    "det": (np.linalg.det, (0, 0)),
    "inv": (np.linalg.inv, (0, 0)),
    "norm": (np.linalg.norm, (0,)),
    "vector norm": (lambda x: np.linalg.vector_norm(x, axis=(0, 1)), (2, 0, 3)),
    "matrix by vector": (lambda a: a @ np.ones(3), (0, 2, 3)),
    "vector by empty": (lambda v: np.ones((0, 2, 3)) @ v, (3,)),
    "einsum, stretched": (lambda x: np.einsum("ij,ij->i", x, np.ones((2, 1))), (2, 0)),
    "prod": (np.prod, (0,)),
    "sum": (np.sum, (0,)),
}
OF_THE_LARGEST = {
    f"norm, {order}, {shape}": (lambda x, order=order: np.linalg.norm(x, order), shape)
    for order, shape in [(np.inf, (0,)), (np.inf, (0, 3)), (1, (3, 0)), (2, (3, 0))]
}


def answers(f, x):
    try:
        f(x)
    except ValueError:
        return False
    return True


@pytest.mark.filterwarnings("ignore")  # the means of nothing
@pytest.mark.parametrize("name", [*EMPTY, *OF_THE_LARGEST])
def test_empty_arrays_give_what_they_give_to_numpy(name):
    f, shape = {**EMPTY, **OF_THE_LARGEST}[name]
    x = np.ones(shape)
    if name in OF_THE_LARGEST and not answers(f, x):
        pytest.skip("this NumPy has no largest element of nothing")
    check_bits(f, (x,), TRACINGS)

    def joined(x):
        out = f(x)
        return out if not isinstance(out, tuple) else np.concatenate([np.ravel(y) for y in out])

    out, pullback = ug.vjp(joined, x)
    assert pullback(np.ones(np.shape(out)))[0].shape == shape
    out, pushed = ug.jvp(joined, (x,), (x,))
    assert np.shape(pushed) == np.shape(out)


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0), np.zeros(())])
def test_division_by_every_kind_of_zero_is_numpys(zero):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, gradient = ug.value_and_grad(lambda x: np.sum(x / zero))(np.ones(2))
        assert value == np.inf
        assert gradient.tolist() == [np.inf, np.inf]


@pytest.mark.parametrize("options", [{}, {"left": -1.0}, {"right": 5.0}])
def test_interp_of_one_point(options, rng):
    def f(x, fp):
        return np.interp(x, [1.0], fp, **options)

    x, fp = np.array([0.3, 1.0, 2.5]), np.array([2.0])
    check_bits(f, (x, fp), TRACINGS)
    _, pullback = ug.vjp(f, x, fp)
    of_x, of_fp = pullback(np.array([1.0, 10.0, 100.0]))
    assert of_x.tolist() == [0, 0, 0]
    assert of_fp.tolist() == [111 - ("left" in options) - 100 * ("right" in options)]
    check_modes(lambda fp: f(x, fp), (fp,), rng, order=2)


@pytest.mark.parametrize("n", [2.5, 2.0, np.float64(2), "2", None])
def test_a_matrix_has_whole_powers_only(n):
    with pytest.raises(ArgumentTypeError, match="n: expected a whole number"):
        ug.grad(lambda a: np.sum(np.linalg.matrix_power(a, n)))(np.eye(2))


def test_the_exponent_of_a_matrix_is_no_tensor():
    with pytest.raises(TypeError, match="stop_gradient"):
        ug.grad(lambda n: np.sum(np.linalg.matrix_power(np.eye(2) * n, n)))(2.0)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 1), (2, 2)])
@pytest.mark.parametrize("width", [1, (1, 2), ((0, 2), (1, 0))])
def test_pad_with_values_that_are_traced(shape, width, rng):
    def f(x, values):
        return np.pad(x, width, constant_values=values)

    x, values = rng.standard_normal((3, 4)), rng.standard_normal(shape)[()]
    check_modes(f, (x, values), rng, order=2)
    out, _ = ug.vjp(f, x, values)
    np.testing.assert_array_equal(out, np.pad(x, width, constant_values=values))


def test_a_number_is_broadcast_to_a_length():
    assert ug.grad(lambda x: np.sum(np.broadcast_to(x, 5)))(2.0) == 5
