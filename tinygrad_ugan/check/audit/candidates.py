"""What a gradient may be: each known mistake, computed without making it.

Every mistake is the exact gradient of another problem, or a truncation of it. So each is a line
of a list, and `unroll` computes it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.check.audit.mistakes import (
    as_in_pytorch,
    descending,
    gradient,
    last_state,
    of_steps,
    other_losses,
    remembering,
    repeats,
    stale,
    started_at,
    without_curvature,
)
from tinygrad_ugan.check.audit.verdicts import ORDER
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.unroll.dynamics import Optimized
from tinygrad_ugan.unroll.problem import Problem


class Hypothesis(NamedTuple):
    """What a gradient would be if a verdict were true.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    detail : str
        Which of several it is, such as "the last 2 of 5 steps".
    vector : ndarray
        The gradient.
    truncate : int or None
        Through how many of the last steps it is differentiated; None if through all of them.
    """

    verdict: str
    detail: str
    vector: NDArray[np.float64]
    truncate: int | None = None


class _Plan(NamedTuple):
    verdict: str
    detail: str
    problem: Problem
    truncate: int | None = None

    def carry_out(self) -> Hypothesis:
        vector = gradient(self.problem, self.truncate)
        return Hypothesis(self.verdict, self.detail, vector, self.truncate)


def hypotheses(problem: Problem) -> list[Hypothesis]:
    """Every hypothesis about the gradient of f_K, the most favourable first: exact, detached, ...

    One whose numbers overflow is left out; exact and detached must not.

    Raises
    ------
    NonFiniteError
        If the game itself leaves the finite numbers.
    """
    exact = _Plan("exact", "", problem).carry_out()
    direct = _Plan("detached", "", problem, truncate=0).carry_out()
    found = [
        exact,
        direct,
        Hypothesis("indirect_only", "", exact.vector - direct.vector),
        Hypothesis("zero", "", np.zeros_like(exact.vector)),
    ]
    with np.errstate(all="ignore"):
        for plan in _plans(problem):
            with contextlib.suppress(NonFiniteError):
                found.append(plan.carry_out())
    return sorted(found, key=lambda h: ORDER.index(h.verdict))


def _plans(problem: Problem) -> Iterator[_Plan]:
    K = problem.steps
    for m in range(K - 1, 0, -1):
        yield _Plan("truncated", f"the last {m} of {K} steps", problem, m)
    yield _Plan("lookahead", "", of_steps(problem, 0))
    ones = optree.tree_map(np.ones_like, problem.state.theta)
    yield _Plan("replaced", "", of_steps(started_at(problem, ones), 0))
    for loss, other in other_losses(problem):
        yield from _both("wrong_loss", loss, other)
    if K > 0:
        yield from _plans_of_steps(problem)
    if isinstance(problem.rule, Optimized) and K > 0:
        yield from _remembered(problem)
        if (theirs := as_in_pytorch(problem)) is not None:
            yield from _in_pytorch(theirs)


def _plans_of_steps(problem: Problem) -> Iterator[_Plan]:
    """Those that make sense where there are steps."""
    K = problem.steps
    yield _Plan("no_curvature", "", without_curvature(problem))
    yield from _both("stale", "", stale(problem))
    yield from _both("wrong_direction", "", descending(problem))
    first, last = (last_state(of_steps(problem, j)).theta for j in (1, K))
    yield from _both("moved_first", "", started_at(problem, first))
    yield from _both("kept", "", started_at(problem, last))
    for j in [*range(K - 1, 0, -1), *([K + 1] if repeats(problem) else [])]:
        yield from _both("wrong_steps", f"{j} steps, not {K}", of_steps(problem, j))


def _both(verdict: str, detail: str, problem: Problem) -> Iterator[_Plan]:
    """The gradient through all steps, and its direct term."""
    yield _Plan(verdict, detail, problem)
    yield _Plan(verdict, f"{detail}, and detached" if detail else "and detached", problem, 0)


def _remembered(problem: Problem) -> Iterator[_Plan]:
    """An earlier unrolling is remembered, or that and the real step after it."""
    again = remembering(problem, last_state(problem).memory)
    yield from _both("state_not_restored", "", again)
    once_more = remembering(problem, last_state(of_steps(again, 1)).memory)
    yield from _both("state_not_restored", "and a real step remembered", once_more)


def _in_pytorch(problem: Problem) -> Iterator[_Plan]:
    """The likeliest of all, with Adam as PyTorch has it."""
    detail = "epsilon outside the root"
    yield _Plan("exact", detail, problem)
    yield _Plan("detached", detail, problem, 0)
    for plan in _remembered(problem):
        yield plan._replace(detail=f"{plan.detail}; {detail}".removeprefix("; "))
