"""The GAN of two networks and a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.gan.games.base import GeneratorGame
from tinygrad_ugan.gan.games.network_calls import call, part
from tinygrad_ugan.gan.games.objectives import LOSSES, TERMS
from tinygrad_ugan.stated import stated, states
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import LogitForm

Network = Callable[[PyTree, Any], Any]


class Batch(NamedTuple):
    """The batch of one step.

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
class Game(GeneratorGame):
    """The game between a generator and a discriminator.

    The discriminator ascends `inner`, the generator descends `outer`; see
    `tinygrad_ugan.gan.games.objectives` for the losses. A subclass may override any method:
    `unroll` always computes what the methods say, on the kernels where none is overridden.

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
        If there is no such loss, or the generator's outputs are not as many as the discriminator's
        inputs; when called, if a network takes random numbers besides x.

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
        generator, discriminator = (
            stated(network, "layer_form") for network in (self.generator, self.discriminator)
        )
        if generator and discriminator and generator.sizes[-1] != discriminator.sizes[0]:
            raise ArgumentError(
                "discriminator",
                f"one of {discriminator.sizes[0]} inputs",
                f"one of {generator.sizes[-1]} inputs, as many as the generator has outputs",
            )

    def generate(self, theta_g: PyTree, batch: Batch) -> Any:
        """Return the generated samples, shape (B, d)."""
        return call("generator", self.generator, theta_g, part(batch, "noise"), "batch.noise")

    def inner_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """Return `inner` as a function of the generated samples."""
        return LOSSES[self.loss].inner(*self._logits(samples, theta_d, batch))

    def outer_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """Return `outer` as a function of the generated samples."""
        return LOSSES[self.loss].outer(*self._logits(samples, theta_d, batch))

    def _logits(self, samples: Any, theta_d: PyTree, batch: Batch) -> tuple[Any, Any]:
        places = {"batch.real": part(batch, "real"), "samples": samples}
        real, generated = (
            call("discriminator", self.discriminator, theta_d, x, place)
            for place, x in places.items()
        )
        return real, generated

    @states("inner", "outer", "generate", "inner_on", "outer_on", "_logits")
    def logit_form(self) -> LogitForm | None:
        """The objectives in the form of the kernels: see `unroll.LogitForm`."""
        loss = LOSSES[self.loss]
        inner, outer = TERMS.get(loss.inner), TERMS.get(loss.outer)
        if inner is None or outer is None:
            return None
        return LogitForm(self.generator, self.discriminator, inner, outer)
