"""Gaussians alternately on two circles, the second toy data of musyoku/unrolled-gan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, positive, whole
from tinygrad_ugan.data.mixture import MODES, Mixture
from tinygrad_ugan.data.ring import ring_centers
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class DoubleRing(Settings):
    """The data: Gaussians alternately on two circles."""

    kind: ClassVar[str] = "double-ring"
    dimension: ClassVar[int] = 2

    modes: int = whole(10, least=1, most=MODES)
    """Number of Gaussians."""
    radius: float = positive(2.0, most=1e6)
    """Radius of the circle of the first, the third, ... Gaussian."""
    inner_radius: float = positive(1.0, most=1e6)
    """Radius of the circle of the others."""
    std: float = positive(0.04, most=1e6)
    """Standard deviation of each Gaussian along each axis."""

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        centers = double_ring_centers(self.modes, self.radius, self.inner_radius)
        return Mixture(centers, self.std).sample(n, rng, dtype)

    def centers(self) -> NDArray[np.float64]:
        """Return the centres of the modes, shape (modes, 2)."""
        return double_ring_centers(self.modes, self.radius, self.inner_radius)


def double_ring_centers(
    modes: int = 10, radius: float = 2.0, inner_radius: float = 1.0
) -> NDArray[np.float64]:
    """Return the centres of the modes: evenly spaced in angle, alternately outside and inside.

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
) -> Array:
    """Draw from a uniform mixture of isotropic Gaussians that lie alternately on two circles.

    Parameters
    ----------
    n : int
        Number of samples.
    modes, radius, inner_radius, std
        As of `DoubleRing`.
    rng : numpy.random.Generator
    dtype : dtype
        Dtype of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> double_ring(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    return Mixture(double_ring_centers(modes, radius, inner_radius), std).sample(n, rng, dtype)
