"""Gaussians on a ring, the toy data of Metz et al. (2016), section 3.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, positive, switch, whole
from tinygrad_ugan.data.mixture import MODES, Mixture
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class Ring(Settings):
    """The data: Gaussians on a circle."""

    kind: ClassVar[str] = "ring"
    dimension: ClassVar[int] = 2

    modes: int = whole(8, least=1, most=MODES)
    """Number of Gaussians."""
    radius: float = positive(2.0, most=1e6)
    """Radius of the circle."""
    std: float = positive(0.02, most=1e6)
    """Standard deviation of each Gaussian along each axis."""
    labelled: bool = switch(False)
    """Label each sample with the Gaussian that it is from."""

    @property
    def classes(self) -> int:
        """Number of labels; 0 if there are none."""
        return self.modes if self.labelled else 0

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Any:
        """Draw n samples, shape (n, 2), or a pair of these and their labels, shape (n,)."""
        mixture = Mixture(ring_centers(self.modes, self.radius), self.std)
        x, labels = mixture.sample_labelled(n, rng, dtype)
        return (x, labels) if self.labelled else x

    def centers(self) -> NDArray[np.float64]:
        """Return the centres of the modes, shape (modes, 2)."""
        return ring_centers(self.modes, self.radius)


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
) -> Array:
    """Draw from a uniform mixture of isotropic Gaussians whose centres lie on a circle.

    Parameters
    ----------
    n : int
        Number of samples.
    modes, radius, std
        As of `Ring`.
    rng : numpy.random.Generator
    dtype : dtype
        Dtype of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> ring(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    return Mixture(ring_centers(modes, radius), std).sample(n, rng, dtype)
