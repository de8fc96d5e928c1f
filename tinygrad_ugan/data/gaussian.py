"""One Gaussian on the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, number, positive
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class Gaussian1D(Settings):
    """The data: N(mean, std^2) on the line.

    Examples
    --------
    >>> Gaussian1D().sample(3, np.random.default_rng(0)).round().ravel()
    array([501., 499., 503.], dtype=float32)
    """

    kind: ClassVar[str] = "gaussian-1d"
    dimension: ClassVar[int] = 1

    mean: float = number(500.0, least=-1e6, most=1e6)
    """Mean."""
    std: float = positive(5.0, most=1e6)
    """Standard deviation."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show."""
        return self.mean - 5 * self.std, self.mean + 5 * self.std

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 1)."""
        return gaussian_1d(n, mean=self.mean, std=self.std, rng=rng, dtype=dtype)

    def centers(self) -> NDArray[np.float64]:
        """Return the mean as the only centre, shape (1, 1)."""
        return np.array([[self.mean]])


def gaussian_1d(
    n: int,
    *,
    mean: float = 500.0,
    std: float = 5.0,
    rng: np.random.Generator,
    dtype: DTypeLike = np.float64,
) -> Array:
    """Draw from N(mean, std^2).

    Parameters
    ----------
    n : int
        Number of samples.
    mean, std : float
    rng : numpy.random.Generator
    dtype : dtype
        Dtype of the result; the draws themselves do not depend on it.

    Returns
    -------
    ndarray, shape (n, 1)

    Examples
    --------
    >>> gaussian_1d(3, rng=np.random.default_rng(0)).round()
    array([[501.],
           [499.],
           [503.]])
    """
    return (mean + std * rng.standard_normal((n, 1))).astype(dtype)
