"""Training for games that `gan.Config` does not describe: any generator, any discriminator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import optree

from tinygrad_ugan import unroll
from tinygrad_ugan.gan import Batch
from tinygrad_ugan.optim import Optimizer, descend

PyTree = Any


class Players(NamedTuple):
    """The parameters of both."""

    theta_g: PyTree
    theta_d: PyTree


def play(
    game: Any,
    start: Players,
    draw: Callable[[], Batch],
    *,
    steps: int,
    optimizers: tuple[Optimizer, Optimizer],
    ahead: int = 0,
    lr: float = 0.1,
) -> Iterator[Players]:
    """Alternate as in the paper, at rates that fall linearly to zero; yield the players, start too.

    Parameters
    ----------
    game : gan.Game
        Or anything else with its `inner`, `outer`, `generate` and `inner_on`.
    start : Players
    draw : callable
        Returns the next batch.
    steps : int
        How many steps each player takes.
    optimizers : pair of Optimizer
        Of the generator and of the discriminator.
    ahead : int
        K, the steps that the generator looks ahead.
    lr : float
        The size of those steps.

    Examples
    --------
    >>> from tinygrad_ugan import gan, nn, optim
    >>> game = gan.Game(nn.MLP((1, 1)), nn.MLP((1, 4, 1)))
    >>> rng = np.random.default_rng(0)
    >>> start = Players(game.generator.init(rng), game.discriminator.init(rng))
    >>> batch = Batch(np.ones((8, 1), np.float32), np.ones((8, 1), np.float32))
    >>> sgd = optim.SGD(0.1)
    >>> len(list(play(game, start, lambda: batch, steps=3, optimizers=(sgd, sgd))))
    4
    """
    (theta_g, theta_d), (optimizer_g, optimizer_d) = start, optimizers
    state_g: PyTree = optimizer_g.init(theta_g)
    state_d: PyTree = optimizer_d.init(theta_d)
    yield start
    for step in range(steps):
        batch, scale = draw(), 1 - step / steps
        _, descent = unroll.value_and_grad(game, theta_g, theta_d, batch, steps=ahead, lr=lr)
        theta_g, state_g = descend(optimizer_g, descent, state_g, theta_g, scale)
        _, ascent = unroll.ascent(game, theta_g, theta_d, batch)
        descent = optree.tree_map(np.negative, ascent)
        theta_d, state_d = descend(optimizer_d, descent, state_d, theta_d, scale)
        yield Players(theta_g, theta_d)
