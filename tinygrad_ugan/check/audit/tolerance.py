"""How much a right gradient may differ: from the rounding of its dtype and the game's condition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.check.audit.mistakes import gradient
from tinygrad_ugan.unroll.problem import Problem

MARGIN = 32.0
"""Rounding errors of a right program, in units of what one rounding of its arguments does."""

FLOOR = 1e-9
"""No relative error below this is held against a gradient: right formulas that are not the
stablest, such as log(1 - sigmoid(s)), lose that much in float64."""

_STEP = 1e-8


def tolerance(
    problem: Problem, exact: NDArray, direct: NDArray, dtype: np.dtype
) -> tuple[float, float]:
    """How far from the exact gradient its computation in `dtype` may end, and the condition.

    The condition is the relative change of the gradient over that of all parameters and data, the
    median of three fixed patterns of changes.

    Parameters
    ----------
    problem : Problem
    exact, direct : ndarray
        The gradient, and its direct term: where large terms cancel, their rounding stays.
    dtype : dtype

    Returns
    -------
    tolerance, condition : float
        The first is absolute: MARGIN times the machine epsilon times what one rounding does.
    """
    size = max(norm(direct), norm(exact), norm(exact - direct))
    change = float(np.median([_change(problem, exact, pattern) for pattern in (1, 2, 3)]))
    eps = float(np.finfo(dtype).eps)
    return max(MARGIN * eps * (size + change), FLOOR * size), change / size if size else 1.0


def _change(problem: Problem, exact: NDArray, pattern: int) -> float:
    def moved(x: Any) -> Any:
        if np.asarray(x).dtype.kind != "f":
            return x
        signs = np.sign(np.sin(pattern * (1.0 + np.arange(np.size(x)))))
        return x * (1 + _STEP * signs.reshape(np.shape(x)))

    first = problem.batches[0]
    moved_first = optree.tree_map(moved, first)
    batches = [moved_first if b is first else optree.tree_map(moved, b) for b in problem.batches]
    theta_g, state = (optree.tree_map(moved, x) for x in (problem.theta_g, problem.state))
    near = replace(problem, theta_g=theta_g, state=state, batches=batches)
    return norm(gradient(near) - exact) / _STEP


def norm(vector: NDArray) -> float:
    """Euclidean norm."""
    return float(np.linalg.norm(vector))
