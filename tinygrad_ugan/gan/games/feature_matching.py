"""Feature matching: the generator matches the mean of the discriminator's features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentTypeError
from tinygrad_ugan.gan.games.base import WrappedGame
from tinygrad_ugan.gan.games.game import AnyBatch, Game
from tinygrad_ugan.gan.games.network_calls import part, side_of
from tinygrad_ugan.nn import ACTIVATIONS, MLP, Sequential
from tinygrad_ugan.stated import stated, states
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import SampleForm


def feature_distance(real: Any, generated: Any) -> Any:
    """``||E f(x) - E f(G(z))||^2``: Salimans et al. (2016), arXiv 1606.03498, section 3.1.

    Parameters
    ----------
    real, generated : array, shape (n, features)
        Features of real and generated samples, not necessarily equally many.

    Returns
    -------
    float

    Examples
    --------
    >>> float(feature_distance(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[2.0, 5.0]])))
    25.0
    """
    difference = np.mean(real, axis=0) - np.mean(generated, axis=0)
    return np.sum(difference * difference)


def hidden_features(discriminator: Any) -> Callable[..., Any]:
    """Return the features before the last layer of a discriminator, for `FeatureMatching`.

    Raises
    ------
    ArgumentTypeError
        If it is neither an `nn.MLP` with a hidden layer nor an `nn.Sequential` of several layers.

    Examples
    --------
    >>> from tinygrad_ugan.nn import MLP
    >>> net = MLP((2, 3, 1))
    >>> hidden_features(net)(net.init(np.random.default_rng(0)), np.ones((4, 2))).shape
    (4, 3)
    """
    if type(discriminator) is Sequential and len(discriminator) > 1:
        return partial(_before_last, discriminator[:-1])
    form = stated(discriminator, "layer_form")
    if isinstance(discriminator, MLP) and form is not None and len(form.sizes) > 2:
        inner = replace(discriminator, sizes=discriminator.sizes[:-1])
        activated = Sequential(inner, ACTIVATIONS[discriminator.activation])
        return lambda theta, x: activated([theta[:-1], ()], x)
    expected = "an nn.MLP with a hidden layer, or an nn.Sequential, whose last layer is left out"
    hint = "gan.FeatureMatching(game, features) takes any function features(theta_d, x)"
    raise ArgumentTypeError("discriminator", f"{discriminator!r}", expected, hint)


def _before_last(hidden: Sequential, theta: PyTree, x: Any, side: Any = None) -> Any:
    return hidden(theta[:-1], x, None if side is None else side[:-1])


@dataclass(frozen=True)
class FeatureMatching(WrappedGame):
    """A game whose generator descends `feature_distance`; the discriminator's objective stays.

    Parameters
    ----------
    game : Game
        Its `inner` is ascended by the discriminator.
    features : callable
        ``features(theta_d, x)``, such as the layers of the discriminator before its last; called
        as ``features(theta_d, x, side)`` if these take random numbers, see `nn.Sequential`.

    Examples
    --------
    >>> from tinygrad_ugan.gan.games.game import Batch
    >>> from tinygrad_ugan.nn import MLP, Sequential
    >>> net = Sequential(MLP((2, 8)), np.tanh, MLP((8, 1)))
    >>> game = FeatureMatching(Game(MLP((4, 8, 2)), net), lambda theta, x: net[:2](theta[:2], x))
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = Batch(real=np.ones((6, 2), np.float32), noise=np.ones((6, 4), np.float32))
    >>> bool(game.outer(theta_g, theta_d, batch) > 0)
    True
    """

    game: Game
    features: Callable[..., Any]

    def inner(self, theta_g: PyTree, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the objective of the game's own discriminator."""
        return self.game.inner(theta_g, theta_d, batch)

    def outer_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `outer` as a function of the generated samples."""
        rows = {"real": part(batch, "real"), "generated": samples}
        real, generated = (self._features(theta_d, x, batch, name) for name, x in rows.items())
        return feature_distance(real, generated)

    def _features(self, theta_d: PyTree, x: Any, batch: AnyBatch, name: str) -> Any:
        side = side_of("discriminator", self.discriminator, batch, name)
        x = self.game.with_labels(x, batch)
        return self.features(theta_d, x) if side is None else self.features(theta_d, x, side)

    @states("inner", "outer", "generate", "inner_on")  # `inner` is that of the game
    def sample_form(self) -> SampleForm | None:
        """The factorisation through the samples, if the game has it: see `unroll.SampleForm`."""
        return self._through_samples()
