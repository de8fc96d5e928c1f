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


@pytest.mark.parametrize(
    "dataset", [data.Ring(), data.Moons(), data.Samples([[1.0, 2.0]]), data.Gaussian1D()]
)
def test_built_in_data_keep_it(dataset, rng):
    for dtype in (np.float32, np.float64):
        assert data.draw(dataset, 5, rng, dtype).shape == (5, dataset.dimension)
