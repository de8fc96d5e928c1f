"""InfoGAN: a generator whose latent code can be recovered from its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff import log_softmax
from tinygrad_ugan.gan.games.base import GeneratorGame
from tinygrad_ugan.gan.games.game import Batch, Game, Network
from tinygrad_ugan.gan.games.network_calls import call, check_pure, part
from tinygrad_ugan.nn import MLP
from tinygrad_ugan.typing import PyTree


def information_bound(logits: Any, codes: Any) -> Any:
    """Variational lower bound on the mutual information of code and sample, in nats.

    ``I(c; x) >= E log Q(c | x) + H(c)``, with Q the softmax of the logits, and c uniform:
    Chen et al. (2016), arXiv 1606.03657, equation 5. Its maximum, H(c) = log of the number of
    codes, is reached where Q recovers every code with certainty.

    Parameters
    ----------
    logits : array, shape (n, codes)
        Outputs of Q for the samples.
    codes : array, shape (n, codes)
        The codes that the samples were generated from, one-hot.

    Returns
    -------
    float

    Examples
    --------
    >>> sure = 100 * np.eye(4)
    >>> round(float(information_bound(sure, np.eye(4)) / np.log(4)), 6)
    1.0
    >>> float(information_bound(0 * sure, np.eye(4)))
    0.0
    """
    likelihood = np.mean(np.sum(codes * log_softmax(logits, axis=1), axis=1))
    return likelihood + float(np.log(codes.shape[1]))


def code_noise(
    n: int, codes: int, width: int, rng: np.random.Generator, dtype: DTypeLike = np.float32
) -> Any:
    """Draw input for the generator: a uniform one-hot code, followed by N(0, 1) noise.

    Returns
    -------
    array, shape (n, codes + width)

    Examples
    --------
    >>> code_noise(5, 3, 2, np.random.default_rng(0))[:, :3].sum(axis=1).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    code = np.eye(codes)[rng.integers(codes, size=n)]
    return np.concatenate([code, rng.standard_normal((n, width))], axis=1).astype(dtype)


@dataclass(frozen=True)
class Judges:
    """The discriminator D and the code network Q of an `InfoGame`, trained together."""

    d: MLP
    q: MLP

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, PyTree]:
        """Draw ``{"d": ..., "q": ...}``."""
        return {"d": self.d.init(rng, dtype), "q": self.q.init(rng, dtype)}


@dataclass(frozen=True)
class InfoGame(GeneratorGame):
    """The game of InfoGAN: Chen et al. (2016), equation 6.

    Let V and W be the objectives of the discriminator and the generator of a `Game`, and L the
    `information_bound`. D and Q ascend ``V + weight L``, the generator descends ``W - weight L``.
    The first columns of the noise are the code, see `code_noise`.

    Parameters
    ----------
    generator : callable
        ``generator(theta_g, noise)``.
    discriminator : Judges
        Its parameters are ``{"d": ..., "q": ...}``; Q has as many outputs as there are codes.
    weight : float
        Weight of the bound.
    loss : str
        The loss of the game without the code, as in `Game`.

    Examples
    --------
    >>> game = InfoGame(MLP((5, 8, 2)), Judges(MLP((2, 8, 1)), MLP((2, 8, 3))))
    >>> rng = np.random.default_rng(0)
    >>> theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    >>> batch = Batch(np.ones((6, 2), np.float32), code_noise(6, 3, 2, rng))
    >>> value = game.inner(theta_g, theta_d, batch)
    >>> value.dtype, value.shape
    (dtype('float32'), ())
    """

    generator: Network
    discriminator: Judges
    weight: float = 1.0
    loss: str = "minimax"

    def generate(self, theta_g: PyTree, batch: Batch) -> Any:
        """Return the generated samples, shape (B, d)."""
        return self._game.generate(theta_g, batch)

    def logits(self, theta_d: PyTree, x: Any, batch: Batch, name: str = "generated") -> Any:
        """Return the logits of D: see `Game.logits`."""
        return self._game.logits(theta_d["d"], x, batch, name)

    def inner_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """Return `inner` as a function of the generated samples."""
        game = self._game.inner_on(samples, theta_d["d"], batch)
        return game + self.weight * self.information(samples, theta_d, batch)

    def outer_on(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """Return `outer` as a function of the generated samples."""
        game = self._game.outer_on(samples, theta_d["d"], batch)
        return game - self.weight * self.information(samples, theta_d, batch)

    def information(self, samples: Any, theta_d: PyTree, batch: Batch) -> Any:
        """Return the `information_bound`."""
        check_pure("discriminator", self.discriminator.q)
        logits = call("discriminator", self.discriminator.q, theta_d["q"], samples, "samples")
        return information_bound(logits, part(batch, "noise")[:, : logits.shape[1]])

    @property
    def _game(self) -> Game:
        return Game(self.generator, self.discriminator.d, self.loss)
