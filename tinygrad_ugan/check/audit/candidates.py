"""The candidates: every gradient that code may have computed where d f_K / d theta_G was meant.

No mistake is made to find out what it computes. Each is the exact gradient of an altered problem,
or its direct term alone, so that `TABLE` names the alteration and `unroll` computes the gradient.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tinygrad_ugan import tree
from tinygrad_ugan.check.audit import mistakes
from tinygrad_ugan.check.audit.mistakes import Alteration
from tinygrad_ugan.check.audit.verdicts import ORDER
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.typing import Array
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.method import check_finite
from tinygrad_ugan.unroll.problem import Problem


class Mistake(NamedTuple):
    """A row of `TABLE`: a verdict, and the problems whose gradients it stands for.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    alter : callable
        From the problem that was stated to those that are solved in its place.
    or_detached : bool
        Whether their direct terms alone are candidates too.
    """

    verdict: str
    alter: Callable[[Problem], Iterator[Alteration]]
    or_detached: bool


TABLE = (
    Mistake("lookahead", mistakes.without_steps, or_detached=False),
    Mistake("replaced", mistakes.weights_replaced, or_detached=False),
    Mistake("no_curvature", mistakes.without_curvature, or_detached=False),
    Mistake("wrong_loss", mistakes.with_another_loss, or_detached=True),
    Mistake("stale", mistakes.with_stale_gradient, or_detached=True),
    Mistake("wrong_direction", mistakes.descending, or_detached=True),
    Mistake("moved_first", mistakes.after_the_real_step, or_detached=True),
    Mistake("kept", mistakes.after_the_unrolling, or_detached=True),
    Mistake("wrong_steps", mistakes.with_other_steps, or_detached=True),
    Mistake("state_not_restored", mistakes.with_state_not_restored, or_detached=True),
)
"""The mistakes that alter the problem; the rest of `candidates` are parts of the exact gradient."""


class CandidateGradient(NamedTuple):
    """The gradient that belongs to a verdict.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    detail : str
        The variety of it, such as "the last 2 of 5 steps", or empty.
    vector : ndarray
        The gradient.
    truncate : int or None
        Where the verdict is "truncated": through how many of the last steps it is differentiated.
    """

    verdict: str
    detail: str
    vector: Array
    truncate: int | None = None


def candidates(problem: Problem) -> list[CandidateGradient]:
    """Compute every candidate for the gradient of f_K, the most favourable first.

    One whose numbers overflow is left out; exact and detached must not.

    Raises
    ------
    NonFiniteError
        If the game itself leaves the finite numbers.
    """
    exact, direct = gradient(problem), gradient(problem, truncate=0)
    found = [
        CandidateGradient("exact", "", exact),
        CandidateGradient("detached", "", direct),
        CandidateGradient("indirect_only", "", exact - direct),
        CandidateGradient("zero", "", np.zeros_like(exact)),
    ]
    with np.errstate(all="ignore"):
        for verdict, detail, altered, truncate in _altered(problem):
            with contextlib.suppress(NonFiniteError):
                vector = gradient(altered, truncate)
                shown = truncate if verdict == "truncated" else None
                found.append(CandidateGradient(verdict, detail, vector, shown))
    return sorted(found, key=lambda candidate: ORDER.index(candidate.verdict))


def gradient(problem: Problem, truncate: int | None = None) -> Array:
    """Compute d f_K / d theta_G as a vector; through the last `truncate` steps only, if given.

    By the adjoint recursion: the compiled sweep would be compiled anew for each candidate.

    Raises
    ------
    NonFiniteError
        If the problem leaves the finite numbers; the message names the step.
    """
    constant_steps = 0 if truncate is None else problem.steps - truncate
    _, found = adjoint(replace(problem, constant_steps=constant_steps))
    vector, _ = tree.ravel(found)
    check_finite(problem, vector)
    return vector


_Row = tuple[str, str, Problem, int | None]


def _altered(problem: Problem) -> Iterator[_Row]:
    """Verdict and detail with the problem whose gradient belongs to them, and its truncation."""
    K = problem.steps
    for m in range(K - 1, 0, -1):
        yield "truncated", f"the last {m} of {K} steps", problem, m
    for mistake in TABLE:
        yield from _rows(mistake, problem)
    if K > 0 and (theirs := mistakes.with_adam_of_pytorch(problem)) is not None:
        epsilon = "epsilon outside the root"
        yield "exact", epsilon, theirs, None
        yield "detached", epsilon, theirs, 0
        for verdict, detail, altered, truncate in _rows(TABLE[-1], theirs):
            yield verdict, "; ".join(filter(None, (detail, epsilon))), altered, truncate


def _rows(mistake: Mistake, problem: Problem) -> Iterator[_Row]:
    for detail, altered in mistake.alter(problem):
        yield mistake.verdict, detail, altered, None
        if mistake.or_detached:
            detached = f"{detail}, and detached" if detail else "and detached"
            yield mistake.verdict, detached, altered, 0
