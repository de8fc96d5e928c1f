"""ug.linalg: SciPy's values, derivatives against differences, refusals."""

import numpy as np
import pytest
import scipy.linalg as sl

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.errors import ArgumentError

RNG = np.random.default_rng(3)
A = RNG.standard_normal((4, 4)) / 4 + 2 * np.eye(4)
B, COLUMNS = RNG.standard_normal(4), RNG.standard_normal((4, 3))
SMALL = RNG.standard_normal((3, 3)) / 4 + np.eye(3)
BANDS = RNG.standard_normal((4, 4)) / 4 + 2 * (np.arange(4) == 2)[:, None]
SPD = A @ A.T

CALLS = [
    *(
        ("solve_triangular", (A, b), options)
        for b in (B, COLUMNS)
        for options in (
            {},
            {"lower": True},
            {"trans": 1},
            {"trans": "T", "lower": True, "unit_diagonal": True},
        )
    ),
    ("expm", (A,), {}),
    ("expm", (np.stack([A, -A]),), {}),
    ("logm", (A,), {}),
    ("sqrtm", (A,), {}),
    ("solve_sylvester", (A, SMALL, RNG.standard_normal((4, 3))), {}),
    ("toeplitz", (B,), {}),
    ("toeplitz", (B, COLUMNS[:3, 0]), {}),
    ("toeplitz", (COLUMNS[:2, 0], B), {}),
    ("block_diag", (A, B, COLUMNS), {}),
]


@pytest.mark.parametrize(("name", "args", "options"), CALLS)
def test_values_are_scipys_and_derivatives_are_right(name, args, options):
    ours, scipys = getattr(ug.linalg, name), getattr(sl, name)
    np.testing.assert_allclose(ours(*args, **options), scipys(*args, **options), rtol=1e-14)
    # to third order in the tests of the table
    check_modes(lambda *args: ours(*args, **options), args, np.random.default_rng(0), order=1)


@pytest.mark.parametrize("l_and_u", [(1, 2), (2, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("b", [B, COLUMNS])
def test_banded(l_and_u, b):
    ab = np.roll(BANDS, l_and_u[1] - 2, axis=0)
    np.testing.assert_allclose(
        ug.linalg.solve_banded(l_and_u, ab, b), sl.solve_banded(l_and_u, ab, b), rtol=1e-14
    )
    f = lambda ab, b: ug.linalg.solve_banded(l_and_u, ab, b)  # noqa: E731
    check_modes(f, (ab, b), np.random.default_rng(0), order=2)
    dense = sum(
        np.diag(ab[l_and_u[1] - k, max(k, 0) : 4 + min(k, 0)], k)
        for k in range(-l_and_u[0], l_and_u[1] + 1)
    )
    np.testing.assert_allclose(f(ab, b), np.linalg.solve(dense, b), rtol=1e-12)


def test_one_band():
    np.testing.assert_array_equal(ug.linalg.solve_banded((0, 0), 2 * np.ones((1, 4)), B), B / 2)


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("b", [B, COLUMNS])
def test_cholesky(lower, b):
    factor = ug.linalg.cho_factor(SPD, lower)
    read = np.tril if lower else np.triu
    np.testing.assert_allclose(factor[0], read(sl.cho_factor(SPD, lower)[0]), rtol=1e-13)
    np.testing.assert_allclose(ug.linalg.cho_solve(factor, b), np.linalg.solve(SPD, b), rtol=1e-10)
    scipys = sl.cho_factor(SPD, lower)  # whose other triangle is not read
    np.testing.assert_allclose(ug.linalg.cho_solve(scipys, b), sl.cho_solve(scipys, b), rtol=1e-13)

    def solve(a, b):
        return ug.linalg.cho_solve(ug.linalg.cho_factor((a + a.T) / 2, lower), b)

    check_modes(solve, (SPD, b), np.random.default_rng(0), order=2)
    gradients = ug.vjp(solve, SPD, b)[1](np.ones_like(b))
    expected = ug.vjp(np.linalg.solve, SPD, b)[1](np.ones_like(b))
    np.testing.assert_allclose(gradients[0], (expected[0] + expected[0].T) / 2, rtol=1e-9)


def test_what_is_not_read_has_no_derivative():
    (gradient, _) = ug.vjp(ug.linalg.solve_triangular, A, B)[1](np.ones(4))
    np.testing.assert_array_equal(np.tril(gradient, -1), 0)
    (gradient, _) = ug.vjp(lambda a, b: ug.linalg.solve_triangular(a, b, unit_diagonal=True), A, B)[
        1
    ](np.ones(4))
    np.testing.assert_array_equal(np.tril(gradient), 0)
    gradient = ug.grad(lambda ab: np.sum(ug.linalg.solve_banded((1, 2), ab, B)))(BANDS)
    outside = [gradient[0, :2], gradient[1, :1], gradient[3, -1:]]
    np.testing.assert_array_equal(np.concatenate(outside), 0)


def test_the_exponential_of_a_nilpotent_matrix_and_of_a_rotation():
    """exp of t [[0, -1], [1, 0]] is the rotation by t, with derivative the one by t + pi/2."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    f = ug.jacobian(lambda t: ug.linalg.expm(t * turn))
    for t in (0.0, 1.0, 30.0):
        expected = [[-np.sin(t), -np.cos(t)], [np.cos(t), -np.sin(t)]]
        np.testing.assert_allclose(f(t), expected, atol=1e-13)


def test_they_are_inverse_to_each_other():
    for inverse, f in ((ug.linalg.logm, ug.linalg.expm), (ug.linalg.sqrtm, lambda x: x @ x)):
        jacobian = ug.jacobian(lambda a, f=f, inverse=inverse: f(inverse(a)))(A)
        np.testing.assert_allclose(jacobian.reshape(16, 16), np.eye(16), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: ug.linalg.sqrtm(-np.eye(2)), "a"),
        (lambda: ug.linalg.logm(-np.eye(2)), "a"),
        (lambda: ug.linalg.expm(COLUMNS), "a"),
        (lambda: ug.linalg.logm(np.stack([A, A])), "a"),
        (lambda: ug.linalg.solve_triangular(COLUMNS, B), "a"),
        (lambda: ug.linalg.solve_triangular(A, B[:3]), "b"),
        (lambda: ug.linalg.solve_triangular(A, B, trans="H"), "trans"),
        (lambda: ug.linalg.solve_banded((1, 1), BANDS, B), "ab"),
        (lambda: ug.linalg.solve_sylvester(A, SMALL, COLUMNS.T), "q"),
        (lambda: ug.linalg.toeplitz(A), "c, r"),
        (lambda: ug.linalg.block_diag(np.ones((2, 2, 2))), "arrays"),
    ],
)
def test_arguments_that_make_no_sense_are_named(call, argument):
    with pytest.raises(ArgumentError, match=f"^{argument}: "):
        call()
