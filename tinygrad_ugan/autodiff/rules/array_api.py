"""Names of the array API standard, which NumPy 2 has beside its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_operand, shape_of
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.axes import Axis, restore_axes
from tinygrad_ugan.autodiff.rules.derived import derived
from tinygrad_ugan.autodiff.samples import Random, Samples, sample


def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = (np.moveaxis(as_operand(x), axis, -1) for x in (x1, x2))
    return np.sum(x1 * x2, -1)


def _vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Any:
    shape = shape_of(x)
    axes = tuple(range(len(shape))) if axis is None else axis
    if isinstance(axes, tuple):  # many axes as one, which comes first
        x = np.moveaxis(x, axes, tuple(range(len(axes))))
        merged = math.prod(shape_of(x)[: len(axes)])
        x = np.reshape(x, (merged, *shape_of(x)[len(axes) :]))
        axes = 0
    norm = np.linalg.norm(x, ord, axes)
    return restore_axes(norm, shape, axis) if keepdims else norm


def _matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


def _cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    sums = np.cumsum(x, axis, dtype)
    return _with_first(0, sums, axis) if include_initial else sums


def _cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    products = np.cumprod(x, axis, dtype)
    return _with_first(1, products, axis) if include_initial else products


def _with_first(value: float, x: Any, axis: int | None) -> Any:
    return np.insert(x, 0, value, axis or 0)


def _unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    return tuple(np.moveaxis(x, axis, 0))


def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return x.astype(dtype)


def _matvec(x1: Any, x2: Any) -> Any:
    return np.squeeze(np.matmul(x1, np.expand_dims(x2, -1)), -1)


def _vecmat(x1: Any, x2: Any) -> Any:
    return np.squeeze(np.matmul(np.expand_dims(x1, -2), x2), -2)


# NumPy has had these since 2.2.
_SINCE_2_2 = {
    "matvec": _matvec,
    "vecmat": _vecmat,
}

RULES = (
    *(
        derived(getattr(np, name), composition)
        for name, composition in _SINCE_2_2.items()
        if hasattr(np, name)
    ),
    composite(np.astype, _astype),
    composite(np.vecdot, lambda x1, x2: np.sum(x1 * x2, -1), rounds_differently=True),
    composite(np.linalg.vecdot, _vecdot, rounds_differently=True),
    composite(np.linalg.matmul, lambda x1, x2, /: np.matmul(x1, x2)),
    composite(np.linalg.outer, lambda x1, x2, /: np.outer(x1, x2)),
    composite(np.linalg.cross, lambda x1, x2, /, *, axis=-1: np.cross(x1, x2, axis=axis)),
    composite(np.linalg.tensordot, lambda x1, x2, /, *, axes=2: np.tensordot(x1, x2, axes)),
    composite(np.linalg.trace, lambda x, /, *, offset=0: np.trace(x, offset, -2, -1)),
    composite(np.linalg.diagonal, lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1)),
    composite(np.linalg.matrix_transpose, lambda x, /: np.swapaxes(x, -1, -2)),
    composite(np.linalg.svdvals, lambda x, /: np.linalg.svd(x, compute_uv=False)),
    composite(
        np.linalg.matrix_norm,
        _matrix_norm,
        convention="0 at 0, and then NaN; equal extremes share the cotangent evenly",
    ),
    composite(
        np.linalg.vector_norm,
        _vector_norm,
        convention="0 at 0, and then NaN; equal extremes share the cotangent evenly",
    ),
    composite(np.cumulative_sum, _cumulative_sum),
    composite(np.cumulative_prod, _cumulative_prod),
    composite(np.unstack, _unstack),
)

_V, _M, _A = Random((3,)), Random((3, 4)), Random((2, 3, 4))
_SAMPLES = [sample(_V), sample(_A, axis=1), sample(_M, axis=-1, include_initial=True)]
_CALLS_SINCE_2_2 = {
    "matvec": [sample(_M, Random((4,))), sample(_A, Random((2, 4)))],
    "vecmat": [sample(_V, _M), sample(Random((2, 3)), _A)],
}

SAMPLES: Samples = {
    **{getattr(np, name): calls for name, calls in _CALLS_SINCE_2_2.items() if hasattr(np, name)},
    np.astype: [sample(_M, np.dtype(np.float64))],
    np.vecdot: [sample(_V, _V), sample(_A, _M)],
    np.linalg.vecdot: [sample(_A, _M), sample(_A, Random((3, 1)), axis=-2)],
    np.linalg.matmul: [sample(_A, Random((4, 2)))],
    np.linalg.outer: [sample(_V, Random((2,)))],
    np.linalg.cross: [sample(_V, _V), sample(_M, _M, axis=0)],
    np.linalg.tensordot: [sample(_A, _M), sample(_A, _V, axes=((1,), (0,)))],
    np.linalg.trace: [sample(_A), sample(_M, offset=1)],
    np.linalg.diagonal: [sample(_A), sample(_M, offset=-1)],
    np.linalg.matrix_transpose: [sample(_A)],
    np.linalg.svdvals: [sample(_M), sample(_A)],
    np.linalg.matrix_norm: [sample(_A), sample(_M, ord="nuc", keepdims=True), sample(_A, ord=1)],
    np.linalg.vector_norm: [
        *(sample(_A), sample(_A, axis=(-1, 0)), sample(_A, axis=(0, 1), ord=3, keepdims=True)),
        *(sample(_A, axis=1, ord=1), sample(_M, keepdims=True, ord=np.inf)),
    ],
    np.cumulative_sum: _SAMPLES,
    np.cumulative_prod: _SAMPLES,
    np.unstack: [sample(_A), sample(_A, axis=-1)],
}
