"""The discriminator's side of a game: one value and gradient, and no unrolling."""

from __future__ import annotations

from typing import Any

from tinygrad_ugan import autodiff
from tinygrad_ugan.typing import PyTree
from tinygrad_ugan.unroll.compiled import compiled_ascent, if_possible
from tinygrad_ugan.unroll.dynamics import Ascent
from tinygrad_ugan.unroll.fusable import why_not_fused
from tinygrad_ugan.unroll.fused import fused_ascent
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem
from tinygrad_ugan.unroll.validation import check_library


def ascent(game: AnyGame, theta_g: PyTree, theta_d: PyTree, batch: Any) -> tuple[Any, PyTree]:
    """Return the inner objective, which the discriminator ascends, and its gradient g.

    ``inner(theta_g, theta_d, batch)`` and its derivative with respect to theta_D: g_0 of
    `value_and_grad`, and in the same way: by kernels, a program, or the tape.

    Parameters
    ----------
    game, theta_g, theta_d
        See `value_and_grad`.
    batch
        What the objective sees: one batch.

    Returns
    -------
    value : float
        In the dtype of the parameters.
    gradient : pytree like `theta_d`

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y**2)
    >>> value, gradient = ug.unroll.ascent(game, 2.0, 3.0, None)
    >>> float(value), float(gradient)
    (18.0, 12.0)
    """
    rule = Ascent([])
    problem = Problem(game, theta_g, rule.start(theta_d), [batch], rule)
    if why_not_fused(problem) is None and (found := fused_ascent(problem)) is not None:
        return found
    for name, tree in (("theta_g", theta_g), ("theta_d", theta_d), ("batch", batch)):
        check_library(name, tree)
    return if_possible(compiled_ascent, _by_tape)(problem)


def _by_tape(problem: Problem) -> tuple[Any, PyTree]:
    ascend = autodiff.value_and_grad(problem.game.inner, argnums=1)
    value, gradient = ascend(problem.theta_g, problem.state.theta, problem.batches[0])
    return value, gradient
