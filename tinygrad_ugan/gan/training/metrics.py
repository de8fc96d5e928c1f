"""Metrics of sample quality: mode coverage, divergences over modes, sliced Wasserstein distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.typing import Array


class Coverage(NamedTuple):
    """Result of `mode_coverage`.

    Attributes
    ----------
    modes : int
        Number of modes with at least one high-quality sample.
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
    samples, centers = _check(samples, centers)
    if not std > 0:
        raise ArgumentError("std", std, "a positive number")
    nearest, distance = _nearest(samples, centers)
    near = distance <= 3 * std
    return Coverage(modes=len(np.unique(nearest[near])), high_quality=float(near.mean()))


class Divergences(NamedTuple):
    """Result of `mode_divergences`.

    Attributes
    ----------
    reverse_kl : float
        KL(model || data) in nats, from 0 to log(modes).
    js : float
        Jensen-Shannon divergence in nats, from 0 to log(2).
    """

    reverse_kl: float
    js: float


def mode_divergences(samples: ArrayLike, centers: ArrayLike) -> Divergences:
    """Divergences of the samples' distribution over modes from the uniform one of the data.

    Every sample, of high quality or not, is assigned to its nearest centre. With q the frequencies
    of the modes among the samples and p = 1 / modes: ``KL(q || p) = sum q log(q / p)``, as in Metz
    et al. (2016), section 3.3.1, and ``JS = KL(p || m) / 2 + KL(q || m) / 2`` with ``m = (p + q) /
    2``.

    Parameters
    ----------
    samples : array, shape (n, d)
    centers : array, shape (modes, d)

    Returns
    -------
    Divergences

    Raises
    ------
    ArgumentError
        If the shapes do not fit.

    Examples
    --------
    >>> mode_divergences([[0.0, 0.1], [0.0, 9.0]], centers=[[0.0, 0.0], [5.0, 5.0]])
    Divergences(reverse_kl=0.0, js=0.0)
    """
    samples, centers = _check(samples, centers)
    nearest, _ = _nearest(samples, centers)
    q = np.bincount(nearest, minlength=len(centers)) / len(samples)
    p = np.full(len(centers), 1 / len(centers))
    middle = (p + q) / 2
    return Divergences(_kl(q, p), (_kl(p, middle) + _kl(q, middle)) / 2)


def sliced_wasserstein(
    x: ArrayLike, y: ArrayLike, *, projections: int = 64, rng: np.random.Generator
) -> float:
    """Sliced Wasserstein-2 distance between two sets of samples.

    The root mean square, over random directions and over ranks, of the difference between the
    sorted projections: Bonneel et al. (2015), section 3. It is zero only for equal sets, and needs
    no centres.

    Parameters
    ----------
    x, y : array, shape (n, d)
        Sets of equally many samples.
    projections : int
        Number of directions.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        If the shapes differ, or `projections` is not positive.

    Examples
    --------
    A shift by m costs ``|m| / sqrt(d)``, on average over all directions.

    >>> x = np.random.default_rng(0).standard_normal((500, 2))
    >>> shifted = x + [3.0, 4.0]
    >>> round(sliced_wasserstein(x, shifted, projections=10_000, rng=np.random.default_rng(0)), 1)
    3.5
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 2 or x.shape != y.shape or len(x) == 0:
        raise ArgumentError("y", f"shapes {x.shape} and {y.shape}", "two sets of one shape (n, d)")
    if projections < 1:
        raise ArgumentError("projections", projections, "a whole number >= 1")
    directions = random_directions(x.shape[1], projections, rng)
    return rms(sorted_projections(x, directions) - sorted_projections(y, directions))


def random_directions(d: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw n unit vectors, shape (n, d)."""
    directions: NDArray[np.float64] = rng.standard_normal((n, d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return directions


def sorted_projections(x: Array, directions: Array) -> Array:
    """Return the sorted projections onto each direction, shape (directions, samples)."""
    return np.sort(directions.astype(x.dtype) @ x.T)


def rms(x: Array) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(x), dtype=float)))


def _check(samples: ArrayLike, centers: ArrayLike) -> tuple[Array, Array]:
    samples, centers = np.asarray(samples, float), np.asarray(centers, float)
    if samples.ndim != 2 or len(samples) == 0:
        raise ArgumentError("samples", f"shape {samples.shape}", "shape (n, d) with n >= 1")
    if centers.ndim != 2 or centers.shape[1] != samples.shape[1]:
        raise ArgumentError(
            "centers", f"shape {centers.shape}", f"shape (modes, {samples.shape[1]})"
        )
    return samples, centers


def _nearest(samples: Array, centers: Array) -> tuple[Array, Array]:
    """The nearest centre of each sample, and the distance to it."""
    from scipy.spatial.distance import cdist

    distance = cdist(samples, centers)
    nearest = distance.argmin(axis=1)
    return nearest, distance[np.arange(len(samples)), nearest]


def _kl(p: Array, q: Array) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / q[there])))
