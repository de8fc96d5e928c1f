"""The discriminator after a training step: at theta_D^1, as it should be, or elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan import tree
from tinygrad_ugan.check.audit.mistakes import with_adam_of_pytorch
from tinygrad_ugan.check.audit.trials import Trial
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState
from tinygrad_ugan.unroll.problem import Problem

ENDPOINTS = (
    "theta_D^1",
    "theta_D^0",
    "theta_D^j",
    "theta_D^K",
    "theta_D^K+1",
    "unknown",
)
"""The places at which a step can leave the discriminator, the right one first."""


class Endpoint(NamedTuple):
    """The place at which a step left the discriminator.

    Attributes
    ----------
    place : str
        One of `ENDPOINTS`.
    detail : str
        The way there.
    relative_error : float
        The distance from that place, over the length of the way from theta_D^0; or from theta_D^0
        over its norm.
    remembers : bool
        Whether it got there by an optimiser that remembers the unrolled steps.
    """

    place: str
    detail: str
    relative_error: float
    remembers: bool = False

    def __str__(self) -> str:
        """The place, and the way there."""
        return f"{self.place} ({self.detail})" if self.detail else self.place


class AfterStep(NamedTuple):
    """Both players after a step, as vectors, and the precision of the coarser of them."""

    theta_g: Array
    theta_d: Array
    dtype: np.dtype[Any]


def find_endpoint(problem: Problem, trial: Trial, after: AfterStep) -> Endpoint:
    """Find the place at which a step left the discriminator."""
    start, _ = tree.ravel(problem.state.theta)
    allowed = (1e3 * float(np.finfo(after.dtype).eps) + 1e-9) * max(tree.norm(start), 1.0)
    nearest = Endpoint("unknown", "", np.inf)
    both = filter(None, (problem, with_adam_of_pytorch(problem)))
    places = itertools.chain(*(_places(each, trial, after) for each in both))
    for place, detail, theta, remembers in places:
        vector, _ = tree.ravel(theta)
        error = tree.norm(after.theta_d - vector)
        relative = error / (tree.norm(vector - start) or tree.norm(start) or 1.0)
        if error <= allowed:
            return Endpoint(place, detail, relative, remembers)
        if relative < nearest.relative_error:
            nearest = Endpoint("unknown", f"nearest: {place}", relative)
    return nearest


def _places(
    problem: Problem, trial: Trial, after: AfterStep
) -> Iterator[tuple[str, str, PyTree, bool]]:
    """Place, detail, theta_D there, and whether the unrolled steps are remembered on the way."""
    theta_g = problem.theta_g
    new_theta_g = tree.ravel(theta_g)[1](after.theta_g)
    states = list(problem.states())
    first, last = states[0], states[-1]
    fresh = problem.rule.start(last.theta)
    both = (("", theta_g), ("answering the new theta_G", new_theta_g))
    for detail, against in both:
        yield "theta_D^1", detail, real_step(problem, trial, first, against).theta, False
    if trial.optimizer is not None:
        for detail, against in both:
            stepped = real_step(problem, trial, InnerState(first.theta, last.memory), against)
            detail = "; ".join(filter(None, ("its optimiser remembers the unrolling", detail)))
            yield "theta_D^1", detail, stepped.theta, True
    yield "theta_D^0", "it did not move", first.theta, False
    for j in range(2, problem.steps):
        yield "theta_D^j", f"j = {j}", states[j].theta, False
    yield "theta_D^K", "", last.theta, False
    for state in (last, fresh):
        for detail, against in both:
            stepped = real_step(problem, trial, state, against)
            yield "theta_D^K+1", detail, stepped.theta, state is last and bool(state.memory)


def real_step(problem: Problem, trial: Trial, state: InnerState, theta_g: PyTree) -> InnerState:
    """Take the discriminator's real step from a state."""
    if trial.optimizer is None:
        eta = trial.lr if trial.discriminator_lr is None else trial.discriminator_lr
        assert eta is not None
        problem = replace(problem, rule=Ascent([eta]))
    return problem.step(0, theta_g, state)
