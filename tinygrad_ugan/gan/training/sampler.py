"""Batches of data and noise for training, reproducible from the seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.gan.games.game import AnyBatch, batch_of, with_draws
from tinygrad_ugan.gan.games.network_calls import is_random
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.setup import Setup

if TYPE_CHECKING:
    from tinygrad_ugan.kernels.philox import NormalSampler


class Draws:
    """An endless supply of batches for training steps.

    They depend on the seed and on the number of steps drawn so far, and on nothing else. The
    kernels draw the noise of a step, from a key that `rng` gives: several times as fast as NumPy.
    A game that takes random numbers draws them for each batch from a key of their own.

    Parameters
    ----------
    config : Config or Setup
        The settings, or the parts of a run.
    rng : numpy.random.Generator
        Source of randomness.

    Examples
    --------
    >>> draws = Draws(Config(batch=8), np.random.default_rng(0))
    >>> [(batch.real.shape, batch.noise.shape) for batch in draws.next()]
    [((8, 2), (8, 256))]
    """

    def __init__(self, config: Config | Setup, rng: np.random.Generator) -> None:
        self._setup = Setup.of(config)
        self._rng = rng
        config = self._setup.config
        self._noise = _noise(config.batches * config.batch * config.networks.noise, config.dtype)

    def next(self) -> Sequence[AnyBatch]:
        """Draw the batches of one training step: see `TrainStep`."""
        game, batches = self._setup.game, self._batches()
        if not is_random(game):
            return batches
        rng = np.random.default_rng(int(self._rng.integers(2**63)))
        unrolled, redraws = (
            batches[: self._setup.config.update.generator_steps],
            self._setup.redraws,
        )
        again = [batch for batch in unrolled for _ in range(redraws)]
        return [with_draws(game, batch, rng) for batch in [*batches, *again]]

    def _batches(self) -> list[AnyBatch]:
        config = self._setup.config
        size = config.batch
        n = config.batches * size
        real, labels = self._setup.draw(n, self._rng)
        noise = self._noise.draw(int(self._rng.integers(2**63))).reshape(n, -1)
        places = [slice(i, i + size) for i in range(0, n, size)]
        return [
            batch_of(real[rows], noise[rows], None if labels is None else labels[rows])
            for rows in places
        ]

    @property
    def state(self) -> dict[str, Any]:
        """Position in the supply: set it to draw the same batches again."""
        return dict(self._rng.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state


def _noise(size: int, dtype: Any) -> NormalSampler:
    from tinygrad_ugan.kernels.philox import NormalSampler  # LLVM takes a while to load
    from tinygrad_ugan.kernels.target import host_target

    return NormalSampler(size, host_target(), dtype)


def streams(config: Config) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the generators of the initial parameters and of the batches."""
    init_rng, batch_rng = np.random.default_rng(config.seed).spawn(2)
    return init_rng, batch_rng


def evaluation_rng(config: Config) -> np.random.Generator:
    """Return the generator of the evaluation data, independent of those of `streams`."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(2,)))
