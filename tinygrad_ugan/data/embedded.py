"""Gaussians on a subspace of many dimensions, after the third toy data of Srivastava et al. (2017).

VEEGAN's "1200D" is a mixture of ten isotropic 700-dimensional Gaussians embedded in 1200
dimensions; their centres, widths and embedding are not published. Here the subspace and the
directions of the centres are drawn from seed 0: it is one dataset, whichever generator samples it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, positive, whole
from tinygrad_ugan.data.mixture import MODES, Mixture
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class Embedded(Settings):
    """The data: Gaussians on a subspace of many dimensions."""

    kind: ClassVar[str] = "embedded"

    modes: int = whole(10, least=1, most=MODES)
    """Number of Gaussians."""
    dimension: int = whole(1200, least=1, most=10_000)
    """Dimensions of the space."""
    rank: int = whole(700, least=1, most=10_000)
    """Dimensions of the subspace that all samples lie on, at most those of the space."""
    radius: float = positive(2.0, most=1e6)
    """Distance of the centres from the origin."""
    std: float = positive(0.02, most=1e6)
    """Standard deviation of each Gaussian along each axis of the subspace."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank > self.dimension:
            raise ArgumentError("rank", self.rank, f"at most dimension = {self.dimension}")

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, dimension)."""
        return embedded(n, **asdict(self), rng=rng, dtype=dtype)

    def centers(self) -> NDArray[np.float64]:
        """Return the centres of the modes, shape (modes, dimension)."""
        return embedded_centers(self.modes, self.dimension, self.rank, self.radius)


def embedded_centers(
    modes: int = 10, dimension: int = 1200, rank: int = 700, radius: float = 2.0
) -> NDArray[np.float64]:
    """Return the centres of the modes, in random directions from the origin.

    Returns
    -------
    ndarray, shape (modes, dimension)

    Examples
    --------
    >>> embedded_centers(3, dimension=5, rank=2).shape
    (3, 5)
    """
    basis, directions = _layout(modes, dimension, rank)
    return radius * directions @ basis


def embedded(
    n: int,
    *,
    modes: int = 10,
    dimension: int = 1200,
    rank: int = 700,
    radius: float = 2.0,
    std: float = 0.02,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> Array:
    """Draw from a uniform mixture of Gaussians that are isotropic on a subspace.

    Parameters
    ----------
    n : int
        Number of samples.
    modes, dimension, rank, radius, std
        As of `Embedded`.
    rng : numpy.random.Generator
    dtype : dtype
        Dtype of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, dimension)

    Examples
    --------
    >>> embedded(4, dimension=5, rank=2, rng=np.random.default_rng(0)).shape
    (4, 5)
    """
    basis, directions = _layout(modes, dimension, rank)
    samples = Mixture(radius * directions, std).sample(n, rng, dtype)
    x: Array = samples @ basis.astype(dtype, copy=False)
    return x


@lru_cache(maxsize=4)
def _layout(
    modes: int, dimension: int, rank: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The orthonormal rows that span the subspace, and unit vectors in their coordinates."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((dimension, rank)))[0].T
    directions = rng.standard_normal((modes, rank))
    return basis, directions / np.linalg.norm(directions, axis=1, keepdims=True)
