"""How much of the data a generator has found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_ugan.errors import ArgumentError


class Coverage(NamedTuple):
    """What `mode_coverage` found.

    Attributes
    ----------
    modes : int
        Number of modes to which at least one high-quality sample belongs.
    high_quality : float
        Fraction of samples within 3 std of a centre, from 0 to 1.
    """

    modes: int
    high_quality: float


def mode_coverage(samples: ArrayLike, centers: ArrayLike, std: float) -> Coverage:
    """Count the modes covered and the samples of high quality.

    A sample is of high quality if its nearest centre is within 3 std (Euclidean), and a mode is
    covered if it is nearest to at least one such sample: Srivastava et al. (2017), VEEGAN,
    section 4.1.

    Parameters
    ----------
    samples : array, shape (n, d)
    centers : array, shape (modes, d)
    std : float
        Standard deviation of a mode along each axis.

    Returns
    -------
    Coverage

    Raises
    ------
    ArgumentError
        If the shapes do not fit or std is not positive.

    Examples
    --------
    >>> mode_coverage([[0.0, 0.1], [0.0, 9.0]], centers=[[0.0, 0.0], [5.0, 5.0]], std=0.1)
    Coverage(modes=1, high_quality=0.5)
    """
    samples, centers = np.asarray(samples, float), np.asarray(centers, float)
    if samples.ndim != 2 or len(samples) == 0:
        raise ArgumentError("samples", f"shape {samples.shape}", "shape (n, d) with n >= 1")
    if centers.ndim != 2 or centers.shape[1] != samples.shape[1]:
        raise ArgumentError(
            "centers", f"shape {centers.shape}", f"shape (modes, {samples.shape[1]})"
        )
    if not std > 0:
        raise ArgumentError("std", std, "a positive number")
    distances = np.linalg.norm(samples[:, None, :] - centers, axis=2)
    near = distances.min(axis=1) <= 3 * std
    covered = np.unique(distances.argmin(axis=1)[near])
    return Coverage(modes=len(covered), high_quality=float(near.mean()))
