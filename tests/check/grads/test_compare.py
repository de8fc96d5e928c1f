"""The oracle, and how it is compared with the engine along a direction."""

import numpy as np
import pytest

from tests.check.grads.planted import spoiled
from tinygrad_ugan.check.grads.compare import Comparator, Oracle, directions
from tinygrad_ugan.check.grads.derivatives import MODES, flatten

POINT = np.array([0.4, 1.3, 2.0])


@pytest.mark.parametrize(
    ("f", "is_complex"), [(np.sin, True), (np.abs, False), (lambda x: np.hypot(x, 1.0), False)]
)
def test_the_complex_step_is_taken_where_it_agrees_with_differences(f, is_complex, rng):
    assert Oracle(flatten(f, (POINT,)), rng).is_complex == is_complex


@pytest.mark.parametrize("f", [np.sin, lambda x: np.hypot(x, 0.0) + np.sin(x) - x])
def test_rates_are_known_as_well_as_is_said(f, rng):
    oracle = Oracle(flatten(f, (POINT,)), rng)
    v = rng.standard_normal(3)
    for found in (oracle.rates(v), oracle.rates_again(v)):
        assert np.all(np.abs(found.value - np.cos(POINT) * v) <= 10 * found.error)


def test_few_elements_move_one_by_one_and_many_together(rng):
    few = list(directions(flatten(np.sin, (POINT,)), rng))
    many = list(directions(flatten(np.sin, (np.ones(100),)), rng))
    assert [np.count_nonzero(v) for v in few] == [1, 1, 1, 3]
    assert [np.count_nonzero(v) for v in many] == [100, 100, 100]


@pytest.mark.parametrize("mode", MODES)
def test_the_number_that_is_furthest_off_is_named(mode, rng):
    flat = flatten(spoiled(1e-3, (3,), 1), (POINT,))
    oracle = Oracle(flat, rng)
    compare = Comparator(flat, MODES[mode](flat, rng), oracle, None, rng)
    right, wrong = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    assert not np.any(compare(right, oracle.rates(right)).is_wrong)
    found = compare(wrong, oracle.rates(wrong))
    assert found.is_wrong[found.worst]
    assert found.worst == (1 if mode == "forward" else 0)
    assert np.all(found.is_settled)


def test_slopes_to_either_side_show_a_kink(rng):
    flat = flatten(np.abs, (np.array([0.0, 1.0]),))
    compare = Comparator(flat, MODES["forward"](flat, rng), Oracle(flat, rng), None, rng)
    slopes = compare.slopes(np.array([1.0, 1.0]))
    assert [slopes.of(j).is_smooth for j in (0, 1)] == [False, True]
    assert (slopes.of(0).left[-1], slopes.of(0).right[-1]) == (-1, 1)
