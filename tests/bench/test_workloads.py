"""The workloads' data."""

import numpy as np
import optree
import pytest

from tinygrad_ugan.bench import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_arrays_are_the_same_in_every_call_and_fit_the_game(name):
    workload = WORKLOADS[name]
    one, two = workload.arrays(), workload.arrays()
    for x, y in zip(optree.tree_leaves(one), optree.tree_leaves(two), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, y)
    fake = workload.game.generator(one.theta_g, one.noise)
    assert fake.shape == one.real.shape == (workload.batch, 2)
