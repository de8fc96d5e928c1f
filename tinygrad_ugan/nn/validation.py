"""Checks of the arguments of layers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of

Extent: TypeAlias = int | tuple[int, ...]
"""A number for every axis, or the same one for all."""


def check_width(name: str, width: Any) -> None:
    """Raise `ArgumentError` unless `width` is a positive integer."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ArgumentError(name, repr(width), "a positive whole number")


def check_array(name: str, x: Any) -> None:
    """Raise `ArgumentTypeError` unless `x` is a NumPy array, or a tensor of this package."""
    if not isinstance(getattr(x, "dtype", None), np.dtype):
        hint = "convert it with np.asarray, a tensor of PyTorch with .detach().numpy()"
        raise ArgumentTypeError(name, f"a {kind_of(x)}", "a NumPy array", hint)


def check_rows(x: Any, width: int, name: str = "x") -> None:
    """Raise an error unless `x` is a matrix with rows of that width."""
    check_array(name, x)
    shape = shape_of(x)
    if len(shape) != 2 or shape[1] != width:
        raise ArgumentError(name, f"shape {shape}", f"shape (batch, {width})")


def check_features(x: Any, width: int, name: str = "x") -> None:
    """Raise an error unless `x` is a batch of so many features: rows, signals or images."""
    check_array(name, x)
    shape = shape_of(x)
    if len(shape) < 2 or shape[-1] != width:
        raise ArgumentError(name, f"shape {shape}", f"shape (batch, ..., {width})")


def extents(name: str, given: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """A number for every axis, from a setting that has one for all, or one for each.

    Raises
    ------
    ArgumentError
        If it has not as many, or any is not a whole number from `least` on.
    """
    found = tuple(given) if isinstance(given, tuple | list) else (given,) * axes
    whole = all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in found)
    if len(found) != axes or not whole or min(found) < least:
        raise ArgumentError(name, given, f"a whole number >= {least}, or a tuple of {axes} of them")
    return tuple(map(int, found))
