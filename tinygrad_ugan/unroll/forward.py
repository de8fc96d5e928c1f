"""Forward mode: the response of the discriminator is carried along with its steps.

``J_k = d theta_k / d theta_G`` starts at zero and follows ``J_{k+1} = (I + eta_k H_k) J_k + eta_k
M_k``, with H_k = d2 inner / d theta_D^2 and M_k = d2 inner / d theta_D d theta_G. The engine's
forward mode computes just this, a column at a time: one sweep for every element of theta_G, in
memory that does not grow with K.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan import autodiff
from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.typing import Array, PyTree
from tinygrad_ugan.unroll.game import AnyGame
from tinygrad_ugan.unroll.problem import Problem, make_problem


def forward(problem: Problem) -> tuple[Any, PyTree]:
    """Value and exact gradient of f_K, the gradient element by element."""
    gradient = autodiff.jacobian(problem.value, mode="forward")(problem.theta_g)
    return problem.value(problem.theta_g), gradient


def response_jacobian(
    game: AnyGame,
    theta_g: PyTree,
    theta_d: PyTree,
    batch: Any,
    *,
    steps: int,
    lr: float | Sequence[float] | None = None,
    optimizer: Any = None,
    state: PyTree = None,
    mode: str = "auto",
) -> Array:
    """Return the Jacobian d theta_K / d theta_G: how the discriminator responds to the generator.

    Parameters
    ----------
    game, theta_g, theta_d, batch, steps, lr, optimizer, state
        See `value_and_grad`.
    mode : {"auto", "forward", "reverse"}
        Forward mode takes a sweep for every element of theta_G, reverse mode one for every element
        of theta_D; "auto" chooses the fewer.

    Returns
    -------
    ndarray, shape (n_D, n_G)
        Rows and columns in the order of the flattened pytrees.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument makes no sense; the message names it.

    Examples
    --------
    In the bilinear game V = x y, y_K = y + K eta x.

    >>> import tinygrad_ugan as ug
    >>> game = ug.unroll.Game(lambda x, y, batch: x * y)
    >>> ug.unroll.response_jacobian(game, 1.0, 2.0, None, steps=5, lr=0.5)
    array([[2.5]])
    """
    check_choice("mode", mode, ("auto", "forward", "reverse"))
    problem = make_problem(
        game, theta_g, theta_d, batch, steps=steps, lr=lr, optimizer=optimizer, state=state
    )
    n_g, n_d = _size(theta_g), _size(theta_d)
    if mode == "auto":
        mode = "forward" if n_g <= n_d else "reverse"
    blocks = autodiff.jacobian(problem.final, mode=mode)(theta_g)
    columns = optree.tree_structure(theta_g)
    rows = optree.tree_structure(theta_d).flatten_up_to(blocks)
    return np.block(
        [
            [
                np.reshape(block, (np.size(d), np.size(g)))
                for block, g in zip(
                    columns.flatten_up_to(row), optree.tree_leaves(theta_g), strict=True
                )
            ]
            for row, d in zip(rows, optree.tree_leaves(theta_d), strict=True)
        ]
    )


def _size(tree: PyTree) -> int:
    return sum(np.size(leaf) for leaf in optree.tree_leaves(tree))
