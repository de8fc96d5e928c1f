"""Reductions along axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import Operand, general, linear, match_dtype, sample, shape_of
from tinygrad_ugan.autodiff.rules.shape import broadcast_to

Axis = int | tuple[int, ...] | None


def _keep(reduced: Any, shape: tuple[int, ...], axis: Axis) -> Any:
    """Give back the reduced axes of an array of `shape` as axes of length 1."""
    if axis is None:
        return np.reshape(reduced, (1,) * len(shape))
    axes = {i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))}
    return np.reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _spread(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Repeat a reduction's cotangent over what was reduced."""
    shape = shape_of(x)
    if axis is not None and not keepdims:
        g = _keep(g, shape, axis)
    return broadcast_to(g, shape)


def _sum(x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return x.sum(axis, dtype, keepdims=keepdims)


def _sum_transpose(
    g: Any, x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    return match_dtype(_spread(g, x, axis, keepdims), x)


def _mean_transpose(
    g: Any, x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    count = math.prod(shape_of(x)) // math.prod(shape_of(g))
    return match_dtype(_spread(g / count, x, axis, keepdims), x)


def _extreme_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> Any:
    axis, keepdims = _extreme_options(*args, **params)
    return np.sum(tangents[0] * _evenly(ans, args[0], axis), axis=axis, keepdims=keepdims)


def _extreme_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
) -> Sequence[Any]:
    axis, keepdims = _extreme_options(*args, **params)
    x = args[0]
    return [_spread(cotangent, x, axis, keepdims) * _evenly(ans, x, axis)]


def _extreme_options(x: Any, axis: Axis = None, *, keepdims: bool = False) -> tuple[Axis, bool]:
    return axis, keepdims


def _evenly(ans: Any, x: Any, axis: Axis) -> Any:
    """The weight of each element in its maximum: equal shares for those that attain it."""
    attained = x == _keep(ans, shape_of(x), axis)
    return (attained / np.sum(attained, axis=axis, keepdims=True)).astype(x.dtype)


_SAMPLES = [
    sample(Operand((3, 4))),
    sample(Operand((3, 4)), 0),
    sample(Operand((3, 4)), axis=-1, keepdims=True),
    sample(Operand((2, 3, 2)), axis=(0, -1)),
    sample(Operand((2, 3)), keepdims=True),
    sample(Operand(())),
]

_TIES = "equal extremes share the cotangent evenly"

RULES = (
    linear(np.sum, _sum_transpose, _SAMPLES, implementation=_sum),
    linear(np.mean, _mean_transpose, _SAMPLES),
    general(np.max, _extreme_jvp, _extreme_vjp, _SAMPLES, convention=_TIES),
    general(np.min, _extreme_jvp, _extreme_vjp, _SAMPLES, convention=_TIES),
)

CONSTANTS = (np.argmax, np.argmin, np.any, np.all, np.count_nonzero)
