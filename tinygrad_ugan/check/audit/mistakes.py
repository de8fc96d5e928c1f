"""Known mistakes, as the problems that wrong code solves in place of the one it was given.

Each mistake takes an unrolled problem to others, for which it is the right code: with too few
steps, with stale gradients, with a discriminator that goes down. It yields each with the detail
that tells it from the others of its kind, and nothing where it would not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import optree

from tinygrad_ugan import autodiff, gan, tree
from tinygrad_ugan.optim import Adam, AdamState, Optimizer, apply_updates
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState, Optimized
from tinygrad_ugan.unroll.game import Game, LogitForm
from tinygrad_ugan.unroll.method import check_finite
from tinygrad_ugan.unroll.problem import Problem

Alteration: TypeAlias = tuple[str, Problem]
"""A detail such as "4 steps, not 5", or nothing, and an altered problem."""

# The mistakes.


def truncated(problem: Problem) -> Iterator[Alteration]:
    """The first steps are constant."""
    K = problem.steps
    for m in range(K - 1, 0, -1):
        yield f"the last {m} of {K} steps", replace(problem, constant_steps=K - m)


def without_steps(problem: Problem) -> Iterator[Alteration]:
    """No step is taken."""
    yield "", with_steps(problem, 0)


def weights_replaced(problem: Problem) -> Iterator[Alteration]:
    """No step is taken either, but every weight is 1."""
    ones = optree.tree_map(np.ones_like, problem.state.theta)
    yield "", with_steps(started_at(problem, ones), 0)


def without_curvature(problem: Problem) -> Iterator[Alteration]:
    """Each g_k depends on theta_G only: inner objectives that are linear, along the same path."""
    inner, outer = problem.game.inner, problem.game.outer

    def linear(theta_g: PyTree, theta: PyTree, point: _PointOfPath) -> Any:
        g = autodiff.grad(inner, argnums=1)(theta_g, point.theta, point.batch)
        return tree.vdot(g, theta)

    def unchanged(theta_g: PyTree, theta: PyTree, point: _PointOfPath) -> Any:
        return outer(theta_g, theta, point.batch)

    if problem.steps > 0:
        path = [state.theta for state in problem.states()]
        points = [_PointOfPath(*pair) for pair in zip(problem.batches, path, strict=True)]
        yield "", replace(problem, game=Game(linear, unchanged), batches=points)


class _PointOfPath(NamedTuple):
    """A batch, and the theta_k that sees it."""

    batch: Any
    theta: PyTree


def with_another_loss(problem: Problem) -> Iterator[Alteration]:
    """The generator descends another objective."""
    game, form = problem.game, stated(problem.game, "logit_form")
    if isinstance(game, gan.Game) and isinstance(form, LogitForm):
        for loss in gan.LOSSES:
            if loss != game.loss:
                other = gan.Game(form.generator, form.discriminator, loss)
                yield f"of loss {loss!r}", replace(problem, game=other)
    elif game.outer != game.inner:
        yield "of inner in place of outer", replace(problem, game=Game(game.inner))


def with_stale_gradient(problem: Problem) -> Iterator[Alteration]:
    """Each step adds the same gradient g_0: one long step in place of K."""
    if problem.steps > 0:
        rule: Ascent | Optimized
        if isinstance(problem.rule, Optimized):
            rule = Optimized(AtOnce(problem.rule.optimizer, problem.steps))
        else:
            rule = Ascent([sum(problem.rule.etas)])
        batches = [problem.batches[0], problem.batches[-1]]
        yield "", replace(problem, batches=batches, rule=rule)


@dataclass(frozen=True)
class AtOnce:
    """An optimiser each of whose steps is what K steps of another on one gradient add up to."""

    optimizer: Optimizer
    steps: int

    def init(self, params: PyTree) -> PyTree:
        """Return the state before the first step."""
        return self.optimizer.init(params)

    def update(self, grads: PyTree, state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        """Return ``(updates, state)``."""
        total, state = self.optimizer.update(grads, state, params)
        for _ in range(self.steps - 1):
            there = apply_updates(params, total)
            updates, state = self.optimizer.update(grads, state, there)
            total = tree.add(total, updates)
        return total, state


def descending(problem: Problem) -> Iterator[Alteration]:
    """The discriminator goes down."""
    inner, outer = problem.game.inner, problem.game.outer
    if problem.steps > 0:
        yield "", replace(problem, game=Game(lambda g, d, batch: -inner(g, d, batch), outer))


def after_the_real_step(problem: Problem) -> Iterator[Alteration]:
    """The steps start from theta_D^1."""
    if problem.steps > 0:
        yield "", started_at(problem, last_state(with_steps(problem, 1)).theta)


def after_the_unrolling(problem: Problem) -> Iterator[Alteration]:
    """The steps start from theta_D^K."""
    if problem.steps > 0:
        yield "", started_at(problem, last_state(problem).theta)


def with_other_steps(problem: Problem) -> Iterator[Alteration]:
    """Fewer steps; and one more, where one batch and one step size serve all of them."""
    K = problem.steps
    one_rule = isinstance(problem.rule, Optimized) or len(set(problem.rule.etas)) == 1
    more = [K + 1] if K > 0 and one_rule and not problem.is_fresh else []
    for j in [*range(K - 1, 0, -1), *more]:
        yield f"{j} steps, not {K}", with_steps(problem, j)


def with_state_not_restored(problem: Problem) -> Iterator[Alteration]:
    """The optimiser remembers an earlier unrolling, or that and the real step after it."""
    if isinstance(problem.rule, Optimized) and problem.steps > 0:
        again = with_memory(problem, last_state(problem).memory)
        yield "", again
        memory = last_state(with_steps(again, 1)).memory
        yield "and a real step remembered", with_memory(again, memory)


# What they are made of.


def last_state(problem: Problem) -> InnerState:
    """Return theta_D^K, and the optimiser's memory there.

    Raises
    ------
    NonFiniteError
        If the problem leaves the finite numbers; the message names the step.
    """
    *_, state = problem.states()
    check_finite(problem, state.theta)
    return state


def with_steps(problem: Problem, j: int) -> Problem:
    """Change the number of steps, to twice as many at most; outer still sees the last batch."""
    batches = [*(2 * list(problem.batches))[:j], problem.batches[-1]]
    rule = problem.rule
    if isinstance(rule, Ascent):
        rule = Ascent((2 * list(rule.etas))[:j])
    return replace(problem, batches=batches, rule=rule)


def started_at(problem: Problem, theta: PyTree) -> Problem:
    """Start from another discriminator."""
    return problem.at(problem.theta_g, theta)


def with_memory(problem: Problem, memory: PyTree) -> Problem:
    """Start with an inner optimiser that remembers something at theta_D^0."""
    return replace(problem, state=InnerState(problem.state.theta, memory))


def with_adam_of_pytorch(problem: Problem) -> Problem | None:
    """Move Adam's epsilon outside the root; None if it is not Adam that takes the steps."""
    optimizer = problem.rule.optimizer if isinstance(problem.rule, Optimized) else None
    if not isinstance(optimizer, Adam) or stated(optimizer, "kernel_form") is None:
        return None
    theirs = AdamOfPyTorch(optimizer.lr, optimizer.beta1, optimizer.beta2, optimizer.eps)
    return replace(problem, rule=Optimized(theirs))


class AdamOfPyTorch(Adam):
    """Adam with epsilon outside the root, ``m^ / (sqrt(v^) + eps)``, as in PyTorch and optax."""

    def update(self, grads: PyTree, state: AdamState, params: PyTree) -> tuple[PyTree, AdamState]:
        """Return ``(updates, state)``."""
        _, after = super().update(grads, state, params)
        *_, step, scale = self.coefficients(after.steps)
        updates = optree.tree_map(
            lambda m, v: step * m / (np.sqrt(scale * v) + self.eps), after.mean, after.square
        )
        return updates, after
