"""The vector field that simultaneous gradient steps follow, and its Jacobian."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.tree import ravel
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, make_problem


def field(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int = 0,
    lr: float | Sequence[float] = 0.0,
) -> tuple[PyTree, PyTree]:
    """Return the direction in which both players move, ``(-d f_K/d theta_G, +d inner/d theta_D)``.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `value_and_grad`; steps = 0 gives the ordinary GAN.

    Returns
    -------
    tuple of pytrees, like theta_g and like theta_d

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument makes no sense.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> [float(v) for v in ug.unroll.field(game, 1.0, 2.0, None)]
    [-2.0, 1.0]
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    return _field(problem, theta_g, theta_d)


def game_jacobian(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int = 0,
    lr: float | Sequence[float] = 0.0,
) -> Array:
    """Return the Jacobian of `field`; its eigenvalues tell whether a stationary point attracts.

    Simultaneous gradient steps of a small size h converge to it if every eigenvalue has a negative
    real part, for every h < min -2 Re(e) / |e|^2: Mescheder, Nowozin and Geiger (2017), arXiv
    1705.10461. Purely imaginary ones mean rotation.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr
        See `field`.

    Returns
    -------
    ndarray, shape (n_G + n_D, n_G + n_D)
        In the order of the flattened theta_g, then theta_d.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument makes no sense.

    Examples
    --------
    The bilinear game rotates; one unrolled step makes it attract.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> np.linalg.eigvals(ug.unroll.game_jacobian(game, 0.0, 0.0, None)).imag
    array([ 1., -1.])
    >>> ug.unroll.game_jacobian(game, 0.0, 0.0, None, steps=1, lr=0.5)
    array([[-1., -1.],
           [ 1.,  0.]])
    """
    problem = make_problem(game, theta_g, theta_d, batch, steps=steps, lr=lr)
    point, unravel = ravel((theta_g, theta_d))

    def flat_field(point: Any) -> Any:
        return ravel(_field(problem, *unravel(point)))[0]

    matrix: Array = autodiff.jacobian(flat_field, mode="forward")(point)
    return matrix


def _field(problem: Problem, theta_g: PyTree, theta_d: PyTree) -> tuple[PyTree, PyTree]:
    moved = problem.at(theta_g, theta_d)
    down = autodiff.grad(moved.value)(theta_g)
    up = moved.gradient(0, theta_g, theta_d)
    return optree.tree_map(np.negative, down), up
