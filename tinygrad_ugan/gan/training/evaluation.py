"""Evaluation during training: the rows of the metrics table.

A row depends on the parameters and the step alone: its noise, batch and data come from a random
generator of their own, so that evaluating does not change training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import unroll
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError, kind_of
from tinygrad_ugan.gan.games.base import logits_of
from tinygrad_ugan.gan.games.game import AnyBatch, batch_of, with_draws
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.metrics import (
    distinct,
    mode_coverage,
    mode_divergences,
    own_class,
    precision_recall,
    random_directions,
    rms,
    sorted_projections,
    two_sample_accuracy,
)
from tinygrad_ugan.gan.training.sampler import evaluation_rng
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import State
from tinygrad_ugan.kernels.blas_threads import one_thread
from tinygrad_ugan.tree import norm
from tinygrad_ugan.typing import Array

EMA = "ema_"  # what the columns of the moving average begin with
NEIGHBOURS = 3  # of precision and recall
_COMPARED = 1_000  # samples of which neighbours are looked for


class Row(NamedTuple):
    """One row of the metrics table; what a game or its data cannot tell is None.

    That is the quality of samples, if the game has no `generate`; the modes, if the data have no
    centres, and what stands in for them, if they have; and the accuracy, if the game has no
    `discriminator` of one logit.

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
    precision, recall : float
        See `precision_recall`; of at most 1,000 generated samples, and as many real ones that
        differ.
    two_sample : float
        See `two_sample_accuracy`, of the same samples: 1/2 for a perfect generator.
    own_class : float
        See `own_class`, of a conditional game.
    accuracy_d : float
        Fraction of real and generated samples, equally many, that D classifies correctly.
    direct, indirect : float
        Norms of the two terms of the exact gradient, whichever gradient is used in training.
    cosine : float
        Cosine of the angle between them; NaN if either is zero.
    own : mapping of str to float
        The columns of one's own: `metrics` of `train`.
    ema : mapping of str to float
        The quality of samples of the generator's moving average, if there is one, and the columns
        of one's own: by the names of the plain ones, to which `columns` adds ``ema_``.
    """

    step: int
    seconds: float
    objective_g: float
    objective_d: float
    modes: int | None
    high_quality: float | None
    reverse_kl: float | None
    js: float | None
    sliced_wasserstein: float | None
    precision: float | None
    recall: float | None
    two_sample: float | None
    own_class: float | None
    accuracy_d: float | None
    direct: float
    indirect: float
    cosine: float
    own: Mapping[str, float] = MappingProxyType({})
    ema: Mapping[str, float] = MappingProxyType({})

    def columns(self) -> dict[str, float]:
        """Return the row by its columns, one's own and the average's last, without None."""
        values = self._asdict()
        del values["own"], values["ema"]
        averaged = {f"{EMA}{name}": x for name, x in self.ema.items()}
        return {name: x for name, x in values.items() if x is not None} | dict(self.own) | averaged


_MODES = ("modes", "high_quality", "reverse_kl", "js")
_NEIGHBOURS = ("precision", "recall", "two_sample")


def column_names(rows: Iterable[Row]) -> list[str]:
    """Return the names of the columns that any of the rows has."""
    return list(dict.fromkeys(name for row in rows for name in row.columns()))


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
        for name in self._setup.metrics:
            if name not in Row._fields and not (config.ema and name.startswith(EMA)):
                continue
            raise ArgumentError("metrics", repr(name), "names of no column that there is already")
        rng = evaluation_rng(config)
        n, size = config.evaluation_samples, config.batch
        self._noise = rng.standard_normal((n, config.networks.noise), config.dtype)
        self.real, self.labels = self._setup.draw(n, rng)
        noise = rng.standard_normal((size, config.networks.noise), config.dtype)
        real, labels = self._setup.draw(size, rng)
        batch = batch_of(real, noise, labels)
        self._directions = random_directions(data.dimension, 64, rng)
        self._projected = self._projections(self.real)
        self.batch = with_draws(self._setup.game, batch, rng)
        self._has_modes = hasattr(data, "centers")
        self._distinct = self.real[:0] if self._has_modes else distinct(_flat(self.real), _COMPARED)

    def samples(self, game: Any, state: State) -> Array | None:
        """Return generated samples, always from the same noise, shape (n, d).

        None if the game does not generate any. They are of the classes `labels`, if the game is
        conditional.
        """
        if not hasattr(game, "generate"):
            return None
        samples: Array = game.generate(state.theta_g, self._all(game))
        return samples

    def _all(self, game: Any) -> AnyBatch:
        """All real samples and noise as a batch; a game that takes random numbers does without."""
        return with_draws(game, batch_of(self.real, self._noise, self.labels))

    def row(
        self,
        game: Any,
        state: State,
        samples: Array | None,
        seconds: float,
        averaged: Array | None = None,
    ) -> Row:
        """Compute the row for a state, its samples, and those of its moving average."""
        f_K, f, direct, indirect, cosine = self._gradients(game, state)
        return Row(
            state.step,
            seconds,
            f_K,
            f,
            *self._of_modes(samples),
            self._distance(samples),
            *self._of_neighbours(samples),
            self._of_classes(samples),
            self._accuracy(game, state, samples),
            direct,
            indirect,
            cosine,
            self._own(state, samples),
            {} if state.ema is None else self._of_average(state, averaged),
        )

    def _of_average(self, state: State, samples: Array | None) -> dict[str, float]:
        """The quality of samples of the moving average, and the columns of one's own."""
        names = (*_MODES, "sliced_wasserstein", *_NEIGHBOURS)
        values = *self._of_modes(samples), self._distance(samples), *self._of_neighbours(samples)
        there = zip(names, values, strict=True)
        quality = {name: float(x) for name, x in there if x is not None}
        return quality | self._own(state.averaged, samples)

    def _of_modes(self, samples: Array | None) -> tuple[Any, Any, Any, Any]:
        if samples is None or not self._has_modes:
            return None, None, None, None
        data = self._setup.data
        with one_thread():
            centers = data.centers()
        return *mode_coverage(samples, centers, data.std), *mode_divergences(samples, centers)

    def _distance(self, samples: Array | None) -> float | None:
        if samples is None:
            return None
        return rms(self._projections(samples) - self._projected)

    def _projections(self, samples: Array) -> Array:
        with one_thread():
            return sorted_projections(_flat(samples), self._directions)

    def _of_neighbours(self, samples: Array | None) -> tuple[Any, Any, Any]:
        """Precision, recall and the two-sample test, in place of the modes; NaN of too few."""
        if samples is None or self._has_modes:
            return None, None, None
        n = min(len(samples), len(self._distinct))
        if n <= NEIGHBOURS:
            return float("nan"), float("nan"), float("nan")
        real, generated = self._distinct[:n], _flat(samples[:n])
        fidelity = precision_recall(real, generated, neighbours=NEIGHBOURS)
        return *fidelity, two_sample_accuracy(real, generated)

    def _of_classes(self, samples: Array | None) -> float | None:
        """The fraction of samples in their own class, of a conditional game."""
        if samples is None or self.labels is None:
            return None
        return own_class(_flat(self.real), _flat(samples), self.labels)

    def _accuracy(self, game: Any, state: State, samples: Array | None) -> float | None:
        if samples is None or not hasattr(game, "discriminator"):
            return None
        if self.labels is None:
            real, generated = (game.discriminator(state.theta_d, x) for x in (self.real, samples))
        else:
            rows, batch = {"real": self.real, "generated": samples}, self._all(game)
            real, generated = (
                logits_of(game, state.theta_d, x, batch, name) for name, x in rows.items()
            )
        if np.size(real) != len(self.real):  # classes, say, not one logit
            return None
        return float(np.mean(real > 0) + np.mean(generated <= 0)) / 2

    def _own(self, state: State, samples: Array | None) -> dict[str, float]:
        """The columns of one's own."""
        values = {name: metric(state, samples) for name, metric in self._setup.metrics.items()}
        for name, value in values.items():
            if np.shape(value) or np.asarray(value).dtype.kind not in "biuf":
                raise ArgumentTypeError(f"metrics[{name!r}]", f"a {kind_of(value)}", "a number")
        return {name: float(value) for name, value in values.items()}

    def _gradients(self, game: Any, state: State) -> tuple[float, float, float, float, float]:
        """f_K, f, the norms of the two terms of the gradient, and the cosine between them."""
        arguments = game, state.theta_g, state.theta_d, self.batch
        dynamics = self._setup.dynamics(state.optimizer_d)
        try:
            f_K, direct = unroll.value_and_grad(*arguments, **dynamics, truncate=0)
            _, total = unroll.value_and_grad(*arguments, **dynamics)
        except NonFiniteError:  # training does not use these numbers: no reason to stop
            nan = float("nan")
            return nan, nan, nan, nan, nan
        indirect = optree.tree_map(np.subtract, total, direct)
        lengths = norm(direct), norm(indirect)
        product = sum(
            float(np.vdot(a, b))
            for a, b in zip(optree.tree_leaves(direct), optree.tree_leaves(indirect), strict=True)
        )
        size = lengths[0] * lengths[1]
        f = float(game.inner(*arguments[1:]))
        return float(f_K), f, lengths[0], lengths[1], product / size if size else float("nan")


def _flat(samples: Array) -> Array:
    return samples.reshape(len(samples), -1)
