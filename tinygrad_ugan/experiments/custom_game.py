"""Training of games that `gan.Config` does not describe: other players, losses and batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.gan import Batch, Config, Draws, State, TrainStep
from tinygrad_ugan.gan.training.sampler import streams


def training_states(
    config: Config,
    game: Any,
    batches: Iterable[Sequence[Any]] | None = None,
    start: tuple[Any, Any] | None = None,
) -> Iterator[State]:
    """Train, and yield the state before the first step and after each.

    Parameters
    ----------
    config : Config
        How to train; its networks and its loss are those of `game` instead.
    game : SampleGame
        See `gan.TrainStep`; it needs networks only where it draws the start.
    batches : iterable of sequences, optional
        The batches of each training step; drawn as `config` says if not given.
    start : pair of pytrees, optional
        theta_G and theta_D to start at; drawn by the networks of `game` if not given.

    Examples
    --------
    >>> config = Config(steps=2, batch=8)
    >>> [state.step for state in training_states(config, config.build_game())]
    [0, 1, 2]
    """
    init_rng, batch_rng = streams(config)
    step = TrainStep(config, game)
    state = step.init(init_rng) if start is None else step.start(*start)
    yield state
    supply = iter(_drawn(config, batch_rng) if batches is None else batches)
    for _ in range(config.steps):
        with np.errstate(all="ignore"):  # the step itself finds and names what is not finite
            state, _ = step(state, next(supply))
        yield state


def _drawn(config: Config, rng: np.random.Generator) -> Iterator[Sequence[Batch]]:
    draws = Draws(config, rng)
    while True:
        yield draws.next()
