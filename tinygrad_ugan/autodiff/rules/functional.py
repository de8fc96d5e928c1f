"""Functions that apply a user's function to slices or pieces of an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.indexing import index_set
from tinygrad_ugan.autodiff.rules.shape import astype
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError


def _apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Stack the function's results for each vector, in place of the vectors' axis."""
    arr = np.moveaxis(as_array(arr), axis, -1)
    stack = shape_of(arr)[:-1]
    results = [as_array(func1d(arr[i], *args, **kwargs)) for i in np.ndindex(stack)]
    if not results:
        raise ArgumentError("arr", f"shape {shape_of(arr)}", "at least one vector along the axis")
    inner = shape_of(results[0])
    joined = np.reshape(np.stack(results), (*stack, *inner))
    axis %= len(stack) + 1
    sources = range(len(stack), len(stack) + len(inner))
    return np.moveaxis(joined, tuple(sources), tuple(range(axis, axis + len(inner))))


def _apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    a = as_array(a)
    rank = len(shape_of(a))
    for axis in np.atleast_1d(axes).tolist():
        result = func(a, axis % rank)
        if len(shape_of(result)) == rank - 1:
            result = np.expand_dims(result, axis % rank)
        if len(shape_of(result)) != rank:
            raise ArgumentError(
                "func", f"a result of {len(shape_of(result))} axes", f"one of {rank} or one less"
            )
        a = result
    return a


def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Apply each function, or number, to its piece, and an additional one to the rest."""
    x = as_array(x)
    shape = shape_of(x)
    conditions = _conditions(condlist, shape)
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        given, n = len(funclist), len(conditions)
        raise ArgumentError("funclist", f"{given} functions", f"{n} or {n + 1}, one a condition")
    y = np.zeros(shape, x.dtype)
    for condition, piece in zip(conditions, funclist, strict=True):
        if callable(piece):
            inside = x[condition]
            if shape_of(inside)[0] == 0:
                continue
            piece = piece(inside, *args, **kw)
        values = np.broadcast_to(as_array(piece), (int(np.count_nonzero(condition)),))
        y = index_set(y, astype(values, x.dtype), condition)
    return y


def _conditions(condlist: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the conditions as masks of the shape of x."""
    several = isinstance(condlist, list | tuple) and np.ndim(untrace(condlist[0])) > 0
    masks = [untrace(c) for c in condlist] if several else np.asarray(untrace(condlist), bool)
    if not several and np.shape(masks) == shape:
        masks = [masks]
    return [np.broadcast_to(np.asarray(mask, bool), shape) for mask in masks]


RULES = (
    composite(np.apply_along_axis, _apply_along_axis),
    composite(np.apply_over_axes, _apply_over_axes),
    composite(np.piecewise, _piecewise),
)


def _square_of_rise(x: Any, power: float = 2.0) -> Any:
    return (x[1:] - x[:-1]) ** power


_A, _M, _V = Random((2, 3, 4)), Random((3, 4)), Random((4,))
_LEFT = np.array([True, True, False, False])
_PIECES = [np.sin, lambda x: x * x]

SAMPLES: Samples = {
    np.apply_along_axis: [
        *(sample(np.sum, 0, _M), sample(_square_of_rise, 1, _A), sample(np.diag, -1, _M)),
        sample(_square_of_rise, -1, _M, power=3.0),
    ],
    np.apply_over_axes: [sample(np.sum, _A, (0, -1)), sample(np.cumsum, _M, 1)],
    np.piecewise: [
        sample(_V, [_LEFT, ~_LEFT], _PIECES),
        *(sample(_V, [_LEFT], _PIECES), sample(_V, _LEFT, [1.5, np.exp])),
        sample(Random(()), [np.array(True), np.array(False)], _PIECES),
    ],
}
