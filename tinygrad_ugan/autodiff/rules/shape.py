"""Functions that move elements about: all linear."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    Operand,
    composite,
    general,
    linear,
    match_dtype,
    sample,
    shape_of,
    unbroadcast,
)

_A = Operand((2, 3, 4))


def _reshape(x: Any, shape: Any, order: str = "C") -> Any:
    return x.reshape(shape, order=order)


def _reshape_transpose(g: Any, x: Any, shape: Any, order: str = "C") -> Any:
    return g.reshape(x.shape, order=order)


def _transpose_transpose(g: Any, x: Any, axes: Sequence[int] | None = None) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, tuple(np.argsort([i % len(axes) for i in axes])))


# The cotangent gets its old shape back; the other arguments only said what the new one was.
def _restore_shape(g: Any, x: Any, axis: Any = None) -> Any:
    return g.reshape(x.shape)


def _broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """A view that repeats x; the shorter way for one number is most of the cost of a small sum."""
    if shape_of(x) == ():
        return np.ndarray(shape, x.dtype, x, strides=(0,) * len(shape))
    return np.broadcast_to(x, shape)


broadcast_to = linear(
    np.broadcast_to,
    lambda g, x, shape: unbroadcast(g, x),
    [sample(Operand(()), (2, 3)), sample(Operand((3, 1)), (2, 3, 4)), sample(_A, (2, 3, 4))],
    implementation=_broadcast_to,
)

_RESHAPING = (
    linear(
        np.reshape,
        _reshape_transpose,
        [sample(_A, (6, 4)), sample(_A, -1), sample(_A, (4, 6), "F"), sample(Operand(()), (1, 1))],
        implementation=_reshape,
    ),
    linear(np.expand_dims, _restore_shape, [sample(_A, 0), sample(_A, (1, -1))]),
    linear(
        np.squeeze,
        _restore_shape,
        [sample(Operand((1, 3, 1))), sample(Operand((1, 3, 1)), 0), sample(_A, axis=())],
    ),
    broadcast_to,
)

_PERMUTING = (
    linear(
        np.transpose,
        _transpose_transpose,
        [sample(_A), sample(_A, (2, 0, 1)), sample(_A, axes=(-1, 0, 1))],
    ),
    linear(
        np.swapaxes,
        lambda g, x, axis1, axis2: np.swapaxes(g, axis1, axis2),
        [sample(_A, 0, -1), sample(_A, 1, 2)],
    ),
    linear(
        np.moveaxis,
        lambda g, x, source, destination: np.moveaxis(g, destination, source),
        [sample(_A, 0, -1), sample(_A, (0, 1), (-1, 0))],
    ),
)


def _astype(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


astype = linear(_astype, lambda g, x, dtype: g.astype(x.dtype), [sample(_A, np.dtype(np.float64))])


def _scatter_add(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with x added at `key`."""
    zeros = np.zeros(shape, x.dtype)
    if _is_basic(key):
        zeros[key] += x
    else:  # an index may occur more than once
        np.add.at(zeros, key, x)
    return zeros


def _is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    basic = (int, np.integer, slice, type(None), type(Ellipsis))
    return all(isinstance(part, basic) and not isinstance(part, bool) for part in parts)


_KEYS = [
    *(1, -1, slice(1, None), (Ellipsis, 0), (None, slice(None), 2), (0, slice(None, None, -2))),
    *(np.array([0, 1, 1, 0]), (slice(None), np.array([2, 0, 2])), np.array([True, False])),
]
scatter_add = linear(
    _scatter_add,
    lambda g, x, key, shape: g[key],
    [sample(Operand(np.empty(_A.shape)[key].shape), key, _A.shape) for key in _KEYS],
)
getitem = linear(
    operator.getitem,
    lambda g, x, key: scatter_add(g, key, shape_of(x)),
    [sample(_A, key) for key in _KEYS],
)


def _concatenate(axis: int, *arrays: Any) -> Any:
    return np.concatenate(arrays, axis)


def _concatenate_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> Any:
    axis, *arrays = args
    by_place = dict(zip(traced, tangents, strict=True))
    zeros = [np.broadcast_to(np.zeros((), ans.dtype), shape_of(x)) for x in arrays]
    parts = [by_place.get(i, zero) for i, zero in enumerate(zeros, start=1)]
    return match_dtype(concatenate(axis, *parts), ans)


def _concatenate_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
) -> Sequence[Any]:
    axis, *arrays = args
    before = (slice(None),) * (axis % len(shape_of(ans)))
    ends = np.cumsum([0, *(shape_of(x)[axis] for x in arrays)]).tolist()
    return [
        match_dtype(getitem(cotangent, (*before, slice(ends[i - 1], ends[i]))), args[i])
        for i in traced
    ]


concatenate = general(
    _concatenate,
    _concatenate_jvp,
    _concatenate_vjp,
    [
        sample(0, Operand((2, 3)), Operand((1, 3)), Operand((0, 3))),
        sample(-1, Operand((2, 3)), Operand((2, 1))),
    ],
)


def _concatenate_arrays(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    if axis is None:
        return concatenate(0, *(np.ravel(x) for x in arrays))
    return concatenate(axis, *arrays)


def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    return concatenate(axis, *(np.expand_dims(x, axis) for x in arrays))


def _ravel(a: Any, order: str = "C") -> Any:
    return np.reshape(a, -1, order)


_PAIR = [Operand((2, 3)), Operand((2, 3))]

_COMPOSITES = (
    composite(
        np.concatenate,
        _concatenate_arrays,
        [sample(_PAIR), sample(_PAIR, axis=1), sample(_PAIR, axis=None)],
    ),
    composite(np.stack, _stack, [sample(_PAIR), sample(_PAIR, axis=-1)]),
    composite(np.ravel, _ravel, [sample(_A), sample(_A, "F")]),
    composite(np.copy, lambda a: np.positive(a), [sample(_A)]),
)

RULES = (*_RESHAPING, *_PERMUTING, astype, getitem, scatter_add, concatenate, *_COMPOSITES)

CONSTANTS = (
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.argsort),
    *(np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.array_equal, np.allclose),
)
