"""Gaussian mixtures, which most toy datasets are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, positive, whole
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
        return self.sample_labelled(n, rng, dtype)[0]

    def sample_labelled(
        self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float64
    ) -> tuple[Array, Array]:
        """Draw the same n samples, and the index of the Gaussian that each is from, shape (n,)."""
        modes, d = self.centers.shape
        labels = rng.integers(modes, size=n)
        x = self.centers[labels] + self.std * rng.standard_normal((n, d))
        return x.astype(dtype), labels


@dataclass(frozen=True)
class GaussianMixture(Settings):
    """The data: a uniform mixture of Gaussians whose centres are random.

    The centres are drawn once, from N(0, spread^2 I), by a generator of their own: it is one
    dataset, whichever generator samples it.

    Examples
    --------
    >>> GaussianMixture(modes=3).centers().shape
    (3, 2)
    """

    kind: ClassVar[str] = "gaussian-mixture"

    modes: int = whole(8, least=1, most=MODES)
    """Number of Gaussians."""
    dimension: int = whole(2, least=1, most=10_000)
    """Dimensions of the space."""
    spread: float = positive(2.0, most=1e6)
    """Standard deviation of the centres along each axis."""
    std: float = positive(0.1, most=1e6)
    """Standard deviation of each Gaussian along each axis."""
    centers_seed: int = whole(0, least=0, most=2**63 - 1)
    """Seed of the centres."""

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, dimension)."""
        return Mixture(self.centers(), self.std).sample(n, rng, dtype)

    def centers(self) -> NDArray[np.float64]:
        """Return the centres of the modes, shape (modes, dimension)."""
        rng = np.random.default_rng(self.centers_seed)
        return self.spread * rng.standard_normal((self.modes, self.dimension))
