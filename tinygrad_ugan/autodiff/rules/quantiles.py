"""Order statistics: the cotangent goes to the selected elements."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import anywhere, as_array, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.axes import Axis, merge_axes, restore_axes
from tinygrad_ugan.autodiff.rules.derived import derive, derived
from tinygrad_ugan.autodiff.samples import Domain, Random, SampleCall, Samples, sample
from tinygrad_ugan.errors import ArgumentError

# The sorted sample is interpolated at ``n q + alpha + q (1 - alpha - beta) - 1``: Hyndman & Fan
# (1996), table 1. NumPy's "linear" has 1 and 1, and rounds less.
_PLOTTING = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}

_NUMPY = np.lib.NumpyVersion(np.__version__)

# These take a neighbour or the middle of two, by where q is; between its steps nothing moves.
_AVERAGING = ("midpoint", "averaged_inverted_cdf")
_INTERPOLATING = ("linear", *_PLOTTING, *_AVERAGING)


def _median(of_present: bool) -> Callable[..., Any]:
    def median(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Any:
        return _interpolated(a, 0.5, axis, keepdims, "linear", of_present)

    return median


def _quantile(function: Callable[..., Any], of_present: bool, whole: int) -> Callable[..., Any]:
    """A quantile at the fraction ``q / whole``, of all elements or of those that are not NaN."""

    def composition(
        a: Any,
        q: Any,
        axis: Axis = None,
        *,
        method: str = "linear",
        keepdims: bool = False,
        weights: Any = None,
    ) -> Any:
        q = q if isinstance(q, float | int) else as_array(q)
        if method in _INTERPOLATING:
            part = q / _divisor(a, q, whole)
            return _interpolated(a, part, axis, keepdims, method, of_present)
        return _picked(function, a, untrace(q), axis, keepdims, method, weights)

    @functools.wraps(composition)
    def quantile(a: Any, q: Any, *args: Any, **params: Any) -> Any:
        bare = as_array(untrace(q))
        if anywhere((bare < 0) | (bare > whole) | np.isnan(bare), unknown=False):
            raise ArgumentError("q", untrace(q), f"numbers from 0 to {whole}")
        return of_valid(a, q, *args, **params)

    of_valid = derive(function, composition)
    return quantile


def _divisor(a: Any, q: Any, whole: int) -> Any:
    """The divisor of percentages: before NumPy 2.4, a number of the dtype of the data."""
    if isinstance(q, float | int) or whole == 1 or _NUMPY >= "2.4.0" or a.dtype.kind != "f":
        return whole
    return a.dtype.type(whole)


def _picked(
    function: Callable[..., Any],
    a: Any,
    q: Any,
    axis: Axis,
    keepdims: bool,
    method: str,
    weights: Any,
) -> Any:
    """Find by its value the element that `function` selects: the first of equal ones."""
    x = merge_axes(a, axis)
    bare = as_array(untrace(x))
    if weights is not None:
        weights = untrace(as_array(weights))
        weights = merge_axes(weights, axis) if shape_of(weights) == shape_of(a) else weights
    value = function(bare, q, axis=-1, method=method, weights=weights)[..., None]
    found = np.argmax((bare == value) | (np.isnan(bare) & np.isnan(value)), axis=-1)
    *others, _ = np.indices((*bare.shape[:-1], 1), sparse=True)
    found = np.reshape(found, (-1, *bare.shape[:-1], 1))
    return _shaped(x[(*(i[None] for i in others), found)][..., 0], a, q, axis, keepdims)


def _interpolated(a: Any, q: Any, axis: Axis, keepdims: bool, method: str, of_present: bool) -> Any:
    """Interpolate linearly between neighbours in the sorted sample; NaN if it is empty."""
    x = merge_axes(as_array(a), axis)
    if shape_of(x)[-1] == 0:
        x = np.sum(x, axis=-1, keepdims=True) * np.nan
    bare = as_array(untrace(x))
    x = np.take_along_axis(x, np.argsort(bare, axis=-1, kind="stable"), -1)  # NaN goes last
    missing = np.sum(np.isnan(bare), axis=-1)
    last = bare.shape[-1] - 1
    n = as_array(bare.shape[-1] - (missing if of_present else 0 * missing))
    n = n if isinstance(q, float | int) else n.astype(q.dtype)  # the place is rounded as q is
    place = _place(np.reshape(q, (-1, *(1,) * n.ndim)), n, method)
    below = np.floor(untrace(place)).astype(int)
    fraction = place - below
    above = np.ceil(untrace(place)).astype(int)
    if not of_present:
        below, above = (np.where(missing > 0, last, i) for i in (below, above))
    low, high = (_at(x, i) for i in (below, above))
    return _shaped(low + fraction * (high - low), a, q, axis, keepdims)


def _place(q: Any, n: np.ndarray, method: str) -> Any:
    """The point of interpolation, from 0 to n - 1."""
    if method == "midpoint":
        exact = (n - 1) * untrace(q)
        place: Any = (np.floor(exact) + np.ceil(exact)) / 2
    elif method == "averaged_inverted_cdf":
        exact = n * untrace(q) - 1
        place = np.floor(exact) + np.where(exact % 1 == 0, 0.5, 1)
    elif method == "linear":
        place = (n - 1) * q
    else:
        alpha, beta = _PLOTTING[method]
        place = n * q + (alpha + q * (1 - alpha - beta)) - 1
    inside = (untrace(place) >= 0) & (untrace(place) <= n - 1)
    return np.where(inside, place, np.clip(untrace(place), 0, np.maximum(n - 1, 0)))


def _at(x: Any, places: np.ndarray) -> Any:
    """The elements of each row at `places`, along a new first axis."""
    *others, _ = np.indices((*shape_of(x)[:-1], 1), sparse=True)
    return x[(*(i[None, ..., 0] for i in others), places)]


def _shaped(found: Any, a: Any, q: Any, axis: Axis, keepdims: bool) -> Any:
    """Reshape the quantiles to the shape of q followed by the axes not reduced."""
    shape = shape_of(a)
    kept = shape_of(restore_axes(found[0], shape, axis)) if keepdims else shape_of(found)[1:]
    return np.reshape(found, shape_of(q) + kept)


_AT_TIES = "among equal elements the cotangent goes to those that a stable sort puts at the places"


def with_holes(x: Any) -> Any:
    """Set the elements with index 1 along both last axes (or the only one) to NaN."""
    shape = shape_of(x)
    hole = np.all(np.indices(shape)[-2:] == 1, axis=0)
    return np.where(hole, np.nan, x)


_AT_PLACES = _AT_TIES + "; at the places themselves the derivative in q is 0"

RULES = (
    derived(np.median, _median(of_present=False), _AT_TIES),
    derived(np.nanmedian, _median(of_present=True), _AT_TIES),
    composite(np.quantile, _quantile(np.quantile, False, 1), _AT_PLACES),
    composite(np.percentile, _quantile(np.percentile, False, 100), _AT_TIES),
    composite(np.nanquantile, _quantile(np.nanquantile, True, 1), _AT_PLACES),
    composite(np.nanpercentile, _quantile(np.nanpercentile, True, 100), _AT_TIES),
)

_ODD, _EVEN, _Q = Random((5,)), Random((3, 4)), Domain(0.3, 0.45)
# Of the dtype that does not promote, and exact in it, also as percentages.
_SOME = np.asarray([0.125, 0.6875, 0.90625], np.float32)
_HOLED, _HOLED_ROWS = Random((5,), structure=with_holes), Random((3, 4), structure=with_holes)
_MEDIANS = [
    *(sample(_ODD), sample(_EVEN), sample(_EVEN, 0), sample(_EVEN, axis=-1, keepdims=True)),
    *(sample(Random((2, 3, 2)), axis=(0, -1)), sample(Random(()))),
]
_HOLED_MEDIANS = [sample(_HOLED), sample(_HOLED_ROWS, 0), sample(_HOLED_ROWS, 1, keepdims=True)]


def _of_parts(whole: float) -> list[SampleCall]:
    """Sample calls of a quantile at fractions of `whole`."""
    return [
        *(sample(_ODD, 0.3 * whole), sample(_EVEN, 0.25 * whole), sample(_EVEN, 1.0 * whole, 0)),
        *(sample(_ODD, 0.5 * whole), sample(Random(()), 0.5 * whole, keepdims=True)),
        sample(_EVEN, _SOME[None] * np.float32(whole), axis=-1, keepdims=True),
        sample(Random((2, 3, 2)), _SOME * np.float32(whole), axis=(0, -1)),
        *(sample(_EVEN, _SOME * np.float32(whole), axis=0, method=m) for m in _PLOTTING),
        *(sample(_EVEN, _SOME * np.float32(whole), axis=1, method=m) for m in _AVERAGING),
        *(sample(_EVEN, 0.4 * whole, method=m) for m in ("lower", "higher", "nearest")),
        *(sample(_EVEN, _SOME, axis=1, method=m) for m in ("inverted_cdf", "closest_observation")),
        sample(_EVEN, 0.4 * whole, 1, method="inverted_cdf", weights=np.asarray([1, 2, 0, 1])),
    ]


_IN_Q = [sample(_ODD, Random((2,), _Q)), sample(_ODD, Random((), _Q), method="weibull")]
_HOLED_PARTS = [
    *(sample(_HOLED, 0.3), sample(_HOLED_ROWS, _SOME, axis=0)),
    *(sample(_HOLED_ROWS, _SOME, axis=1, method=m) for m in ("hazen", "midpoint", "lower")),
    sample(_HOLED, Random((), _Q)),
]

SAMPLES: Samples = {
    np.median: _MEDIANS,
    np.nanmedian: _HOLED_MEDIANS,
    np.quantile: [*_of_parts(1), *_IN_Q],
    np.percentile: _of_parts(100),
    np.nanquantile: _HOLED_PARTS,
    np.nanpercentile: [sample(_HOLED_ROWS, 30, 0), sample(_HOLED_ROWS, 60.0, keepdims=True)],
}
