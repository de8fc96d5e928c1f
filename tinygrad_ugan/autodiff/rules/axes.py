"""Axes of reductions: removed, restored, merged."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.rules.shape import broadcast_to

Axis = int | tuple[int, ...] | None


def reduced_size(shape: tuple[int, ...], axis: Axis) -> int:
    """The number of elements of an array of `shape` that are reduced to one."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[i] for i in (axis if isinstance(axis, tuple) else (axis,)))


def restore_axes(reduced: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Restore the reduced axes of an array of `shape` as axes of length 1."""
    if axis is None:
        return reduced.reshape((1,) * len(shape))
    axes = {i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))}
    return reduced.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


def unreduce(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Broadcast the cotangent of a reduction back to the shape of x."""
    shape = shape_of(x)
    if axis is not None and not keepdims:
        g = restore_axes(g, shape, axis)
    return broadcast_to(g, shape)


def merge_axes(x: Any, axis: Axis) -> Any:
    """Merge the axes to be reduced into one, which comes last."""
    shape = shape_of(x)
    reduced = normalize_axis_tuple(range(len(shape)) if axis is None else axis, len(shape))
    kept = tuple(i for i in range(len(shape)) if i not in reduced)
    merged = (*(shape[i] for i in kept), math.prod(shape[i] for i in reduced))
    return np.reshape(np.transpose(x, kept + reduced), merged)


def cast(x: Any, dtype: Any) -> Any:
    """Cast to the `dtype` of a reduction; one of integers makes a constant."""
    return x if dtype is None else x.astype(dtype)
