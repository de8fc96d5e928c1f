"""The two networks of the settings for images: convolutions of stride 2, as of a DCGAN."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.nn import (
    MLP,
    BatchNorm,
    Conv,
    ConvTranspose,
    MinibatchDiscrimination,
    Orthogonal,
    Reshape,
    Sequential,
)

STRIDE = 2


@dataclass(frozen=True)
class ImageNetworks:
    """A generator that doubles height and width layer by layer, and a discriminator that halves.

    After Radford et al. (2016), arXiv 1511.06434. Both take and return images as rows.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of an image.
    kernel : int
        Height and width of the kernels.
    initializer : Orthogonal

    Examples
    --------
    >>> import numpy as np
    >>> networks = ImageNetworks((25, 25, 1), 5, Orthogonal())
    >>> networks.heights(2)
    [(25, 25), (13, 13), (7, 7)]
    >>> generator = networks.generator(8, (32, 16), np.tanh)
    >>> generator(generator.init(np.random.default_rng(0)), np.ones((4, 8), np.float32)).shape
    (4, 625)
    """

    shape: tuple[int, int, int]
    kernel: int
    initializer: Orthogonal

    def heights(self, layers: int) -> list[tuple[int, int]]:
        """Height and width of an image, and of those that a number of layers makes of it."""
        found = [self.shape[:2]]
        for _ in range(layers):
            height, width = found[-1]
            found.append((-(-height // STRIDE), -(-width // STRIDE)))
        return found

    def generator(
        self,
        noise: int,
        channels: Sequence[int],
        activation: Callable[[Any], Any],
        *,
        normalized: bool = False,
    ) -> Sequential:
        """Return the network from noise to images.

        Parameters
        ----------
        noise : int
            Width of the noise.
        channels : sequence of int
            Of the images before the last one; a dense layer makes the first.
        activation : callable
        normalized : bool
            Whether they have batch normalisation.
        """
        *sizes, first = self.heights(len(channels))
        shape = (*first, channels[0])
        layers: list[Any] = [self._dense(noise, math.prod(shape)), Reshape(shape)]
        following = [*channels[1:], self.shape[2]]
        for n_in, n_out, size in zip(channels, following, reversed(sizes), strict=True):
            layers += [BatchNorm(n_in)] if normalized else []
            layers += [activation]
            layers.append(
                ConvTranspose(
                    *(n_in, n_out, self.kernel, STRIDE), size=size, initializer=self.initializer
                )
            )
        return Sequential(*layers, Reshape((math.prod(self.shape),)))

    def discriminator(
        self,
        channels: Sequence[int],
        activation: Callable[[Any], Any],
        *,
        scale: float = 1.0,
        normalized: bool = False,
        closeness: tuple[int, int] = (0, 0),
    ) -> Sequential:
        """Return the network from images to logits.

        Parameters
        ----------
        channels : sequence of int
            Of the images after the first one.
        activation : callable
        scale : float
            Factor of the input.
        normalized : bool
            Whether they have batch normalisation.
        closeness : (int, int)
            Kernels and coordinates of minibatch discrimination before the last layer.
        """
        last = (*self.heights(len(channels))[-1], channels[-1])
        features, (kernels, coordinates) = math.prod(last), closeness
        hidden = self._halving(channels, activation, normalized)
        layers = [Scaled(scale), Reshape(self.shape), *hidden, Reshape((features,))]
        if kernels:
            layers.append(MinibatchDiscrimination(features, kernels, coordinates))
        return Sequential(*layers, self._dense(features + kernels, 1))

    def _halving(
        self, channels: Sequence[int], activation: Callable[[Any], Any], normalized: bool
    ) -> Iterator[Any]:
        for n_in, n_out in itertools.pairwise((self.shape[2], *channels)):
            yield Conv(n_in, n_out, self.kernel, STRIDE, initializer=self.initializer)
            if normalized:
                yield BatchNorm(n_out)
            yield activation

    def _dense(self, n_in: int, n_out: int) -> MLP:
        return MLP((n_in, n_out), initializer=self.initializer)


@dataclass(frozen=True)
class Scaled:
    """The function ``factor x``."""

    factor: float

    def __call__(self, x: Any) -> Any:
        """Multiply."""
        return x * self.factor
