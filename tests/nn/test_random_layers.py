import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError

LAYERS = [nn.GaussianNoise(5, 0.3), nn.Dropout(5, 0.4)]


@pytest.mark.parametrize("layer", LAYERS)
def test_pure_and_silent_in_evaluation(layer, rng):
    x = rng.standard_normal((4, 5))
    side = layer.draw(rng, 4)
    np.testing.assert_array_equal(layer((), x, side), layer((), x, side))
    assert layer((), x) is x
    assert not np.array_equal(layer((), x, side), x)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_mean_stays(layer, rng):
    n = 40_000
    y = layer((), np.ones((n, 5)), layer.draw(rng, n))
    assert y.mean() == pytest.approx(1, abs=4 * y.std() / np.sqrt(y.size))  # 4 standard errors


def test_gaussian_noise_has_its_variance(rng):
    layer = nn.GaussianNoise(3, 0.3)
    y = layer((), np.zeros((20_000, 3)), layer.draw(rng, 20_000, np.float64))
    assert y.var() == pytest.approx(0.09, rel=4 * np.sqrt(2 / y.size))


def test_dropout_drops_its_share_and_scales_the_rest(rng):
    layer = nn.Dropout(3, 0.4)
    y = layer((), np.ones((20_000, 3)), layer.draw(rng, 20_000))
    assert np.mean(y == 0) == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / y.size))
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.6], rtol=1e-15)


@pytest.mark.parametrize("layer", LAYERS)
def test_to_second_order(layer, rng):
    x, side = rng.standard_normal((4, 5)), layer.draw(rng, 4)
    check_modes(lambda x: np.tanh(layer((), x, side)), (x,), rng, order=2)


@pytest.mark.parametrize("layer", LAYERS)
def test_single_precision_stays(layer, rng):
    x = np.ones((4, 5), np.float32)
    side = layer.draw(rng, 4)
    assert layer((), x, side).dtype == np.float32
    assert ug.grad(lambda x: np.sum(layer((), x, side)))(x).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.Dropout(3, rate=1.0), r"rate.*\[0, 1\)"),
        (lambda: nn.GaussianNoise(3, std=-1.0), "std"),
        (lambda: nn.GaussianNoise(3, std=np.inf), "std"),
        (lambda: nn.Dropout(0), "width"),
        (lambda: nn.Dropout(3)((), np.ones((2, 3)), np.ones((2, 1))), r"side.*\(2, 3\).*\(2, 1\)"),
        (lambda: nn.GaussianNoise(3)((), np.ones((2, 4)), np.ones((2, 4))), r"x: .*\(batch, 3\)"),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
