"""Gaussians on two circles by turns, the second toy data of seeds/004."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.data.ring import ring_centers


def double_ring_centers(
    modes: int = 10, radius: float = 2.0, inner_radius: float = 1.0
) -> NDArray[np.float64]:
    """Return the centres of the modes: evenly spaced in angle, by turns outside and inside.

    Returns
    -------
    ndarray, shape (modes, 2)

    Examples
    --------
    >>> double_ring_centers(4).round(3) + 0.0
    array([[ 2.,  0.],
           [ 0.,  1.],
           [-2.,  0.],
           [ 0., -1.]])
    """
    radii = np.where(np.arange(modes) % 2 == 0, radius, inner_radius)
    return radii[:, None] * ring_centers(modes, 1.0)


def double_ring(
    n: int,
    *,
    modes: int = 10,
    radius: float = 2.0,
    inner_radius: float = 1.0,
    std: float = 0.04,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> NDArray:
    """Draw from a uniform mixture of isotropic Gaussians that lie on two circles by turns.

    Parameters
    ----------
    n : int
        Number of samples.
    modes : int
        Number of Gaussians.
    radius, inner_radius : float
        Of the circle of the first, the third, ... Gaussian, and of that of the others.
    std : float
        Standard deviation along each axis.
    rng : numpy.random.Generator
        Source of randomness.
    dtype : dtype
        Of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> double_ring(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    centers = double_ring_centers(modes, radius, inner_radius)[rng.integers(modes, size=n)]
    return (centers + std * rng.standard_normal((n, 2))).astype(dtype)
