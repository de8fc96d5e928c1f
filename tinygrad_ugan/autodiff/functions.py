"""Functions of our own: `array`, and those of scipy.special that do not dispatch on arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import anywhere, as_array, match_dtype, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import unary
from tinygrad_ugan.autodiff.pytrees import is_traced
from tinygrad_ugan.autodiff.rules.axes import Axis, restore_axes, unreduce
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError


def array(object: Any, dtype: Any = None) -> Any:  # noqa: A002
    """Make an array from nested lists of tensors, arrays and numbers, as `numpy.array` does.

    Parameters
    ----------
    object : array-like
        Whatever stands side by side in a list must have one shape.
    dtype : dtype, optional
        By default that of the tensors and arrays, promoted among themselves; Python numbers take
        part as they do in arithmetic and do not widen float32.

    Returns
    -------
    array or tensor
        A tensor if `object` holds one.

    Raises
    ------
    ArgumentError
        If shapes differ within a list.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> def rotated(angle):
    ...     c, s = np.cos(angle), np.sin(angle)
    ...     return ug.array([[c, -s], [s, c]]) @ np.array([1.0, 0.0])
    >>> ug.jacobian(rotated)(0.0)
    array([0., 1.])
    """
    if dtype is None:
        kinds = {getattr(x, "dtype", type(x)): untrace(x) for x in optree.tree_leaves(object)}
        dtype = np.result_type(*kinds.values()) if kinds else float
    dtype = np.dtype(dtype)
    return _stacked(object, dtype) if is_traced(object) else np.array(object, dtype)


def _stacked(x: Any, dtype: np.dtype) -> Any:
    if not is_traced(x):
        return np.asarray(x, dtype)
    if isinstance(x, Tracer):
        return match_dtype(x, np.empty(0, dtype))
    parts = [_stacked(item, dtype) for item in x]
    shapes = sorted({shape_of(part) for part in parts})
    if len(shapes) > 1:
        raise ArgumentError("object", f"a list of shapes {shapes}", "one shape within each list")
    return np.stack(parts)


def logsumexp(a: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Compute ``log(sum(exp(a)))``, finite for every finite `a`.

    Parameters
    ----------
    a : array_like
        Real numbers. The logarithm of 0, -inf, is one of them.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.
    keepdims : bool
        Whether the summed axes stay, with length 1.

    Returns
    -------
    array or scalar
        Its derivative is ``softmax(a, axis)``, and 0 where every summand is ``exp(-inf) = 0``.

    Examples
    --------
    >>> float(logsumexp([-1000.0, -1000.0]) - (np.log(2) - 1000))
    0.0
    """
    return _logsumexp(as_array(a), axis, keepdims)


def softmax(a: Any, axis: Axis = None) -> Any:
    """Compute ``exp(a) / sum(exp(a))``, finite for every finite `a`.

    Parameters
    ----------
    a : array_like
        Real numbers.
    axis : int or tuple of int, optional
        The axes over which the result sums to 1; all by default.

    Returns
    -------
    array or scalar
        Like `a`.

    Examples
    --------
    >>> softmax([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    return _softmax(as_array(a), axis)


def log_softmax(a: Any, axis: Axis = None) -> Any:
    """Compute ``a - log(sum(exp(a)))``, the logarithm of `softmax` even where that rounds to 0.

    Parameters
    ----------
    a : array_like
        Real numbers.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.

    Returns
    -------
    array or scalar
        Like `a`.

    Examples
    --------
    >>> log_softmax([0.0, 1000.0])
    array([-1000.,     0.])
    """
    return _log_softmax(as_array(a), axis)


def _finite_max(a: Any, axis: Axis) -> Any:
    """The maximum, with its axes kept, as a shift of the exponents; 0 where it is infinite."""
    largest = np.max(a, axis=axis, keepdims=True)
    return np.where(np.isfinite(largest), largest, 0)


def _bare_logsumexp(a: Any, axis: Axis, keepdims: bool) -> Any:
    """``max + log(times) + log1p(rest / times)``, with the number of times the maximum occurs."""
    largest = np.max(a, axis=axis, keepdims=True)
    top = a == largest
    with np.errstate(divide="ignore", over="ignore"):  # of NaN and infinity
        others = np.where(top, 0, np.exp(a - _finite_max(a, axis)))
        times = np.sum(top, axis=axis, keepdims=True, dtype=others.dtype)
        rest = np.sum(others, axis=axis, keepdims=True)
        ans = largest + (np.log(times) + np.log1p(rest / times))
    return ans if keepdims else np.squeeze(ans, axis)


def _shares(ans: Any, a: Any, axis: Axis) -> Any:
    """The gradient of logsumexp: softmax, but 0 for a sum of zeros, and its limit at infinity."""
    total = restore_axes(untrace(ans), shape_of(a), axis)
    empty, full = total == -np.inf, untrace(a) == np.inf
    if anywhere(full):
        several = np.sum(full, axis=axis, keepdims=True, dtype=a.dtype) > 1
        a = np.where(full, np.where(several, np.nan, np.finfo(a.dtype).max), a)
    if not anywhere(empty):
        return _softmax(a, axis)
    return np.where(empty, 0, _softmax(np.where(empty, 0, a), axis))


def _logsumexp_push(t: Any, ans: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    return np.sum(t * _shares(ans, a, axis), axis=axis, keepdims=keepdims)


def _logsumexp_pull(g: Any, ans: Any, a: Any, axis: Axis, keepdims: bool) -> Any:
    return unreduce(g, a, axis, keepdims) * _shares(ans, a, axis)


def _bare_softmax(a: Any, axis: Axis) -> Any:
    exponential = np.exp(a - np.max(a, axis=axis, keepdims=True))
    return exponential / np.sum(exponential, axis=axis, keepdims=True)


# For a share p near 1, ``1 - p`` (the sum of the other shares) cancels. The term of that share is
# therefore subtracted first, which changes nothing in exact arithmetic.


def _dominant(p: Any) -> Any:
    """Mask of the share that exceeds one half; there is at most one."""
    return untrace(p) > 0.5


def _without_mean(t: Any, p: Any, axis: Axis) -> Any:
    """``t - sum(p t)``."""
    t = t - np.sum(np.where(_dominant(p), t, 0), axis=axis, keepdims=True)
    return t - np.sum(p * t, axis=axis, keepdims=True)


def _softmax_push(t: Any, ans: Any, a: Any, axis: Axis) -> Any:
    return ans * _without_mean(t, ans, axis)


def _bare_log_softmax(a: Any, axis: Axis) -> Any:
    shifted = a - _finite_max(a, axis)
    return shifted - _bare_logsumexp(shifted, axis, keepdims=True)


def _log_softmax_push(t: Any, ans: Any, a: Any, axis: Axis) -> Any:
    return _without_mean(t, np.exp(ans), axis)


def _log_softmax_pull(g: Any, ans: Any, a: Any, axis: Axis) -> Any:
    """The cotangents sum to 0, so that of the dominant element is minus the sum of the others."""
    p = np.exp(ans)
    dominant = _dominant(p)
    back = g - p * np.sum(g, axis=axis, keepdims=True)
    rest = np.sum(np.where(dominant, 0, back), axis=axis, keepdims=True)
    return np.where(dominant, -rest, back)


_logsumexp = unary(
    _bare_logsumexp,
    _logsumexp_push,
    _logsumexp_pull,
    convention="0 where all of the summands are exp(-inf), NaN where several are exp(inf)",
    is_composed=True,
)
# The Jacobian of softmax is symmetric: it is its own transpose.
_softmax = unary(_bare_softmax, _softmax_push, _softmax_push, is_composed=True)
_log_softmax = unary(_bare_log_softmax, _log_softmax_push, _log_softmax_pull, is_composed=True)

PRIMITIVES = (_logsumexp, _softmax, _log_softmax)

_CALLS = [(Random((2, 3)), None), (Random((2, 3)), -1), (Random((2, 3, 2)), (0, -1))]
_SAMPLES = [*(sample(*call) for call in _CALLS), sample(Random(()), None)]
_SUMS = [sample(*call, keepdims) for call in _CALLS for keepdims in (False, True)]

SAMPLES: Samples = {
    _bare_logsumexp: [*_SUMS, sample(Random(()), None, False)],
    _bare_softmax: _SAMPLES,
    _bare_log_softmax: _SAMPLES,
}
