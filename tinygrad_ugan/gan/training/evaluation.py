"""Evaluation during training: the rows of the metrics table.

A row depends on the parameters and the step alone: its noise, batch and data come from a random
generator of their own, so that evaluating does not change training.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import optree

from tinygrad_ugan import unroll
from tinygrad_ugan.errors import NonFiniteError
from tinygrad_ugan.gan.games.game import Batch, Game
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.metrics import (
    mode_coverage,
    mode_divergences,
    random_directions,
    rms,
    sorted_projections,
)
from tinygrad_ugan.gan.training.sampler import evaluation_rng
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import State
from tinygrad_ugan.tree import norm
from tinygrad_ugan.typing import Array


class Row(NamedTuple):
    """One row of the metrics table.

    Attributes
    ----------
    step : int
        Training steps done.
    seconds : float
        Wall-clock time spent training.
    objective_g, objective_d : float
        f_K, descended by the generator, and f, ascended by the discriminator.
    modes : int
        Modes covered, see `mode_coverage`.
    high_quality : float
        Fraction of samples within 3 std of a mode.
    reverse_kl, js : float
        See `mode_divergences`.
    sliced_wasserstein : float
        Distance to data, see `sliced_wasserstein`.
    accuracy_d : float
        Fraction of real and generated samples, equally many, that D classifies correctly.
    direct, indirect : float
        Norms of the two terms of the exact gradient, whichever gradient is used in training.
    cosine : float
        Cosine of the angle between them; NaN if either is zero.
    """

    step: int
    seconds: float
    objective_g: float
    objective_d: float
    modes: int
    high_quality: float
    reverse_kl: float
    js: float
    sliced_wasserstein: float
    accuracy_d: float
    direct: float
    indirect: float
    cosine: float


class Evaluation:
    """Computes rows of the metrics table, all from the same noise, batch and data.

    Parameters
    ----------
    config : Config or Setup
        The settings, or the parts of a run.
    """

    def __init__(self, config: Config | Setup) -> None:
        self._setup = Setup.of(config)
        config, data = self._setup.config, self._setup.data
        rng = evaluation_rng(config)
        n, size = config.evaluation_samples, config.batch
        self._noise = rng.standard_normal((n, config.networks.noise), config.dtype)
        self.real = data.sample(n, rng, config.dtype)
        noise = rng.standard_normal((size, config.networks.noise), config.dtype)
        self.batch = Batch(data.sample(size, rng, config.dtype), noise)
        self._directions = random_directions(data.dimension, 64, rng)
        self._projected = sorted_projections(self.real, self._directions)

    def samples(self, game: Game, state: State) -> Array:
        """Return generated samples, always from the same noise, shape (n, d)."""
        samples: Array = game.generate(state.theta_g, Batch(self.real, self._noise))
        return samples

    def row(self, game: Game, state: State, samples: Array, seconds: float) -> Row:
        """Compute the row for a state and its samples."""
        data = self._setup.data
        centers = data.centers()
        f_K, f, *anatomy = self._gradients(game, state)
        real, generated = (game.discriminator(state.theta_d, x) for x in (self.real, samples))
        return Row(
            state.step,
            seconds,
            f_K,
            f,
            *mode_coverage(samples, centers, data.std),
            *mode_divergences(samples, centers),
            rms(sorted_projections(samples, self._directions) - self._projected),
            float(np.mean(real > 0) + np.mean(generated <= 0)) / 2,
            *anatomy,
        )

    def _gradients(self, game: Game, state: State) -> tuple[float, ...]:
        """f_K, f, the norms of the two terms of the gradient, and the cosine between them."""
        arguments = game, state.theta_g, state.theta_d, self.batch
        dynamics = self._setup.config.unroll.dynamics()
        try:
            f_K, direct = unroll.value_and_grad(*arguments, **dynamics, truncate=0)
            _, total = unroll.value_and_grad(*arguments, **dynamics)
        except NonFiniteError:  # training does not use these numbers: no reason to stop
            return (float("nan"),) * 5
        indirect = optree.tree_map(np.subtract, total, direct)
        lengths = norm(direct), norm(indirect)
        product = sum(
            float(np.vdot(a, b))
            for a, b in zip(optree.tree_leaves(direct), optree.tree_leaves(indirect), strict=True)
        )
        size = lengths[0] * lengths[1]
        f = float(game.inner(*arguments[1:]))
        return float(f_K), f, *lengths, product / size if size else float("nan")
