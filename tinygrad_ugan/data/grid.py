"""Gaussians on a square grid, the second toy data of Srivastava et al. (2017), VEEGAN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, positive, switch, whole
from tinygrad_ugan.data.mixture import Mixture
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class Grid(Settings):
    """The data: Gaussians on a square grid."""

    kind: ClassVar[str] = "grid"
    dimension: ClassVar[int] = 2

    side: int = whole(5, least=1, most=300)
    """Number of Gaussians in a row, and of rows."""
    spacing: float = positive(2.0, most=1e6)
    """Distance between neighbouring centres."""
    std: float = positive(0.05, most=1e6)
    """Standard deviation of each Gaussian along each axis."""
    labelled: bool = switch(False)
    """Label each sample with the Gaussian that it is from."""

    @property
    def modes(self) -> int:
        """Number of Gaussians."""
        return self.side**2

    @property
    def classes(self) -> int:
        """Number of labels; 0 if there are none."""
        return self.modes if self.labelled else 0

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Any:
        """Draw n samples, shape (n, 2), or a pair of these and their labels, shape (n,)."""
        mixture = Mixture(grid_centers(self.side, self.spacing), self.std)
        x, labels = mixture.sample_labelled(n, rng, dtype)
        return (x, labels) if self.labelled else x

    def centers(self) -> NDArray[np.float64]:
        """Return the centres of the modes, shape (side * side, 2)."""
        return grid_centers(self.side, self.spacing)


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
) -> Array:
    """Draw from a uniform mixture of isotropic Gaussians whose centres form a square grid.

    Parameters
    ----------
    n : int
        Number of samples.
    side, spacing, std
        As of `Grid`.
    rng : numpy.random.Generator
    dtype : dtype
        Dtype of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 2)

    Examples
    --------
    >>> grid(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """
    return Mixture(grid_centers(side, spacing), std).sample(n, rng, dtype)
