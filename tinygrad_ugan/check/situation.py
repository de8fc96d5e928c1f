"""A game at a point with its inner steps; and the variations of it that wrong code computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan import autodiff, gan
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.optim import SGD, Adam, AdamState, Momentum, Optimizer
from tinygrad_ugan.unroll import Game, value_and_grad
from tinygrad_ugan.unroll.adjoint import adjoint
from tinygrad_ugan.unroll.dynamics import State, inner_product, ravel
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, is_finite, make_problem, through_samples

PyTree = Any


@dataclass(frozen=True)
class Situation:
    """All that f_K and its gradient depend on.

    Attributes
    ----------
    game : AnyGame
    theta_g, theta_d : pytree of float64 arrays
    batches : tuple of K + 1 batches
        One and the same object, where one batch serves all steps.
    lr : tuple of K floats, or None
        The inner step sizes.
    optimizer : Optimizer or None
        What takes the inner steps in place of them.
    memory : pytree or None
        What it remembers at theta_D^0; nothing, if it starts afresh.
    """

    game: AnyGame
    theta_g: PyTree
    theta_d: PyTree
    batches: tuple[Any, ...]
    lr: tuple[float, ...] | None
    optimizer: Optimizer | None
    memory: PyTree = None

    @property
    def steps(self) -> int:
        """K."""
        return len(self.batches) - 1

    @property
    def repeats(self) -> bool:
        """Whether one batch and one step size serve all steps."""
        return len(set(map(id, self.batches))) == 1 and len(set(self.lr or ())) <= 1

    def gradient(self, truncate: int | None = None) -> NDArray[np.float64]:
        """d f_K / d theta_G as a vector; through the last `truncate` steps only, if given."""
        if self.memory is not None:
            held = 0 if truncate is None else self.steps - truncate
            reduced, pull_back = through_samples(self.problem())
            return ravel(pull_back(adjoint(reduced.after(held))[1]))[0]
        # the kernels know the optimisers themselves, not what is derived of them
        derived = type(self.optimizer) is AdamOfPyTorch
        method = "adjoint" if derived else "auto"
        _, gradient = value_and_grad(**self._arguments(), truncate=truncate, method=method)
        return ravel(gradient)[0]

    def theta(self) -> PyTree:
        """theta_D^K."""
        return self.final().theta

    def final(self) -> State:
        """theta_D^K, and what the optimiser remembers there."""
        *_, state = self.problem().states()
        if not is_finite(state.theta):
            raise NonFiniteError("theta_d", "a NaN or infinity", "finite parameters")
        return state

    def problem(self) -> Problem:
        """The same as `unroll` has it."""
        problem = make_problem(**self._arguments())
        if self.memory is None:
            return problem
        return replace(problem, state=State(self.theta_d, self.memory))

    def _arguments(self) -> dict[str, Any]:
        same = len(set(map(id, self.batches))) == 1
        return {
            "game": self.game,
            "theta_g": self.theta_g,
            "theta_d": self.theta_d,
            "batch": self.batches[0] if same else list(self.batches),
            "steps": self.steps,
            "lr": self.lr,
            "optimizer": self.optimizer,
        }

    def of_steps(self, j: int) -> Situation:
        """The same with j steps, the outer objective on the last batch still."""
        batches = (*(2 * self.batches)[:j], self.batches[-1])
        lr = None if self.lr is None else (2 * self.lr)[:j]
        return replace(self, batches=batches, lr=lr)

    def stale(self) -> Situation:
        """One long step in place of K: so it is when each adds the same gradient g_0."""
        K, batches = self.steps, (self.batches[0], self.batches[-1])
        if self.lr is not None:
            return replace(self, batches=batches, lr=(sum(self.lr),))
        return replace(self, batches=batches, optimizer=_one_for(self.optimizer, K))

    def descending(self) -> Situation:
        """The discriminator goes down."""
        if self.lr is not None:
            return replace(self, lr=tuple(-eta for eta in self.lr))
        inner, outer = self.game.inner, self.game.outer
        return replace(self, game=Game(lambda g, d, batch: -inner(g, d, batch), outer))

    def without_curvature(self) -> Situation:
        """The same path, but each g_k a function of theta_G only: linear inner objectives."""
        inner, outer = self.game.inner, self.game.outer
        path = [state.theta for state in self.problem().states()]

        def linear(theta_g: PyTree, theta: PyTree, batch: _Held) -> Any:
            g = autodiff.grad(inner, argnums=1)(theta_g, batch.theta, batch.batch)
            return inner_product(g, theta)

        def unchanged(theta_g: PyTree, theta: PyTree, batch: _Held) -> Any:
            return outer(theta_g, theta, batch.batch)

        batches = tuple(map(_Held, self.batches, path))
        return replace(self, game=Game(linear, unchanged), batches=batches)

    def with_other_losses(self) -> Iterator[tuple[str, Situation]]:
        """What the generator might descend instead, with a name for it."""
        if isinstance(self.game, gan.Game):
            for loss in gan.LOSSES:
                if loss != self.game.loss:
                    yield f"of loss {loss!r}", replace(self, game=replace(self.game, loss=loss))
        elif self.game.outer is not self.game.inner:
            yield "of inner in place of outer", replace(self, game=Game(self.game.inner))

    def as_in_pytorch(self) -> Situation:
        """The same, with Adam's epsilon outside the root."""
        adam = AdamOfPyTorch(**dataclasses.asdict(self.optimizer))  # type: ignore[arg-type]
        return replace(self, optimizer=adam)


class _Held(NamedTuple):
    """A batch, and the theta_k that belongs to it."""

    batch: Any
    theta: PyTree


def _one_for(optimizer: Optimizer | None, K: int) -> Optimizer:
    """The optimiser whose first step is what K steps on a constant gradient add up to."""
    if isinstance(optimizer, Momentum):
        mu = optimizer.momentum
        return SGD(optimizer.lr * sum(mu**j for k in range(K) for j in range(k + 1)))
    assert optimizer is not None
    # the corrected means of Adam are g and g^2 at every step
    return replace(optimizer, lr=K * optimizer.lr)


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
