"""Problems that wrong code solves in place of the one it was given.

Each function takes an unrolled problem and returns another: with the steps too few, the gradients
stale, the discriminator going down, and so on. `gradient` is exact for any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan import autodiff, gan
from tinygrad_ugan.optim import Adam, AdamState, Optimizer, apply_updates
from tinygrad_ugan.stated import stated
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.dynamics import Ascent, Optimized, State, add, inner_product, ravel
from tinygrad_ugan.unroll.game import Game
from tinygrad_ugan.unroll.problem import Problem, explain_non_finite, is_finite, through_samples

PyTree = Any


def gradient(problem: Problem, truncate: int | None = None) -> NDArray[np.float64]:
    """D f_K / d theta_G as a vector; through the last `truncate` steps only, if given.

    By the adjoint recursion: the compiled sweep would be compiled for each variation anew.

    Raises
    ------
    NonFiniteError
        If the problem leaves the finite numbers; the message names the step.
    """
    held = 0 if truncate is None else problem.steps - truncate
    reduced, pull_back = through_samples(problem)
    _, cotangent = adjoint(reduced.after(held))
    vector = ravel(pull_back(cotangent))[0]
    if not np.all(np.isfinite(vector)):
        raise explain_non_finite(problem)
    return vector


def last_state(problem: Problem) -> State:
    """theta_D^K, and what the optimiser remembers there.

    Raises
    ------
    NonFiniteError
        As `gradient`.
    """
    *_, state = problem.states()
    if not is_finite(state.theta):
        raise explain_non_finite(problem)
    return state


def repeats(problem: Problem) -> bool:
    """Whether one batch and one rule serve all steps, so that more of them make sense."""
    one_batch = len(set(map(id, problem.batches))) == 1
    return one_batch and len(set(_etas(problem))) <= 1


def of_steps(problem: Problem, j: int) -> Problem:
    """The same with j steps, at most twice as many; the outer objective on the last batch still."""
    batches = [*(2 * list(problem.batches))[:j], problem.batches[-1]]
    rule = problem.rule
    if isinstance(rule, Ascent):
        rule = Ascent((2 * _etas(problem))[:j])
    return replace(problem, batches=batches, rule=rule)


def started_at(problem: Problem, theta: PyTree) -> Problem:
    """The same from another discriminator."""
    return problem.at(problem.theta_g, theta)


def remembering(problem: Problem, memory: PyTree) -> Problem:
    """The same with an inner optimiser that remembers something at theta_D^0."""
    return replace(problem, state=State(problem.state.theta, memory))


def stale(problem: Problem) -> Problem:
    """One long step in place of K: so it is when each adds the same gradient g_0."""
    batches = [problem.batches[0], problem.batches[-1]]
    if isinstance(problem.rule, Optimized):
        rule = Optimized(AtOnce(problem.rule.optimizer, problem.steps))
        return replace(problem, batches=batches, rule=rule)
    return replace(problem, batches=batches, rule=Ascent([sum(_etas(problem))]))


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
            total = add(total, updates)
        return total, state


def descending(problem: Problem) -> Problem:
    """The discriminator goes down."""
    inner, outer = problem.game.inner, problem.game.outer
    return replace(problem, game=Game(lambda g, d, batch: -inner(g, d, batch), outer))


class _Held(NamedTuple):
    """A batch, and the theta_k that belongs to it."""

    batch: Any
    theta: PyTree


def without_curvature(problem: Problem) -> Problem:
    """The same path, but each g_k a function of theta_G only: linear inner objectives."""
    inner, outer = problem.game.inner, problem.game.outer

    def linear(theta_g: PyTree, theta: PyTree, held: _Held) -> Any:
        g = autodiff.grad(inner, argnums=1)(theta_g, held.theta, held.batch)
        return inner_product(g, theta)

    def unchanged(theta_g: PyTree, theta: PyTree, held: _Held) -> Any:
        return outer(theta_g, theta, held.batch)

    path = [state.theta for state in problem.states()]
    batches = [_Held(*pair) for pair in zip(problem.batches, path, strict=True)]
    return replace(problem, game=Game(linear, unchanged), batches=batches)


def other_losses(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """What the generator might descend instead, with a name for it."""
    game, form = problem.game, stated(problem.game, "logit_form")
    if isinstance(game, gan.Game) and form is not None:
        for loss in gan.LOSSES:
            if loss != game.loss:
                other = gan.Game(form.generator, form.discriminator, loss)
                yield f"of loss {loss!r}", replace(problem, game=other)
    elif game.outer != game.inner:
        yield "of inner in place of outer", replace(problem, game=Game(game.inner))


def as_in_pytorch(problem: Problem) -> Problem | None:
    """The same, with Adam's epsilon outside the root; None if Adam takes no steps."""
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
        step = -self.lr / (1 - self.beta1**after.steps)
        scale = 1 / (1 - self.beta2**after.steps)
        updates = optree.tree_map(
            lambda m, v: step * m / (np.sqrt(scale * v) + self.eps), after.mean, after.square
        )
        return updates, after


def _etas(problem: Problem) -> list[float]:
    return list(problem.rule.etas) if isinstance(problem.rule, Ascent) else []
