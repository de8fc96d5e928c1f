"""Gaussians on a ring, the toy data of Metz et al. (2016), section 3.1."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


def ring_centers(modes: int = 8, radius: float = 2.0) -> NDArray[np.float64]:
    """Return the centres of the modes, evenly spaced on a circle.

    Returns
    -------
    ndarray, shape (modes, 2)

    Examples
    --------
    >>> ring_centers(4, 1.0).round(3) + 0.0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """
    angles = 2 * np.pi * np.arange(modes) / modes  # linspace(0, 2 pi, modes) would double one
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ring(
    n: int,
    *,
    modes: int = 8,
    radius: float = 2.0,
    std: float = 0.02,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> NDArray:
    """Draw from a uniform mixture of isotropic Gaussians whose centres lie on a circle.

    Parameters
    ----------
    n : int
        Number of samples.
    modes : int
        Number of Gaussians.
    radius, std : float
        Of the circle, and of each Gaussian along each axis.
    rng : numpy.random.Generator
        Source of randomness.
    dtype : dtype
        Of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> ring(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    centers = ring_centers(modes, radius)[rng.integers(modes, size=n)]
    return (centers + std * rng.standard_normal((n, 2))).astype(dtype)
