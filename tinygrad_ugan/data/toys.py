"""Toy data in the plane without modes to count: curves, arms and squares.

Uniform draws u in the formulas are from [0, 1); `noise` is the standard deviation of the Gaussian
noise that is added to both coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.checked_dataclass import Settings, number, positive, whole
from tinygrad_ugan.typing import Array

_MOST = 1e6  # of lengths


@dataclass(frozen=True)
class Moons(Settings):
    """The data: two interleaving half circles.

    One moon is (cos t, sin t), the other (1 - cos t, 1/2 - sin t), each for half of the samples,
    with t uniform in [0, pi): scikit-learn's ``make_moons`` with random angles.

    Examples
    --------
    >>> Moons().sample(5, np.random.default_rng(0)).shape
    (5, 2)
    """

    kind: ClassVar[str] = "moons"
    dimension: ClassVar[int] = 2

    noise: float = number(0.05, least=0, most=_MOST)
    """Standard deviation of the noise."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        return -1.2 - 3 * self.noise, 2.2 + 3 * self.noise

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        second = rng.integers(2, size=n) == 1
        points = _on_circle(np.pi * rng.random(n))
        points[second] = [1.0, 0.5] - points[second]
        return _noisy(points, self.noise, rng, dtype)


@dataclass(frozen=True)
class Circles(Settings):
    """The data: two circles around the origin, half of the samples on each.

    The outer one has the radius 1, the inner one the radius `factor`: scikit-learn's
    ``make_circles`` with random angles.

    Examples
    --------
    >>> np.linalg.norm(Circles(noise=0).sample(3, np.random.default_rng(0)), axis=1).round(2)
    array([0.5, 0.5, 0.5], dtype=float32)
    """

    kind: ClassVar[str] = "circles"
    dimension: ClassVar[int] = 2

    factor: float = positive(0.5, most=1)
    """Radius of the inner circle."""
    noise: float = number(0.05, least=0, most=_MOST)
    """Standard deviation of the noise."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        return -1.2 - 3 * self.noise, 1.2 + 3 * self.noise

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        radii = np.where(rng.integers(2, size=n) == 0, 1.0, self.factor)
        points = radii[:, None] * _on_circle(2 * np.pi * rng.random(n))
        return _noisy(points, self.noise, rng, dtype)


@dataclass(frozen=True)
class SwissRoll(Settings):
    """The data: a spiral of one arm, the Swiss roll seen from its end.

    (t cos t, t sin t) / 5 with t = 3 pi / 2 (1 + 2 u): coordinates 0 and 2 of scikit-learn's
    ``make_swiss_roll`` over 5, as in Grathwohl et al. (2019), FFJORD.

    Examples
    --------
    >>> SwissRoll().sample(5, np.random.default_rng(0)).shape
    (5, 2)
    """

    kind: ClassVar[str] = "swiss-roll"
    dimension: ClassVar[int] = 2

    noise: float = number(0.1, least=0, most=_MOST)
    """Standard deviation of the noise."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        return -3.2 - 3 * self.noise, 3.2 + 3 * self.noise

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        t = 1.5 * np.pi * (1 + 2 * rng.random(n))
        return _noisy(t[:, None] / 5 * _on_circle(t), self.noise, rng, dtype)


@dataclass(frozen=True)
class Spirals(Settings):
    """The data: spiral arms from the origin, equally many samples on each.

    radius r (cos t, sin t) with r = sqrt(u) and t = 2 pi (turns r + arm / arms): for two arms the
    "2spirals" of Grathwohl et al. (2019), FFJORD, with Gaussian noise alone.

    Examples
    --------
    >>> Spirals(arms=3).sample(5, np.random.default_rng(0)).shape
    (5, 2)
    """

    kind: ClassVar[str] = "spirals"
    dimension: ClassVar[int] = 2

    arms: int = whole(2, least=1, most=1_000)
    """Number of arms."""
    turns: float = positive(1.5, most=1_000)
    """Turns of each arm around the origin."""
    radius: float = positive(3.0, most=_MOST)
    """Distance of the ends from the origin."""
    noise: float = number(0.1, least=0, most=_MOST)
    """Standard deviation of the noise."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        limit = 1.1 * self.radius + 3 * self.noise
        return -limit, limit

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        arm = rng.integers(self.arms, size=n) / self.arms
        r = np.sqrt(rng.random(n))
        points = self.radius * r[:, None] * _on_circle(2 * np.pi * (self.turns * r + arm))
        return _noisy(points, self.noise, rng, dtype)


@dataclass(frozen=True)
class Pinwheel(Settings):
    """The data: arms of Gaussians, bent as by a wheel that turns.

    With a ~ N(1, radial_std^2) and b ~ N(0, tangential_std^2), the point (a, b) is turned by the
    angle 2 pi arm / arms + rate exp(a), and doubled: Johnson et al. (2016), Composing graphical
    models with neural networks.

    Examples
    --------
    >>> Pinwheel().sample(5, np.random.default_rng(0)).shape
    (5, 2)
    """

    kind: ClassVar[str] = "pinwheel"
    dimension: ClassVar[int] = 2

    arms: int = whole(5, least=1, most=1_000)
    """Number of arms."""
    radial_std: float = positive(0.3, most=100)
    """Standard deviation along an arm, before it is doubled."""
    tangential_std: float = positive(0.1, most=100)
    """Standard deviation across an arm, before it is doubled."""
    rate: float = number(0.25, least=-100, most=100)
    """How much the arms are bent."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        limit = 2 * (1 + 3.5 * max(self.radial_std, self.tangential_std))
        return -limit, limit

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        arm = rng.integers(self.arms, size=n) / self.arms
        a = 1 + self.radial_std * rng.standard_normal(n)
        b = self.tangential_std * rng.standard_normal(n)
        cos, sin = _on_circle(2 * np.pi * arm + self.rate * np.exp(a)).T
        return np.stack([2 * (a * cos - b * sin), 2 * (a * sin + b * cos)], axis=1).astype(dtype)


@dataclass(frozen=True)
class Checkerboard(Settings):
    """The data: uniform on the black squares of a chessboard around the origin.

    A square in column i and row j is black if i + j is even; with 4 squares of width 2 along each
    axis it is the board of Grathwohl et al. (2019), FFJORD.

    Examples
    --------
    >>> Checkerboard().sample(5, np.random.default_rng(0)).shape
    (5, 2)
    """

    kind: ClassVar[str] = "checkerboard"
    dimension: ClassVar[int] = 2

    side: int = whole(4, least=1, most=300)
    """Number of squares along each axis."""
    width: float = positive(2.0, most=_MOST)
    """Width of a square."""

    @property
    def plot_limits(self) -> tuple[float, float]:
        """The interval that pictures show along each axis."""
        limit = 0.55 * self.side * self.width
        return -limit, limit

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
        """Draw n samples, shape (n, 2)."""
        column, row = np.indices((self.side, self.side)).reshape(2, -1)
        black = np.stack([column, row], axis=1)[(column + row) % 2 == 0]
        corners = black[rng.integers(len(black), size=n)] - self.side / 2
        points: Array = self.width * (corners + rng.random((n, 2)))
        return points.astype(dtype)


def _on_circle(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _noisy(
    points: NDArray[np.float64], noise: float, rng: np.random.Generator, dtype: DTypeLike
) -> Array:
    return (points + noise * rng.standard_normal(points.shape)).astype(dtype)
