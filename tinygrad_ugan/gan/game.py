"""A GAN as a game: two networks and a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.gan.objectives import LOSSES, Terms

PyTree = Any
Network = Callable[[PyTree, Any], Any]


class Batch(NamedTuple):
    """What one step sees.

    Attributes
    ----------
    real : array, shape (B, d)
        Samples of the data.
    noise : array, shape (B, z)
        Input of the generator.
    """

    real: Any
    noise: Any


@dataclass(frozen=True)
class Game:
    """The game between a generator and a discriminator.

    The discriminator ascends `inner`, the generator descends `outer`; see
    `tinygrad_ugan.gan.objectives` for the losses.

    Parameters
    ----------
    generator, discriminator : callable
        ``network(params, x)``: such as `tinygrad_ugan.nn.MLP`, or any function written in NumPy.
        The discriminator returns logits.
    loss : str
        One of "minimax", "nonsaturating", "max_likelihood", "wasserstein", "least_squares",
        "hinge".

    Raises
    ------
    ArgumentError
        If there is no such loss.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_ugan.nn import MLP
    >>> game = Game(MLP(sizes=(4, 8, 2)), MLP(sizes=(2, 8, 1)))
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = Batch(real=np.ones((6, 2), np.float32), noise=np.ones((6, 4), np.float32))
    >>> value = game.inner(theta_g, theta_d, batch)
    >>> value.dtype, value.shape
    (dtype('float32'), ())
    """

    generator: Network
    discriminator: Network
    loss: str = "minimax"

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, LOSSES)

    def inner(self, theta_g: PyTree, theta_d: PyTree, batch: Batch) -> Any:
        """What the discriminator ascends."""
        return self.inner_on(self.generate(theta_g, batch), theta_d, batch)

    def outer(self, theta_g: PyTree, theta_d: PyTree, batch: Batch) -> Any:
        """What the generator descends."""
        return self.outer_on(self.generate(theta_g, batch), theta_d, batch)

    # The players meet only through the generated samples. `unroll` uses this to run the generator
    # once instead of K + 1 times: see `tinygrad_ugan.unroll.SampleGame`.

    def generate(self, theta_g: PyTree, batch: Batch) -> Any:
        """Generated samples, shape (B, d)."""
        return self.generator(theta_g, batch.noise)

    def inner_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """`inner` as a function of the generated samples."""
        return LOSSES[self.loss].inner(*self._logits(samples, theta_d, batch))

    def outer_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """`outer` as a function of the generated samples."""
        return LOSSES[self.loss].outer(*self._logits(samples, theta_d, batch))

    # And this, to hand the whole gradient to the kernels: see `tinygrad_ugan.unroll.LogitGame`.

    @property
    def inner_terms(self) -> Terms:
        """`inner` as weighted means of functions of the logits."""
        return LOSSES[self.loss].inner_terms

    @property
    def outer_terms(self) -> Terms:
        """`outer` as weighted means of functions of the logits."""
        return LOSSES[self.loss].outer_terms

    def _logits(self, samples: Any, theta_d: PyTree, batch: Batch) -> tuple[Any, Any]:
        return self.discriminator(theta_d, batch.real), self.discriminator(theta_d, samples)
