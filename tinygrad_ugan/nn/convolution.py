r"""Convolutions: a family of three bilinear functions, which is closed under differentiation.

With the windows W(x) of images x as rows of a matrix, a linear function of x::

    y = W(x) w             `convolve`            from images and weights
    x = W^T(y w^T)         `convolve_transposed` the transpose in x
    w = W(x)^T y           `weight_sums`         the transpose in w

The transposes of each of them are the other two, and so derivatives of all orders are products of
matrices, with windows gathered before or summed up after. On bare arrays they are computed in
blocks of images, whose windows fit into the cache; compiled functions record what they are made of.

Layout: images have shape (n, height, width, channels), so that all channels of a place, which a
product sums over, are neighbours in memory; signals (n, length, channels). Weights have shape
(\*kernel, in_channels, out_channels).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.primitive import Primitive, bilinear, linear
from tinygrad_ugan.autodiff.rules.products import matmul, matmul_nt, matmul_tn
from tinygrad_ugan.autodiff.samples import Random, Samples, sample
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, check_choice
from tinygrad_ugan.kernels.windows import Windows, gather, scatter
from tinygrad_ugan.nn.initializers import Initializer, Orthogonal
from tinygrad_ugan.nn.validation import Extent, check_array, check_width, extents
from tinygrad_ugan.typing import Array

Padding: TypeAlias = str | Extent


def conv(
    x: Any, w: Any, stride: Extent = 1, padding: Padding = "same", dilation: Extent = 1
) -> Any:
    """Convolution of signals or images, with zeros around them.

    ``y[n, i, :] = sum_a x[n, stride i + dilation a - before, :] @ w[a]``, over one or two axes of
    places i and a. As everywhere in the field, the weights are not reversed: mathematically, it is
    a cross-correlation.

    Parameters
    ----------
    x : array, shape (n, length, in_channels) or (n, height, width, in_channels)
    w : array, shape (length, in_channels, out_channels) or (height, width, ...)
    stride : int or tuple of int
        Distance between places, for all axes or one by one.
    padding : {"same", "valid"}, int or tuple of int
        "same": as many zeros around x as give ceil(length / stride) places, of an odd number one
        more behind x than ahead of it. "valid": none. A number: so many on both sides.
    dilation : int or tuple of int
        Distance between the elements of x that neighbours in w multiply.

    Returns
    -------
    array, shape (n, length, out_channels) or (n, height, width, out_channels)

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes do not match, x is empty, or smaller than w; for dtypes but float32 and float64.

    Examples
    --------
    >>> x, w = np.array([[[1.0], [2.0], [4.0]]]), np.array([[[1.0]], [[10.0]]])
    >>> conv(x, w, padding="valid")[0].T
    array([[21., 42.]])
    >>> conv(x, w, stride=2)[0].T
    array([[21.,  4.]])
    """
    axes = _check_weights(w)
    *kernel, channels, _ = shape_of(w)
    size = _check_images("x", x, axes, channels)
    windows = _windows(size, kernel, stride, padding, dilation)
    y = convolve(_image(x, axes), _kernel(w, axes), windows=windows)
    return y if axes == 2 else np.squeeze(y, 1)


def conv_transpose(
    y: Any,
    w: Any,
    stride: Extent = 1,
    padding: Padding = "same",
    dilation: Extent = 1,
    size: Extent | None = None,
) -> Any:
    """The transpose of `conv` in x: every element of y adds a multiple of w to a window.

    Parameters
    ----------
    y : array, shape (n, length, in_channels) or (n, height, width, in_channels)
    w : array, shape (length, out_channels, in_channels) or (height, width, ...)
        The weights of the convolution that this is the transpose of.
    stride, padding, dilation : see `conv`
        Of that convolution.
    size : int or tuple of int, optional
        Extents of its x, of which several may give a y of the same extents. If not given, it is
        `stride` times as long as y for "same", and else as short as can be.

    Returns
    -------
    array, shape (n, length, out_channels) or (n, height, width, out_channels)

    Raises
    ------
    ArgumentError, ArgumentTypeError
        As `conv`; and if no x of that size has such a y.

    Examples
    --------
    >>> y, w = np.array([[[1.0], [2.0]]]), np.array([[[1.0]], [[10.0]], [[100.0]]])
    >>> conv_transpose(y, w, stride=2, padding="valid")[0].T
    array([[  1.,  10., 102.,  20., 200.]])
    """
    axes = _check_weights(w)
    *kernel, _, channels = shape_of(w)
    counts = _check_images("y", y, axes, channels)
    if size is None:
        size = _transposed_size(counts, kernel, stride, padding, dilation)
    windows = _windows(extents("size", size, axes), kernel, stride, padding, dilation)
    if windows.counts[2 - axes :] != counts:
        given = f"{size}, which gives {windows.counts[2 - axes :]}"
        raise ArgumentError("size", given, f"one whose convolution gives {counts}")
    x = convolve_transposed(_image(y, axes), _kernel(w, axes), windows=windows)
    return x if axes == 2 else np.squeeze(x, 1)


# The family


gather_windows: Primitive = linear(gather, lambda g, x, windows: scatter_windows(g, windows))
scatter_windows: Primitive = linear(scatter, lambda x, g, windows: gather_windows(x, windows))


def _convolve(x: Any, w: Any, *, windows: Windows) -> Any:
    weights = _rows(w)
    blocks = _blocks(windows, shape_of(x)[-1], (x,), w)
    parts = [matmul(_window_rows(block, windows), weights) for (block,) in blocks]
    return np.reshape(_joined(parts), (shape_of(x)[0], *windows.counts, shape_of(w)[-1]))


def _convolve_transposed(y: Any, w: Any, *, windows: Windows) -> Any:
    weights, channels = _rows(w), shape_of(w)[-2]
    shape = -1, *windows.counts, *windows.kernel, channels
    blocks = _blocks(windows, channels, (y,), w)
    products = (matmul_nt(_rows(block), weights) for (block,) in blocks)
    return _joined([scatter_windows(np.reshape(each, shape), windows) for each in products])


def _weight_sums(x: Any, y: Any, *, windows: Windows) -> Any:
    channels = shape_of(x)[-1]
    blocks = _blocks(windows, channels, (x, y))
    first, *others = (matmul_tn(_window_rows(a, windows), _rows(b)) for a, b in blocks)
    return np.reshape(sum(others, first), (*windows.kernel, channels, shape_of(y)[-1]))


convolve: Primitive = bilinear(
    _convolve,
    lambda g, x, w, *, windows: convolve_transposed(g, w, windows=windows),
    lambda g, x, w, *, windows: weight_sums(x, g, windows=windows),
    is_composed=True,
)
convolve_transposed: Primitive = bilinear(
    _convolve_transposed,
    lambda g, y, w, *, windows: convolve(g, w, windows=windows),
    lambda g, y, w, *, windows: weight_sums(g, y, windows=windows),
    is_composed=True,
)
weight_sums: Primitive = bilinear(
    _weight_sums,
    lambda g, x, y, *, windows: convolve_transposed(y, g, windows=windows),
    lambda g, x, y, *, windows: convolve(x, g, windows=windows),
    is_composed=True,
)

PRIMITIVES = (gather_windows, scatter_windows, convolve, convolve_transposed, weight_sums)

BLOCK = 2**17
"""Elements of the windows of a block of images: half a megabyte or one, which the cache holds."""


def _blocks(
    windows: Windows, channels: int, arrays: Sequence[Any], *others: Any
) -> Iterator[Sequence[Any]]:
    """Blocks of images of some arrays; all of them, if there is anything that is recorded."""
    n = shape_of(arrays[0])[0]
    size = n
    if not any(isinstance(a, Tracer) for a in (*arrays, *others)):
        elements = math.prod((*windows.counts, *windows.kernel, channels))
        size = min(n, max(1, BLOCK // elements))
    if size == n:
        yield arrays
        return
    for start in range(0, n, size):
        yield [a[start : start + size] for a in arrays]


def _window_rows(x: Any, windows: Windows) -> Any:
    """Windows of images as rows of a matrix."""
    elements = math.prod(windows.kernel) * shape_of(x)[-1]
    return np.reshape(gather_windows(x, windows), (-1, elements))


def _rows(x: Any) -> Any:
    """All axes but the last as one: images and places, or the elements of a window."""
    return np.reshape(x, (-1, shape_of(x)[-1]))


def _joined(parts: Sequence[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


# Shapes


def _check_weights(w: Any) -> int:
    """The number of axes that a convolution is over."""
    _check_dtype("w", w)
    shape = shape_of(w)
    if len(shape) not in (3, 4) or 0 in shape:
        expected = "shape (*kernel, channels, channels), with one or two axes of the kernel"
        raise ArgumentError("w", f"shape {shape}", expected)
    return len(shape) - 2


def _check_images(name: str, x: Any, axes: int, channels: int) -> tuple[int, ...]:
    """The extents of images, or of signals."""
    _check_dtype(name, x)
    shape = shape_of(x)
    if len(shape) != axes + 2 or shape[-1] != channels or 0 in shape:
        places = ("length", "height, width")[axes - 1]
        expected = f"shape (batch, {places}, {channels}), and none of them 0"
        raise ArgumentError(name, f"shape {shape}", expected)
    return shape[1:-1]


def _check_dtype(name: str, x: Any) -> None:
    check_array(name, x)
    if x.dtype not in (np.float32, np.float64):
        hint = "convert it with .astype(np.float32)"
        raise ArgumentTypeError(name, f"dtype {x.dtype}", "float32 or float64", hint)


def _windows(
    size: Sequence[int], kernel: Sequence[int], stride: Any, padding: Any, dilation: Any
) -> Windows:
    """The windows of a convolution; those of signals are windows of images of height 1."""
    axes = len(size)
    strides, dilations = extents("stride", stride, axes), extents("dilation", dilation, axes)
    before, counts = [], []
    for n, k, s, d, p in zip(
        size, kernel, strides, dilations, _paddings(padding, axes), strict=True
    ):
        span = d * (k - 1) + 1
        around = max((-(-n // s) - 1) * s + span - n, 0) if p is None else 2 * p
        if n + around < span:
            expected = f"at least {span - around} along every axis for a kernel that spans {span}"
            raise ArgumentError("x", f"{n} of {tuple(size)}", expected, "or more padding")
        before.append(around // 2)
        counts.append((n + around - span) // s + 1)
    if axes == 1:
        size, kernel, strides, dilations = (1, *size), (1, *kernel), (1, *strides), (1, *dilations)
        before, counts = [0, *before], [1, *counts]
    return Windows(*map(_pair, (size, kernel, strides, dilations, before, counts)))


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    first, second = numbers
    return first, second


def _transposed_size(
    counts: Sequence[int], kernel: Sequence[int], stride: Any, padding: Any, dilation: Any
) -> tuple[int, ...]:
    """The extents of the x whose convolution has so many places."""
    axes = len(counts)
    given = (
        counts,
        kernel,
        extents("stride", stride, axes),
        extents("dilation", dilation, axes),
        _paddings(padding, axes),
    )
    size = tuple(
        n * s if p is None else (n - 1) * s + d * (k - 1) + 1 - 2 * p
        for n, k, s, d, p in zip(*given, strict=True)
    )
    if min(size) < 1:
        raise ArgumentError("padding", padding, f"less: it leaves nothing of {size}")
    return size


def _paddings(padding: Any, axes: int) -> tuple[int | None, ...]:
    """The zeros on either side of every axis; None where "same" says how many."""
    if isinstance(padding, str):
        check_choice("padding", padding, ("same", "valid"))
        return ((None if padding == "same" else 0),) * axes
    return extents("padding", padding, axes, least=0)


def _image(x: Any, axes: int) -> Any:
    """A signal as an image of height 1."""
    return x if axes == 2 else np.expand_dims(x, 1)


def _kernel(w: Any, axes: int) -> Any:
    """The weights for signals as those for such images."""
    return w if axes == 2 else np.expand_dims(w, 0)


# Layers


class _Convolution:
    """Settings, weights and checks that both layers have."""

    in_channels: int
    out_channels: int
    kernel: Extent
    stride: Extent
    padding: Padding
    dilation: Extent
    initializer: Initializer

    def __post_init__(self) -> None:
        check_width("in_channels", self.in_channels)
        check_width("out_channels", self.out_channels)
        axes = len(self._shape)
        if axes not in (1, 2):
            raise ArgumentError("kernel", self.kernel, "a whole number, or a tuple of one or two")
        for name in ("kernel", "stride", "dilation"):
            extents(name, getattr(self, name), axes)
        _paddings(self.padding, axes)

    @property
    def _shape(self) -> tuple[int, ...]:
        """The kernel's extents."""
        return self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)

    def _draw(self, rng: np.random.Generator, dtype: DTypeLike) -> Array:
        """Weights of shape (*kernel, in_channels, out_channels), as a matrix drawn."""
        shape = (math.prod(self._shape) * self.in_channels, self.out_channels)
        drawn = self.initializer(rng, shape, dtype)
        return drawn.reshape(*self._shape, self.in_channels, self.out_channels)

    def _check(self, params: Any, shape: tuple[int, ...]) -> None:
        found, expected = shape_of(params["w"]), (*self._shape, *shape)
        if found != expected or shape_of(params["b"]) != (self.out_channels,):
            given = f"w of shape {found} and b of shape {shape_of(params['b'])}"
            raise ArgumentError("params", given, f"{expected} and {(self.out_channels,)}")


@dataclass(frozen=True)
class Conv(_Convolution):
    """`conv` as a layer: ``conv(x, w) + b``.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel : int or tuple of int
        Height and width; a tuple of one number is a length, for signals. A single number is a
        square.
    stride, padding, dilation : see `conv`
    initializer : Initializer
        Draws w, as a matrix with a row for each element of a window; b starts at zero.

    Raises
    ------
    ArgumentError
        If a number is not positive, or a tuple has not as many as `kernel`.

    Examples
    --------
    >>> layer = Conv(3, 16, kernel=5, stride=2)
    >>> params = layer.init(np.random.default_rng(0))
    >>> params["w"].shape, layer(params, np.ones((10, 25, 25, 3), np.float32)).shape
    ((5, 5, 3, 16), (10, 13, 13, 16))
    """

    in_channels: int
    out_channels: int
    kernel: Extent
    stride: Extent = 1
    padding: Padding = "same"
    dilation: Extent = 1
    initializer: Initializer = field(default_factory=Orthogonal)

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Draw ``{"w": (*kernel, in_channels, out_channels), "b": (out_channels,)}``."""
        return {"w": self._draw(rng, dtype), "b": np.zeros(self.out_channels, dtype)}

    def __call__(self, params: Any, x: Any) -> Any:
        """Return images of `out_channels` for images of `in_channels`."""
        self._check(params, (self.in_channels, self.out_channels))
        return conv(x, params["w"], self.stride, self.padding, self.dilation) + params["b"]


@dataclass(frozen=True)
class ConvTranspose(_Convolution):
    """`conv_transpose` as a layer: ``conv_transpose(y, w) + b``, which makes images larger.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel : int or tuple of int
        As of `Conv`.
    stride, padding, dilation, size : see `conv_transpose`
    initializer : Initializer
        Draws w, as a matrix with a row for each element of a window of the input; b starts at zero.

    Raises
    ------
    ArgumentError
        As `Conv`.

    Examples
    --------
    >>> layer = ConvTranspose(16, 3, kernel=4, stride=2)
    >>> params = layer.init(np.random.default_rng(0))
    >>> params["w"].shape, layer(params, np.ones((10, 8, 8, 16), np.float32)).shape
    ((4, 4, 3, 16), (10, 16, 16, 3))
    """

    in_channels: int
    out_channels: int
    kernel: Extent
    stride: Extent = 1
    padding: Padding = "same"
    dilation: Extent = 1
    size: Extent | None = None
    initializer: Initializer = field(default_factory=Orthogonal)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None:
            extents("size", self.size, len(self._shape))

    def init(self, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> dict[str, Array]:
        """Draw ``{"w": (*kernel, out_channels, in_channels), "b": (out_channels,)}``."""
        w = np.ascontiguousarray(np.swapaxes(self._draw(rng, dtype), -1, -2))
        return {"w": w, "b": np.zeros(self.out_channels, dtype)}

    def __call__(self, params: Any, y: Any) -> Any:
        """Return images of `out_channels` for images of `in_channels`."""
        self._check(params, (self.out_channels, self.in_channels))
        how = self.stride, self.padding, self.dilation, self.size
        return conv_transpose(y, params["w"], *how) + params["b"]


_OVERLAPPING = Windows(
    size=(4, 5), kernel=(3, 2), stride=(1, 2), dilation=(1, 3), before=(1, 2), counts=(5, 3)
)
_APART = Windows(
    size=(1, 7), kernel=(1, 2), stride=(1, 4), dilation=(1, 1), before=(0, 0), counts=(1, 2)
)


def _images(channels: int, windows: Windows) -> Random:
    return Random((2, *windows.size, channels))


def _results(channels: int, windows: Windows) -> Random:
    return Random((2, *windows.counts, channels))


def _weights(windows: Windows) -> Random:
    return Random((*windows.kernel, 3, 2))


_BOTH = (_OVERLAPPING, _APART)

SAMPLES: Samples = {
    gather: [sample(_images(2, w), w) for w in _BOTH],
    scatter: [sample(Random((2, *w.counts, *w.kernel, 2)), w) for w in _BOTH],
    _convolve: [sample(_images(3, w), _weights(w), windows=w) for w in _BOTH],
    _convolve_transposed: [sample(_results(2, w), _weights(w), windows=w) for w in _BOTH],
    _weight_sums: [sample(_images(3, w), _results(2, w), windows=w) for w in _BOTH],
}
