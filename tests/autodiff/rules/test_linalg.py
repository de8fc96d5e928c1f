"""What the table's samples cannot say of products and decompositions: containers, edges, errors."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import ArgumentError, NotDifferentiableError

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
TALL = np.vstack([A, A[:1] + 1])


def traced(f, x):
    """What f returns inside of a differentiated function."""
    seen = []
    ug.jvp(lambda x: seen.append(f(x)) or 0.0, (x,), (x,))
    return seen[0]


@pytest.mark.parametrize(
    "f",
    [
        np.linalg.eigh,
        np.linalg.slogdet,
        np.linalg.qr,
        np.linalg.svd,
        lambda a: np.linalg.lstsq(a, np.ones(3), rcond=None),
        lambda a: np.split(a, 3),
        lambda a: np.hsplit(a, 3),
        lambda a: np.meshgrid(a[0], a[1]),
        lambda a: np.broadcast_arrays(a, a[0]),
        lambda a: np.atleast_2d(a, a[0, 0]),
        np.gradient,
    ],
)
def test_several_results_come_in_the_container_that_numpy_uses(f):
    result, expected = traced(f, A), f(A)
    assert type(result) is type(expected)
    assert [np.shape(x) for x in result] == [np.shape(x) for x in expected]


def test_derivative_of_a_triangle_reader_is_symmetric(rng):
    weights = rng.standard_normal((3, 3))
    for f in (np.linalg.cholesky, lambda a: np.linalg.eigh(a).eigenvectors):
        (gradient,) = ug.vjp(f, A)[1](weights)
        np.testing.assert_array_equal(gradient, gradient.T)


def test_only_one_triangle_is_read():
    lower, upper = np.tril(A), np.triu(A)
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        np.testing.assert_allclose(ug.vjp(f, lower)[0], f(A), rtol=1e-14)
    value, _ = ug.vjp(lambda a: np.linalg.cholesky(a, upper=True), upper)
    np.testing.assert_allclose(value, np.linalg.cholesky(A, upper=True), rtol=1e-15)


@pytest.mark.parametrize(
    "f",
    [
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 2),
        lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 2),
        lambda a: np.sum(np.linalg.eigh(a).eigenvalues ** 2),
    ],
)
def test_symmetric_functions_of_equal_values_have_their_gradient(f):
    np.testing.assert_allclose(ug.grad(f)(3 * np.eye(3)), 6 * np.eye(3), atol=1e-15)


def test_the_gradient_of_a_norm_at_zero_is_zero():
    for x, order in [
        *((np.zeros(3), p) for p in (None, 1, 2, 3, np.inf)),
        *((np.zeros((2, 3)), p) for p in (None, "fro", "nuc", 1, 2, np.inf)),
    ]:
        np.testing.assert_array_equal(ug.grad(np.linalg.norm)(x, order), np.zeros_like(x))


def test_singular_values_of_a_matrix_of_low_rank():
    ones = np.ones((4, 3))
    gradient = ug.grad(lambda a: np.linalg.svd(a, compute_uv=False)[0])(ones)
    np.testing.assert_allclose(gradient, ones / np.sqrt(12), rtol=1e-14)


def test_jacobi_formula_and_inverse_of_second_order():
    """The Hessian of log det is minus the Kronecker product of the inverse with itself."""
    hessian = ug.hessian(lambda a: np.linalg.slogdet(a).logabsdet)(A).reshape(9, 9)
    inverse = np.linalg.inv(A)
    expected = -np.einsum("li,jk->ijkl", inverse, inverse).reshape(9, 9)
    np.testing.assert_allclose(hessian, expected, rtol=1e-13)


def test_second_derivative_of_an_eigenvalue_is_that_of_perturbation_theory():
    w, v = np.linalg.eigh(A)
    t = np.array([[0.0, 1, 2], [1, 3, -1], [2, -1, 0.5]])
    inner = v.T @ t @ v
    expected = sum(2 * inner[0, j] ** 2 / (w[0] - w[j]) for j in (1, 2))
    hvp = ug.hvp(lambda a: np.linalg.eigvalsh(a)[0], A, t)
    assert np.sum(hvp * t) == pytest.approx(expected, rel=1e-12)


def test_lstsq_differentiates_all_that_is_smooth(rng):
    b = rng.standard_normal((4, 2))
    x, residuals, rank, s = traced(lambda a: np.linalg.lstsq(a, b, rcond=None), TALL)
    for ours, theirs in zip(
        (x.value, residuals.value, rank, s.value), np.linalg.lstsq(TALL, b), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert np.linalg.lstsq(A, b[:3])[1].shape == (0,)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.linalg.svd, "full_matrices=False"),
        (lambda a: np.linalg.qr(a, mode="complete"), "mode='complete'"),
        (lambda a: np.linalg.qr(a.T), "3 rows and 4 columns"),
        (lambda a: np.pad(a, 1, "linear_ramp"), "mode='linear_ramp'"),
        (lambda a: np.pad(a, 1, "reflect", reflect_type="odd"), "reflect_type='odd'"),
        (lambda a: np.interp(a, [0.0, 1], [0.0, 1], period=2.0), "period="),
        (lambda a: np.reshape(a, -1, order="A"), "order='A'"),
    ],
)
def test_what_has_no_rule_says_so_at_the_call(f, message):
    with pytest.raises(NotDifferentiableError, match=message):
        traced(f, TALL)


@pytest.mark.parametrize(
    ("f", "argument"),
    [
        (lambda a: np.einsum("ij,jk->ik", a, a), "operands"),
        (lambda a: np.einsum("ii", a), "operands"),
        (lambda a: np.einsum("ij->k", a), "subscripts"),
        (lambda a: np.einsum("ij->ii", a), "subscripts"),
        (lambda a: np.einsum("...i->i", a), "subscripts"),
        (lambda a: np.einsum("i", a), "subscripts"),
        (lambda a: np.einsum("ij,jk", a), "subscripts"),
        (lambda a: np.tensordot(a, a, 1), "operands"),
        (lambda a: np.cross(a[:, :1], a[:, :1]), "length 3"),
        (lambda a: np.linalg.norm(a, 3), "ord"),
        (lambda a: np.linalg.norm(a[0], "fro"), "ord"),
        (lambda a: np.linalg.norm(a[None], 2), "axis"),
        (lambda a: np.gradient(a, 1.0, 2.0, 3.0), "varargs"),
        (lambda a: np.gradient(a, np.arange(3.0)), "varargs"),
        (lambda a: np.gradient(a, np.arange(2.0), axis=0), "varargs"),
        (lambda a: np.gradient(a, edge_order=3), "edge_order"),
        (lambda a: np.gradient(a[:1]), "f: "),
        (lambda a: np.diff(a, -1), "n: "),
    ],
)
def test_what_numpy_refuses_is_refused_with_the_argument_named(f, argument):
    with pytest.raises(ArgumentError, match=argument):
        traced(f, TALL)
    with pytest.raises((ValueError, TypeError)):
        f(TALL)


def test_equal_elements_are_sorted_stably_in_the_derivative():
    weights = np.array([1.0, 2.0, 3.0])
    (gradient,) = ug.vjp(lambda x: np.sort(x, kind="stable"), np.array([1.0, 0.0, 1.0]))[1](weights)
    assert gradient.tolist() == [2.0, 1.0, 3.0]


def test_interpolation_at_a_point_takes_the_slope_on_the_right():
    xp, fp = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0])
    slope = ug.grad(lambda x: np.interp(x, xp, fp))
    assert [float(slope(x)) for x in (-1.0, 0.0, 1.0, 2.0, 3.0)] == [0, 1, 2, 2, 0]
