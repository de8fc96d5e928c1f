import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.errors import NotCompilableError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + RNG.normal(size=2),
        lambda x: x + np.random.normal(size=2),  # noqa: NPY002
        ug.grad(lambda x: np.sum(x * RNG.normal(size=2))),
    ],
)
def test_random_numbers_are_refused(f):
    with pytest.raises(NotCompilableError, match="random numbers"):
        ug.compile(f)(np.ones(2))


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_among_the_arguments(make):
    with pytest.raises(NotCompilableError, match="random numbers"):
        ug.compile(lambda rng, x: x + rng.normal(size=2))(make(0), np.ones(2))


def test_a_generator_that_is_not_used():
    assert ug.compile(lambda x: x * len([RNG]))(np.ones(2)).tolist() == [1, 1]
