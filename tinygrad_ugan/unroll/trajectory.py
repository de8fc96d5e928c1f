"""The path of the discriminator through the K inner steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.autodiff.defensive_copies import writable_copy
from tinygrad_ugan.optim import Optimizer
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.method import check_finite
from tinygrad_ugan.unroll.problem import Problem, make_problem


class Trajectory(NamedTuple):
    """The path of the discriminator.

    Attributes
    ----------
    thetas : tuple of K + 1 pytrees
        theta_0 ... theta_K.
    inner_values : ndarray, shape (K + 1,)
        inner(theta_G, theta_k, b_k).
    """

    thetas: tuple[PyTree, ...]
    inner_values: Array


def trajectory(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Optimizer | None = None,
    state: PyTree = None,
) -> Trajectory:
    """Take the K inner steps and return every theta_k, with the inner objective there.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr, optimizer, state
        See `value_and_grad`.

    Returns
    -------
    Trajectory

    Raises
    ------
    ArgumentError, ArgumentTypeError, NonFiniteError
        As `value_and_grad`.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> path = ug.unroll.trajectory(game, 2.0, 3.0, None, steps=2, lr=0.5)
    >>> [float(y) for y in path.thetas], path.inner_values
    ([3.0, 4.0, 5.0], array([ 6.,  8., 10.]))
    """
    problem = make_problem(
        game, theta_g, theta_d, batch, steps=steps, lr=lr, optimizer=optimizer, state=state
    )
    reduced, _ = problem.on_samples()
    thetas = own_thetas(state.theta for state in reduced.states())
    check_finite(problem, thetas)
    return Trajectory(thetas, inner_values(reduced, thetas))


def own_thetas(thetas: Iterable[PyTree]) -> tuple[PyTree, ...]:
    """theta_0 ... theta_K, with a copy of the first, which is the caller's."""
    first, *rest = thetas
    return optree.tree_map(writable_copy, first), *rest


def inner_values(problem: Problem, thetas: Iterable[PyTree]) -> Any:
    """inner(theta_G, theta_k, b_k) for k = 0 ... K."""
    inner, pairs = problem.game.inner, zip(thetas, problem.batches, strict=True)
    return autodiff.array([inner(problem.theta_g, theta, batch) for theta, batch in pairs])
