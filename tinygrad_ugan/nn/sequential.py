"""A sequence of layers as one network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.nn.normalization import BatchNorm
from tinygrad_ugan.typing import PyTree

Side = tuple[Any, ...]


class Sequential:
    """A network of layers: ``net(params, x)``, or ``net(params, x, side)``.

    Some layers take a side input besides parameters and x: `GaussianNoise` and `Dropout` the random
    numbers of this step, `BatchNorm` the statistics to normalise by. The side input of the network,
    `side`, is a tuple with an entry for each layer, None where a layer takes none. It is data that
    can be part of a batch, and the network stays a pure function::

        net(params, x, net.draw(rng, n))              training: noise drawn, statistics of the batch
        net(params, x, net.statistics(params, data))  evaluation: no noise, statistics of `data`

    Parameters
    ----------
    *layers : MLP, BatchNorm, ..., or callable
        Layers with ``init(rng, dtype)``, called as ``layer(params, x)``, or plain functions of x,
        such as ``np.tanh``.

    Raises
    ------
    ArgumentTypeError
        If a layer is not callable.

    Examples
    --------
    A discriminator with minibatch discrimination, for `gan.Game`. A slice of it is a network too,
    with the same slice of the parameters: here the features before the last layer.

    >>> from tinygrad_ugan.nn import MLP, MinibatchDiscrimination
    >>> likeness = MinibatchDiscrimination(16, kernels=4, dimension=3)
    >>> net = Sequential(MLP((2, 16)), np.tanh, likeness, MLP((20, 1)))
    >>> params = net.init(np.random.default_rng(0))
    >>> x = np.ones((5, 2), np.float32)
    >>> net(params, x).shape, net[:-1](params[:-1], x).shape
    ((5, 1), (5, 20))

    >>> from tinygrad_ugan.nn import BatchNorm, Dropout
    >>> net = Sequential(MLP((2, 16)), BatchNorm(16), np.tanh, Dropout(16), MLP((16, 1)))
    >>> params = net.init(np.random.default_rng(0))
    >>> [type(s).__name__ for s in net.draw(np.random.default_rng(1), n=5)]
    ['NoneType', 'NoneType', 'NoneType', 'ndarray', 'NoneType']
    >>> [type(s).__name__ for s in net.statistics(params, x)]
    ['NoneType', 'Statistics', 'NoneType', 'NoneType', 'NoneType']
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentTypeError(f"layers[{i}]", repr(layer), "a layer or a function")
        self.layers = layers

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, place: int | slice) -> Any:
        found = self.layers[place]
        return type(self)(*found) if isinstance(place, slice) else found

    def __repr__(self) -> str:
        return f"Sequential{self.layers!r}"

    @property
    def is_random(self) -> bool:
        """Whether any layer takes random numbers from `draw`."""
        return any(getattr(layer, "is_random", hasattr(layer, "draw")) for layer in self.layers)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> list[PyTree]:
        """Draw the parameters of every layer; a plain function has ()."""
        return [layer.init(rng, dtype) if hasattr(layer, "init") else () for layer in self.layers]

    def draw(self, rng: np.random.Generator, n: int, dtype: DTypeLike = np.float32) -> Side:
        """Draw the side input of a training step for n rows."""
        return tuple(
            layer.draw(rng, n, dtype) if hasattr(layer, "draw") else None for layer in self.layers
        )

    def statistics(self, params: Sequence[PyTree], x: Any, side: Side | None = None) -> Side:
        """Collect the statistics of x at every `BatchNorm`: a side input for evaluation.

        To average them over training: ``running_average(old, net.statistics(params, x))``.
        """
        side = self._checked(params, side)
        return tuple(
            _statistics(*each)
            for each in zip(
                self.layers, params, self._inputs(params, x, side), side, strict=False
            )  # the output of the last layer is left over
        )

    def __call__(self, params: Sequence[PyTree], x: Any, side: Side | None = None) -> Any:
        """Apply the layers.

        Raises
        ------
        ArgumentError
            If `params` or `side` does not have one entry for each layer.
        """
        *_, y = self._inputs(params, x, self._checked(params, side))
        return y

    def _checked(self, params: Sequence[PyTree], side: Side | None) -> Side:
        """The side input of every layer."""
        side = (None,) * len(self.layers) if side is None else side
        for name, given in (("params", params), ("side", side)):
            if len(given) != len(self.layers):
                raise ArgumentError(name, f"{len(given)} entries", f"one for each layer of {self}")
        return side

    def _inputs(self, params: Sequence[PyTree], x: Any, side: Side) -> Iterator[Any]:
        """Yield the input of each layer, and the output of the last."""
        yield x
        for layer, p, s in zip(self.layers, params, side, strict=True):
            if not hasattr(layer, "init"):
                x = layer(x)
            else:
                x = layer(p, x) if s is None else layer(p, x, s)
            yield x


def _statistics(layer: Any, params: PyTree, x: Any, side: Any) -> Any:
    """The statistics of x in a layer; those of a network in it need the parameters too."""
    if not hasattr(layer, "statistics"):
        return None
    return (
        layer.statistics(x) if isinstance(layer, BatchNorm) else layer.statistics(params, x, side)
    )
