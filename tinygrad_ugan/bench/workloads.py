"""The workloads: MLP games of given sizes, with the data to run them on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan import data, gan, nn
from tinygrad_ugan.bench.limit import multiply_adds

Params = list[dict[str, Any]]


class Arrays(NamedTuple):
    """The arguments of f_K: both players' parameters, and one batch."""

    theta_g: Params
    theta_d: Params
    real: Any
    noise: Any


@dataclass(frozen=True)
class Workload:
    """One exact value and gradient of f_K: minimax loss, plain ascent, one batch for every step.

    Attributes
    ----------
    generator, discriminator : tuple of int
        Widths, from the input to the output.
    activation : str
        The discriminator's; the generator has tanh.
    input_scale : float
        The discriminator's input is multiplied by it.
    batch : int
        Rows of the real and of the generated batch.
    steps : int
        K.
    dtype : str
        "float32" or "float64".
    lr : float
        Inner step size.

    Examples
    --------
    >>> workload = WORKLOADS["C"]
    >>> workload.steps, workload.multiply_adds
    (5, 6434816)
    """

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    activation: str = "tanh"
    input_scale: float = 1.0
    batch: int = 512
    steps: int = 10
    dtype: str = "float32"
    lr: float = 0.1

    @property
    def game(self) -> gan.Game:
        """The game as this library writes it."""
        discriminator = nn.MLP(self.discriminator, self.activation, self.input_scale)
        return gan.Game(nn.MLP(self.generator), discriminator)

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds that the gradient needs at least."""
        return multiply_adds(self.generator, self.discriminator, self.batch, self.steps)

    def arrays(self) -> Arrays:
        """Parameters and data, the same in every call."""
        rng = np.random.default_rng(0)
        theta_g = _parameters(self.generator, rng, self.dtype)
        theta_d = _parameters(self.discriminator, rng, self.dtype)
        real = data.ring(self.batch, rng=rng).astype(self.dtype)
        noise = rng.standard_normal((self.batch, self.generator[0])).astype(self.dtype)
        return Arrays(theta_g, theta_d, real, noise)


def _parameters(sizes: tuple[int, ...], rng: np.random.Generator, dtype: str) -> Params:
    """Weights of variance 1 / n_in, small biases: for large widths drawn faster than `MLP.init`."""
    return [
        {
            "w": (rng.standard_normal((m, n)) / np.sqrt(m)).astype(dtype),
            "b": (0.1 * rng.standard_normal(n)).astype(dtype),
        }
        for m, n in itertools.pairwise(sizes)
    ]


#: The notebook's networks, the paper's discriminator, and a game that is all overhead.
WORKLOADS = MappingProxyType(
    {
        "A": Workload((256, 128, 128, 2), (2, 128, 128, 1)),
        "B": Workload((256, 128, 128, 2), (2, 128, 1), activation="relu", input_scale=0.25),
        "C": Workload((16, 32, 32, 2), (2, 32, 32, 1), batch=64, steps=5),
    }
)
