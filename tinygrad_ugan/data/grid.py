"""Gaussians on a square grid, the second toy data of Srivastava et al. (2017), VEEGAN."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


def grid_centers(side: int = 5, spacing: float = 2.0) -> NDArray[np.float64]:
    """Return the centres of the modes, row by row; their mean is zero.

    Returns
    -------
    ndarray, shape (side * side, 2)

    Examples
    --------
    >>> grid_centers(2, 1.0).tolist()
    [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    """
    line = spacing * (np.arange(side) - (side - 1) / 2)
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def grid(
    n: int,
    *,
    side: int = 5,
    spacing: float = 2.0,
    std: float = 0.05,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> NDArray:
    """Draw from a uniform mixture of isotropic Gaussians whose centres form a square grid.

    Parameters
    ----------
    n : int
        Number of samples.
    side : int
        Number of Gaussians in a row, and of rows.
    spacing, std : float
        Distance of neighbouring centres, and standard deviation along each axis.
    rng : numpy.random.Generator
        Source of randomness.
    dtype : dtype
        Of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> grid(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    centers = grid_centers(side, spacing)[rng.integers(side * side, size=n)]
    return (centers + std * rng.standard_normal((n, 2))).astype(dtype)
