"""Sample calls of the engine's functions, with operands put in."""

import numpy as np
import pytest

from tinygrad_ugan.check.strategies import samples
from tinygrad_ugan.check.strategies.samples import TABLE, samples_of


def record(name):
    return next(record for record in TABLE if record.name == name)


@pytest.mark.parametrize("name", ["add", "concatenate", "where", "einsum"])
def test_every_operand_is_drawn_inside_its_domain_and_put_in_its_place(name, rng):
    for sample in samples_of(record(name)):
        arrays = samples.drawn(sample, rng)
        for x, operand in zip(arrays, samples.operands(sample), strict=True):
            assert np.shape(x) == operand.shape
            assert np.all((operand.domain.low <= x) & (x <= operand.domain.high))
        assert np.all(np.isfinite(samples.joined(samples.call(sample, arrays, record(name)))))


def test_other_shapes_broadcast(rng):
    sample = samples_of(record("add"))[0]
    assert samples.broadcasts(record("add"), sample)
    assert not samples.broadcasts(record("concatenate"), samples_of(record("concatenate"))[0])
    wide = samples.with_shapes(sample, [(4, 1), (3,)])
    assert samples.call(wide, samples.drawn(wide, rng), np.add).shape == (4, 3)


def test_several_results_are_one_vector_of_their_floats():
    pair = (np.ones((2, 2)), np.arange(3), np.zeros(1))
    assert samples.joined(pair).tolist() == [1, 1, 1, 1, 0]
    assert samples.joined(pair[0]) is pair[0]
