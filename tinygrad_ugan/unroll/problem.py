"""The unrolled program: a game, a starting point, K steps, and the batches that they see."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff import Tensor
from tinygrad_ugan.autodiff.core import new_level
from tinygrad_ugan.autodiff.defensive_copies import CopyingNode
from tinygrad_ugan.autodiff.operands import anywhere
from tinygrad_ugan.autodiff.primitive import linear
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.kernels.fork_safety import cached_property
from tinygrad_ugan.kernels.schedule import Advance, Outer, Reverse, Schedule, schedule
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.optim.validation import check_state, try_update
from tinygrad_ugan.stated import stated
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.dynamics import Ascent, InnerState, Optimized, UpdateRule
from tinygrad_ugan.unroll.game import AnyGame, Game
from tinygrad_ugan.unroll.stated_form import StatedForm, stated_form
from tinygrad_ugan.unroll.validation import (
    check_batches,
    check_finite_batch,
    check_optimizer,
    check_parameters,
    check_step_sizes,
    check_whole_number,
)


@dataclass(frozen=True)
class Problem:
    """f_K(theta_G) = outer(theta_G, theta_K, b_K) with everything that it depends on.

    Attributes
    ----------
    game : AnyGame
    theta_g : pytree
    state : InnerState
        theta_0, and the state of the inner optimiser there.
    batches : sequence
        b_0 ... b_K.
    rule : UpdateRule
        The update rule of theta_D.
    constant_steps : int
        Number of steps, the first ones, whose dependence on theta_G is ignored.
    snapshots : int or None
        Number of states to keep for the way back; all if None.
    """

    game: AnyGame
    theta_g: PyTree
    state: InnerState
    batches: Sequence[Any]
    rule: UpdateRule
    constant_steps: int = 0
    snapshots: int | None = None

    @property
    def steps(self) -> int:
        """K."""
        return len(self.batches) - 1

    @property
    def schedule(self) -> Schedule:
        """The order in which the steps are taken and differentiated."""
        return schedule(self.steps, self.snapshots, self.constant_steps)

    @cached_property
    def is_fresh(self) -> bool:
        """Whether not all steps see the same batch."""
        return len(set(map(id, self.batches))) > 1

    @cached_property
    def form(self) -> StatedForm | str:
        """The game as it and its parts state themselves; or, in words, what they do not state."""
        return stated_form(self.game, self.rule)

    def check_arrays(self) -> None:
        """Refuse parameters that are not floating-point arrays, and batches that are not finite."""
        check_parameters("theta_g", self.theta_g)
        check_parameters("theta_d", self.state.theta)
        check_finite_batch(self.batches if self.is_fresh else self.batches[0])

    # Forwards

    def gradient(self, k: int, theta_g: PyTree, theta: PyTree) -> PyTree:
        """g_k = d inner / d theta_D at (theta_G, theta).

        Raises
        ------
        ArgumentError
            If `inner` does not depend on theta_D at all: unrolling it would do nothing.
        """
        g = autodiff.grad(self.game.inner, argnums=1)(theta_g, theta, self.batches[k])
        if not any(map(anywhere, optree.tree_leaves(g))):  # cheap; and seldom so
            self._check_dependence(k, theta_g, theta)
        return g

    def _check_dependence(self, k: int, theta_g: PyTree, theta: PyTree) -> None:
        level = new_level()
        traced = optree.tree_map(lambda x: Tensor(x, level, CopyingNode()), theta)
        out = self.game.inner(theta_g, traced, self.batches[k])
        if not (isinstance(out, Tensor) and out.level == level):
            raise ArgumentError("game.inner", "one that does not", "an objective that uses theta_d")

    def step(self, k: int, theta_g: PyTree, state: InnerState) -> InnerState:
        """Take inner step k."""
        return self.rule.advance(k, self.gradient(k, theta_g, state.theta), state)

    def states(self) -> Iterator[InnerState]:
        """The states s_0 ... s_K, one after the other."""
        state = self.state
        yield state
        for k in range(self.steps):
            state = self.step(k, self.theta_g, state)
            yield state

    def reversed_states(self) -> Iterator[tuple[int, InnerState]]:
        """Yield (K, s_K), then (k, s_k) for every step to differentiate, the last one first."""
        slots = {0: self.state}
        for move in self.schedule:
            match move:
                case Advance(k, source, target):
                    slots[target] = self.step(k, self.theta_g, slots[source])
                case Outer(source):
                    yield self.steps, slots[source]
                case Reverse(k, source):
                    yield k, slots.pop(source)

    def outer(self, theta_g: PyTree, theta_K: PyTree) -> Any:
        """The outer objective on the last batch."""
        return self.game.outer(theta_g, theta_K, self.batches[-1])

    # As functions of theta_G, for the engine to differentiate

    @cached_property
    def _first(self) -> InnerState:
        """The state before the first step that is differentiated."""
        return next(itertools.islice(self.states(), self.constant_steps, None))

    def final(self, theta_g: PyTree) -> PyTree:
        """theta_K as a function of theta_G.

        Each step sees theta_G under a name of its own. So all that a step contributes to a
        cotangent is added up first, in the same order whether the steps are differentiated in one
        sweep or one by one.
        """
        state = self._first
        for k in range(self.constant_steps, self.steps):
            state = self.step(k, optree.tree_map(alias, theta_g), state)
        return state.theta

    def value(self, theta_g: PyTree) -> Any:
        """f_K as a function of theta_G."""
        return self.outer(theta_g, self.final(theta_g))

    # Other problems

    def at(self, theta_g: PyTree, theta_d: PyTree) -> Problem:
        """The same program from another point."""
        return replace(self, theta_g=theta_g, state=self.rule.start(theta_d))

    def on_samples(self) -> tuple[Problem, Callable[[PyTree], PyTree]]:
        """Rewrite f_K as a function of the generated samples, where one batch serves every step.

        Returns the new problem, whose "theta_g" are the samples, and the pullback from a gradient
        with respect to the samples to one with respect to theta_G. Where there is nothing to gain,
        the problem stays as it is and the pullback does nothing.
        """
        form, batch = stated(self.game, "sample_form"), self.batches[0]
        if form is None or self.is_fresh:
            return self, lambda gradient: gradient
        samples, pullback = self.generated(form.generate, batch)
        reduced = replace(self, game=Game(form.inner_on, form.outer_on), theta_g=samples)
        return reduced, pullback

    def generated(
        self, generate: Callable[[PyTree, Any], PyTree], batch: Any
    ) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """Return the samples, and the pullback from a gradient with respect to them."""
        samples, pullback = autodiff.vjp(lambda g: generate(g, batch), self.theta_g)
        return samples, lambda cotangent: pullback(cotangent)[0]


def _alias(x: Any) -> Any:
    return x


alias = linear(_alias, lambda g, x: g)


def make_problem(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None,
    optimizer: Optimizer | None = None,
    state: PyTree = None,
    truncate: int | None = None,
    snapshots: int | None = None,
    check_arrays: bool = True,
) -> Problem:
    """Check the arguments of `value_and_grad`, and make a problem of them.

    With `check_arrays` false, that is left to the caller, who may have a quicker way.
    """
    steps = check_whole_number("steps", steps, "a whole number >= 0", 0)
    if optimizer is not None:  # which starts from them
        check_parameters("theta_d", theta_d)
    rule = _rule(lr, optimizer, state, theta_d, steps)
    constant_steps = 0
    if truncate is not None:
        expected = f"a whole number from 0 to steps = {steps}"
        constant_steps = steps - check_whole_number("truncate", truncate, expected, 0, steps)
    if snapshots is not None:
        snapshots = check_whole_number("snapshots", snapshots, "a whole number >= 1", 1)
    problem = Problem(
        game,
        theta_g,
        rule.start(theta_d),
        check_batches(batch, steps),
        rule,
        constant_steps,
        snapshots,
    )
    if check_arrays:
        problem.check_arrays()
    return problem


def _rule(lr: Any, optimizer: Any, state: PyTree, theta_d: PyTree, steps: int) -> UpdateRule:
    if (lr is None) == (optimizer is None):
        given = "neither" if lr is None else "both"
        raise ArgumentError("lr", given, "either lr or optimizer")
    if optimizer is None:
        if state is not None:
            raise ArgumentError("state", "one", "none, as plain ascent by lr remembers nothing")
        return Ascent(check_step_sizes(lr, steps))
    check_optimizer(optimizer)
    rule = Optimized(optimizer, state)
    if state is not None:
        check_state("state", state, optimizer.init(theta_d))
    if stated(optimizer, "kernel_form") is None:
        try_update(optimizer, rule.start(theta_d).memory, theta_d)
    return rule
