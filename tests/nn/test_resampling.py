import itertools

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError

SHAPES = [((2, 7, 3), 2), ((2, 4, 6, 3), 2), ((1, 5, 7, 2), (1, 3)), ((2, 3, 3, 1), 3)]


def blocks(shape, size):
    """The place of every window in a pooled image, and its elements."""
    size = np.broadcast_to(size, len(shape) - 2)
    counts = [n // s for n, s in zip(shape[1:-1], size, strict=True)]
    for i in itertools.product(*map(range, counts)):
        yield i, tuple(slice(k * s, (k + 1) * s) for k, s in zip(i, size, strict=True))


@pytest.mark.parametrize(("shape", "size"), SHAPES)
def test_pools_are_averages_of_windows(shape, size, rng):
    x = rng.standard_normal(shape)
    pooled = nn.avg_pool(x, size)
    count = 0
    for place, window in blocks(shape, size):
        mean = x[:, *window].mean(axis=tuple(range(1, x.ndim - 1)))
        np.testing.assert_allclose(pooled[:, *place], mean, rtol=1e-13)
        count += 1
    assert pooled[0, ..., 0].size == count
    assert nn.avg_pool(np.float32(x), size).dtype == np.float32


@pytest.mark.parametrize(("shape", "factor"), SHAPES)
def test_upsampling_repeats(shape, factor, rng):
    x = rng.standard_normal(shape)
    expected = x
    for axis, n in enumerate(np.broadcast_to(factor, x.ndim - 2), 1):
        expected = np.repeat(expected, n, axis)
    np.testing.assert_array_equal(nn.upsample(x, factor), expected)
    np.testing.assert_allclose(nn.avg_pool(expected, factor), x, rtol=1e-14)


@pytest.mark.parametrize("f", [nn.avg_pool, nn.upsample])
@pytest.mark.parametrize(("shape", "factor"), SHAPES[:3])
def test_both_modes_compiled_or_not(f, shape, factor, rng):
    x = 0.3 * rng.standard_normal(shape)
    check_modes(lambda x: np.tanh(f(x, factor)), (x,), rng, order=2)
    gradient = ug.grad(lambda x: np.sum(np.tanh(f(x, factor))))
    assert relative_error(ug.compile(gradient)(x), gradient(x)) < 1e-15


def test_layers_are_their_functions(rng):
    x = rng.standard_normal((2, 4, 6, 3))
    for layer, expected in (
        (nn.AvgPool((2, 3)), nn.avg_pool(x, (2, 3))),
        (nn.Upsample(3), nn.upsample(x, 3)),
        (nn.Reshape((72,)), x.reshape(2, 72)),
        (nn.Reshape((8, 9)), x.reshape(2, 8, 9)),
    ):
        assert layer.init(rng) == ()
        np.testing.assert_array_equal(layer((), x), expected)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: nn.avg_pool(np.ones((2, 3, 1)), 4), "x"),
        (lambda: nn.avg_pool(np.ones((2, 3)), 1), "x"),
        (lambda: nn.upsample(np.ones((2, 3, 1)), 0), "factor"),
        (lambda: nn.AvgPool(0), "size"),
        (lambda: nn.Upsample((2, 1.5)), "factor"),
        (lambda: nn.Reshape((4, 0)), r"shape\[1\]"),
        (lambda: nn.Reshape((4, 2))((), np.ones((3, 7))), "x"),
    ],
)
def test_what_makes_no_sense_is_refused(make, argument):
    with pytest.raises(ArgumentError, match=f"^{argument}: expected"):
        make()
