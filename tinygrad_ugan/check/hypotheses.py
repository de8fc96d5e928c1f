"""What a gradient may be: each known mistake, computed without making it.

Every mistake is the exact gradient of another problem, or a truncation of it. So each is an entry
in a list of `Situation`s, and `unroll` computes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.check.situation import Situation
from tinygrad_ugan.check.verdicts import ORDER
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.optim import Adam


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
    situation: Situation
    truncate: int | None = None

    def carry_out(self) -> Hypothesis:
        vector = self.situation.gradient(self.truncate)
        return Hypothesis(self.verdict, self.detail, vector, self.truncate)


def hypotheses(situation: Situation) -> list[Hypothesis]:
    """Every hypothesis about the gradient of f_K, the most favourable first: exact, detached, ...

    One whose numbers overflow is left out; exact and detached must not.

    Raises
    ------
    NonFiniteError
        If the game itself leaves the finite numbers.
    """
    exact = _Plan("exact", "", situation).carry_out()
    direct = _Plan("detached", "", situation, truncate=0).carry_out()
    zero = np.zeros_like(exact.vector)
    others = [
        Hypothesis("indirect_only", "", exact.vector - direct.vector),
        Hypothesis("zero", "", zero),
    ]
    with np.errstate(all="ignore"):
        for plan in _plans(situation):
            try:
                others.append(plan.carry_out())
            except NonFiniteError:
                continue
    return sorted([exact, direct, *others], key=lambda h: ORDER.index(h.verdict))


def _plans(s: Situation) -> Iterator[_Plan]:
    K = s.steps
    for m in range(K - 1, 0, -1):
        yield _Plan("truncated", f"the last {m} of {K} steps", s, m)
    yield _Plan("lookahead", "", s.of_steps(0))
    yield _Plan("replaced", "", replace(s, theta_d=_ones(s.theta_d)).of_steps(0))
    for loss, other in s.with_other_losses():
        yield from _both("wrong_loss", loss, other)
    if K > 0:
        yield _Plan("no_curvature", "", s.without_curvature())
        yield from _both("stale", "", s.stale())
        yield from _both("wrong_direction", "", s.descending())
        yield from _both("moved_first", "", replace(s, theta_d=s.of_steps(1).theta()))
        yield from _both("kept", "", replace(s, theta_d=s.theta()))
        more = [K + 1] if s.repeats else []
        for j in [*range(K - 1, 0, -1), *more]:
            yield from _both("wrong_steps", f"{j} steps, not {K}", s.of_steps(j))
    if K > 0 and s.optimizer is not None:
        yield from _remembered(s)
    if type(s.optimizer) is Adam:
        yield from _in_pytorch(s)


def _both(verdict: str, detail: str, situation: Situation) -> Iterator[_Plan]:
    """The gradient through all steps, and its direct term."""
    yield _Plan(verdict, detail, situation)
    yield _Plan(verdict, f"{detail}, and detached" if detail else "and detached", situation, 0)


def _remembered(s: Situation) -> Iterator[_Plan]:
    once = s.final().memory
    again = replace(s, memory=once)
    yield from _both("state_not_restored", "", again)
    real = replace(s, memory=once).of_steps(1).final().memory
    detail = "the unrolling and a real step remembered"
    yield from _both("state_not_restored", detail, replace(s, memory=real))


def _in_pytorch(s: Situation) -> Iterator[_Plan]:
    """The likeliest of all, with Adam as PyTorch has it."""
    theirs, detail = s.as_in_pytorch(), "epsilon outside the root"
    yield _Plan("exact", detail, theirs)
    yield _Plan("detached", detail, theirs, 0)
    yield from (p._replace(detail=f"{p.detail}; {detail}") for p in _remembered(theirs))


def _ones(tree: object) -> object:
    return optree.tree_map(np.ones_like, tree)
