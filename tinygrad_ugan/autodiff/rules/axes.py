"""What the reductions share: axes that go, axes that stay."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.rules.shape import broadcast_to

Axis = int | tuple[int, ...] | None


def reduced_size(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements of an array of `shape` are reduced to one."""
    if axis is None:
        return math.prod(shape)
    return math.prod(shape[i] for i in (axis if isinstance(axis, tuple) else (axis,)))


def restore_axes(reduced: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Give back the reduced axes of an array of `shape` as axes of length 1."""
    if axis is None:
        return reduced.reshape((1,) * len(shape))
    axes = {i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))}
    return reduced.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


def unreduce(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Repeat a reduction's cotangent over what was reduced."""
    shape = shape_of(x)
    if axis is not None and not keepdims:
        g = restore_axes(g, shape, axis)
    return broadcast_to(g, shape)


def merge_axes(x: Any, axis: Axis) -> Any:
    """The array with the axes to be reduced merged into one, which comes last."""
    shape = shape_of(x)
    reduced = normalize_axis_tuple(range(len(shape)) if axis is None else axis, len(shape))
    kept = tuple(i for i in range(len(shape)) if i not in reduced)
    merged = (*(shape[i] for i in kept), math.prod(shape[i] for i in reduced))
    return np.reshape(np.transpose(x, kept + reduced), merged)


def cast(x: Any, dtype: Any) -> Any:
    """Let a reduction compute in `dtype`; one of integers makes a constant of it."""
    return x if dtype is None else x.astype(dtype)
