"""Instance noise: the discriminator sees real and generated samples through noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError, kind_of
from tinygrad_ugan.gan.games.base import WrappedGame
from tinygrad_ugan.gan.games.game import AnyBatch
from tinygrad_ugan.gan.games.network_calls import is_random, part
from tinygrad_ugan.stated import stated, states, why_not
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import SampleForm


@dataclass(frozen=True)
class InstanceNoise(WrappedGame):
    """A game whose discriminator sees every sample with noise added to it, from N(0, std^2 I).

    Sonderby et al. (2016), arXiv 1610.04490, section 3.1, and Arjovsky and Bottou (2017), arXiv
    1701.04862: it spreads data and samples until they overlap. Both objectives are those of the
    other game at the noisy samples; `generate` gives them without noise. The noise comes from
    ``batch.drawn``, see `draw`.

    Parameters
    ----------
    game : GeneratorGame
        The game to play, whose players meet only through the samples.
    std : float
        Standard deviation of the noise.

    Raises
    ------
    ArgumentError
        If the game has objectives besides those of its samples, or `std` is negative or not finite;
        when called, if the batch has no random numbers.

    Examples
    --------
    >>> from tinygrad_ugan.gan.games.game import FullBatch, Game
    >>> from tinygrad_ugan.nn import MLP
    >>> game = InstanceNoise(Game(MLP((4, 8, 2)), MLP((2, 8, 1))), std=0.1)
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = FullBatch(real=np.ones((6, 2), np.float32), noise=np.ones((6, 4), np.float32))
    >>> batch = batch._replace(drawn=game.draw(rng, batch))
    >>> game.inner(theta_g, theta_d, batch).dtype
    dtype('float32')
    """

    game: Any
    std: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std >= 0):
            raise ArgumentError("std", self.std, "a finite number >= 0")
        if stated(self.game, "sample_form") is None:
            reason = why_not(self.game, "sample_form") or f"a {kind_of(self.game)} states no such"
            expected = "one whose players meet only through the samples, such as a gan.Game"
            raise ArgumentError("game", f"another: {reason}", expected)

    @property
    def is_random(self) -> bool:
        """True: it takes random numbers, which `draw` draws."""
        return True

    def draw(self, rng: np.random.Generator, batch: AnyBatch) -> dict[str, Any]:
        """Draw the random numbers of the game, and the noise for real and generated samples."""
        others = self.game.draw(rng, batch) if is_random(self.game) else {}
        shapes = {"real": batch.real.shape}
        shapes["generated"] = (len(batch.noise), *batch.real.shape[1:])
        dtype = batch.real.dtype
        noise = {name: rng.standard_normal(shape, dtype) for name, shape in shapes.items()}
        return {**others, "instance_noise": noise}

    def inner_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `inner` as a function of the generated samples."""
        return self.game.inner_on(*self._noisy(samples, theta_d, batch))

    def outer_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `outer` as a function of the generated samples."""
        return self.game.outer_on(*self._noisy(samples, theta_d, batch))

    def _noisy(
        self, samples: Any, theta_d: PyTree, batch: AnyBatch
    ) -> tuple[Any, PyTree, AnyBatch]:
        noise = drawn(batch, "instance_noise")
        real = part(batch, "real") + self.std * noise["real"]
        return samples + self.std * noise["generated"], theta_d, batch._replace(real=real)

    @states("inner", "outer")
    def sample_form(self) -> SampleForm | None:
        """The factorisation through the samples: see `unroll.SampleForm`."""
        return self._through_samples()


def drawn(batch: Any, name: str) -> Any:
    """Return random numbers of a batch, which an objective cannot do without.

    Raises
    ------
    ArgumentError
        If the batch does not have them.
    """
    found = (getattr(batch, "drawn", None) or {}).get(name)
    if found is None:
        hint = "gan.FullBatch(real, noise, drawn=game.draw(rng, batch)); training makes such"
        raise ArgumentError("batch.drawn", f"none for {name!r}", "random numbers", hint)
    return found
