"""One training step.

Alternating, as in the paper: the generator descends f_K, looking K discriminator steps ahead; then
the discriminator takes ONE real step up on f. The unrolled steps are discarded: theta_D goes to
theta_D^1, never to theta_D^K (unless ``update.keep = "last"`` asks for that mistake).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import unroll
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError, kind_of
from tinygrad_ugan.gan.games.game import AnyBatch
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.setup import Setup, said_of
from tinygrad_ugan.optim import descend
from tinygrad_ugan.tree import is_finite, norm
from tinygrad_ugan.typing import PyTree


class State(NamedTuple):
    """The state of training: everything that a step changes.

    `ema` is the moving average of theta_g, None if `Config.ema` asks for none.
    """

    theta_g: PyTree
    theta_d: PyTree
    optimizer_g: PyTree
    optimizer_d: PyTree
    step: int
    ema: PyTree = None

    @property
    def averaged(self) -> State:
        """The state with the moving average as the generator."""
        return self._replace(theta_g=self.ema)


class Objectives(NamedTuple):
    """The objectives of a step: f_K before the generator moves, f before the discriminator does."""

    generator: float
    discriminator: float


class TrainStep:
    """The training step that the settings describe: ``state, objectives = step(state, batches)``.

    A pure function: the given state is not modified.

    Parameters
    ----------
    config : Config or Setup
        The settings, or the parts of a run.
    game, optimizers : Any, optional
        A game and optimisers in place of those that the settings describe: see `train`.

    Examples
    --------
    >>> config = Config(batch=8)
    >>> init_rng, batch_rng = streams(config)
    >>> step = TrainStep(config)
    >>> state = step.init(init_rng)
    >>> state, objectives = step(state, Draws(config, batch_rng).next())
    >>> state.step, round(objectives.generator, 1)
    (1, -1.4)
    """

    def __init__(
        self,
        config: Config | Setup,
        game: Any = None,
        *,
        optimizers: Mapping[str, Any] | None = None,
    ) -> None:
        self.setup = Setup.of(config, game=game, optimizers=optimizers)
        self.config = self.setup.config
        self.game = self.setup.game
        self._optimizer_g = self.setup.optimizers["generator"]
        self._optimizer_d = self.setup.optimizers["discriminator"]
        self._factor_g, self._factor_d = self.config.factors()

    def init(self, rng: np.random.Generator) -> State:
        """Draw the parameters and initialise the optimisers."""
        return self.start(*self.setup.init(rng))

    def start(self, theta_g: PyTree, theta_d: PyTree) -> State:
        """Initialise the optimisers at given parameters."""
        states = self._optimizer_g.init(theta_g), self._optimizer_d.init(theta_d)
        self.setup.check_optimizers(theta_g, theta_d, *states)
        return State(theta_g, theta_d, *states, 0, theta_g if self.config.ema else None)

    def __call__(self, state: State, batches: Sequence[AnyBatch]) -> tuple[State, Objectives]:
        """Take the step.

        Parameters
        ----------
        state : State
            Parameters and optimiser states before the step.
        batches : sequence of Batch
            The i-th step of the generator uses batches[i] throughout, or with ``unroll.fresh`` the
            i-th K + 1 of them; the i-th real step of the discriminator uses batches[i]. With
            ``unroll.redraw`` each step of the generator has K more after these: its own batch with
            other random numbers, for its unrolled steps.

        Returns
        -------
        State, Objectives

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If `state` or `batches` are of another kind, or too few.
        NonFiniteError
            If an objective, a gradient or a parameter is not finite; the message names it.
        """
        self._check(state, batches)
        if self.config.update.scheme == "cached":
            following, objectives = self._take_ahead(state, batches)
        else:
            following, objectives = self._take(state, batches, at=state)
        if self.config.update.scheme == "extragradient":
            following, _ = self._take(state, batches, at=following)
        return following._replace(ema=self._average(state.ema, following)), objectives

    def _take(
        self, state: State, batches: Sequence[AnyBatch], at: State
    ) -> tuple[State, Objectives]:
        """Move both players from one state by their gradients at the parameters of another."""
        f_K, theta_g, optimizer_g = self._move_generator(state, batches, at)
        against = theta_g if self.config.update.scheme == "alternating" else at.theta_g
        if self.config.update.keep == "last":
            f, theta_d, optimizer_d = self._jump_ahead(state, batches)
        else:
            several = batches[: self.config.update.discriminator_steps]
            f, theta_d, optimizer_d = self._move_discriminator(against, state, several, at)
        following = State(theta_g, theta_d, optimizer_g, optimizer_d, state.step + 1)
        return following, _objectives(f_K, f)

    def _take_ahead(self, state: State, batches: Sequence[AnyBatch]) -> tuple[State, Objectives]:
        """Move the discriminator K steps, then the generator; keep the weights of the first step.

        The scheme of musyoku/unrolled-gan: weights are put back, the optimiser's state is not.
        """
        *ahead, last = batches[: self.config.unroll.batches]
        against = state.theta_g
        f, first, memory = self._move_discriminator(against, state, ahead[:1], state)
        moved = state._replace(theta_d=first, optimizer_d=memory)
        _, theta_K, memory = self._move_discriminator(against, moved, ahead[1:], moved)
        f_K, gradient = unroll.value_and_grad(self.game, against, theta_K, last, steps=0, lr=0.0)
        scale = self._factor_g(state.step)
        theta_g, optimizer_g = self._descend(gradient, state.theta_g, state.optimizer_g, scale)
        following = State(theta_g, first, optimizer_g, memory, state.step + 1)
        return following, _objectives(f_K, f)

    def states(
        self,
        batches: Iterable[Sequence[Any]] | None = None,
        start: tuple[PyTree, PyTree] | None = None,
    ) -> Iterator[State]:
        """Train, and yield the state before the first step and after each: nothing else is done.

        Parameters
        ----------
        batches : iterable of sequences, optional
            The batches of each step, of any kind that the game takes; those of a run if not given.
        start : tuple of pytrees, optional
            theta_G and theta_D to start at; those of a run if not given.

        Examples
        --------
        >>> [state.step for state in TrainStep(Config(steps=2, batch=8)).states()]
        [0, 1, 2]
        """
        init_rng, batch_rng = streams(self.config)
        state = self.init(init_rng) if start is None else self.start(*start)
        yield state
        draws = Draws(self.setup, batch_rng)
        supply = iter(draws.next, None) if batches is None else iter(batches)
        for _ in range(self.config.steps):
            with np.errstate(all="ignore"):  # the step itself finds and names what is not finite
                state, _ = self(state, next(supply))
            yield state

    def _check(self, state: Any, batches: Any) -> None:
        if not isinstance(state, State):
            hint = "step.init(rng) and step.start(theta_g, theta_d) make one"
            raise ArgumentTypeError("state", f"a {kind_of(state)}", "a gan.State", hint)
        if hasattr(batches, "_fields") or not isinstance(batches, Sequence):
            hint = "a single batch is given as [batch]"
            raise ArgumentTypeError("batches", f"a {kind_of(batches)}", "a list of batches", hint)
        least = self.config.batches + self.config.update.generator_steps * self.setup.redraws
        if len(batches) < least:
            expected = f"{least} or more"
            raise ArgumentError("batches", f"{len(batches)} of them", expected)

    def _move_generator(
        self, state: State, batches: Sequence[AnyBatch], at: State
    ) -> tuple[Any, PyTree, PyTree]:
        theta_g, optimizer_g, first = state.theta_g, state.optimizer_g, None
        scale, place = self._factor_g(state.step), at.theta_g
        for i in range(self.config.update.generator_steps):
            f_K, gradient = unroll.value_and_grad(
                self.game,
                place,
                at.theta_d,
                self._unrolled(batches, i),
                **self.setup.dynamics(state.optimizer_d),
                method=self.config.unroll.method,
                truncate=self.config.unroll.truncate,
            )
            first = f_K if first is None else first
            theta_g, optimizer_g = self._descend(gradient, theta_g, optimizer_g, scale)
            place = theta_g
        return first, theta_g, optimizer_g

    def _descend(
        self, gradient: PyTree, theta_g: PyTree, optimizer_g: PyTree, scale: float
    ) -> tuple[PyTree, PyTree]:
        """Move the generator by a gradient."""
        with said_of("generator"):
            theta_g, optimizer_g = descend(
                self._optimizer_g, self._clipped(gradient), optimizer_g, theta_g, scale
            )
        check_finite("theta_g", theta_g)
        return theta_g, optimizer_g

    def _move_discriminator(
        self, theta_g: PyTree, state: State, batches: Sequence[AnyBatch], at: State
    ) -> tuple[Any, PyTree, PyTree]:
        theta_d, optimizer_d, first = state.theta_d, state.optimizer_d, None
        scale, place = self._factor_d(state.step), at.theta_d
        for batch in batches:
            f, ascent = unroll.ascent(self.game, theta_g, place, batch)
            first = f if first is None else first
            descent = self._clipped(optree.tree_map(np.negative, ascent))
            with said_of("discriminator"):
                theta_d, optimizer_d = descend(
                    self._optimizer_d, descent, optimizer_d, theta_d, scale
                )
            place = theta_d
            if not is_finite(theta_d):
                check_finite("discriminator_gradient", ascent)
                check_finite("theta_d", theta_d)
        return first, theta_d, optimizer_d

    def _jump_ahead(self, state: State, batches: Sequence[AnyBatch]) -> tuple[Any, PyTree, PyTree]:
        """Continue from theta_D^K: the mistake, kept to be shown."""
        dynamics = self.setup.dynamics(state.optimizer_d)
        batch = self._unrolled(batches, 0)
        path = unroll.trajectory(self.game, state.theta_g, state.theta_d, batch, **dynamics)
        return path.inner_values[0], path.thetas[-1], state.optimizer_d

    def _average(self, ema: PyTree, following: State) -> PyTree:
        """The moving average after a step, without the bias of its start.

        Kingma & Ba (2015), section 3: divided by 1 - decay^n, the average of n iterates from zero
        has weights that add up to 1. The average itself then moves by this share of the way.
        """
        if ema is None:
            return None
        decay = self.config.ema
        share = (1 - decay) / -math.expm1(following.step * math.log(decay))
        return optree.tree_map(lambda m, x: m + share * (x - m), ema, following.theta_g)

    def _unrolled(self, batches: Sequence[AnyBatch], i: int) -> Any:
        """The batches of the i-th step of the generator."""
        n, again = self.config.unroll.batches, self.setup.redraws
        if again:
            start = self.config.batches + i * again
            return [batches[i], *batches[start : start + again]]
        return list(batches[i * n : (i + 1) * n]) if self.config.unroll.fresh else batches[i]

    def _clipped(self, gradient: PyTree) -> PyTree:
        longest = self.config.clip
        if longest is None or (length := norm(gradient)) <= longest:
            return gradient
        return optree.tree_map(lambda g: (longest / length) * g, gradient)


def _objectives(f_K: Any, f: Any) -> Objectives:
    if not math.isfinite(f):
        raise NonFiniteError("f", f"{f}", "finite objectives")
    return Objectives(float(f_K), float(f))


def check_finite(name: str, tree: PyTree) -> None:
    """Raise `NonFiniteError` naming the first leaf that holds a NaN or an infinity."""
    if is_finite(tree):
        return
    for accessor in optree.tree_accessors(tree):
        if not np.isfinite(accessor(tree)).all():
            raise NonFiniteError(accessor.codify(name), "a NaN or infinity", "finite numbers")
