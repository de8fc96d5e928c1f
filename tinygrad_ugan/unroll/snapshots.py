"""Going back through K steps in bounded memory: keep s states, compute the others again.

The states are needed in the order s_K, s_{K-1}, ..., s_0, but can only be computed forwards. With s
of them kept, the binomial schedule of Griewank and Walther (2000, algorithm 799, "revolve") takes
the fewest steps possible: with r the smallest integer for which binomial(s + r, s) >= K, it is

    r K - binomial(s + r, s + 1) + 1

steps to produce all of s_K ... s_0 (`advances`), where K would do with all states kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb
from typing import Any, Protocol


class Plan(Protocol):
    """What going back needs of a problem."""

    @property
    def steps(self) -> int:
        """K."""

    @property
    def state(self) -> Any:
        """s_0."""

    @property
    def theta_g(self) -> Any:
        """What `step` is called with."""

    def step(self, k: int, theta_g: Any, state: Any) -> Any:
        """s_{k+1}."""


def reversed_states(problem: Plan, snapshots: int | None) -> Iterator[tuple[int, Any]]:
    """Yield (K, s_K), (K - 1, s_{K-1}), ..., (0, s_0) with `snapshots` states kept, or all."""
    if snapshots is None:
        states = [problem.state]
        for k in range(problem.steps):
            states.append(problem.step(k, problem.theta_g, states[-1]))
        while states:
            yield len(states) - 1, states.pop()
        return

    kept = [(0, problem.state)]
    if problem.steps == 0:
        yield kept[0]
    for wanted in reversed(range(problem.steps)):
        k, state = kept[-1]
        while k < wanted:
            free = snapshots - len(kept)
            stop = k + _leap(wanted + 1 - k, free + 1) if free else wanted
            for j in range(k, stop):
                state = problem.step(j, problem.theta_g, state)
            k = stop
            if free:
                kept.append((k, state))
        if wanted == problem.steps - 1:
            yield problem.steps, problem.step(wanted, problem.theta_g, state)
        yield wanted, state
        if kept[-1][0] == wanted:
            kept.pop()


def advances(steps: int, snapshots: int) -> int:
    """Number of steps that `reversed_states` takes with `snapshots` states kept.

    Examples
    --------
    >>> advances(10, snapshots=10), advances(10, snapshots=3), advances(10, snapshots=1)
    (10, 16, 46)
    """
    if steps == 0:
        return 0
    r = _repetitions(steps, snapshots)
    return r * steps - comb(snapshots + r, snapshots + 1) + 1


def _leap(steps: int, snapshots: int) -> int:
    """How far ahead to put the next snapshot, with `steps` to go and `snapshots` to use."""
    r = _repetitions(steps, snapshots)
    rest = comb(snapshots - 1 + r - 1, snapshots - 1)
    return min(comb(snapshots + r - 1, snapshots), steps - rest)


def _repetitions(steps: int, snapshots: int) -> int:
    """The smallest r for which binomial(s + r, s) >= K: no step is taken more often than this."""
    r = 0
    while comb(snapshots + r, snapshots) < steps:
        r += 1
    return r
