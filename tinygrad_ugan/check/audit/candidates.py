"""The candidates: every gradient that code may have computed where d f_K / d theta_G was meant.

No mistake is made to find out what it computes: each computes the exact gradient of an altered
problem. `TABLE` names the alteration, and `unroll` computes the gradient. The direct term alone is
that of the problem all of whose steps are constant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeAlias

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


STATE_NOT_RESTORED = Mistake(
    "state_not_restored", mistakes.with_state_not_restored, or_detached=True
)
TABLE = (
    Mistake("truncated", mistakes.truncated, or_detached=False),
    Mistake("lookahead", mistakes.without_steps, or_detached=False),
    Mistake("replaced", mistakes.weights_replaced, or_detached=False),
    Mistake("no_curvature", mistakes.without_curvature, or_detached=False),
    Mistake("wrong_loss", mistakes.with_another_loss, or_detached=True),
    Mistake("stale", mistakes.with_stale_gradient, or_detached=True),
    Mistake("wrong_direction", mistakes.descending, or_detached=True),
    Mistake("moved_first", mistakes.after_the_real_step, or_detached=True),
    Mistake("kept", mistakes.after_the_unrolling, or_detached=True),
    Mistake("wrong_steps", mistakes.with_other_steps, or_detached=True),
    STATE_NOT_RESTORED,
)
"""The mistakes. What is not in it are the parts of the exact gradient: see `candidates`."""


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
        Where the verdict is "truncated": the number of steps that are differentiated.
    step_factor : float
        The size of the inner steps, over that which was stated.
    """

    verdict: str
    detail: str
    vector: Array
    truncate: int | None = None
    step_factor: float = 1.0


def candidates(problem: Problem) -> list[CandidateGradient]:
    """Compute every candidate for the gradient of f_K, the most favourable first.

    One whose numbers overflow is left out; exact and detached must not.

    Raises
    ------
    NonFiniteError
        If the game itself leaves the finite numbers.
    """
    exact, direct = gradient(problem), gradient(_detached(problem))
    found = [
        CandidateGradient("exact", "", exact),
        CandidateGradient("detached", "", direct),
        CandidateGradient("indirect_only", "", exact - direct),
        CandidateGradient("zero", "", np.zeros_like(exact)),
    ]
    with np.errstate(all="ignore"):
        for verdict, detail, altered in _altered(problem):
            with contextlib.suppress(NonFiniteError):
                vector = gradient(altered)
                through = altered.steps - altered.constant_steps
                truncate = through if verdict == "truncated" else None
                found.append(CandidateGradient(verdict, detail, vector, truncate))
    return sorted(found, key=lambda candidate: ORDER.index(candidate.verdict))


def recompute(problem: Problem, candidate: CandidateGradient) -> Array:
    """Compute one of the candidates alone, for a problem like the one it belongs to.

    Raises
    ------
    NonFiniteError
        If its numbers overflow.
    """
    match candidate.verdict, candidate.detail:
        case "exact", "":
            return gradient(problem)
        case "detached", "":
            return gradient(_detached(problem))
        case "indirect_only", _:
            return gradient(problem) - gradient(_detached(problem))
        case "zero", _:
            return candidate.vector
        case name:
            return gradient(next(row for *its, row in _altered(problem) if tuple(its) == name))


def gradient(problem: Problem) -> Array:
    """Compute d f_K / d theta_G as a vector.

    By the adjoint recursion: the compiled sweep would be compiled anew for each candidate.

    Raises
    ------
    NonFiniteError
        If the problem leaves the finite numbers; the message names the step.
    """
    _, found = adjoint(problem)
    vector, _ = tree.ravel(found)
    check_finite(problem, vector)
    return vector


_Row: TypeAlias = tuple[str, str, Problem]


def _altered(problem: Problem) -> Iterator[_Row]:
    """Verdict and detail, with the problem whose gradient belongs to them."""
    for mistake in TABLE:
        yield from _rows(mistake, problem)
    if problem.steps > 0 and (theirs := mistakes.with_adam_of_pytorch(problem)) is not None:
        epsilon = "epsilon outside the root"
        yield "exact", epsilon, theirs
        yield "detached", epsilon, _detached(theirs)
        for verdict, detail, altered in _rows(STATE_NOT_RESTORED, theirs):
            yield verdict, "; ".join(filter(None, (detail, epsilon))), altered


def _rows(mistake: Mistake, problem: Problem) -> Iterator[_Row]:
    for detail, altered in mistake.alter(problem):
        yield mistake.verdict, detail, altered
        if mistake.or_detached:
            detached = f"{detail}, and detached" if detail else "and detached"
            yield mistake.verdict, detached, _detached(altered)


def _detached(problem: Problem) -> Problem:
    return replace(problem, constant_steps=problem.steps)
