"""Random layers: dropout and Gaussian noise.

A layer does not draw its random numbers: it takes them as an argument, its side input, and so is a
pure function, the same in every unrolled step and in every derivative. Without side input it is the
identity, as for evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.validation import check_rows, check_width
from tinygrad_ugan.typing import Array


def gaussian_noise(x: Any, noise: Any, std: float) -> Any:
    """``x + std noise``, with the noise drawn from N(0, 1).

    Parameters
    ----------
    x, noise : array, shape (n, features)
    std : float
        Standard deviation.

    Returns
    -------
    array, shape (n, features)

    Examples
    --------
    >>> gaussian_noise(np.zeros((1, 2)), np.array([[1.0, -2.0]]), std=0.5)
    array([[ 0.5, -1. ]])
    """
    return x + std * noise


def dropout(x: Any, kept: Any, rate: float) -> Any:
    """Dropout, scaled so as to keep the mean: ``y = x kept / (1 - rate)``.

    Srivastava et al. (2014).

    Parameters
    ----------
    x : array, shape (n, features)
    kept : array of bool, shape (n, features)
        Mask of the elements to keep; the others become zero.
    rate : float
        Probability of dropping an element, in [0, 1).

    Returns
    -------
    array, shape (n, features)

    Examples
    --------
    >>> dropout(np.ones((1, 4)), np.array([[True, False, True, True]]), rate=0.5)
    array([[2., 0., 2., 2.]])
    """
    return x * kept * (1 / (1 - rate))


class _RandomLayer:
    """A layer without parameters, whose side input has the shape of x."""

    is_random: ClassVar[bool] = True
    width: int

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> tuple[()]:
        """Return no parameters."""
        return ()

    def _check(self, x: Any, side: Any) -> None:
        check_rows(x, self.width)
        if np.shape(side) != np.shape(x):
            raise ArgumentError("side", f"shape {np.shape(side)}", f"that of x, {np.shape(x)}")


@dataclass(frozen=True)
class GaussianNoise(_RandomLayer):
    """`gaussian_noise` as a layer: ``layer((), x, noise)``, or ``layer((), x)`` without.

    Parameters
    ----------
    width : int
        Number of features.
    std : float
        Standard deviation of the noise.

    Raises
    ------
    ArgumentError
        If `width` is not a positive integer, or `std` is negative or not finite.

    Examples
    --------
    >>> layer = GaussianNoise(3, std=0.1)
    >>> noise = layer.draw(np.random.default_rng(0), 10_000, np.float32)
    >>> y = layer((), np.ones((10_000, 3), np.float32), noise)
    >>> y.dtype, round(float(y.std()), 2)
    (dtype('float32'), 0.1)
    """

    width: int
    std: float = 0.5

    def __post_init__(self) -> None:
        check_width("width", self.width)
        if not (np.isfinite(self.std) and self.std >= 0):
            raise ArgumentError("std", self.std, "a finite number >= 0")

    def draw(self, rng: np.random.Generator, n: int, dtype: DTypeLike = np.float32) -> Array:
        """Draw the noise for n rows."""
        return rng.standard_normal((n, self.width)).astype(dtype)

    def __call__(self, params: tuple[()], x: Any, noise: Any = None) -> Any:
        """Add the noise, if given."""
        if noise is None:
            return x
        self._check(x, noise)
        return gaussian_noise(x, noise, self.std)


@dataclass(frozen=True)
class Dropout(_RandomLayer):
    """`dropout` as a layer: ``layer((), x, kept)``, or ``layer((), x)``, which keeps all.

    Parameters
    ----------
    width : int
        Number of features.
    rate : float
        Probability of dropping an element.

    Raises
    ------
    ArgumentError
        If `width` is not a positive integer, or `rate` is not in [0, 1).

    Examples
    --------
    >>> layer = Dropout(4, rate=0.5)
    >>> kept = layer.draw(np.random.default_rng(0), 1)
    >>> layer((), np.ones((1, 4)), kept)
    array([[2., 2., 2., 0.]])
    """

    width: int
    rate: float = 0.5

    def __post_init__(self) -> None:
        check_width("width", self.width)
        if not 0 <= self.rate < 1:
            raise ArgumentError("rate", self.rate, "a number in [0, 1)")

    def draw(self, rng: np.random.Generator, n: int, dtype: DTypeLike = np.float32) -> Array:
        """Draw the mask of kept elements for n rows: booleans, whatever the dtype of x."""
        return rng.random((n, self.width), np.float32) >= self.rate

    def __call__(self, params: tuple[()], x: Any, kept: Any = None) -> Any:
        """Drop the elements that are not kept."""
        if kept is None:
            return x
        self._check(x, kept)
        return dropout(x, kept, self.rate)
