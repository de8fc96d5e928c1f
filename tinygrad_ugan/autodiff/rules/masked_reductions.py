"""Reductions with a mask (``where=``) or start (``initial=``), and variances about a given mean.

Without these arguments, `reductions` and `cumulative` compute them more directly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, untrace
from tinygrad_ugan.autodiff.rules.axes import Axis, cast
from tinygrad_ugan.autodiff.rules.derived import derive
from tinygrad_ugan.autodiff.rules.stable_derivatives import root


def _sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = 0,
    where: Any = True,
) -> Any:
    a = np.where(untrace(where), cast(as_array(a), dtype), 0)
    return np.sum(a, axis=axis, keepdims=keepdims) + initial


def _prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = 1,
    where: Any = True,
) -> Any:
    a = np.where(untrace(where), cast(as_array(a), dtype), 1)
    return np.prod(a, axis=axis, keepdims=keepdims) * initial


def _mean(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    where: Any = True,
) -> Any:
    a = cast(as_array(a), dtype)
    return _total(a, where, axis, keepdims) / _number(a, where, axis, keepdims)


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
    a = cast(as_array(a), dtype)
    if mean is None:
        mean = _total(a, where, axis, True) / _number(a, where, axis, True)
    freedom = _number(a, where, axis, keepdims) - (ddof if correction is None else correction)
    return _total(np.square(a - mean), where, axis, keepdims) / np.maximum(freedom, 0)


@functools.wraps(_var)
def _std(*args: Any, **options: Any) -> Any:
    return root(_var(*args, **options), 2)


def _total(a: Any, where: Any, axis: Axis, keepdims: bool) -> Any:
    return np.sum(np.where(untrace(where), a, 0), axis=axis, keepdims=keepdims)


def _number(a: Any, where: Any, axis: Axis, keepdims: bool) -> Any:
    return np.sum(np.broadcast_to(untrace(where), a.shape), axis=axis, keepdims=keepdims)


def _extreme(reduce: Callable[..., Any], pair: Callable[..., Any], fill: float) -> Any:
    """The extreme of the elements under the mask and of `initial`."""

    def extreme(
        a: Any,
        axis: Axis = None,
        *,
        keepdims: bool = False,
        initial: Any = None,
        where: Any = True,
    ) -> Any:
        a = np.where(untrace(where), as_array(a), fill)
        found = reduce(a, axis=axis, keepdims=keepdims)
        return found if initial is None else pair(found, initial)

    return derive(reduce, extreme)


masked_sum = derive(np.sum, _sum)
masked_prod = derive(np.prod, _prod)
masked_mean = derive(np.mean, _mean)
masked_var = derive(np.var, _var)
masked_std = derive(np.std, _std)
masked_max = _extreme(np.max, np.maximum, -np.inf)
masked_min = _extreme(np.min, np.minimum, np.inf)
