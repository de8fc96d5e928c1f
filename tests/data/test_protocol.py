import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


class Given:
    dimension = 4

    def __init__(self, samples):
        self._samples = samples

    def sample(self, n, rng, dtype):
        return self._samples


def test_a_sample_of_any_shape_with_enough_numbers_comes_through(rng):
    x = np.ones((3, 2, 2), np.float32)
    assert data.draw(Given(x), 3, rng, np.float32) is x


@pytest.mark.parametrize(
    ("samples", "error", "words"),
    [
        ([1.0], ArgumentTypeError, "an array, got a list"),
        (np.ones((2, 4), np.float32), ArgumentError, r"\(3, d...\) with 4 numbers"),
        (np.ones((3, 5), np.float32), ArgumentError, "got shape"),
        (np.float32(1), ArgumentTypeError, "got a numpy.float32"),
        (np.ones((3, 4)), ArgumentTypeError, "of dtype float32, got dtype float64"),
    ],
)
def test_anything_else_is_refused(samples, error, words, rng):
    with pytest.raises(error, match=words):
        data.draw(Given(samples), 3, rng, np.float32)


class Labelled(Given):
    classes = 3


X = np.ones((3, 4), np.float32)


def test_labels_come_through_and_can_be_left_out(rng):
    labels = np.array([2, 0, 0])
    dataset = Labelled((X, labels))
    samples, found = data.draw_labelled(dataset, 3, rng, np.float32)
    assert samples is X
    assert found is labels
    assert data.draw(dataset, 3, rng, np.float32) is X
    assert data.draw_labelled(Given(X), 3, rng, np.float32) == (X, None)


@pytest.mark.parametrize(
    ("drawn", "classes", "error", "words"),
    [
        ((X, np.array([0, 1, 2])), 0, ArgumentError, "as many classes as there are, got labels, a"),
        (X, 3, ArgumentError, r"\(samples, labels\), as classes = 3, got samples and 0 arrays"),
        ((X, X, X), 3, ArgumentError, "got samples and 2 arrays"),
        ((X, [0, 1, 2]), 3, ArgumentTypeError, r"whole numbers of shape \(3,\), got .* a list"),
        ((X, np.zeros(3)), 3, ArgumentTypeError, "labels that are dtype float64"),
        ((X, np.array([0, 1])), 3, ArgumentError, r"labels of shape \(2,\)"),
        ((X, np.array([0, 1, 3])), 3, ArgumentError, "from 0 to 2, .*got labels from 0 to 3"),
        ((X, np.array([0, 1, -1])), 3, ArgumentError, "labels from -1 to 1"),
        ((X, np.array([0, 1, 2])), "3", ArgumentTypeError, "classes: expected a whole number"),
    ],
)
def test_other_labels_are_refused(drawn, classes, error, words, rng):
    dataset = Labelled(drawn)
    dataset.classes = classes
    with pytest.raises(error, match=words):
        data.draw_labelled(dataset, 3, rng, np.float32)


@pytest.mark.parametrize(
    "dataset", [data.Ring(), data.Moons(), data.Samples([[1.0, 2.0]]), data.Gaussian1D()]
)
def test_built_in_data_keep_it(dataset, rng):
    for dtype in (np.float32, np.float64):
        assert data.draw(dataset, 5, rng, dtype).shape == (5, dataset.dimension)
