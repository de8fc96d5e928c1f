"""Gaussian mixtures, which most toy datasets are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.typing import Array

MODES = 100_000  # more, and a table of distances to them would not fit into memory


@dataclass(frozen=True, eq=False)
class Mixture:
    """A uniform mixture of isotropic Gaussians.

    Parameters
    ----------
    centers : array, shape (modes, d)
        Their means.
    std : float
        Their standard deviation along each axis.

    Examples
    --------
    >>> Mixture(np.eye(3), 0.1).sample(5, np.random.default_rng(0)).shape
    (5, 3)
    """

    centers: NDArray[np.float64]
    std: float

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float64) -> Array:
        """Draw n samples, shape (n, d); the draws themselves do not depend on the dtype."""
        modes, d = self.centers.shape
        means = self.centers[rng.integers(modes, size=n)]
        return (means + self.std * rng.standard_normal((n, d))).astype(dtype)
