"""What training draws: batches of data and noise, the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.gan.config import Config
from tinygrad_ugan.gan.game import Batch


class Draws:
    """An endless supply of batches for training steps.

    They depend on the seed and on the number of steps already drawn, on nothing else.

    Parameters
    ----------
    config : Config
        The settings.
    rng : numpy.random.Generator
        Source of randomness.

    Examples
    --------
    >>> draws = Draws(Config(batch=8), np.random.default_rng(0))
    >>> [(batch.real.shape, batch.noise.shape) for batch in draws.next()]
    [((8, 2), (8, 256))]
    """

    def __init__(self, config: Config, rng: np.random.Generator) -> None:
        self._config = config
        self._rng = rng
        unrolled = config.unroll.steps + 1 if config.unroll.fresh else 1
        self._batches = max(unrolled, config.update.discriminator_steps)

    def next(self) -> Sequence[Batch]:
        """Draw what one training step sees: see `TrainStep`."""
        config, size = self._config, self._config.batch
        n = self._batches * size
        real = config.data.sample(n, self._rng, config.dtype)
        noise = standard_normal(self._rng, (n, config.networks.noise), config.dtype)
        if n == size:
            return [Batch(real, noise)]
        return [Batch(real[i : i + size], noise[i : i + size]) for i in range(0, n, size)]

    @property
    def state(self) -> dict[str, Any]:
        """Where the supply is: set it to draw the same again."""
        return dict(self._rng.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state


def standard_normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> NDArray:
    """Draw from N(0, 1), several times as fast as NumPy's own method, which goes number by number.

    Box and Muller (1958): ``sqrt(-2 log u) (cos 2 pi v, sin 2 pi v)`` with u and v uniform. In
    float32, where u has 24 bits, nothing lies beyond 5.8.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : tuple of int
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> x = standard_normal(np.random.default_rng(0), (1000, 3), np.float32)
    >>> x.shape, x.dtype, bool(abs(x.mean()) < 0.1)
    ((1000, 3), dtype('float32'), True)
    """
    n = math.prod(shape)
    u, v = rng.random((2, (n + 1) // 2), dtype)
    radius = np.sqrt(-2 * np.log1p(-u))  # u may be 0, but never 1
    angle = v * v.dtype.type(2 * np.pi)
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n].reshape(shape)


def streams(config: Config) -> tuple[np.random.Generator, np.random.Generator]:
    """Return the sources of the initial parameters and of the batches."""
    init_rng, batch_rng = np.random.default_rng(config.seed).spawn(2)
    return init_rng, batch_rng


def evaluation_rng(config: Config) -> np.random.Generator:
    """Return the source of what training is judged by, which never touches the others."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(2,)))
