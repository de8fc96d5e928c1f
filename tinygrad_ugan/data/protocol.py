"""The protocol of data: all that training asks of them."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.typing import Array


class Dataset(Protocol):
    """Data to train on: anything that draws samples, and says how many numbers a sample has.

    More is optional:

    - ``centers()``, shape (modes, d), and `std`: the data are a uniform mixture of Gaussians, and
      the metrics count modes;
    - ``inverse(x)``: samples in the data's own units, if `sample` returns them in others;
    - `image_shape`, (height, width, channels): a sample is an image, row by row;
    - `plot_limits`, (low, high): the interval that pictures show along each axis;
    - `identity`, a str: a run is resumed with data of the same class and identity only.
    """

    @property
    def dimension(self) -> int:
        """Number of numbers in a sample."""

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = ...) -> Any:
        """Draw n samples, shape (n, d...); all randomness comes from `rng`."""


def draw(data: Any, n: int, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Draw samples of data that may be anybody's, and check what came.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If it is no array, or of another shape or dtype than was asked for.

    Examples
    --------
    >>> class Constant:
    ...     dimension = 2
    ...     def sample(self, n, rng, dtype):
    ...         return np.ones((n, 3), dtype)
    >>> draw(Constant(), 5, np.random.default_rng(0), np.float32)
    Traceback (most recent call last):
    ...
    tinygrad_ugan.errors.ArgumentError: data: expected a sample of shape (5, d...) with 2 numbers \
in each row, got shape (5, 3)
    """
    samples = data.sample(n, rng, dtype)
    if not isinstance(samples, np.ndarray):
        raise ArgumentTypeError("data", f"a {kind_of(samples)}", "a sample that is an array")
    if samples.shape[:1] != (n,) or math.prod(samples.shape[1:]) != data.dimension:
        expected = f"a sample of shape ({n}, d...) with {data.dimension} numbers in each row"
        raise ArgumentError("data", f"shape {samples.shape}", expected)
    if samples.dtype != dtype:
        given = f"dtype {samples.dtype}"
        hint = "sample(n, rng, dtype) ends in .astype(dtype)"
        raise ArgumentTypeError("data", given, f"a sample of dtype {np.dtype(dtype)}", hint)
    return samples
