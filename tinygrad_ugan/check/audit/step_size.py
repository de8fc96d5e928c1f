"""The inner step size that explains a gradient where no known mistake does.

Each candidate is a curve over the factor c on the step size. Its point nearest to the gradient is
looked for on a coarse grid of c, and from there by Gauss-Newton in log c; where the game shows
enough, along with a factor on the gradient.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass, replace
from typing import Any, cast

import numpy as np

from tinygrad_ugan.check.audit.candidates import CandidateGradient, recompute
from tinygrad_ugan.check.audit.classify import Classifier
from tinygrad_ugan.check.audit.report import Audit
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.tree import norm
from tinygrad_ugan.typing import Array
from tinygrad_ugan.unroll.dynamics import Ascent, Optimized
from tinygrad_ugan.unroll.problem import Problem

GRID = (0.1, 0.25, 0.5, 0.8, 1.25, 2.0, 3.0, 4.0, 10.0)
"""Factors to start from, besides the number of samples and one over it."""

REACH = math.log(2.5)
"""How far from the start a factor is followed: to 2.5 times, or 0.4 times as much."""

DIFFERENCE = 1e-5
"""Step in log c of the difference quotient; each iteration leaves about this part of the error."""


TERMS = ("exact", "detached")
"""The verdicts that are told first; both, where a game is linear in eta and cannot part them."""


def with_other_step_size(classifier: Classifier, vector: Array) -> Audit | None:
    """Return the verdict on a gradient that fits a candidate at another inner step size, if any.

    The exact and the detached gradient are tried first, and both named if both fit; of the others
    the first that fits is taken.
    """
    rank = _rank(classifier)
    if rank < 2:  # any gradient fits a curve through all there is
        return None
    terms = [c for c in classifier.candidates if c.verdict in TERMS]
    others = [c for c in classifier.candidates if c.verdict not in TERMS]
    search = _Search(classifier, vector, any_scale=rank > 3)
    found = [*search.fits(terms)] or [*itertools.islice(search.fits(others), 1)]
    if not found:
        return None
    return replace(classifier, candidates=(*classifier.candidates, *found))(vector)


def _rank(classifier: Classifier) -> int:
    """The dimension of the space of all candidates, as far as rounding lets one see it."""
    allowed = classifier.tolerance
    sizes = [norm(c.vector) for c in classifier.candidates]
    pairs = zip(classifier.candidates, sizes, strict=True)
    units = [c.vector / size for c, size in pairs if size > allowed]
    if not units:
        return 0
    spread = np.linalg.svd(np.array(units), compute_uv=False)
    return int(np.sum(spread > 10 * allowed / max(sizes)))


class _Search:
    """The search for factors on the step size at which candidates are the gradient given."""

    def __init__(self, classifier: Classifier, vector: Array, any_scale: bool) -> None:
        self._classifier, self._vector, self._any_scale = classifier, vector, any_scale
        self._rows = len(getattr(classifier.problem.batches[-1], "noise", "1"))
        self._grid = sorted({*GRID, self._rows, 1 / self._rows} - {1})

    def fits(self, candidates: Iterable[CandidateGradient]) -> Iterator[CandidateGradient]:
        """Yield the candidates that fit at another step size, as they are there."""
        for candidate in candidates:
            points = (self._there(candidate, factor) for factor in self._nearest(candidate))
            yield from itertools.islice(filter(self._fitting, points), 1)

    def _there(self, candidate: CandidateGradient, factor: float) -> CandidateGradient:
        verdict, detail, *_ = candidate
        step = f"for an inner step of {factor:.6g} eta"
        return CandidateGradient(
            "wrong_step_size" if verdict == "exact" else verdict,
            "; ".join(filter(None, (detail, step))),
            self._at(candidate, factor),
            candidate.truncate,
            factor,
        )

    def _fitting(self, there: CandidateGradient) -> bool:
        """Whether the gradient is this, or a multiple that neither rounding nor chance explains."""
        compared = self._classifier.compare(self._vector, there, self._any_scale)
        rounding = abs(compared.scale) * self._classifier.tolerance
        sound = abs(compared.scale) <= 10 * self._rows and rounding <= 1e-3 * norm(self._vector)
        return compared.fits or (compared.scaled_fits and sound)

    def _nearest(self, candidate: CandidateGradient) -> Iterator[float]:
        """The factors at which the candidate comes nearer than at others, the nearest first."""

        def residual(log_factor: float) -> Array:
            return self._residual(self._at(candidate, math.exp(log_factor)))

        def distance(factor: float) -> float:
            try:
                return norm(residual(math.log(factor)))
            except NonFiniteError:
                return math.inf

        distances = [math.inf, *map(distance, self._grid), math.inf]
        if len(set(distances[1:-1])) == 1:  # no step size has a say in it
            return
        for here, i in sorted((d, i) for i, d in enumerate(distances[1:-1], 1)):
            if math.isfinite(here) and here <= min(distances[i - 1], distances[i + 1]):
                with contextlib.suppress(NonFiniteError):
                    yield math.exp(_gauss_newton(residual, math.log(self._grid[i - 1])))

    def _at(self, candidate: CandidateGradient, factor: float) -> Array:
        scaled = with_step_size_times(self._classifier.problem, factor)
        with np.errstate(all="ignore"):
            return recompute(scaled, candidate)

    def _residual(self, expected: Array) -> Array:
        if not self._any_scale:
            return self._vector - expected
        unit = expected / (norm(expected) or 1.0)
        return self._vector - (self._vector @ unit) * unit


def _gauss_newton(residual: Callable[[float], Array], start: float) -> float:
    """Follow a residual down from the start, as long as it falls."""
    x, here = start, residual(start)
    for _ in range(20):
        slope = (residual(x + DIFFERENCE) - here) / DIFFERENCE
        steepness = float(slope @ slope)
        if steepness == 0:
            break
        move = -float(here @ slope) / steepness
        for part in (1.0, 0.3, 0.1):
            further = float(np.clip(x + part * move, start - REACH, start + REACH))
            there = residual(further)
            if norm(there) < 0.95 * norm(here):
                break
        else:
            break
        x, here = further, there
    return x


def with_step_size_times(problem: Problem, factor: float) -> Problem:
    """Multiply the size of the inner steps; that of an optimiser is its ``lr``, if it has one."""
    rule: Any = problem.rule
    if isinstance(rule, Ascent):
        return replace(problem, rule=Ascent([factor * eta for eta in rule.etas]))
    optimizer = rule.optimizer
    if is_dataclass(optimizer) and isinstance(lr := getattr(optimizer, "lr", None), float):
        changed: Any = replace(cast(Any, optimizer), lr=factor * lr)
        return replace(problem, rule=Optimized(changed, rule.carried))
    return problem
