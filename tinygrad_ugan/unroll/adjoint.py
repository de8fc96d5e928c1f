"""The exact gradient by the adjoint recursion.

In the symbols of the README, with theta_0 ... theta_K known::

    lambda_K = d outer / d theta_D   at (theta_G, theta_K)
    total    = d outer / d theta_G                                 the DIRECT term
    for k = K-1 .. 0:
        c_k      = eta_k d<g_k, lambda_{k+1}> / d theta_G          mixed second derivative
        lambda_k = lambda_{k+1} + eta_k H_k lambda_{k+1}           Hessian-vector product
        total   += c_k                                             the INDIRECT term, step by step
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.unroll.dynamics import ascend, axpy
from tinygrad_ugan.unroll.game import AnyGame

PyTree = Any


def adjoint(
    game: AnyGame, theta_g: PyTree, theta_d: PyTree, batches: Sequence[Any], etas: Sequence[float]
) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K. Only the K + 1 states theta_k are kept, never a tape of
    more than one step.
    """
    thetas = ascend(game, theta_g, theta_d, batches, etas)
    outer = autodiff.value_and_grad(game.outer, argnums=(0, 1))
    value, (total, lam) = outer(theta_g, thetas[-1], batches[-1])
    for k in reversed(range(len(etas))):
        mixed, curvature = second_order(game, theta_g, thetas[k], batches[k], lam)
        total = axpy(etas[k], mixed, total)
        lam = axpy(etas[k], curvature, lam)
    return value, total


def second_order(
    game: AnyGame, theta_g: PyTree, theta_k: PyTree, batch: Any, lam: PyTree
) -> tuple[PyTree, PyTree]:
    """Return ``d<g, lam>/d theta_G`` and ``d<g, lam>/d theta_D = H lam``.

    Second derivatives commute: both are the rate of change of a first derivative of `inner` as
    theta_D moves along `lam`, so that one sweep of forward mode over reverse mode gives them.
    """

    def gradients(theta: PyTree) -> tuple[PyTree, PyTree]:
        return autodiff.grad(game.inner, argnums=(0, 1))(theta_g, theta, batch)

    return autodiff.jvp(gradients, (theta_k,), (lam,))[1]
