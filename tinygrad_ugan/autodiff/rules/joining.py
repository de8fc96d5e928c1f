"""Functions that join several arrays into one or split one into several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Params
from tinygrad_ugan.autodiff.operands import as_operand, match_dtype, shape_of
from tinygrad_ugan.autodiff.primitive import composite, general
from tinygrad_ugan.autodiff.samples import Random, Samples, sample


def _concatenate(axis: int, *arrays: Any) -> Any:
    return np.concatenate(arrays, axis)


def _concatenate_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    axis, *arrays = args
    by_place = dict(zip(traced, tangents, strict=True))
    zeros = [np.broadcast_to(np.zeros((), ans.dtype), shape_of(x)) for x in arrays]
    parts = [by_place.get(i, zero) for i, zero in enumerate(zeros, start=1)]
    return match_dtype(concatenate(axis, *parts), ans)


def _concatenate_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    axis, *arrays = args
    before = (slice(None),) * (axis % len(shape_of(ans)))
    ends = np.cumsum([0, *(shape_of(x)[axis] for x in arrays)]).tolist()
    return [match_dtype(cotangent[(*before, slice(ends[i - 1], ends[i]))], args[i]) for i in traced]


concatenate = general(_concatenate, _concatenate_jvp, _concatenate_vjp)


def _concatenate_arrays(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    if axis is None:
        return concatenate(0, *(np.ravel(as_operand(x)) for x in arrays))
    return concatenate(axis, *map(as_operand, arrays))


def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    return concatenate(axis, *(np.expand_dims(as_operand(x), axis) for x in arrays))


def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return np.concatenate([arr, values], axis)


def _vstack(tup: Sequence[Any]) -> Any:
    return np.concatenate([np.atleast_2d(as_operand(x)) for x in tup], 0)


def _hstack(tup: Sequence[Any]) -> Any:
    arrays = [np.atleast_1d(as_operand(x)) for x in tup]
    return np.concatenate(arrays, 0 if len(shape_of(arrays[0])) == 1 else 1)


def _dstack(tup: Sequence[Any]) -> Any:
    return np.concatenate([np.atleast_3d(as_operand(x)) for x in tup], 2)


def _column_stack(tup: Sequence[Any]) -> Any:
    arrays = [as_operand(x) for x in tup]
    columns = [x if len(shape_of(x)) >= 2 else np.reshape(x, (-1, 1)) for x in arrays]
    return np.concatenate(columns, 1)


def _splitter(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function` split the indices along the axis, and slice the array accordingly."""

    def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
        before = (slice(None),) * (axis % len(shape_of(ary)))
        parts = function(np.arange(shape_of(ary)[axis]), indices_or_sections)
        cuts = [slice(part[0], part[-1] + 1) if part.size else slice(0) for part in parts]
        return [ary[(*before, cut)] for cut in cuts]

    return split


def _split_along(axis: int) -> Callable[..., Any]:
    def split(ary: Any, indices_or_sections: Any) -> list[Any]:
        return np.split(ary, indices_or_sections, min(axis, len(shape_of(ary)) - 1))

    return split


_JOINING = (
    composite(np.concatenate, _concatenate_arrays),
    composite(np.stack, _stack),
    composite(np.append, _append),
    composite(np.vstack, _vstack),
    composite(np.hstack, _hstack),
    composite(np.dstack, _dstack),
    composite(np.column_stack, _column_stack),
)

_SPLITTING = (
    composite(np.split, _splitter(np.split)),
    composite(np.array_split, _splitter(np.array_split)),
    composite(np.vsplit, _split_along(0)),
    composite(np.hsplit, _split_along(1)),
    composite(np.dsplit, _split_along(2)),
)

RULES = (concatenate, *_JOINING, *_SPLITTING)

_V = Random((5,))
_M = Random((3, 4))
_A = Random((2, 3, 4))
_PAIR = [Random((2, 3)), Random((2, 3))]
_VECTORS = [_V, Random((5,))]
_SCALARS = [Random(()), Random(())]

SAMPLES: Samples = {
    _concatenate: [
        sample(0, Random((2, 3)), Random((1, 3)), Random((0, 3))),
        sample(-1, Random((2, 3)), Random((2, 1)), Random((2, 2))),
    ],
    np.concatenate: [sample(_PAIR), sample(_PAIR, axis=1), sample(_PAIR, axis=None)],
    np.stack: [sample(_PAIR), sample(_PAIR, axis=-1), sample(_PAIR, 1), sample(_SCALARS)],
    np.append: [*(sample(*_PAIR), sample(*_PAIR, axis=-1)), sample(_V, Random(())), sample(_V, _M)],
    np.vstack: [sample(_PAIR), sample(_VECTORS), sample(_SCALARS)],
    np.hstack: [sample(_PAIR), sample(_VECTORS), sample(_SCALARS)],
    np.dstack: [sample(_PAIR), sample(_VECTORS), sample(_SCALARS)],
    np.column_stack: [sample(_PAIR), sample([_V, Random((5, 2))])],
    np.split: [
        *(sample(_M, 3), sample(_A, 2, -1)),
        sample(_M, [1, 1, 3], axis=1),
        sample(_V, [9, 1]),
    ],
    np.array_split: [sample(_V, 3), sample(_A, [2, -1], axis=-1)],
    np.vsplit: [sample(_M, 3), sample(_A, [1])],
    np.hsplit: [sample(_M, 2), sample(_V, [2])],
    np.dsplit: [sample(_A, 2), sample(_A, [1, 3])],
}
