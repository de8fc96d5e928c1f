r"""Penalties on the discriminator's slope, and the game that subtracts one.

Each is a function ``penalty(game, samples, theta_d, batch)`` of the generated samples, which
`Penalized` subtracts from what the discriminator ascends. It holds a derivative of the
discriminator, so the gradient through unrolled steps is one of the third order; like any other
function of NumPy, it is differentiated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinygrad_ugan import autodiff
from tinygrad_ugan.checked_dataclass import Settings, positive
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.gan.games.base import WrappedGame, logits_of
from tinygrad_ugan.gan.games.game import AnyBatch
from tinygrad_ugan.gan.games.instance_noise import drawn
from tinygrad_ugan.gan.games.network_calls import is_random, part
from tinygrad_ugan.stated import stated, states
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.game import SampleForm

STRONGEST = 1e9  # upper bound of weights


@dataclass(frozen=True)
class NoPenalty(Settings):
    """No penalty."""

    kind: ClassVar[str] = "none"


@dataclass(frozen=True)
class GradientPenalty(Settings):
    """``weight E (||grad D(x)|| - target)^2``: Gulrajani et al. (2017), arXiv 1704.00028, eq. 3.

    The points x are drawn uniformly on the lines between pairs of a real and a generated sample, so
    that they depend on the generator; where on the line, ``batch.drawn`` says. Where the slope is
    exactly zero, its norm has the derivative zero.

    Examples
    --------
    The critic x -> 3 x has the slope 3 everywhere: 10 (3 - 1)^2.

    >>> from tinygrad_ugan.gan.games.game import FullBatch, Game
    >>> game = Game(lambda theta, z: z, lambda theta, x: theta * x, "wasserstein")
    >>> batch = FullBatch(real=np.ones((6, 1)), noise=np.zeros((6, 1)))
    >>> game = Penalized(game, GradientPenalty(10.0))
    >>> batch = batch._replace(drawn=game.draw(np.random.default_rng(0), batch))
    >>> float(game.game.inner((), 3.0, batch)), float(game.inner((), 3.0, batch))
    (3.0, -37.0)
    """

    kind: ClassVar[str] = "wgan-gp"
    is_random: ClassVar[bool] = True

    weight: float = positive(10.0, most=STRONGEST)
    """Weight of the penalty."""
    target: float = positive(1.0, most=STRONGEST)
    """Slope that the discriminator is to have."""

    def draw(self, rng: np.random.Generator, batch: AnyBatch) -> dict[str, Any]:
        """Draw the places on the lines, from 0 (generated) to 1 (real)."""
        real = batch.real
        shape = (len(real), *(1,) * (real.ndim - 1))
        return {"line": rng.random(shape, real.dtype)}

    def __call__(self, game: Any, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the penalty."""
        real, t = part(batch, "real"), drawn(batch, "line")
        if real.shape != samples.shape:
            given = f"{real.shape} and {samples.shape}"
            raise ArgumentError("batch", f"real and generated samples of shapes {given}", "pairs")
        slope = squared_slope(game, theta_d, samples + t * (real - samples), batch)
        is_positive = slope > 0
        root = np.where(is_positive, np.sqrt(np.where(is_positive, slope, 1)), 0)
        return self.weight * np.mean((root - self.target) ** 2)


@dataclass(frozen=True)
class R1(Settings):
    """``weight / 2 E ||grad D(x)||^2`` over real samples: Mescheder et al. (2018), equation 9.

    arXiv 1801.04406. It pulls the discriminator towards a constant where the data are.
    """

    kind: ClassVar[str] = "r1"

    weight: float = positive(10.0, most=STRONGEST)
    """Weight of the penalty, gamma."""

    def __call__(self, game: Any, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the penalty."""
        real = part(batch, "real")
        return self.weight / 2 * np.mean(squared_slope(game, theta_d, real, batch))


@dataclass(frozen=True)
class R2(Settings):
    """``weight / 2 E ||grad D(x)||^2`` over generated samples: Mescheder et al. (2018), eq. 10."""

    kind: ClassVar[str] = "r2"

    weight: float = positive(10.0, most=STRONGEST)
    """Weight of the penalty, gamma."""

    def __call__(self, game: Any, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the penalty."""
        slope = squared_slope(game, theta_d, samples, batch, "generated")
        return self.weight / 2 * np.mean(slope)


def squared_slope(game: Any, theta_d: PyTree, x: Any, batch: AnyBatch, name: str = "real") -> Any:
    """``||grad D(x)||^2`` of the logit D(x) for each row of x, shape (n,).

    Rows that see each other, by batch normalisation or minibatch discrimination, are differentiated
    together: it is the gradient of the sum of all logits, as PyTorch's users compute it.

    Parameters
    ----------
    game : Any
        A game with ``logits(theta_d, x, batch, name)`` or ``discriminator(theta_d, x)``.
    theta_d : pytree
    x : array, shape (n, d...)
    batch : FullBatch
        Its labels and random numbers are those of x.
    name : str
        See `Game.logits`.
    """

    def total(x: Any) -> Any:
        logits = logits_of(game, theta_d, x, batch, name)
        if np.size(logits) != len(x):
            given = f"logits of shape {np.shape(logits)}"
            raise ArgumentError("game", given, "one logit for each row")
        return np.sum(logits)

    gradient = autodiff.grad(total)(x)
    return np.sum(np.reshape(gradient, (len(x), -1)) ** 2, axis=1)


@dataclass(frozen=True)
class Penalized(WrappedGame):
    """A game whose discriminator ascends ``inner - penalty``; the generator's objective stays.

    Parameters
    ----------
    game : Any
        A game with ``generate(theta_g, batch)``, and ``logits`` or ``discriminator``, such as a
        `Game` or a penalised one.
    penalty : callable
        ``penalty(game, samples, theta_d, batch)``, such as `GradientPenalty`, `R1` or `R2`; with
        `is_random` and ``draw(rng, batch)`` if it takes random numbers.

    Raises
    ------
    ArgumentTypeError
        If the game has no samples, or no discriminator, or the penalty cannot be called.

    Examples
    --------
    >>> from tinygrad_ugan.gan.games.game import Batch, Game
    >>> from tinygrad_ugan.nn import MLP
    >>> game = Penalized(Game(MLP((4, 8, 2)), MLP((2, 8, 1))), R1(weight=1.0))
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = Batch(real=np.ones((6, 2), np.float32), noise=np.ones((6, 4), np.float32))
    >>> bool(game.inner(theta_g, theta_d, batch) < game.game.inner(theta_g, theta_d, batch))
    True
    """

    game: Any
    penalty: Any

    def __post_init__(self) -> None:
        if not callable(self.penalty):
            expected = "a function of (game, samples, theta_d, batch), such as gan.penalties.R1()"
            raise ArgumentTypeError("penalty", f"a {kind_of(self.penalty)}", expected)
        judge = getattr(self.game, "logits", getattr(self.game, "discriminator", None))
        if not (callable(getattr(self.game, "generate", None)) and callable(judge)):
            expected = "one with generate(theta_g, batch), and a discriminator(theta_d, x)"
            raise ArgumentTypeError("game", f"a {kind_of(self.game)}", expected)

    @property
    def is_random(self) -> bool:
        """Whether the game or the penalty takes random numbers, which `draw` draws."""
        return is_random(self.game) or is_random(self.penalty)

    def draw(self, rng: np.random.Generator, batch: AnyBatch) -> dict[str, Any]:
        """Draw the random numbers of the game and of the penalty, for ``batch.drawn``."""
        taking = [each for each in (self.game, self.penalty) if is_random(each)]
        return {name: x for each in taking for name, x in each.draw(rng, batch).items()}

    def inner(self, theta_g: PyTree, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the objective that the discriminator ascends."""
        if stated(self.game, "sample_form") is not None:
            return super().inner(theta_g, theta_d, batch)
        samples = self.game.generate(theta_g, batch)
        penalty = self.penalty(self.game, samples, theta_d, batch)
        return self.game.inner(theta_g, theta_d, batch) - penalty

    def outer(self, theta_g: PyTree, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return the objective that the generator descends: that of the game."""
        return self.game.outer(theta_g, theta_d, batch)

    def inner_on(self, samples: Any, theta_d: PyTree, batch: AnyBatch) -> Any:
        """Return `inner` as a function of the generated samples."""
        penalty = self.penalty(self.game, samples, theta_d, batch)
        return self.game.inner_on(samples, theta_d, batch) - penalty

    @states("inner", "outer", "generate", "outer_on")  # `outer` is that of the game
    def sample_form(self) -> SampleForm | None:
        """The factorisation through the samples, if the game has it: see `unroll.SampleForm`."""
        return self._through_samples()
