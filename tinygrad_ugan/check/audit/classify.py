"""Compares a gradient with every hypothesis, and decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.check.audit.candidates import Hypothesis, hypotheses
from tinygrad_ugan.check.audit.report import Audit, Candidate
from tinygrad_ugan.check.audit.tolerance import norm, tolerance
from tinygrad_ugan.unroll.problem import Problem


@dataclass(frozen=True)
class Judge:
    """Decides on gradients of one problem: ``judge(vector) -> Audit``.

    Attributes
    ----------
    problem : Problem
    hypotheses : tuple of Hypothesis
        The most favourable first.
    exact : ndarray
        The exact gradient.
    indirect : float
        The norm of its indirect term.
    tolerance : float
        How far rounding may take a right gradient from the exact one.
    condition : float
    dtype : dtype
        The precision to judge by.
    """

    problem: Problem
    hypotheses: tuple[Hypothesis, ...]
    exact: NDArray[np.float64]
    indirect: float
    tolerance: float
    condition: float
    dtype: np.dtype

    @classmethod
    def of(cls, problem: Problem, dtype: np.dtype, slack: float = 0.0) -> Judge:
        """Compute all that is to be compared with; `slack` is added to the tolerance."""
        every = tuple(hypotheses(problem))
        exact, direct = (
            next(h.vector for h in every if h.verdict == verdict)
            for verdict in ("exact", "detached")
        )
        allowed, condition = tolerance(problem, exact, direct, dtype)
        return cls(problem, every, exact, norm(exact - direct), allowed + slack, condition, dtype)

    def __call__(self, vector: NDArray[np.float64]) -> Audit:
        """Find the verdict on a gradient."""
        scalable = not self._all_parallel()
        candidates = tuple(self._compare(vector, h, scalable) for h in self.hypotheses)
        plain = [c for c in candidates if c.fits]
        matches = plain or [c for c in candidates if c.scaled_fits]
        size = norm(self.exact)
        found = Audit(
            verdict="unknown",
            detail="",
            scale=1.0,
            truncate=None,
            relative_error=_ratio(norm(vector - self.exact), size),
            tolerance=_ratio(self.tolerance, size),
            condition=self.condition,
            dtype=str(self.dtype),
            also=_others(matches),
            candidates=candidates,
            notes=(),
        )
        if matches:
            found = _decided(found, matches[0])
        return replace(found, notes=tuple(self._notes(found, vector)))

    def _compare(self, vector: NDArray, h: Hypothesis, scalable: bool) -> Candidate:
        size = norm(h.vector)
        error = norm(vector - h.vector)
        allowed = self.tolerance * max(1.0, _ratio(size, norm(self.exact), default=1.0))
        visible = size > allowed
        scale = float(vector @ h.vector) / size**2 if visible else 1.0
        if visible and abs(scale + 1) * size <= allowed:
            scale = -1.0
        left = norm(vector - scale * h.vector)
        return Candidate(
            h.verdict,
            h.detail,
            relative_error=_ratio(error, size),
            fits=error <= allowed,
            scale=scale,
            scaled_error=_ratio(left, abs(scale) * size),
            scaled_fits=visible
            and norm(vector) > abs(scale) * allowed >= left
            and (scalable or scale == -1),
            truncate=h.truncate if h.verdict == "truncated" else None,
        )

    def _all_parallel(self) -> bool:
        """Whether all are multiples of the exact gradient, so that a factor says nothing."""
        if self.exact.size == 1:
            return True
        size = norm(self.exact)
        if size <= self.tolerance:
            return False
        unit = self.exact / size
        others = [h.vector for h in self.hypotheses if norm(h.vector) > self.tolerance]
        others = [v for v in others if norm(v - self.exact) > self.tolerance]
        across = [norm(v - (v @ unit) * unit) for v in others]
        return bool(others) and max(across) <= self.tolerance

    def _notes(self, found: Audit, vector: NDArray) -> Iterator[str]:
        if found.also:
            yield "this game at this point cannot tell it from: " + ", ".join(found.also)
        if found.verdict == "exact" and "detached" in found.also:
            share = _ratio(self.indirect, norm(self.exact))
            yield f"the indirect term is {share:.1g} of the gradient, too small to be seen"
        if found.verdict in ("wrong_scale", "wrong_sign"):
            yield from self._on_the_factor(found)
        if found.verdict == "unknown":
            yield from self._on_the_unknown(found, vector)

    def _on_the_factor(self, found: Audit) -> Iterator[str]:
        noise = getattr(self.problem.batches[-1], "noise", None)
        rows = 1 if noise is None else len(noise)
        if rows > 1 and np.isclose(abs(found.scale), rows, rtol=1e-3):
            yield f"the batch has {rows} samples: a sum in place of the mean?"

    def _on_the_unknown(self, found: Audit, vector: NDArray) -> Iterator[str]:
        nearest = found.nearest
        yield f"nearest: {nearest}, relative error {nearest.relative_error:.3g}"
        if nearest.relative_error < 1e-4 and self.dtype == np.float64:
            yield "that may be float32's rounding: hand in float32 arrays if it was computed so"
        if self._all_parallel():
            yield (
                "all hypotheses are multiples of one another here, so that no factor was tried: "
                "take a generator of more parameters"
            )
        wrong, right = self._leaves(vector)
        if wrong and right:
            yield f"exact in {', '.join(right)}; wrong in {', '.join(wrong)}"

    def _leaves(self, vector: NDArray) -> tuple[list[str], list[str]]:
        """The leaves of theta_G in which the gradient is wrong, and those in which it is right."""
        tree = self.problem.theta_g
        ends = np.cumsum([np.size(leaf) for leaf in optree.tree_leaves(tree)])
        errors = np.split(vector - self.exact, ends[:-1])
        names = [accessor.codify("theta_g") for accessor in optree.tree_accessors(tree)]
        pairs = list(zip(names, errors, strict=True))
        wrong = [name for name, error in pairs if norm(error) > self.tolerance]
        return wrong, [name for name in names if name not in wrong]


def _decided(found: Audit, match: Candidate) -> Audit:
    scale = 1.0 if match.fits else match.scale
    verdict = match.verdict
    if verdict == "exact" and not match.fits:
        verdict = "wrong_sign" if scale < 0 else "wrong_scale"
    return replace(
        found, verdict=verdict, detail=match.detail, scale=scale, truncate=match.truncate
    )


def _others(matches: list[Candidate]) -> tuple[str, ...]:
    """The names of all matches but the first; other ways to be exact are no others."""
    others = [c for c in matches[1:] if c.verdict != "exact"]
    names = [str(c) if c.fits else f"{c} times {c.scale:.3g}" for c in others]
    return tuple(dict.fromkeys(names))


def _ratio(a: float, b: float, default: float = float("inf")) -> float:
    return a / b if b else default if a else 0.0
