"""Reverse mode straight through the unrolled program: the definition, differentiated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.unroll.dynamics import ascend
from tinygrad_ugan.unroll.game import AnyGame

PyTree = Any


def tape(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batches: Sequence[Any], etas: Sequence[float]
) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K. The tape holds all K steps: memory grows with K."""

    def f_K(theta_g: PyTree) -> Any:
        theta_K = ascend(game, theta_g, theta_d, batches, etas)[-1]
        return game.outer(theta_g, theta_K, batches[-1])

    return autodiff.value_and_grad(f_K)(theta_g)
