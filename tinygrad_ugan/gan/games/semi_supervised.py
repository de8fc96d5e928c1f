"""Semi-supervised classification: a discriminator that also predicts the class of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.autodiff import log_softmax, logsumexp
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.games.base import GeneratorGame
from tinygrad_ugan.gan.games.feature_matching import feature_distance
from tinygrad_ugan.gan.games.network_calls import call, check_pure, part
from tinygrad_ugan.nn import Sequential
from tinygrad_ugan.nn.activations import log_sigmoid
from tinygrad_ugan.typing import PyTree


class LabelledBatch(NamedTuple):
    """The batch of one step.

    Attributes
    ----------
    labelled : array, shape (m, d)
        Labelled samples.
    classes : array of int, shape (m,)
        Their classes, from 0.
    real : array, shape (B, d)
        Unlabelled samples.
    noise : array, shape (B, z)
        Input of the generator.
    sides : tuple of three
        Side inputs of the discriminator for labelled, unlabelled and generated samples: see
        `nn.Sequential`. None if no layer takes random numbers.
    """

    labelled: Any
    classes: Any
    real: Any
    noise: Any
    sides: tuple[Any, Any, Any] = (None, None, None)


@dataclass(frozen=True)
class SemiSupervised(GeneratorGame):
    """The game of Salimans et al. (2016), arXiv 1606.03498, section 5.

    The discriminator returns the logits l_1 ... l_K of the classes; a further class, "generated",
    has the logit 0. With Z = sum_k exp l_k, the probability of being real is D(x) = Z / (Z + 1),
    whose logit is log Z. The discriminator ascends ``E log p(class | x)`` over the labelled
    samples, plus ``E log D(x) + E log(1 - D(G(z)))``; the generator descends ``-E log D(G(z))``, or
    `feature_distance`.

    Parameters
    ----------
    generator : callable
        ``generator(theta_g, noise)``.
    discriminator : Sequential
        Its outputs are the l_k; the input of its last layer is the features to match.
    match_features : bool
        Whether the generator descends `feature_distance`.

    Examples
    --------
    >>> from tinygrad_ugan.nn import MLP
    >>> net = Sequential(MLP((4, 8)), np.tanh, MLP((8, 3)))
    >>> game = SemiSupervised(MLP((2, 8, 4)), net)
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), net.init(rng)
    >>> x, z = np.ones((6, 4), np.float32), np.ones((6, 2), np.float32)
    >>> batch = LabelledBatch(x[:2], np.array([0, 2]), x, z)
    >>> game.inner(theta_g, theta_d, batch).shape
    ()
    """

    generator: Any
    discriminator: Sequential
    match_features: bool = False

    def generate(self, theta_g: PyTree, batch: LabelledBatch) -> Any:
        """Return the generated samples, shape (B, d)."""
        noise = part(batch, "noise", "gan.LabelledBatch")
        check_pure("generator", self.generator)
        return call("generator", self.generator, theta_g, noise, "batch.noise")

    def inner_on(self, samples: Any, theta_d: PyTree, batch: LabelledBatch) -> Any:
        """Return `inner` as a function of the generated samples."""
        sides = self._sides(batch)
        places = {"batch.labelled": batch.labelled, "batch.real": batch.real, "samples": samples}
        labelled, real, generated = (
            call("discriminator", self.discriminator, theta_d, x, place, side)
            for (place, x), side in zip(places.items(), sides, strict=True)
        )
        known = log_softmax(labelled, axis=1)[np.arange(len(batch.classes)), batch.classes]
        return (
            np.mean(known)
            + np.mean(log_sigmoid(logsumexp(real, axis=1)))
            + np.mean(log_sigmoid(-logsumexp(generated, axis=1)))
        )

    def outer_on(self, samples: Any, theta_d: PyTree, batch: LabelledBatch) -> Any:
        """Return `outer` as a function of the generated samples."""
        _, real, generated = self._sides(batch)
        if not self.match_features:
            logits = self.discriminator(theta_d, samples, generated)
            return -np.mean(log_sigmoid(logsumexp(logits, axis=1)))
        return feature_distance(
            self._features(theta_d, batch.real, real), self._features(theta_d, samples, generated)
        )

    def classify(self, theta_d: PyTree, x: Any) -> Any:
        """Return the most probable class of each row, from 0, without random numbers."""
        return np.argmax(self.discriminator(theta_d, x), axis=1)

    def _sides(self, batch: LabelledBatch) -> tuple[Any, Any, Any]:
        """The side inputs, which layers that take random numbers must not lack."""
        sides: tuple[Any, Any, Any] = part(batch, "sides", "gan.LabelledBatch")
        random = getattr(self.discriminator, "is_random", False)
        if random and any(side is None for side in sides):
            expected = "random numbers for the discriminator's layers, such as GaussianNoise"
            hint = "draw them with discriminator.draw(rng, n), for the n rows of each"
            raise ArgumentError("batch.sides", "None", expected, hint)
        return sides

    def _features(self, theta_d: PyTree, x: Any, side: Any) -> Any:
        return self.discriminator[:-1](theta_d[:-1], x, None if side is None else side[:-1])
