"""The binomial schedule: right states, few of them, no step too many."""

import functools

import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.unroll.problem import Problem, make_problem
from tinygrad_ugan.unroll.snapshots import advances, reversed_states

GAME = ug.unroll.Game(lambda x, y, _: x * y - y**2 / 2)


@functools.cache
def fewest(steps, snapshots):
    """Steps needed to have s_{K-1} ... s_0 in turn, by exhaustive search over the next snapshot."""
    if steps <= 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(m + fewest(m, snapshots) + fewest(steps - m, snapshots - 1) for m in range(1, steps))


@pytest.mark.parametrize("snapshots", [1, 2, 3, 4, 7, 50])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 10, 21, 34])
def test_takes_the_fewest_steps_possible(steps, snapshots, monkeypatch):
    taken = []
    step = Problem.step
    monkeypatch.setattr(Problem, "step", lambda self, k, *a: taken.append(k) or step(self, k, *a))
    problem = make_problem(GAME, 2.0, 0.5, None, steps=steps, lr=0.1)
    plain = list(enumerate(problem.states()))[::-1]
    taken.clear()
    assert list(reversed_states(problem, snapshots)) == plain  # equal states, in the right order
    assert len(taken) == advances(steps, snapshots)
    assert len(taken) == (fewest(steps, snapshots) + 1 if steps else 0)  # one more, for s_K


@pytest.mark.parametrize("snapshots", [1, 2, 5])
def test_keeps_no_more_states_than_it_may(snapshots):
    problem = make_problem(GAME, 2.0, 0.5, None, steps=40, lr=0.1)
    states = reversed_states(problem, snapshots)
    for _ in states:
        assert len(states.gi_frame.f_locals["kept"]) <= snapshots
