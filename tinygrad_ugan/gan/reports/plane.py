"""The plane of pictures: data of two or more dimensions as points in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.typing import Array

EXTENT = 3.0  # of pictures of data that say nothing about it themselves


@dataclass(frozen=True, eq=False)
class Plane:
    """An affine map from the data's space to the plane, of which a square is drawn.

    Attributes
    ----------
    origin : array, shape (d,)
        The point in the middle of pictures.
    axes : array, shape (2, d)
        Orthogonal vectors; the map is ``axes @ (x - origin)``.
    extent : float
        Half the width of pictures.
    """

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]
    extent: float

    @classmethod
    def of(cls, data: Any, target: Array) -> Plane:
        """Return the plane for data, and for samples of them.

        With centres it is the space itself: the modes, and a margin of half their distance. Else
        the data fill the picture, by their `plot_limits` if they have them; of more than two
        dimensions, the first two principal axes are drawn.
        """
        if data.dimension > 2:
            mean, axes = principal_axes(target)
            return cls._filled(mean, axes, 1.1 * np.abs((target - mean) @ axes.T).max())
        if hasattr(data, "centers"):
            extent = max(1.5 * float(np.abs(data.centers()).max()), 10 * float(data.std))
            return cls(np.zeros(2), np.eye(2), extent)
        limits = getattr(data, "plot_limits", None)
        low, high = limits or (target.min(axis=0), target.max(axis=0))
        middle = np.broadcast_to((np.asarray(low, float) + high) / 2, 2)
        margin = 1.0 if limits else 1.2
        return cls._filled(middle, np.eye(2), margin * np.max(np.subtract(high, low)) / 2)

    @classmethod
    def _filled(cls, origin: Array, axes: Array, reach: float) -> Plane:
        """The plane in which what lies within `reach` fills the picture."""
        return cls(origin, axes * (EXTENT / reach if reach else 1.0), EXTENT)

    @property
    def is_space(self) -> bool:
        """Whether the plane is the data's space itself."""
        return np.array_equal(self.axes, np.eye(2)) and not self.origin.any()

    def project(self, x: Array) -> Array:
        """Return the points of samples, shape (..., d) -> (..., 2)."""
        return x if self.is_space else (x - self.origin) @ self.axes.T

    def lift(self, points: Array) -> Array:
        """Return the samples at points of the plane, for data of two dimensions."""
        if self.is_space:
            return points
        x: Array = points @ np.linalg.inv(self.axes).T + self.origin
        return x.astype(points.dtype)


def principal_axes(samples: Array, most: int = 500) -> tuple[Array, Array]:
    """Return the mean, and the two directions in which samples vary most, shape (2, d).

    The greatest coordinate of each is positive. They are those of the first `most` samples.

    Examples
    --------
    >>> mean, axes = principal_axes(np.array([[0, 1, 0], [0, 9, 0], [1.0, 5, 0], [-1, 5, 0]]))
    >>> axes.round(6) + 0.0
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    x = np.asarray(samples[:most], float)
    mean = x.mean(axis=0)
    _, _, axes = np.linalg.svd(np.vstack([x - mean, 0 * x[:2]]), full_matrices=False)
    largest = np.abs(axes[:2]).argmax(axis=1)
    return mean, axes[:2] * np.sign(axes[[0, 1], largest])[:, None]
