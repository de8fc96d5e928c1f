import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

STATEFUL = np.random.default_rng(0)


def test_samples_are_the_functions(rng):
    uniform = data.Function(lambda n, rng: rng.random((n, 3)))
    assert uniform.dimension == 3
    expected = np.random.default_rng(5).random((7, 3)).astype(np.float32)
    np.testing.assert_array_equal(uniform.sample(7, np.random.default_rng(5)), expected)
    assert uniform.sample(2, rng, np.float64).dtype == np.float64


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (3, ArgumentTypeError, "a function of n and rng, got a int"),
        (lambda n, rng: [[1.0]] * n, ArgumentTypeError, "an array, got a list"),
        (lambda n, rng: rng.random(n), ArgumentError, r"\(3, d\), got shape \(3,\) for n = 3"),
        (lambda n, rng: rng.random((5, 2)), ArgumentError, r"got shape \(5, 2\) for n = 3"),
        (lambda n, rng: rng.random((n, 0)), ArgumentError, r"got shape \(3, 0\)"),
        (lambda n, rng: np.ones((n, 2), int), ArgumentTypeError, "got dtype int64"),
        (lambda n, rng: np.ones((n, 2), complex), ArgumentTypeError, "got dtype complex128"),
        (lambda n, rng: np.full((n, 2), np.nan), NonFiniteError, "got a NaN"),
        (lambda n, rng: STATEFUL.random((n, 2)), ArgumentError, "draw by rng alone"),
    ],
)
def test_what_is_no_sample_is_refused(function, error, words):
    with pytest.raises(error, match=words):
        data.Function(function)


def test_a_dimension_that_changes_is_refused(rng):
    growing = data.Function(lambda n, rng: rng.random((n, 2 if n < 9 else 3)))
    with pytest.raises(ArgumentError, match=r"expected shape \(9, 2\), as before, got shape"):
        growing.sample(9, rng)


def pairs(n, rng):
    return rng.random((n, 2)), rng.integers(3, size=n)


def test_pairs_of_samples_and_labels(rng):
    labelled = data.Function(pairs, classes=3)
    assert (labelled.dimension, labelled.identity) == (2, "of pairs, classes=3")
    x, labels = labelled.sample(9, rng)
    assert x.dtype == np.float32
    assert labels.shape == (9,)
    with pytest.raises(ArgumentError, match="function: expected as many classes as there are"):
        data.Function(pairs)
    with pytest.raises(ArgumentError, match="function: expected labels from 0 to 1"):
        data.Function(pairs, classes=2).sample(99, rng)
    with pytest.raises(ArgumentError, match=r"function: expected \(samples, labels\)"):
        data.Function(drawn, classes=2)


def test_the_identity_names_the_function():
    assert data.Function(drawn).identity == "of drawn"


def drawn(n, rng):
    return rng.random((n, 1))
