"""The discriminator's K steps: theta_{k+1} = theta_k + eta_k g_k, g_k = d inner / d theta_D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optree

from tinygrad_ugan.autodiff import grad
from tinygrad_ugan.unroll.game import AnyGame

PyTree = Any


def axpy(a: float, x: PyTree, y: PyTree) -> PyTree:
    """Return ``a x + y``, leaf by leaf."""
    return optree.tree_map(lambda x, y: a * x + y, x, y)


def ascend(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batches: Sequence[Any], etas: Sequence[float]
) -> list[PyTree]:
    """Take the inner steps and return theta_0 ... theta_K.

    It is differentiable as it stands; step k uses ``batches[k]`` and ``etas[k]``.
    """
    inner_gradient = grad(game.inner, argnums=1)
    thetas = [theta_d]
    for eta, batch in zip(etas, batches, strict=False):
        g = inner_gradient(theta_g, thetas[-1], batch)
        thetas.append(axpy(eta, g, thetas[-1]))
    return thetas
