"""Order statistics: the cotangent goes to the elements that are picked."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    Domain,
    Operand,
    as_array,
    composite,
    sample,
    shape_of,
    strip,
)
from tinygrad_ugan.autodiff.rules.axes import Axis, keep, rows
from tinygrad_ugan.errors import ArgumentError


def _order_statistics(x: Any, places: np.ndarray) -> Any:
    """The elements at these places of the sorted last axis; NaN where there is any."""
    last = shape_of(x)[-1] - 1
    bare = np.asarray(strip(x))
    order = np.argpartition(bare, np.unique([*places, last]), axis=-1)  # NaN goes last
    largest = order[..., -1:]
    spoilt = np.isnan(np.take_along_axis(bare, largest, -1))
    chosen = np.where(spoilt, largest, order[..., places])
    *others, _ = np.indices((*bare.shape[:-1], 1), sparse=True)
    return x[(*others, chosen)]


def _median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    x = rows(a, axis)
    n = shape_of(x)[-1]
    middle = np.unique([(n - 1) // 2, n // 2])
    median = np.mean(_order_statistics(x, middle), axis=-1)
    return keep(median, shape_of(a), axis) if keepdims else median


def _quantile(a: Any, q: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    return _interpolated(a, _checked(q, 1), axis, keepdims)


def _percentile(a: Any, q: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
    a = as_array(a)
    return _interpolated(a, _checked(q, 100) / a.dtype.type(100), axis, keepdims)


def _checked(q: Any, largest: int) -> Any:
    q = q if isinstance(q, float | int) else as_array(q)
    bare = strip(q)
    if not np.all((bare >= 0) & (bare <= largest)):
        raise ArgumentError("q", bare, f"numbers from 0 to {largest}")
    return q


def _interpolated(a: Any, q: Any, axis: Axis, keepdims: bool) -> Any:
    """Linearly between the two order statistics that enclose the place ``q (n - 1)``."""
    a = as_array(a)
    x = rows(a, axis)
    place = q * (shape_of(x)[-1] - 1)
    below = np.floor(np.ravel(strip(place))).astype(int)
    above = np.ceil(np.ravel(strip(place))).astype(int)
    found = _order_statistics(x, np.concatenate([below, above]))
    low, high = found[..., : below.size], found[..., below.size :]
    fraction = place % 1
    if shape_of(fraction):
        fraction = np.reshape(fraction, (-1,))
    quantiles = np.moveaxis((1 - fraction) * low + fraction * high, -1, 0)
    kept = shape_of(keep(x[..., 0], shape_of(a), axis)) if keepdims else shape_of(x)[:-1]
    return np.reshape(quantiles, shape_of(q) + kept)


_ODD, _EVEN, _Q = Operand((5,)), Operand((3, 4)), Domain(0.3, 0.45)
_SOME = np.asarray([0.1, 0.7, 0.9], np.float32)  # of the dtype that does not promote
_AT_TIES = "among equal elements the cotangent goes to those that the sort puts at the places"

RULES = (
    composite(
        np.median,
        _median,
        [
            *(sample(_ODD), sample(_EVEN), sample(_EVEN, 0), sample(_EVEN, axis=-1, keepdims=True)),
            *(sample(Operand((2, 3, 2)), axis=(0, -1)), sample(Operand(()))),
        ],
        _AT_TIES,
    ),
    composite(
        np.quantile,
        _quantile,
        [
            *(sample(_ODD, 0.3), sample(_EVEN, 0.25), sample(_EVEN, 1.0, 0), sample(_ODD, 0.5)),
            sample(_EVEN, _SOME[None], axis=-1, keepdims=True),
            sample(Operand((2, 3, 2)), _SOME, axis=(0, -1)),
            sample(_ODD, Operand((2,), _Q)),
            sample(Operand(()), 0.5, keepdims=True),
        ],
        _AT_TIES + "; at the places themselves the derivative in q is 0",
    ),
    composite(
        np.percentile,
        _percentile,
        [
            sample(_ODD, 30),
            sample(_EVEN, np.asarray([25, 50, 75], np.float32), 0),  # exact in single precision
            sample(_EVEN, 60.0, keepdims=True),
        ],
        _AT_TIES,
    ),
)
