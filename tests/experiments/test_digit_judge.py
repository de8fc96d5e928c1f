import numpy as np
import pytest

from tinygrad_ugan import data
from tinygrad_ugan.experiments.digit_judge import DigitJudge


@pytest.fixture(scope="module")
def judge():
    return DigitJudge.trained(data.digits())


def test_names_most_digits_rightly(judge):
    images, labels = data.digits()
    assert judge.accuracy > 0.95
    assert np.mean(judge.named(2 * images - 1) == labels) >= judge.accuracy


def test_the_distance_is_that_to_the_nearest_other_digit(judge):
    images = 2 * data.digits().images - 1
    chosen = images[:5]
    apart = [
        min(np.sqrt(np.mean((x - y) ** 2)) for j, y in enumerate(images) if j != i)
        for i, x in enumerate(chosen)
    ]
    np.testing.assert_allclose(judge.distance(chosen), np.mean(apart), rtol=1e-4)
    assert judge.distance(np.ones((3, 64), np.float32)) > judge.distance(images)
