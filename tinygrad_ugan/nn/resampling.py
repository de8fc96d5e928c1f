"""Layers without parameters that change the extents of signals and images.

Images have shape (n, height, width, channels), signals (n, length, channels).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.nn.validation import Extent, check_array, check_width, extents


def avg_pool(x: Any, size: Extent) -> Any:
    """Average over windows of a size that lie side by side; what no window covers is left out.

    Parameters
    ----------
    x : array, shape (n, length, channels) or (n, height, width, channels)
    size : int or tuple of int

    Returns
    -------
    array, shape (n, length // size, channels), or likewise

    Raises
    ------
    ArgumentError
        If a window is larger than x.

    Examples
    --------
    >>> avg_pool(np.array([[[1.0], [3.0], [5.0], [7.0], [100.0]]]), 2)[0].T
    array([[2., 6.]])
    """
    shape, axes = _checked(x)
    sizes = extents("size", size, axes)
    counts = [n // s for n, s in zip(shape[1:-1], sizes, strict=True)]
    if min(counts) < 1:
        raise ArgumentError("x", f"shape {shape}", f"at least {sizes} places")
    covered = tuple(slice(n * s) for n, s in zip(counts, sizes, strict=True))
    blocks = itertools.chain(*zip(counts, sizes, strict=True))
    split = np.reshape(x[:, *covered], (shape[0], *blocks, shape[-1]))
    return np.mean(split, axis=tuple(range(2, 2 * axes + 1, 2)))


def upsample(x: Any, factor: Extent) -> Any:
    """Repeat every element along the axes of places: the nearest neighbour's interpolation.

    Parameters
    ----------
    x : array, shape (n, length, channels) or (n, height, width, channels)
    factor : int or tuple of int

    Returns
    -------
    array, shape (n, factor * length, channels), or likewise

    Examples
    --------
    >>> upsample(np.array([[[1.0], [3.0]]]), 2)[0].T
    array([[1., 1., 3., 3.]])
    """
    shape, axes = _checked(x)
    factors = extents("factor", factor, axes)
    places = list(zip(shape[1:-1], factors, strict=True))
    spread = np.expand_dims(x, tuple(range(2, 2 * axes + 1, 2)))
    repeated = np.broadcast_to(spread, (shape[0], *itertools.chain(*places), shape[-1]))
    return np.reshape(repeated, (shape[0], *(n * f for n, f in places), shape[-1]))


def _checked(x: Any) -> tuple[tuple[int, ...], int]:
    """The shape, and the number of axes of places."""
    check_array("x", x)
    shape = shape_of(x)
    if len(shape) not in (3, 4):
        expected = "shape (batch, length, channels) or (batch, height, width, channels)"
        raise ArgumentError("x", f"shape {shape}", expected)
    return shape, len(shape) - 2


class _WithoutParameters:
    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> tuple[()]:
        """Return no parameters."""
        return ()


@dataclass(frozen=True)
class AvgPool(_WithoutParameters):
    """`avg_pool` as a layer.

    Parameters
    ----------
    size : int or tuple of int

    Examples
    --------
    >>> AvgPool(2)((), np.ones((10, 5, 5, 3))).shape
    (10, 2, 2, 3)
    """

    size: Extent = 2

    def __post_init__(self) -> None:
        _check_setting("size", self.size)

    def __call__(self, params: tuple[()], x: Any) -> Any:
        """Average over windows."""
        return avg_pool(x, self.size)


@dataclass(frozen=True)
class Upsample(_WithoutParameters):
    """`upsample` as a layer.

    Parameters
    ----------
    factor : int or tuple of int

    Examples
    --------
    >>> Upsample(2)((), np.ones((10, 4, 4, 3))).shape
    (10, 8, 8, 3)
    """

    factor: Extent = 2

    def __post_init__(self) -> None:
        _check_setting("factor", self.factor)

    def __call__(self, params: tuple[()], x: Any) -> Any:
        """Repeat the elements."""
        return upsample(x, self.factor)


def _check_setting(name: str, given: Any) -> None:
    extents(name, given, len(given) if isinstance(given, tuple) else 1)


@dataclass(frozen=True)
class Reshape(_WithoutParameters):
    """Samples in another shape: rows as images, say, or images as rows.

    Parameters
    ----------
    shape : tuple of int
        Of a sample.

    Raises
    ------
    ArgumentError
        If an extent is not a positive integer.

    Examples
    --------
    >>> Reshape((4, 4, 16))((), np.ones((10, 256))).shape
    (10, 4, 4, 16)
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        for i, n in enumerate(self.shape):
            check_width(f"shape[{i}]", n)

    def __call__(self, params: tuple[()], x: Any) -> Any:
        """Reshape every sample.

        Raises
        ------
        ArgumentError
            If samples have another number of elements.
        """
        check_array("x", x)
        given, elements = shape_of(x), math.prod(self.shape)
        if len(given) < 2 or math.prod(given[1:]) != elements:
            raise ArgumentError("x", f"shape {given}", f"samples of {elements} elements")
        return np.reshape(x, (given[0], *self.shape))
