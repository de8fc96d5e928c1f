"""The machine code of windows against loops over single elements, and within programs."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.compile.forms import Compiled, between_forbidden_pages, by_elements, unguarded
from tests.kernels.emitted import TARGETS
from tests.kernels.test_windows import ON_IMAGES
from tests.oracles import relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.compile.kernel_form import WindowsForm
from tinygrad_ugan.kernels.windows import Windows

WIDE = Windows((3, 40), (2, 30), (1, 1), (1, 1), (1, 15), (4, 41))  # a loop over vectors


def pair(form, dtype, allocate=unguarded):
    """What a form reads and what it writes, with random numbers in both."""
    windows, rng = form.windows, np.random.default_rng(0)
    shapes = [windows.size, (*windows.counts, *windows.kernel)]
    found = []
    for shape in reversed(shapes) if form.is_sum else shapes:
        whole = (form.images, *shape, form.channels)
        x = allocate(int(np.prod(whole)) * np.dtype(dtype).itemsize).view(dtype).reshape(whole)
        x[...] = rng.standard_normal(whole)
        found.append(x)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("channels", [1, 3, 18])
@pytest.mark.parametrize("is_sum", [False, True])
def test_code_copies_single_elements(is_sum, channels, target, dtype):
    for windows in (*ON_IMAGES, WIDE):
        form = WindowsForm(windows, 3, channels, is_sum)
        (source, out), (_, expected) = pair(form, dtype), pair(form, dtype)
        by_elements(form, source, expected, 1, 2)
        Compiled(form, TARGETS[target], dtype)([source, out], 1, 2)
        # sums of up to 60 terms of size up to 4; and copies of numbers are these numbers
        tolerance = 300 * np.finfo(dtype).eps if is_sum else 0
        np.testing.assert_allclose(out, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("is_sum", [False, True])
def test_nothing_outside_of_the_arrays_is_touched(is_sum, at_end):
    def guarded(size):
        return between_forbidden_pages(size, at_end=at_end)

    for windows in (*ON_IMAGES, WIDE):
        form = WindowsForm(windows, 2, 3, is_sum)
        for target in TARGETS.values():
            Compiled(form, target, np.float64)(pair(form, np.float64, guarded), 0, 2)


@pytest.mark.parametrize("n", [1, 5, 64])
def test_programs_take_windows_in_parts_and_blocks(n, rng):
    """Of one image; of a few, on one thread; and of so many that all threads have some."""
    x, w, v = (rng.standard_normal(s) for s in ((n, 12, 12, 4), (3, 3, 4, 8), (3, 3, 8, 1)))

    def loss(x, w, v):
        y = nn.conv_transpose(np.tanh(nn.conv(x, w, stride=2)), np.swapaxes(v, 2, 3), stride=2)
        return np.mean(np.sin(y))

    gradient = ug.grad(loss, argnums=(0, 1, 2))
    compiled = ug.compile(gradient)
    assert relative_error(compiled(x, w, v), gradient(x, w, v)) < 1e-13
    assert compiled.explain(x, w, v).startswith("loss: ")
    assert "NumPy:" not in compiled.explain(x, w, v)
    found = [compiled(x, w, v) for _ in range(2)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_windows_of_another_precision_stay_with_numpy(rng):
    """The kernels of a program are of one dtype."""
    x, w = rng.standard_normal((2, 6, 6, 3)), rng.standard_normal((3, 3, 3, 2))
    single = np.float32(x[:1, :4, :4])

    def f(x, w, single):
        return nn.conv(x, w) * 2, nn.conv(single, w.astype(np.float32))

    for a, b in zip(ug.compile(f)(x, w, single), f(x, w, single), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
