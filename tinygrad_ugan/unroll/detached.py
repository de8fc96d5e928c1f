"""The first-order gradient: theta_D^K treated as a constant.

This is what code computes that runs K discriminator steps, then one generator step, and never
differentiates through the K steps. It is the DIRECT term of the exact gradient, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.unroll.dynamics import ascend
from tinygrad_ugan.unroll.game import AnyGame

PyTree = Any


def detached(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batches: Sequence[Any], etas: Sequence[float]
) -> tuple[Any, PyTree]:
    """Value of f_K and its gradient without the indirect term."""
    theta_K = ascend(game, theta_g, theta_d, batches, etas)[-1]
    return autodiff.value_and_grad(game.outer)(theta_g, theta_K, batches[-1])
