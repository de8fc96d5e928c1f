"""Reductions along axes: sums, means, variances, extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_ugan.autodiff.operands import anywhere, as_array, match_dtype, shape_of
from tinygrad_ugan.autodiff.primitive import composite, linear, unary
from tinygrad_ugan.autodiff.rules.axes import Axis, reduced_size, restore_axes, unreduce
from tinygrad_ugan.autodiff.rules.masked_reductions import (
    masked_max,
    masked_mean,
    masked_min,
    masked_std,
    masked_sum,
    masked_var,
)
from tinygrad_ugan.autodiff.rules.stable_derivatives import root
from tinygrad_ugan.autodiff.samples import POSITIVE, Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

_TIES = "equal extremes share the cotangent evenly"


def _total(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return x.sum(axis, keepdims=keepdims)


def _total_transpose(g: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return match_dtype(unreduce(g, x, axis, keepdims), x)


total = linear(_total, _total_transpose)


def _sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    if dtype is None and initial is None and where is True:
        return total(a, axis, keepdims)
    initial = 0 if initial is None else initial
    return masked_sum(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)


def _center(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return x.mean(axis, keepdims=keepdims)


def _center_transpose(g: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return match_dtype(unreduce(g / reduced_size(shape_of(x), axis), x, axis, keepdims), x)


center = linear(_center, _center_transpose)


def _mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    if dtype is None and where is True:
        return center(a, axis, keepdims)
    return masked_mean(a, axis, dtype, keepdims=keepdims, where=where)


def _average(a: Any, axis: Axis = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    a = as_array(a)
    if weights is None:
        return np.mean(a, axis=axis, keepdims=keepdims)
    weights = _weights_like(a, axis, as_array(weights))
    whole = np.sum(weights, axis=axis, keepdims=keepdims)
    if anywhere(whole == 0, unknown=False):
        raise ZeroDivisionError("weights: they sum to zero and cannot be normalised")
    return np.sum(a * weights, axis=axis, keepdims=keepdims) / whole


def _weights_like(a: Any, axis: Axis, weights: Any) -> Any:
    """Weights given for the averaged axes only, repeated along the others."""
    shape = shape_of(a)
    if shape_of(weights) == shape:
        return weights
    if axis is None:
        raise ArgumentTypeError("axis", axis, "the axes that the weights belong to")
    axes = normalize_axis_tuple(axis, len(shape))
    if shape_of(weights) != tuple(shape[i] for i in axes):
        raise ArgumentError(
            "weights", f"shape {shape_of(weights)}", "the shape of a, or that of its averaged axes"
        )
    ordered = np.transpose(weights, np.argsort(axes).tolist())
    aligned = tuple(n if i in axes else 1 for i, n in enumerate(shape))
    return np.broadcast_to(np.reshape(ordered, aligned), shape)


def _var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    as_usual = dtype is None and a.dtype != np.float16  # of which NumPy rounds the mean
    if not (as_usual and where is True and mean is None and correction is None):
        options = _variance_options(ddof, keepdims, where, mean, correction)
        return masked_var(a, axis, dtype, **options)
    deviation = a - np.mean(a, axis=axis, keepdims=True)
    freedom = max(reduced_size(shape_of(a), axis) - ddof, 0)
    return np.sum(np.square(deviation), axis=axis, keepdims=keepdims) / freedom


def _variance_options(
    ddof: float, keepdims: bool, where: Any, mean: Any, correction: Any
) -> dict[str, Any]:
    """Options of np.var and np.std, with `mean` and `correction` only if they are given."""
    options = {"ddof": ddof, "keepdims": keepdims, "where": where}
    given = {"mean": mean, "correction": correction}
    return options | {name: value for name, value in given.items() if value is not None}


def _std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Any = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    if not (dtype is None and where is True and mean is None and correction is None):
        options = _variance_options(ddof, keepdims, where, mean, correction)
        return masked_std(a, axis, dtype, **options)
    variance = np.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    if reduced_size(shape_of(a), axis) == 1:
        return variance  # 0 throughout, and so are all of its derivatives
    return root(variance, 2)


def _largest(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return np.max(a, axis, keepdims=keepdims)


def _smallest(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return np.min(a, axis, keepdims=keepdims)


def _extreme_push(t: Any, ans: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return np.sum(t * _evenly(ans, x, axis), axis=axis, keepdims=keepdims)


def _extreme_pull(g: Any, ans: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    return unreduce(g, x, axis, keepdims) * _evenly(ans, x, axis)


def _evenly(ans: Any, x: Any, axis: Axis) -> Any:
    """The weight of each element in the extreme: equal shares for those that attain it."""
    attained = x == restore_axes(ans, shape_of(x), axis)
    return (attained / np.sum(attained, axis=axis, keepdims=True)).astype(x.dtype)


largest = unary(_largest, _extreme_push, _extreme_pull, _TIES)
smallest = unary(_smallest, _extreme_push, _extreme_pull, _TIES)


def _extreme(extreme: Callable[..., Any], masked: Callable[..., Any]) -> Callable[..., Any]:
    def reduction(
        a: Any,
        axis: Axis = None,
        *,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        if initial is None and where is True:
            return extreme(a, axis, keepdims)
        options = {} if initial is None else {"initial": initial}
        return masked(a, axis, keepdims=keepdims, where=where, **options)

    return reduction


_max, _min = _extreme(largest, masked_max), _extreme(smallest, masked_min)


def _ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


# fmt: off
_SUMS = (
    composite(np.sum, _sum),
    composite(np.mean, _mean),
    composite(np.average, _average, rounds_differently=True),
    composite(np.var, _var),
    composite(np.std, _std,
              convention="0 where the variance is 0, and then NaN"),
)

_EXTREMES = (
    composite(np.max,  _max, _TIES),
    composite(np.min,  _min, _TIES),
    composite(np.amax, _max, _TIES),
    composite(np.amin, _min, _TIES),
    composite(np.ptp, _ptp, _TIES),
)
# fmt: on

RULES = (total, center, largest, smallest, *_SUMS, *_EXTREMES)

CONSTANTS = (np.argmax, np.argmin, np.any, np.all, np.count_nonzero)

REDUCTIONS = [
    sample(Random((3, 4))),
    sample(Random((3, 4)), 0),
    sample(Random((3, 4)), axis=-1, keepdims=True),
    sample(Random((2, 3, 2)), axis=(0, -1)),
    sample(Random((2, 3)), keepdims=True),
    sample(Random(())),
]
_DTYPE = [sample(Random((2, 3)), 0, dtype=None)]
_DDOF = [sample(Random((3, 4)), ddof=1), sample(Random((3, 4)), -1, ddof=1.5)]
_WEIGHTED = [
    sample(Random((3, 4)), -1, Random((4,), POSITIVE)),
    sample(Random((2, 3)), None, Random((2, 3), POSITIVE), keepdims=True),
    sample(Random((2, 3, 4)), (2, 0), Random((4, 2), POSITIVE)),
    sample(np.asarray([1, -2, 0], np.float32), None, Random((3,), POSITIVE)),
]
_MASK = np.array([True, False, True, True])
MASKED = [
    *(sample(Random((3, 4)), -1, where=_MASK), sample(Random((3, 4)), where=_MASK)),
    sample(Random((3, 4)), 0, keepdims=True, where=np.ones((3, 4), bool)),
]
STARTED = [
    *(sample(Random((3, 4)), -1, initial=start, where=_MASK) for start in (-9.0, 9.0)),
    sample(Random((3, 4)), initial=0.25),
]
_MEAN = np.asarray([[0, 0.5, -1, 2]], np.float32)
_ABOUT = [sample(Random((3, 4)), 1, correction=1), sample(Random((3, 4)), 0, mean=_MEAN)]
_PROPER = [s for s in REDUCTIONS if s.args[0].shape]  # one number has no spread

SAMPLES: Samples = {
    _total: REDUCTIONS,
    _center: REDUCTIONS,
    _largest: REDUCTIONS,
    _smallest: REDUCTIONS,
    np.sum: REDUCTIONS + _DTYPE + MASKED + STARTED,
    np.mean: REDUCTIONS + _DTYPE + MASKED,
    np.average: REDUCTIONS + _WEIGHTED,
    np.var: REDUCTIONS + _DDOF + MASKED + _ABOUT,
    np.std: _PROPER + _DDOF + MASKED + _ABOUT,
    np.max: REDUCTIONS + STARTED,
    np.min: REDUCTIONS + STARTED,
    np.amax: REDUCTIONS,
    np.amin: REDUCTIONS,
    np.ptp: REDUCTIONS,
}
