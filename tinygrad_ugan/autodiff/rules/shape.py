"""Functions that move whole arrays about: reshaping, permuting, repeating, padding. All linear.

Joining and splitting are in `joining`, picking single elements in `indexing`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import (
    as_array,
    as_operand,
    match_dtype,
    shape_of,
    unbroadcast,
    untrace,
)
from tinygrad_ugan.autodiff.primitive import composite, linear
from tinygrad_ugan.autodiff.rules.indexing import index_set, rearrange, selection
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import NotDifferentiableError, check_choice


def _reshape(a: Any, shape: Any, order: str = "C") -> Any:
    if order not in ("C", "F"):
        raise NotDifferentiableError(
            f"numpy.reshape with order={order!r} depends on the layout in memory; use 'C' or 'F'"
        )
    return a.reshape(shape, order=order)


def _reshape_transpose(g: Any, x: Any, shape: Any, order: str = "C") -> Any:
    return g.reshape(x.shape, order=order)


def _transpose_transpose(g: Any, x: Any, axes: Sequence[int] | None = None) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, tuple(np.argsort([i % len(axes) for i in axes])))


# The cotangent gets its old shape back; the other arguments only said what the new one was.
def _restore_shape(g: Any, x: Any, axis: Any = None) -> Any:
    return g.reshape(x.shape)


def _broadcast_to(array: Any, shape: Any) -> Any:
    """Broadcast to a view; the short cut for one number halves the cost of a small sum."""
    if shape_of(array) == () and isinstance(shape, tuple):
        return np.ndarray(shape, array.dtype, array, strides=(0,) * len(shape))
    return np.broadcast_to(array, shape)


def _ravel(a: Any, order: str = "C") -> Any:
    return np.reshape(a, -1, order=order)


def _broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*map(shape_of, map(as_operand, args)))
    return tuple(np.broadcast_to(as_operand(x), shape) for x in args)


def _each(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Apply a function to every argument; one argument gives one result, several a tuple."""

    def apply(*arys: Any) -> Any:
        results = tuple(function(as_operand(x)) for x in arys)
        return results[0] if len(results) == 1 else results

    return apply


@_each
def _atleast_1d(x: Any) -> Any:
    return x if shape_of(x) else np.reshape(x, (1,))


@_each
def _atleast_2d(x: Any) -> Any:
    shape = shape_of(x)
    return x if len(shape) >= 2 else np.reshape(x, (1, *shape, *(1,) * (1 - len(shape))))


@_each
def _atleast_3d(x: Any) -> Any:
    shape = shape_of(x)
    if len(shape) == 2:
        return np.reshape(x, (*shape, 1))
    return x if len(shape) >= 3 else np.reshape(x, (1, *(shape or (1,)), 1))


def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    check_choice("indexing", indexing, ("xy", "ij"))
    axes = list(range(len(xi)))
    if indexing == "xy":
        axes[:2] = axes[1::-1]
    grids = [
        np.reshape(as_operand(x), tuple(-1 if i == axis else 1 for i in range(len(xi))))
        for axis, x in zip(axes, xi, strict=True)
    ]
    return tuple(grids) if sparse else np.broadcast_arrays(*grids)


broadcast_to = linear(
    np.broadcast_to,
    lambda g, x, shape: unbroadcast(g, x),
    implementation=_broadcast_to,
)

_RESHAPING = (
    linear(np.reshape, _reshape_transpose, implementation=_reshape),
    linear(np.expand_dims, _restore_shape),
    linear(np.squeeze, _restore_shape),
    broadcast_to,
    composite(np.ravel, _ravel),
    composite(np.broadcast_arrays, _broadcast_arrays),
    composite(np.atleast_1d, _atleast_1d),
    composite(np.atleast_2d, _atleast_2d),
    composite(np.atleast_3d, _atleast_3d),
    composite(np.meshgrid, _meshgrid),
)

_PERMUTING = (
    linear(np.transpose, _transpose_transpose),
    linear(np.swapaxes, lambda g, x, axis1, axis2: np.swapaxes(g, axis1, axis2)),
    linear(np.moveaxis, lambda g, x, source, destination: np.moveaxis(g, destination, source)),
    composite(np.matrix_transpose, lambda x: np.swapaxes(x, -1, -2)),
    selection(np.rollaxis),
    linear(np.flip, lambda g, x, axis=None: np.flip(g, axis)),
    linear(np.flipud, lambda g, m: np.flipud(g)),
    linear(np.fliplr, lambda g, m: np.fliplr(g)),
    linear(np.rot90, lambda g, m, k=1, axes=(0, 1): np.rot90(g, -k, axes)),
    linear(np.roll, lambda g, a, shift, axis=None: np.roll(g, np.negative(shift), axis)),
)


def _pad(array: Any, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    shape = shape_of(array)
    values = options.get("constant_values")
    if isinstance(values, Tracer):
        values = np.broadcast_to(match_dtype(values, array), (len(shape), 2))
        return rearrange(lambda x, v: np.pad(x, pad_width, constant_values=v), [array, values])
    if mode == "constant":
        padded = np.pad(np.zeros(shape, array.dtype), pad_width, **options)
        widths = np.broadcast_to(pad_width, (len(shape), 2)).tolist()
        inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, shape, strict=True))
        return index_set(padded, array, inside)
    if mode not in _PAD_BY_COPYING or options.get("reflect_type", "even") != "even":
        given = ", ".join(f"{k}={v!r}" for k, v in {"mode": mode, **options}.items())
        raise NotDifferentiableError(
            f"numpy.pad with {given} has no derivative rule; pad with mode 'constant' or one of "
            f"{', '.join(map(repr, _PAD_BY_COPYING))}, or use np.concatenate"
        )
    return rearrange(lambda x: np.pad(x, pad_width, mode, **options), [array])


_PAD_BY_COPYING = ("edge", "reflect", "symmetric", "wrap")

_REPEATING = (
    selection(np.tile),
    selection(np.repeat),
    composite(np.pad, _pad),
)


def _full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Any:
    if not isinstance(fill_value, Tracer):
        return np.full_like(untrace(a), as_array(fill_value), dtype, order, subok, shape)
    full = np.broadcast_to(fill_value, shape_of(a) if shape is None else shape)
    return full.astype(a.dtype if dtype is None else dtype)


def _astype(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


astype = linear(_astype, lambda g, x, dtype: g.astype(x.dtype))

RULES = (
    *(*_RESHAPING, *_PERMUTING, *_REPEATING, astype),
    composite(np.copy, lambda a: np.positive(a)),
    composite(np.full_like, _full_like),
)

CONSTANTS = (
    *(np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj),
    *(np.zeros_like, np.ones_like, np.empty_like, np.array_equal, np.allclose),
)

_A = Random((2, 3, 4))
_M = Random((3, 4))
_V = Random((5,))

SAMPLES: Samples = {
    np.broadcast_to: [
        sample(Random(()), (2, 3)),
        sample(Random((3, 1)), (2, 3, 4)),
        sample(_A, (2, 3, 4)),
    ],
    np.reshape: [
        sample(_A, (6, 4)),
        sample(_A, -1),
        sample(_A, (4, 6), "F"),
        sample(Random(()), (1, 1)),
    ],
    np.expand_dims: [sample(_A, 0), sample(_A, (1, -1))],
    np.squeeze: [sample(Random((1, 3, 1))), sample(Random((1, 3, 1)), 0), sample(_A, axis=())],
    np.ravel: [sample(_A), sample(_A, "F")],
    np.broadcast_arrays: [sample(_M, Random((2, 1, 4)), Random(()))],
    np.atleast_1d: [sample(Random(())), sample(_A), sample(_V, _M)],
    np.atleast_2d: [sample(Random(())), sample(_V), sample(_A, _M)],
    np.atleast_3d: [sample(Random(())), sample(_V), sample(_A, _M)],
    np.meshgrid: [
        *(sample(_V, Random((2,))), sample(_V), sample(_V, Random(()), indexing="ij")),
        *(sample(_V, Random((3,)), Random((2,))), sample(_V, Random((2,)), sparse=True)),
    ],
    np.transpose: [sample(_A), sample(_A, (2, 0, 1)), sample(_A, axes=(-1, 0, 1))],
    np.swapaxes: [sample(_A, 0, -1), sample(_A, 1, 2)],
    np.moveaxis: [sample(_A, 0, -1), sample(_A, (0, 1), (-1, 0))],
    np.matrix_transpose: [sample(_M), sample(_A)],
    np.rollaxis: [sample(_A, 2), sample(_A, -2, 3), sample(_A, 0, start=2)],
    np.flip: [sample(_A), sample(_A, 1), sample(_A, axis=(0, -1))],
    np.flipud: [sample(_A)],
    np.fliplr: [sample(_A)],
    np.rot90: [sample(_M), sample(_A, 3), sample(_A, axes=(2, 1)), sample(_M, -2)],
    np.roll: [sample(_A, 5), sample(_A, -1, 1), sample(_A, (1, 2), axis=(0, -1)), sample(_V, 7)],
    np.tile: [sample(_M, 2), sample(_M, (2, 1, 3)), sample(Random(()), 3)],
    np.repeat: [
        *(sample(_M, 2), sample(_A, 3, 1), sample(_M, [0, 2, 1], axis=0)),
        *(sample(_M, [2, 0, 1, 1], axis=-1), sample(Random(()), 2)),
    ],
    np.pad: [
        *(sample(_A, 1), sample(_M, (1, 2), constant_values=3.0)),
        *(sample(_M, ((0, 2), (1, 0)), mode) for mode in ("constant", *_PAD_BY_COPYING)),
        *(sample(_V, (7, 6), mode=mode) for mode in ("reflect", "wrap")),
    ],
    _astype: [sample(_A, np.dtype(np.float64))],
    np.copy: [sample(_A)],
    np.full_like: [sample(_M, Random(())), sample(_A, Random((3, 1)))],
}
