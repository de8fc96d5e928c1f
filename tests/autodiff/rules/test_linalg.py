"""Closed forms and edges of linear algebra, beside what the table's samples check."""

import numpy as np
import pytest

import tinygrad_ugan as ug

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
TALL = np.vstack([A, A[:1] + 1])


def test_only_one_triangle_is_read():
    lower, upper = np.tril(A), np.triu(A)
    for f in (np.linalg.cholesky, np.linalg.eigvalsh):
        np.testing.assert_array_equal(ug.vjp(f, lower)[0], f(A))
    value, _ = ug.vjp(lambda a: np.linalg.cholesky(a, upper=True), upper)
    np.testing.assert_array_equal(value, np.linalg.cholesky(A, upper=True))


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


def test_the_residuals_of_lstsq_have_no_gradient_through_the_solution(rng):
    """At the minimum of |b - a x|^2 its derivative in b is 2 (b - a x)."""
    b = rng.standard_normal(4)
    gradient = ug.grad(lambda b: np.linalg.lstsq(TALL, b, rcond=None)[1][0])(b)
    x = np.linalg.lstsq(TALL, b)[0]
    np.testing.assert_allclose(gradient, 2 * (b - TALL @ x), rtol=1e-11)
