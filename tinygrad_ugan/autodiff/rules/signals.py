"""Functions of signals: correlations, windows, phases, shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise, linear
from tinygrad_ugan.autodiff.rules.derived import derived
from tinygrad_ugan.autodiff.rules.indexing import selection
from tinygrad_ugan.autodiff.samples import Random, Samples, sample


def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Convolve with the shorter one, reversed."""
    a, v = np.atleast_1d(as_array(a)), np.atleast_1d(as_array(v))
    if len(a) >= len(v):
        return np.convolve(a, v[::-1], mode)
    return np.convolve(v, a[::-1], mode)[::-1]


def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    differences = np.diff(np.ravel(as_array(ary)))
    ends = (to_begin, differences, to_end)
    return np.concatenate([np.ravel(as_array(x)) for x in ends if x is not None])


def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """Add to the phases as many periods as NumPy does."""
    p, bare = as_array(p), as_array(untrace(p))
    unwrapped = np.unwrap(bare, untrace(discont), axis, period=untrace(period))
    return p + np.rint((unwrapped - bare) / untrace(period)) * period


def _trim_zeros(filt: Any, trim: str = "fb") -> Any:
    """Cut leading and trailing zeros, at the ends named by `trim`."""
    filt, sides = as_array(filt), trim.lower()
    places = np.nonzero(untrace(filt))
    if places[0].size == 0:
        return filt[(slice(0),) * len(places)]
    begins = [int(i.min()) if "f" in sides else None for i in places]
    ends = [int(i.max()) + 1 if "b" in sides else None for i in places]
    return filt[tuple(map(slice, begins, ends))]


def _i1(x: Any) -> Any:
    """The derivative of the Bessel function i0; SciPy is imported only here."""
    from scipy import special

    return special.i1(x)


def _window_sums(
    g: Any, shape: Sequence[int], window_shape: int | Sequence[int], axis: Any = None
) -> Any:
    """Zeros of `shape` with the windows g added at their places."""
    window = np.atleast_1d(window_shape).tolist()
    axes = normalize_axis_tuple(
        range(len(shape)) if axis is None else axis, len(shape), "axis", True
    )
    total = np.zeros(shape, g.dtype)
    for element in np.ndindex(*window):
        start = np.zeros(len(shape), int)
        np.add.at(start, list(axes), element)
        places = (slice(i, i + n) for i, n in zip(start, g.shape, strict=False))
        total[tuple(places)] += g[..., *element]
    return total


windows: Primitive = linear(
    sliding_window_view,
    lambda g, x, window_shape, axis=None: window_sums(g, shape_of(x), window_shape, axis),
)
window_sums: Primitive = linear(
    _window_sums,
    lambda x, g, shape, window_shape, axis=None: windows(x, window_shape, axis),
)

RULES = (
    derived(np.correlate, _correlate),
    derived(np.ediff1d, _ediff1d),
    derived(np.unwrap, _unwrap, "at jumps, the derivative of the branch that NumPy takes"),
    derived(np.trim_zeros, _trim_zeros),
    elementwise(np.i0, lambda ans, x: _i1(x)),
    selection(np.fft.fftshift),
    selection(np.fft.ifftshift),
    *(windows, window_sums),
)


def _with_zeros(x: Any) -> Any:
    """Set both ends and one inner element to zero."""
    n = shape_of(x)[0]
    return np.where(np.isin(np.arange(n), (0, 2, n - 1)), 0, x)


_V, _M, _A = Random((5,)), Random((3, 4)), Random((2, 3, 4))
_TRIMMED = Random((5,), structure=_with_zeros)
_STEPS = Random((5,), structure=lambda x: x / 10 + 4 * np.arange(5, dtype=x.dtype))
_CORRELATIONS = [
    *(sample(_V, Random((n,)), mode) for n in (3, 4) for mode in ("full", "same", "valid")),
    *(sample(Random((n,)), _V, mode=mode) for n in (2, 4) for mode in ("full", "same", "valid")),
    sample(_V, _V),
]

SAMPLES: Samples = {
    np.correlate: _CORRELATIONS,
    np.ediff1d: [sample(_V), sample(_M, Random((2,)), Random(())), sample(_V, to_begin=1.0)],
    np.unwrap: [sample(_STEPS), sample(_V, 2.0), sample(_A, axis=1, period=4.0)],
    np.trim_zeros: [sample(_TRIMMED), sample(_TRIMMED, "f"), sample(_V, "b")],
    np.fft.fftshift: [sample(_V), sample(_M), sample(_A, (0, -1)), sample(_A, axes=1)],
    np.fft.ifftshift: [sample(_V), sample(_M), sample(_A, (0, -1)), sample(_A, axes=1)],
    sliding_window_view: [
        sample(_V, 3),
        sample(_M, (2, 3)),
        sample(_A, 2, axis=-1),
        *(sample(_A, (2, 1), (1, 2)), sample(_A, (3, 2), (-1, -1))),
    ],
    _window_sums: [
        *(sample(Random((3, 3)), (5,), 3), sample(Random((2, 2, 2, 3)), (3, 4), (2, 3))),
        sample(Random((2, 3, 1, 3, 2)), (2, 3, 4), (3, 2), (-1, -1)),
    ],
}
