"""Metrics of sample quality.

With the centres of modes: coverage, and divergences over them. Without: the sliced Wasserstein
distance, precision and recall, and a two-sample test.
"""

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


class Fidelity(NamedTuple):
    """Result of `precision_recall`.

    Attributes
    ----------
    precision : float
        Fraction of generated samples where real ones could be, from 0 to 1.
    recall : float
        Fraction of real samples where generated ones could be, from 0 to 1.
    """

    precision: float
    recall: float


def precision_recall(real: ArrayLike, generated: ArrayLike, *, neighbours: int = 3) -> Fidelity:
    """Precision and recall of samples: Kynkäänniemi et al. (2019), section 2.

    A set of samples stands for the union of balls around them, each of which reaches its k-th
    nearest neighbour in the set. Precision is the fraction of the generated samples in a ball of a
    real one, recall the fraction of the real ones in a ball of a generated one. Two sets of the
    same distribution have less than 1, all the less the more dimensions there are: 1,000 samples
    of a standard Gaussian with k = 3 have 0.98 in the plane, 0.86 in 10 dimensions, 0.62 in 64.

    Parameters
    ----------
    real, generated : array, shape (n, d), (m, d)
    neighbours : int
        k.

    Returns
    -------
    Fidelity
        NaN if a sample is not finite.

    Raises
    ------
    ArgumentError
        If the shapes do not fit, or a set has no more than k samples.

    Examples
    --------
    The generator has found one of two clusters.

    >>> one, two, three = np.random.default_rng(0).normal(size=(3, 500, 2))
    >>> found = precision_recall(np.concatenate([one, two + 9]), three)
    >>> round(found.precision, 1), round(found.recall, 1)
    (1.0, 0.5)
    """
    x, y = _check_pair(real, generated)
    if not 1 <= neighbours < min(len(x), len(y)):
        given = f"{neighbours} for {len(x)} and {len(y)} samples"
        raise ArgumentError("neighbours", given, "fewer than the samples, and 1 or more")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return Fidelity(float("nan"), float("nan"))
    return Fidelity(_covered(y, x, neighbours), _covered(x, y, neighbours))


def two_sample_accuracy(real: ArrayLike, generated: ArrayLike) -> float:
    """Accuracy with which the nearest neighbour tells generated from real samples.

    Each sample is classified as its nearest neighbour among all the others: the two-sample test of
    Lopez-Paz & Oquab (2017) with the leave-one-out classifier of Xu et al. (2018). For n samples
    each of the same distribution the expectation is (n - 1) / (2 n - 1), nearly 1/2, and the
    standard deviation about 0.5 / sqrt(n); 1 means that they are wholly apart, and less than 1/2
    that real samples are copied.

    Parameters
    ----------
    real, generated : array, shape (n, d)
        Sets of equally many samples.

    Returns
    -------
    float
        From 0 to 1; NaN if a sample is not finite.

    Raises
    ------
    ArgumentError
        If the shapes differ.

    Examples
    --------
    >>> one, two = np.random.default_rng(0).normal(size=(2, 1_000, 2))
    >>> round(two_sample_accuracy(one, two), 1), two_sample_accuracy(one, two + 9)
    (0.5, 1.0)
    """
    from scipy.spatial import cKDTree

    x, y = _check_pair(real, generated)
    if len(x) != len(y):
        raise ArgumentError("generated", f"{len(y)} samples", f"as many as real ones, {len(x)}")
    both = np.concatenate([x, y])
    if not np.isfinite(both).all():
        return float("nan")
    _, nearest = cKDTree(both).query(both, k=2)
    own = np.arange(len(both))
    other = np.where(nearest[:, 0] == own, nearest[:, 1], nearest[:, 0])
    return float(np.mean((own < len(x)) == (other < len(x))))


def own_class(real: ArrayLike, generated: ArrayLike, labels: ArrayLike) -> float:
    """Fraction of generated samples whose nearest real sample is of their own class.

    Parameters
    ----------
    real, generated : array, shape (n, d)
    labels : array of int, shape (n,)
        The classes of both, row by row.

    Returns
    -------
    float
        From 0 to 1; 1 for a perfect generator of classes that lie apart. NaN if a sample is not
        finite.

    Examples
    --------
    >>> own_class([[0.0], [9.0]], [[0.5], [1.0]], labels=[0, 1])
    0.5
    """
    from scipy.spatial import cKDTree

    x, y = _check_pair(real, generated)
    labels = np.asarray(labels)
    if not len(x) == len(y) == len(labels):
        given = f"{len(x)}, {len(y)} and {len(labels)}"
        raise ArgumentError("labels", given, "as many as real and generated samples")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    _, nearest = cKDTree(x).query(y)
    return float(np.mean(labels[nearest] == labels))


def distinct(samples: Array, most: int) -> Array:
    """Return the first so many samples without those that are there already.

    Data drawn with replacement from few would be their own nearest neighbours.
    """
    _, first = np.unique(samples, axis=0, return_index=True)
    return samples[np.sort(first)[:most]]


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


def _covered(points: Array, centers: Array, k: int) -> float:
    """The fraction of points in a ball around a centre, up to its k-th nearest neighbour."""
    from scipy.spatial import cKDTree
    from scipy.spatial.distance import cdist

    radii = cKDTree(centers).query(centers, k=[k + 1])[0][:, 0]  # the nearest one is itself
    return float((cdist(points, centers) <= radii).any(axis=1).mean())


def _check_pair(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        expected = "two sets of shape (n, d)"
        raise ArgumentError("generated", f"shapes {x.shape} and {y.shape}", expected)
    return x, y


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
