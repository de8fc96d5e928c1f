"""Residual connections: a network that computes what to add to its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.sequential import Sequential
from tinygrad_ugan.typing import PyTree


@dataclass(frozen=True)
class Residual:
    """``x + network(x)``: He et al. (2015), arXiv 1512.03385, equation 1.

    Parameters
    ----------
    network : Sequential
        A network with as many outputs as inputs. Its parameters and its side input are those of
        the residual network.

    Examples
    --------
    >>> from tinygrad_ugan.nn import MLP
    >>> block = Residual(Sequential(MLP((4, 4)), np.tanh))
    >>> params = block.init(np.random.default_rng(0))
    >>> x = np.ones((5, 4), np.float32)
    >>> np.array_equal(block(params, x), x + block.network(params, x))
    True
    """

    network: Sequential

    @property
    def is_random(self) -> bool:
        """Whether the network takes random numbers from `draw`."""
        return self.network.is_random

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> PyTree:
        """Draw the parameters of the network."""
        return self.network.init(rng, dtype)

    def draw(self, rng: np.random.Generator, n: int, dtype: DTypeLike = np.float32) -> Any:
        """Draw the side input of the network for n rows."""
        return self.network.draw(rng, n, dtype)

    def statistics(self, params: PyTree, x: Any, side: Any = None) -> Any:
        """Collect the statistics of x in the network: a side input for evaluation."""
        return self.network.statistics(params, x, side)

    def __call__(self, params: PyTree, x: Any, side: Any = None) -> Any:
        """Return shape (n, width) for x of shape (n, width).

        Raises
        ------
        ArgumentError
            If the network has not as many outputs as inputs.
        """
        change = self.network(params, x, side)
        if shape_of(change) != shape_of(x):
            given = f"one from shape {shape_of(x)} to {shape_of(change)}"
            raise ArgumentError("network", given, "as many outputs as inputs")
        return x + change
