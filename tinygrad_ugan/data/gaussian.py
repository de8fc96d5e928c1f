"""One Gaussian on the line, the first data of the seed documents."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.typing import Array


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
