"""The binomial schedule: right states, few of them, no step too many."""

import functools
from math import comb

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tinygrad_ugan.kernels.schedule import Advance, Outer, Reverse, schedule


@functools.cache
def fewest(steps, snapshots):
    """Steps needed to have s_{K-1} ... s_0 in turn, by exhaustive search over the next snapshot."""
    if steps <= 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(m + fewest(m, snapshots) + fewest(steps - m, snapshots - 1) for m in range(1, steps))


def advances(moves):
    return sum(isinstance(move, Advance) for move in moves)


def by_formula(steps, snapshots):
    """Of Griewank and Walther, for K > 0."""
    r = next(r for r in range(steps) if comb(snapshots + r, snapshots) >= steps)
    return r * steps - comb(snapshots + r, snapshots + 1) + 1


@pytest.mark.parametrize("snapshots", [1, 2, 3, 4, 7, 50])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 21, 34])
def test_takes_the_fewest_steps_possible(steps, snapshots):
    taken = advances(schedule(steps, snapshots))
    assert taken == fewest(steps, snapshots) + 1  # one more, for s_K
    assert taken == by_formula(steps, snapshots)


@given(
    steps=st.integers(0, 40), snapshots=st.none() | st.integers(1, 8) | st.just(50), data=st.data()
)
def test_every_state_is_there_when_it_is_needed(steps, snapshots, data):
    constant_steps = data.draw(st.integers(0, steps))
    moves = schedule(steps, snapshots, constant_steps)
    at = {0: 0}  # which state each slot holds
    seen = []
    for move in moves:
        match move:
            case Advance(k, source, target):
                assert at[source] == k
                assert target != source
                at[target] = k + 1
            case Outer(source):
                seen.append(at[source])
            case Reverse(k, source):
                assert at.pop(source) == k
                seen.append(k)
    assert seen == [steps, *reversed(range(constant_steps, steps))]
    most = steps if snapshots is None else snapshots
    assert max((m.target for m in moves if isinstance(m, Advance)), default=0) <= most + 1
    left = steps - constant_steps
    taken = constant_steps + (by_formula(left, min(most, left)) if left else 0)
    assert advances(moves) == taken
