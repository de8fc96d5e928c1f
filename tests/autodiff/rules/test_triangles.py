"""Functions that read one triangle of a matrix: their derivative is that of what they compute."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan.check.strategies.samples import TABLE, drawn, operands, samples_of

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
MATRICES = {
    "symmetric": A,
    "not symmetric": A + np.triu(np.full((3, 3), 0.3), 1),
    "stack": np.stack([A, A + np.eye(3)]),
}


def vectors(result):
    """Eigenvectors up to their signs."""
    v = result.eigenvectors
    return v[..., :, None, :] * v[..., None, :, :]


# The function, and whether it reads the upper triangle.
READERS = {
    "cholesky": (np.linalg.cholesky, False),
    "cholesky upper": (lambda a: np.linalg.cholesky(a, upper=True), True),
    "eigvalsh": (np.linalg.eigvalsh, False),
    "eigvalsh U": (lambda a: np.linalg.eigvalsh(a, UPLO="U"), True),
    "eigvalsh u": (lambda a: np.linalg.eigvalsh(a, "u"), True),
    "eigh values": (lambda a: np.linalg.eigh(a).eigenvalues, False),
    "eigh values U": (lambda a: np.linalg.eigh(a, "U").eigenvalues, True),
    "eigh vectors": (lambda a: vectors(np.linalg.eigh(a)), False),
    "eigh vectors U": (lambda a: vectors(np.linalg.eigh(a, UPLO="U")), True),
}
CASES = [(name, kind) for name in READERS for kind in MATRICES]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_both_modes_to_third_order_without_symmetry(name, kind, rng):
    check_modes(READERS[name][0], (MATRICES[kind],), rng, order=3)


@pytest.mark.parametrize("name", READERS)
def test_the_checker_agrees_at_a_symmetric_matrix(name):
    ug.check.check_grads(READERS[name][0], (A,), order=2)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_is_not_read_has_no_derivative(name, kind, rng):
    f, upper = READERS[name]
    a = MATRICES[kind]
    value, pullback = ug.vjp(f, a)
    np.testing.assert_array_equal(value, f(a))
    (gradient,) = pullback(rng.standard_normal(value.shape))
    unread = np.tril(gradient, -1) if upper else np.triu(gradient, 1)
    assert not np.any(unread)
    direction = np.tril(a, -1) if upper else np.triu(a, 1)
    assert not np.any(ug.jvp(f, (a,), (direction,))[1])


def test_an_element_off_the_diagonal_stands_for_two():
    gradient = ug.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(A)  # of sum of squares
    np.testing.assert_allclose(gradient, np.tril(2 * A) + np.tril(2 * A, -1), rtol=1e-14)


def test_no_sample_makes_a_matrix_symmetric_before_it_is_read():
    """A perturbation that keeps to symmetric matrices would not tell one triangle from two."""
    hidden = []
    for record in TABLE:
        for sample in samples_of(record):
            for x, array in zip(
                operands(sample), drawn(sample, np.random.default_rng(0)), strict=True
            ):
                if x.structure is None or len(set(x.shape[-2:])) != 1 or len(x.shape) < 2:
                    continue
                made = x.structure(array)
                if np.array_equal(made, np.swapaxes(made, -1, -2)):
                    hidden.append(record.name)
    assert not hidden
