"""Windows of images as rows of a matrix, and sums of such rows: what makes convolutions products.

Images have shape (n, height, width, channels), so that neighbours in a row of a window are
neighbours in memory, and go in runs. `tests/kernels/test_windows.py` compares both functions with
loops over single elements.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_ugan.errors import ArgumentTypeError
from tinygrad_ugan.kernels.addresses import check_shape, native_rows
from tinygrad_ugan.typing import Array

Pair: TypeAlias = tuple[int, int]


class Windows(NamedTuple):
    """The places of windows on an image, along its height and along its width.

    Attributes
    ----------
    size : (int, int)
        Elements of the image.
    kernel : (int, int)
        Elements of a window.
    stride : (int, int)
        Distances between windows.
    dilation : (int, int)
        Distances between the elements of a window.
    before : (int, int)
        Zeros ahead of the image; behind it are as many as the windows reach.
    counts : (int, int)
        Windows.
    """

    size: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    counts: Pair


def gather(x: Array, windows: Windows) -> Array:
    """Windows of images of shape (n, *size, channels), as (n, *counts, *kernel, channels)."""
    n, channels = _checked("x", x, windows.size)
    out = np.empty((n, *windows.counts, *windows.kernel, channels), x.dtype)
    _run_loops(_gather, _lines(native_rows(x)), _runs(out, windows), channels, windows)
    return out


def scatter(g: Array, windows: Windows) -> Array:
    """Sum of windows at their places, shape (n, *size, channels): the transpose of `gather`."""
    n, channels = _checked("g", g, (*windows.counts, *windows.kernel))
    out = np.zeros((n, *windows.size, channels), g.dtype)
    _run_loops(_scatter, _runs(native_rows(g), windows), _lines(out), channels, windows)
    return out


def _checked(name: str, x: Array, inner: tuple[int, ...]) -> tuple[int, int]:
    """The numbers of images and of channels."""
    if x.dtype not in (np.float32, np.float64):
        raise ArgumentTypeError(name, f"dtype {x.dtype}", "float32 or float64")
    n, channels = (*x.shape, 0)[0], (0, *x.shape)[-1]
    check_shape(name, x, (n, *inner, channels))
    return n, channels


def _lines(x: Array) -> Array:
    """Images, of which every line is one axis."""
    n, height, width, channels = x.shape
    return x.reshape(n, height, width * channels)


def _runs(x: Array, windows: Windows) -> Array:
    """Windows, of which every run of neighbours in a line is one axis."""
    *shape, columns, channels = x.shape
    if windows.dilation[1] == 1:
        return x.reshape(*shape, 1, columns * channels)
    return x


def _run_loops(
    loops: Callable[..., None], source: Array, out: Array, channels: int, windows: Windows
) -> None:
    places = windows.stride, windows.dilation, windows.before
    _compiled(loops, source.dtype)(source, out, channels, *places)


# Both loops find out themselves which part of a run lies in the image, by the shapes of the arrays:
# whatever else they are told, they touch no other memory. From there on numbers are unsigned, so
# that numba looks for no negative indices, and LLVM can vectorise.


def _gather(x: Any, out: Any, channels: int, stride: Pair, dilation: Pair, before: Pair) -> None:
    images, height, length = x.shape
    _, down, across, kernel, runs, run = out.shape
    for n in range(images):
        for i in range(down):
            for a in range(kernel):
                row = i * stride[0] + a * dilation[0] - before[0]
                is_inside = 0 <= row < height
                line = x[n, row if is_inside else 0]
                for b in range(runs):
                    for j in range(across):
                        to = out[n, i, j, a, b]
                        start = (j * stride[1] + b * dilation[1] - before[1]) * channels
                        first, last = max(-start, 0), min(length - start, run)
                        if not is_inside or first > 0 or last < run:
                            to[:] = 0
                        if is_inside and first < last:
                            i0, i1 = np.uint64(first), np.uint64(start + first)
                            for k in range(np.uint64(last - first)):
                                to[i0 + k] = line[i1 + k]


def _scatter(g: Any, out: Any, channels: int, stride: Pair, dilation: Pair, before: Pair) -> None:
    images, height, length = out.shape
    _, down, across, kernel, runs, run = g.shape
    for n in range(images):
        for i in range(down):
            for a in range(kernel):
                row = i * stride[0] + a * dilation[0] - before[0]
                if row < 0 or row >= height:
                    continue
                line = out[n, row]
                for b in range(runs):
                    for j in range(across):
                        source = g[n, i, j, a, b]
                        start = (j * stride[1] + b * dilation[1] - before[1]) * channels
                        first, last = max(-start, 0), min(length - start, run)
                        if first < last:
                            i0, i1 = np.uint64(first), np.uint64(start + first)
                            for k in range(np.uint64(last - first)):
                                line[i1 + k] += source[i0 + k]


@functools.cache
def _compiled(loops: Callable[..., None], dtype: np.dtype[Any]) -> Any:
    """Compile the loops, from an array to read to one to write to."""
    import numba  # slow to import

    from tinygrad_ugan.kernels import plain

    number, pair = numba.from_dtype(dtype), numba.typeof((1, 1))  # type: ignore[no-untyped-call]
    source, out = (3, 6) if loops is _gather else (6, 3)
    arrays = (
        numba.types.Array(number, source, "C", readonly=True),
        numba.types.Array(number, out, "C"),
    )
    return plain.jitted(loops, numba.void(*arrays, numba.int64, pair, pair, pair))
