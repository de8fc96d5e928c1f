"""Windows and their sums against loops over single elements."""

import itertools

import numpy as np
import pytest

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels.windows import Windows, gather, scatter

ON_IMAGES = [
    Windows((1, 1), (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    Windows((5, 7), (3, 2), (2, 1), (1, 2), (1, 3), (3, 8)),
    Windows((6, 5), (3, 3), (1, 2), (1, 1), (1, 1), (6, 3)),
    Windows((4, 9), (2, 3), (3, 3), (3, 1), (0, 4), (1, 5)),
    Windows((2, 2), (5, 5), (1, 1), (2, 2), (4, 4), (2, 2)),  # most of it is outside
    Windows((2, 3), (1, 2), (1, 1), (1, 1), (0, 9), (1, 12)),  # and some of them wholly
]


def places(windows):
    """The index of an element of a window, and that of the image, or None outside."""
    for i, j, a, b in itertools.product(*map(range, (*windows.counts, *windows.kernel))):
        y, z = (
            place * stride + element * dilation - before
            for place, element, stride, dilation, before in zip(
                (i, j), (a, b), windows.stride, windows.dilation, windows.before, strict=True
            )
        )
        inside = 0 <= y < windows.size[0] and 0 <= z < windows.size[1]
        yield (i, j, a, b), (y, z) if inside else None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 20])
@pytest.mark.parametrize("windows", ON_IMAGES)
def test_are_the_elements_at_their_places(windows, channels, dtype, rng):
    x = rng.standard_normal((2, *windows.size, channels)).astype(dtype)
    expected = np.zeros((2, *windows.counts, *windows.kernel, channels), dtype)
    for window, place in places(windows):
        if place is not None:
            expected[:, *window] = x[:, *place]
    found = gather(x, windows)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 20])
@pytest.mark.parametrize("windows", ON_IMAGES)
def test_the_sum_is_that_of_all_elements_of_a_place(windows, channels, dtype, rng):
    g = rng.standard_normal((2, *windows.counts, *windows.kernel, channels)).astype(dtype)
    expected = np.zeros((2, *windows.size, channels))
    for window, place in places(windows):
        if place is not None:
            expected[:, *place] += g[:, *window]
    found = scatter(g, windows)
    assert found.dtype == dtype
    # up to 25 terms of size up to 4
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_strides_do_not_matter(rng):
    windows = ON_IMAGES[1]
    x = rng.standard_normal((4, 7, 5, 2)).transpose(0, 2, 1, 3)[::-2]
    np.testing.assert_array_equal(gather(x, windows), gather(x.copy(), windows))
    g = gather(x, windows)[..., ::-1]
    np.testing.assert_array_equal(scatter(g, windows), scatter(g.copy(), windows))


def test_no_images_have_no_windows():
    x = np.zeros((0, *ON_IMAGES[1].size, 2))
    assert scatter(gather(x, ON_IMAGES[1]), ON_IMAGES[1]).shape == x.shape


@pytest.mark.parametrize("f", [gather, scatter])
def test_other_arrays_are_refused(f):
    with pytest.raises(ArgumentError, match="shape"):
        f(np.ones((2, 3, 3, 1)), ON_IMAGES[1])
    with pytest.raises(ArgumentTypeError, match="dtype"):
        f(np.ones((2, 3, 3, 1), int), ON_IMAGES[1])
