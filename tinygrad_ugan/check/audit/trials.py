"""Trials: games at a point, for a training step to be driven on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree
from numpy.typing import DTypeLike

from tinygrad_ugan.gan import Batch, Game
from tinygrad_ugan.nn import MLP
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.typing import Array, PyTree


@dataclass(frozen=True)
class Trial:
    """A game between two MLPs, a point to start from, and how a training step is to move there.

    Attributes
    ----------
    name : str
        Its name in tables.
    game : gan.Game
        The networks, ``game.generator`` and ``game.discriminator``, each with ``sizes``,
        ``activation`` and ``input_scale``; and ``game.loss``.
    theta_g, theta_d : list of {"w": (n_in, n_out), "b": (n_out,)}
        Parameters of both players.
    batch : gan.Batch
        ``real`` and ``noise``, for all steps.
    steps : int
        K.
    lr : float or None
        Step size of the unrolled steps, plain ascent.
    optimizer : optim.SGD, optim.Momentum, optim.Adam or None
        Rule of the unrolled steps in place of that, and of the discriminator's real step.
    generator_lr : float
        Step size of the generator, which moves by plain descent.
    discriminator_lr : float or None
        Step size of the discriminator's real step; `lr` if not given.
    """

    name: str
    game: Game
    theta_g: PyTree
    theta_d: PyTree
    batch: Batch
    steps: int
    lr: float | None = None
    optimizer: Optimizer | None = None
    generator_lr: float = 1.0
    discriminator_lr: float | None = None

    def start(self) -> tuple[PyTree, PyTree, Batch]:
        """Copy both players' parameters and the batch, for a step to do with as it likes."""
        theta_g, theta_d, batch = optree.tree_map(
            np.array, (self.theta_g, self.theta_d, self.batch)
        )
        return theta_g, theta_d, batch

    @property
    def dynamics(self) -> dict[str, Any]:
        """Arguments of `unroll.value_and_grad` that say how the discriminator moves."""
        return {"steps": self.steps, "lr": self.lr, "optimizer": self.optimizer}


def trials(
    loss: str = "minimax",
    *,
    steps: Sequence[int] = (1, 2, 5, 10),
    lr: float = 0.3,
    optimizer: Optimizer | None = None,
    activation: str = "tanh",
    dtype: DTypeLike = np.float64,
    rng: np.random.Generator | None = None,
) -> tuple[Trial, ...]:
    """Small games for `audit_step`: for each K one between linear networks, and one between MLPs.

    The linear ones are solved with pen and paper for "wasserstein": with r and z the means of real
    data and noise, ``theta_D^K = w + K eta (r - z W - b)``.

    Parameters
    ----------
    loss : str
        See `gan.Game`.
    steps : sequence of int
        The numbers K of unrolled steps; 1 alone cannot show all mistakes.
    lr : float
        Step size of the unrolled steps.
    optimizer : Optimizer, optional
        Rule of the unrolled steps in place of plain ascent by `lr`.
    activation : str
        Of the hidden layers.
    dtype : dtype
        Of parameters and data, which are drawn in float32 in any case.
    rng : numpy.random.Generator, optional
        Draws parameters and data; ``default_rng(0)`` if not given.

    Returns
    -------
    tuple of Trial

    Raises
    ------
    ArgumentError
        If loss or activation do not exist.

    Examples
    --------
    >>> [trial.name for trial in trials("hinge", steps=[5])]
    ['linear, K = 5', 'MLP, K = 5']
    """
    rng = np.random.default_rng(0) if rng is None else rng
    networks = {
        "linear": (MLP((2, 2)), MLP((2, 1))),
        "MLP": (MLP((3, 8, 2), activation), MLP((2, 8, 1), activation)),
    }
    moves: dict[str, Any] = {"lr": lr} if optimizer is None else {"optimizer": optimizer}
    return tuple(
        draw_trial(f"{name}, K = {K}", Game(*players, loss), rng, 16, dtype, steps=K, **moves)
        for K in steps
        for name, players in networks.items()
    )


def draw_trial(
    name: str,
    game: Game,
    rng: np.random.Generator,
    rows: int,
    dtype: DTypeLike = np.float64,
    **how: Any,
) -> Trial:
    """Draw parameters, biases included, and a batch; `how` are the other fields of a Trial."""

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float32).astype(dtype)

    def draw(network: MLP) -> PyTree:
        return [
            {"w": p["w"].astype(dtype), "b": normal(*p["b"].shape) / 2}
            for p in network.init(rng, np.float32)
        ]

    players: tuple[Any, Any] = game.generator, game.discriminator
    theta_g, theta_d = map(draw, players)
    batch = Batch(
        real=normal(rows, players[1].sizes[0]) + 1, noise=normal(rows, players[0].sizes[0])
    )
    return Trial(name, game, theta_g, theta_d, batch, **how)
