"""Arrays and calls that are drawn are where a function is smooth."""

import numpy as np
import pytest
from hypothesis import find, given

from tinygrad_ugan.check import strategies
from tinygrad_ugan.errors import ArgumentError


@given(strategies.arrays((0.5, 2.0), dtype=np.float32))
def test_arrays_stay_inside_their_interval_and_have_no_ties(x):
    assert x.dtype == np.float32
    assert x.ndim <= 2
    assert x.size
    assert np.all((x > 0.5) & (x < 2.0))
    assert len(np.unique(x)) == x.size


def test_shapes_of_arrays_may_be_given_and_shrink():
    assert find(strategies.arrays(shape=(2, 5)), lambda x: True).shape == (2, 5)
    assert find(strategies.arrays(), lambda x: x.ndim == 2).shape == (1, 1)


@given(strategies.calls([np.linalg.inv, np.tanh]))
def test_calls_are_of_the_chosen_functions(call):
    assert call.f.__name__ in ("inv", "tanh")
    assert all(x.dtype == np.float64 for x in call.args)
    assert np.all(np.isfinite(call.f(*call.args)))


def test_a_function_that_the_engine_does_not_know_is_named():
    with pytest.raises(ArgumentError, match=r"functions: expected .* a rule for, got histogram"):
        find(strategies.calls([np.histogram]), lambda call: True)
