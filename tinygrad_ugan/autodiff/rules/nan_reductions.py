"""Reductions that skip NaN, in whose elements the derivative is 0."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.rules.axes import Axis
from tinygrad_ugan.autodiff.rules.derived import derived
from tinygrad_ugan.autodiff.rules.quantiles import with_holes
from tinygrad_ugan.autodiff.rules.stable_derivatives import root
from tinygrad_ugan.autodiff.samples import Random, Samples, sample

Where = Any
"""True for all elements, or a mask."""


def _present(a: Any, where: Where = True) -> Any:
    """Mask of the elements that count, a constant."""
    return ~np.isnan(untrace(a)) & untrace(where)


def _filled(fill: float, reduce: Callable[..., Any]) -> Callable[..., Any]:
    """`reduce`, with its neutral element `fill` in place of the elements that do not count."""

    def reduction(
        a: Any,
        axis: Axis = None,
        dtype: Any = None,
        *,
        keepdims: bool = False,
        initial: Any = None,
        where: Where = True,
    ) -> Any:
        options = {} if initial is None else {"initial": initial}
        a = np.where(_present(a, where), a, fill)
        return reduce(a, axis=axis, keepdims=keepdims, **options)

    return reduction


def _nanmean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Where = True,
) -> Any:
    present = _present(a, where)
    total = np.sum(np.where(present, a, 0), axis=axis, keepdims=keepdims)
    return total / np.sum(present, axis=axis, keepdims=keepdims)


def _nanvar(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    where: Where = True,
    mean: Any = None,
    correction: Any = None,
) -> Any:
    present = _present(a, where)
    a = np.where(present, a, 0)
    number = np.sum(present, axis=axis, keepdims=True)
    if mean is None:
        mean = np.sum(a, axis=axis, keepdims=True) / number
    squares = np.where(present, np.square(a - mean), 0)
    freedom = np.sum(present, axis=axis, keepdims=keepdims) - (correction or ddof)
    return np.sum(squares, axis=axis, keepdims=keepdims) / np.where(freedom > 0, freedom, np.nan)


@functools.wraps(_nanvar)
def _nanstd(*args: Any, **options: Any) -> Any:
    return root(_nanvar(*args, **options), 2)


def _extreme(reduce: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """`reduce` of the elements that count; NaN, with derivative 0, if there are none."""

    def reduction(
        a: Any,
        axis: Axis = None,
        *,
        keepdims: bool = False,
        initial: Any = None,
        where: Where = True,
    ) -> Any:
        present = _present(a, where)
        a = np.where(present, a, fill)
        if initial is not None:
            return reduce(a, axis=axis, keepdims=keepdims, initial=initial)
        empty = ~np.any(present, axis=axis, keepdims=keepdims)
        return np.where(empty, np.nan, reduce(a, axis=axis, keepdims=keepdims))

    return reduction


def _running(run: Callable[..., Any], fill: float) -> Callable[..., Any]:
    def reduction(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        return run(np.where(_present(a), a, fill), axis=axis)

    return reduction


_TIES = "equal extremes share the cotangent evenly"


RULES = (
    derived(np.nansum, _filled(0, np.sum)),
    derived(np.nanprod, _filled(1, np.prod)),
    derived(np.nanmean, _nanmean),
    derived(np.nanvar, _nanvar),
    derived(np.nanstd, _nanstd, "0 where the variance is 0, and then NaN"),
    derived(np.nanmax, _extreme(np.max, -np.inf), _TIES),
    derived(np.nanmin, _extreme(np.min, np.inf), _TIES),
    derived(np.nancumsum, _running(np.cumsum, 0)),
    derived(np.nancumprod, _running(np.cumprod, 1)),
)

CONSTANTS = (np.nanargmax, np.nanargmin)

_V, _M = Random((5,), structure=with_holes), Random((3, 4), structure=with_holes)
_WHOLE = Random((2, 3))
_MASK = np.array([True, False, True, True])
_CALLS = [
    *(sample(_V), sample(_M, 0), sample(_M, axis=-1, keepdims=True), sample(_WHOLE, axis=(0, 1))),
    sample(_M, 1, where=_MASK),
]
_STARTED = [sample(_M, 1, initial=0.5, where=_MASK), sample(_M, initial=0.25)]
_MEAN = np.asarray([[0, 0.5, -1, 2]], np.float32)
_SPREAD = [sample(_M, 1, ddof=1), sample(_M, 0, correction=0.5), sample(_M, 0, mean=_MEAN)]
_EXTREMES = [
    *_CALLS[:-1],
    *(sample(_M, 1, initial=start, where=_MASK) for start in (-9.0, 9.0)),
]
_RUNNING = [sample(_V), sample(_M, 0), sample(_M, axis=1)]

SAMPLES: Samples = {
    np.nansum: [*_CALLS, *_STARTED],
    np.nanprod: [*_CALLS, *_STARTED],
    np.nanmean: _CALLS,
    np.nanvar: [*_CALLS, *_SPREAD],
    np.nanstd: [*_CALLS, *_SPREAD],
    np.nanmax: _EXTREMES,
    np.nanmin: _EXTREMES,
    np.nancumsum: _RUNNING,
    np.nancumprod: _RUNNING,
}
