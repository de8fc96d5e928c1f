"""The comparison: which candidates a gradient fits up to rounding, and so the verdict on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.check.audit.candidates import CandidateGradient, candidates, gradient
from tinygrad_ugan.check.audit.report import Audit, Candidate
from tinygrad_ugan.tree import norm
from tinygrad_ugan.typing import Array
from tinygrad_ugan.unroll.problem import Problem

MARGIN = 32.0
"""Rounding errors of a correct program, in units of what one rounding of its arguments does."""

FLOOR = 1e-9
"""No relative error below this is held against a gradient: correct formulas that are not the most
stable, such as log(1 - sigmoid(s)), lose that much in float64."""


@dataclass(frozen=True)
class Classifier:
    """Finds the verdict on gradients of one problem: ``classifier(vector) -> Audit``.

    Attributes
    ----------
    problem : Problem
    candidates : tuple of CandidateGradient
        The most favourable first, which is the exact gradient.
    tolerance : float
        The largest distance from the exact gradient that rounding accounts for.
    condition : float
        The relative change of the exact gradient over that of all parameters and data.
    dtype : dtype
        The precision to judge by.
    """

    problem: Problem
    candidates: tuple[CandidateGradient, ...]
    tolerance: float
    condition: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, problem: Problem, dtype: np.dtype[Any], slack: float = 0.0) -> Classifier:
        """Compute all that is to be compared with; `slack` is added to the tolerance."""
        every = tuple(candidates(problem))
        exact, direct = _named(every, "exact"), _named(every, "detached")
        allowed, condition = tolerance(problem, exact, direct, dtype)
        return cls(problem, every, allowed + slack, condition, dtype)

    @property
    def exact(self) -> Array:
        """The exact gradient."""
        return _named(self.candidates, "exact")

    def __call__(self, vector: Array) -> Audit:
        """Find the verdict on a gradient."""
        scalable = not self._all_parallel()
        compared = tuple(self.compare(vector, candidate, scalable) for candidate in self.candidates)
        plain = [c for c in compared if c.fits]
        matches = plain or [c for c in compared if c.scaled_fits]
        size = norm(self.exact)
        found = Audit(
            verdict="unknown",
            detail="",
            scale=1.0,
            truncate=None,
            step_factor=1.0,
            transposed=False,
            relative_error=_ratio(norm(vector - self.exact), size),
            tolerance=_ratio(self.tolerance, size),
            condition=self.condition,
            dtype=str(self.dtype),
            also=_others(matches),
            candidates=compared,
            notes=(),
        )
        if matches:
            found = _decided(found, matches[0])
        return replace(found, notes=tuple(self._notes(found, vector)))

    def compare(self, vector: Array, candidate: CandidateGradient, scalable: bool) -> Candidate:
        """Compare the gradient with a candidate, as it is and times the best factor."""
        verdict, detail, expected, truncate, step_factor = candidate
        size = norm(expected)
        error = norm(vector - expected)
        allowed = self.tolerance * max(1.0, _ratio(size, norm(self.exact), default=1.0))
        visible = size > allowed
        scale = float(vector @ expected) / size**2 if visible else 1.0
        if visible and abs(scale + 1) * size <= allowed:
            scale = -1.0
        left = norm(vector - scale * expected)
        return Candidate(
            verdict,
            detail,
            relative_error=_ratio(error, size),
            fits=error <= allowed,
            scale=scale,
            scaled_error=_ratio(left, abs(scale) * size),
            scaled_fits=visible
            and norm(vector) > abs(scale) * allowed >= left
            and (scalable or scale == -1),
            truncate=truncate,
            step_factor=step_factor,
        )

    def _all_parallel(self) -> bool:
        """Whether all are multiples of the exact gradient, so that a factor says nothing."""
        if self.exact.size == 1:
            return True
        size = norm(self.exact)
        if size <= self.tolerance:
            return False
        unit = self.exact / size
        others = [c.vector for c in self.candidates if norm(c.vector) > self.tolerance]
        others = [v for v in others if norm(v - self.exact) > self.tolerance]
        across = [norm(v - (v @ unit) * unit) for v in others]
        return bool(others) and max(across) <= self.tolerance

    def _notes(self, found: Audit, vector: Array) -> Iterator[str]:
        if found.also:
            yield "this game at this point cannot tell it from: " + ", ".join(found.also)
        if found.verdict == "exact" and "detached" in found.also:
            share = _ratio(norm(_named(self.candidates, "indirect_only")), norm(self.exact))
            yield f"the indirect term is {share:.1g} of the gradient, too small to be seen"
        if found.verdict in ("wrong_scale", "wrong_sign"):
            yield from self._on_the_factor(abs(found.scale))
        if found.step_factor != 1:
            yield from self._on_the_factor(found.step_factor)
        if found.verdict == "unknown":
            yield from self._on_the_unknown(found, vector)

    def _on_the_factor(self, factor: float) -> Iterator[str]:
        noise = getattr(self.problem.batches[-1], "noise", None)
        rows = 1 if noise is None else len(noise)
        if rows > 1 and np.isclose(factor, rows, rtol=1e-3):
            yield f"the batch has {rows} samples: a sum in place of the mean?"

    def _on_the_unknown(self, found: Audit, vector: Array) -> Iterator[str]:
        nearest = found.nearest
        yield f"nearest: {nearest}, relative error {nearest.relative_error:.3g}"
        if nearest.relative_error < 1e-4 and self.dtype == np.float64:
            yield "that may be float32's rounding: hand in float32 arrays if it was computed so"
        if self._all_parallel():
            yield (
                "all candidates are multiples of one another here, so that no factor was tried: "
                "take a generator of more parameters"
            )
        wrong, right = self._leaves(vector)
        if wrong and right:
            yield f"exact in {', '.join(right)}; wrong in {', '.join(wrong)}"

    def _leaves(self, vector: Array) -> tuple[list[str], list[str]]:
        """The leaves of theta_G in which the gradient is wrong, and those in which it is right."""
        theta_g = self.problem.theta_g
        ends = np.cumsum([np.size(leaf) for leaf in optree.tree_leaves(theta_g)])
        errors = np.split(vector - self.exact, ends[:-1])
        names = [accessor.codify("theta_g") for accessor in optree.tree_accessors(theta_g)]
        pairs = list(zip(names, errors, strict=True))
        wrong = [name for name, error in pairs if norm(error) > self.tolerance]
        return wrong, [name for name in names if name not in wrong]


def _named(every: Sequence[CandidateGradient], verdict: str) -> Array:
    """The first candidate of a verdict."""
    return next(candidate.vector for candidate in every if candidate.verdict == verdict)


def _decided(found: Audit, match: Candidate) -> Audit:
    scale = 1.0 if match.fits else match.scale
    verdict = match.verdict
    if verdict == "exact" and not match.fits:
        verdict = "wrong_sign" if scale < 0 else "wrong_scale"
    return replace(
        found,
        verdict=verdict,
        detail=match.detail,
        scale=scale,
        truncate=match.truncate,
        step_factor=match.step_factor,
    )


def _others(matches: list[Candidate]) -> tuple[str, ...]:
    """The names of all matches but the first; other ways to be exact are no others."""
    others = [c for c in matches[1:] if c.verdict != "exact"]
    names = [str(c) if c.fits else f"{c} times {c.scale:.3g}" for c in others]
    return tuple(dict.fromkeys(names))


def _ratio(a: float, b: float, default: float = float("inf")) -> float:
    return a / b if b else default if a else 0.0


def tolerance(
    problem: Problem, exact: Array, direct: Array, dtype: np.dtype[Any]
) -> tuple[float, float]:
    """Bound the rounding errors of the exact gradient when it is computed in `dtype`.

    Parameters
    ----------
    problem : Problem
    exact, direct : ndarray
        The gradient, and its direct term: where large terms cancel, their rounding stays.
    dtype : dtype

    Returns
    -------
    tolerance : float
        Absolute: MARGIN times the machine epsilon times the effect of one rounding.
    condition : float
        The relative change of the gradient over that of all parameters and data, the median of
        three fixed patterns of signs.
    """
    size = max(norm(direct), norm(exact), norm(exact - direct))
    change = float(np.median([_change(problem, exact, pattern) for pattern in (1, 2, 3)]))
    eps = float(np.finfo(dtype).eps)
    return max(MARGIN * eps * (size + change), FLOOR * size), change / size if size else 1.0


def _change(problem: Problem, exact: Array, pattern: int, step: float = 1e-8) -> float:
    """Divide the change of the gradient by a small relative change of all numbers."""

    def moved(x: Any) -> Any:
        if np.asarray(x).dtype.kind != "f":
            return x
        signs = np.sign(np.sin(pattern * (1.0 + np.arange(np.size(x)))))
        return x * (1 + step * signs.reshape(np.shape(x)))

    first = problem.batches[0]
    moved_first = optree.tree_map(moved, first)
    batches = [moved_first if b is first else optree.tree_map(moved, b) for b in problem.batches]
    theta_g, state = (optree.tree_map(moved, x) for x in (problem.theta_g, problem.state))
    near = replace(problem, theta_g=theta_g, state=state, batches=batches)
    return norm(gradient(near) - exact) / step
