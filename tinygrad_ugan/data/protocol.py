"""The protocol of data: all that training asks of them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of
from tinygrad_ugan.typing import Array


class Dataset(Protocol):
    """Data to train on: anything that draws samples, and says how many numbers a sample has.

    More is optional:

    - `classes`, a whole number: `sample` returns a pair (samples, labels), the labels an array of
      int, shape (n,), from 0 to classes - 1;
    - `class_names`, a str for each class, such as ``ugan sample --label`` takes;
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
        """Draw n samples, shape (n, d...), or (samples, labels); all randomness is from `rng`."""


def draw(data: Any, n: int, rng: np.random.Generator, dtype: DTypeLike) -> Array:
    """Draw samples of data that may be anybody's, without labels, and check what came.

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
    return draw_labelled(data, n, rng, dtype)[0]


def draw_labelled(
    data: Any, n: int, rng: np.random.Generator, dtype: DTypeLike
) -> tuple[Array, Array | None]:
    """Draw samples and their labels, None if the data have none, and check what came.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        As `draw`; or if the labels are not as `Dataset` says.

    Examples
    --------
    >>> from tinygrad_ugan.data import Ring
    >>> samples, labels = draw_labelled(Ring(labelled=True), 5, np.random.default_rng(0), float)
    >>> labels
    array([6, 5, 4, 2, 2])
    """
    drawn = data.sample(n, rng, dtype)
    samples, *labels = drawn if isinstance(drawn, tuple) else (drawn,)
    _check_samples(samples, data.dimension, n, dtype)
    classes = getattr(data, "classes", 0)
    check_labels("data", labels, classes, n)
    return samples, labels[0] if labels else None


def _check_samples(samples: Any, dimension: int, n: int, dtype: DTypeLike) -> None:
    if not isinstance(samples, np.ndarray):
        raise ArgumentTypeError("data", f"a {kind_of(samples)}", "a sample that is an array")
    if samples.shape[:1] != (n,) or math.prod(samples.shape[1:]) != dimension:
        expected = f"a sample of shape ({n}, d...) with {dimension} numbers in each row"
        raise ArgumentError("data", f"shape {samples.shape}", expected)
    if samples.dtype != dtype:
        given = f"dtype {samples.dtype}"
        hint = "sample(n, rng, dtype) ends in .astype(dtype)"
        raise ArgumentTypeError("data", given, f"a sample of dtype {np.dtype(dtype)}", hint)


def check_labels(argument: str, labels: Sequence[Any], classes: Any, n: int) -> None:
    """Raise an error unless `labels`, what came beside n samples, is as `Dataset` says."""
    if not isinstance(classes, numbers.Integral) or classes < 0:
        raise ArgumentTypeError("classes", f"a {kind_of(classes)}", "a whole number >= 0")
    if classes == 0 and not labels:
        return
    if classes == 0:
        raise ArgumentError(argument, "labels, and classes = 0", "as many classes as there are")
    if len(labels) != 1:
        given = f"samples and {len(labels)} arrays beside them"
        raise ArgumentError(argument, given, f"(samples, labels), as classes = {classes}")
    (found,) = labels
    expected = f"labels from 0 to {classes - 1}, an array of whole numbers of shape ({n},)"
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu":
        given = f"dtype {found.dtype}" if isinstance(found, np.ndarray) else f"a {kind_of(found)}"
        raise ArgumentTypeError(argument, f"labels that are {given}", expected)
    if found.shape != (n,):
        raise ArgumentError(argument, f"labels of shape {found.shape}", expected)
    if n and not 0 <= found.min() <= found.max() < classes:
        raise ArgumentError(argument, f"labels from {found.min()} to {found.max()}", expected)
