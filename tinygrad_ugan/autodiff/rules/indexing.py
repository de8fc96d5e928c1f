"""Indexing, sorting and other functions that pick elements and put them elsewhere."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import EllipsisType, MappingProxyType
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Params, Tracer
from tinygrad_ugan.autodiff.operands import as_array, match_dtype, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import Primitive, composite, general, linear
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.autodiff.signatures import Signature


def _labels(shape: tuple[int, ...], start: int = 0) -> np.ndarray:
    """Number the elements of an array of `shape`."""
    return np.arange(start, start + math.prod(shape)).reshape(shape)


def _scatter_add(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with x added at `key`."""
    zeros = np.zeros(shape, x.dtype)
    if _is_free_of_repeats(key):
        zeros[key] = x
    elif len(shape) == 1:
        np.add.at(zeros, key, x)
    else:  # NumPy is fastest at this along one axis
        np.add.at(zeros.reshape(-1), _labels(shape)[key].reshape(-1), np.reshape(x, -1))
    return zeros


def _is_free_of_repeats(key: Any) -> bool:
    """Whether the index is known to repeat no element: only arrays of integers could."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        isinstance(part, int | np.integer | np.bool_ | slice | None | EllipsisType)
        or (isinstance(part, np.ndarray) and part.dtype.kind == "b")
        for part in parts
    )


def _recordable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call be recorded that has a recorded array for its index, or within it.

    `bind` looks for tracers among the arguments only, not in a tuple.
    """

    @functools.wraps(function)
    def implementation(*args: Any) -> Any:
        for arg in args:
            for x in arg if type(arg) is tuple else (arg,):
                if isinstance(x, Tracer):
                    return x.node.call(function, args, {}, function.__name__.strip("_"))
        return function(*args)

    return implementation


scatter_add: Primitive = linear(
    _scatter_add, lambda g, x, key, shape: getitem(g, key), implementation=_recordable(_scatter_add)
)
getitem: Primitive = linear(
    operator.getitem,
    lambda g, x, key: scatter_add(g, key, shape_of(x)),
    implementation=_recordable(operator.getitem),
)


def _index_set(x: Any, values: Any, key: Any) -> Any:
    """A copy of x with `values`, of the shape of ``x[key]``, at `key`."""
    result = np.array(x)
    result[key] = values
    return result[()]


def _index_set_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    by_place = dict(zip(traced, tangents, strict=True))
    x = by_place.get(0, np.zeros(shape_of(ans), ans.dtype))
    return index_set(x, by_place.get(1, 0), args[2])


def _index_set_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    x, values, key = args
    cotangents = {}
    if 0 in traced:
        cotangents[0] = index_set(cotangent, 0, key)
    if 1 in traced:
        g = getitem(cotangent, key)
        if not _is_free_of_repeats(key):
            g = np.where(_is_last_write(key, shape_of(x)), g, 0)
        cotangents[1] = match_dtype(g, values)
    return [cotangents[i] for i in traced]


@_recordable
def _is_last_write(key: Any, shape: tuple[int, ...]) -> Any:
    """Mask of the values written at `key` that no later write replaces."""
    board = np.zeros(shape, int)
    writes = _labels(board[key].shape)
    board[key] = writes
    return board[key] == writes


index_set = replace(
    general(_index_set, _index_set_jvp, _index_set_vjp), implementation=_recordable(_index_set)
)


def selection(function: Callable[..., Any]) -> Primitive:
    """Declare a function that picks elements of its first argument, any number of times each.

    Applied to numbered elements, the function itself says where it takes them from; there the
    transpose accumulates the cotangent.
    """

    def transpose(g: Any, x: Any, *args: Any, **params: Any) -> Any:
        shape = shape_of(x)
        origin = np.reshape(function(_labels(shape), *args, **params), -1)
        return np.reshape(scatter_add(np.reshape(g, -1), origin, (math.prod(shape),)), shape)

    return replace(linear(function, transpose), signature=Signature.of(function))


def rearrange(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """Apply a function that only moves elements of several arrays into a new one."""
    ends = np.cumsum([0, *(math.prod(shape_of(x)) for x in arrays)]).tolist()
    labels = [_labels(shape_of(x), start) for x, start in zip(arrays, ends, strict=False)]
    return np.concatenate(list(arrays), axis=None)[function(*labels)]


def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    values = match_dtype(as_array(values), arr)
    return rearrange(lambda a, v: np.insert(a, obj, v, axis), [arr, values])


def _block(arrays: Any) -> Any:
    leaves, nesting = optree.tree_flatten(arrays)
    return rearrange(lambda *x: np.block(optree.tree_unflatten(nesting, x)), leaves)


def _unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    _, places, *others = np.unique(
        untrace(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    values = np.ravel(ar)[places] if axis is None else np.take(ar, places, axis)
    results = (values, *([places] if return_index else []), *others)
    return results if len(results) > 1 else values


def _sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: None = None, *, stable: Any = None
) -> Any:
    if axis is None:
        a, axis = np.ravel(a), -1
    return np.take_along_axis(a, np.argsort(a, axis, kind, order, stable=stable), axis)


def _partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Any:
    """Deduce from the ranks before and after where NumPy moved each element."""
    if axis is None:
        a, axis = np.ravel(a), -1
    moved = np.partition(untrace(a), kth, axis, kind)
    ranks = np.argsort(np.argsort(moved, axis, stable=True), axis)
    return np.take_along_axis(a, np.take_along_axis(np.argsort(a, axis), ranks, axis), axis)


def _diag(v: Any, k: int = 0) -> Any:
    if len(shape_of(v)) != 1:
        return np.diagonal(v, k)
    rows = np.arange(len(v)) + max(-k, 0)
    columns = np.arange(len(v)) + max(k, 0)
    n = len(v) + abs(k)
    return scatter_add(v, (rows, columns), (n, n))


def _tril(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*shape_of(m)[-2:], k=k, dtype=bool), m, 0)


def _triu(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*shape_of(m)[-2:], k=k - 1, dtype=bool), 0, m)


_TIES = "equal elements: each takes the cotangent of the place that it was moved to"

_PICKING = (
    selection(np.take),
    selection(np.take_along_axis),
    selection(np.delete),
    selection(np.diagonal),
)

_PLACING = (
    composite(np.insert, _insert),
    composite(np.block, _block),
    composite(np.unique, _unique, "of equal elements the first takes the cotangent"),
    composite(np.sort, _sort, _TIES),
    composite(np.partition, _partition, _TIES),
    composite(np.diag, _diag),
    composite(np.diagflat, lambda v, k=0: np.diag(np.ravel(v), k)),
    composite(np.tril, _tril),
    composite(np.triu, _triu),
)

RULES = (getitem, scatter_add, index_set, *_PICKING, *_PLACING)

CONSTANTS = (
    *(np.argsort, np.argpartition, np.searchsorted),
    *(np.nonzero, np.flatnonzero, np.argwhere, np.tril_indices_from, np.triu_indices_from),
)

_SET = "ug.at(x)[index].set(value)"
IN_PLACE: MappingProxyType[Callable[..., Any], str] = MappingProxyType(
    {
        np.put: _SET,
        np.put_along_axis: _SET,
        np.place: _SET,
        np.putmask: _SET,
        np.copyto: f"{_SET} (np.full and np.full_like call it: np.broadcast_to(x, shape); and "
        "np.select(default=x): np.where)",
        np.fill_diagonal: "ug.at(x)[i, i].set(value) with i = np.arange(n)",
    }
)
"""Functions that write into their argument, which has no derivative, and what to do instead."""

_A = Random((2, 3, 4))
_M = Random((3, 4))
_V = Random((5,))
_MASK = np.array([[True, False, True], [False, True, True]])
_KEYS = [
    *(1, -1, slice(1, None), (Ellipsis, 0), (None, slice(None), 2), (0, slice(None, None, -2))),
    *(np.array([0, 1, 1, 0]), (slice(None), np.array([2, 0, 2])), np.array([True, False]), [1, 1]),
    *(_MASK, (_MASK, 1), (_MASK, np.array([0, 0, 1, 1])), (Ellipsis, np.array([3, 0, 3]), None)),
    *((np.array([[1], [0]]), slice(None), np.array([2, 2, -1])), (0, [1, 1], slice(1, 3))),
    *((), Ellipsis, None, True, (1, 2, 3), (slice(0, 0), 1), np.array([], int)),
]
_INDEX = np.array([[2, 0], [2, -1]])

SAMPLES: Samples = {
    _scatter_add: [sample(Random(np.empty(_A.shape)[key].shape), key, _A.shape) for key in _KEYS],
    operator.getitem: [sample(_A, key) for key in _KEYS],
    _index_set: [sample(_A, Random(np.empty(_A.shape)[key].shape), key) for key in _KEYS],
    np.take: [
        *(sample(_A, _INDEX), sample(_A, 3), sample(_A, [1, 1], axis=1), sample(_A, 2, -1)),
        *(sample(_A, _INDEX + 2, axis=0, mode="wrap"), sample(_A, [-1, 9], 2, mode="clip")),
    ],
    np.take_along_axis: [
        *(sample(_M, np.array([[0, 0], [3, 1], [2, 2]]), 1), sample(_M, _INDEX[:, :1], 0)),
        *(sample(_M, np.array([0, 11, 0]), axis=None), sample(_A, np.array([[[-1]]]), axis=-1)),
    ],
    np.delete: [sample(_M, 1), sample(_M, [0, 2], axis=-1), sample(_M, slice(1, None, 2), 1)],
    np.diagonal: [*(sample(_M), sample(_M, 1), sample(_M, offset=-1)), sample(_A, 0, 2, axis2=0)],
    np.insert: [
        *(sample(_V, 1, Random(())), sample(_V, [1, 1, -1], Random((3,)))),
        *(sample(_M, 2, Random((4,)), axis=0), sample(_M, [0, 2], Random((3, 1)), axis=-1)),
        sample(_M, slice(0, 2), Random((2,))),
    ],
    np.block: [
        sample([[Random((2, 2)), Random((2, 1))], [Random((1, 2)), Random(())]]),
        *(sample([_V, _V]), sample(_M)),
    ],
    np.unique: [*(sample(_V), sample(_A), sample(_M, axis=0)), sample(_A, True, True, True, -1)],
    np.sort: [sample(_V), sample(_A, 1), sample(_M, axis=None)],
    np.partition: [sample(_V, 2), sample(_A, [0, 2], 1), sample(_M, 3, None)],
    np.diag: [*(sample(_V), sample(_V, 2), sample(_V, k=-1)), sample(_M), sample(_M, 1)],
    np.diagflat: [sample(_V), sample(_M, -2)],
    np.tril: [sample(_M), sample(_A, 1), sample(_M, k=-1), sample(_V)],
    np.triu: [sample(_M), sample(_A, 1), sample(_M, k=-1), sample(_V)],
}
