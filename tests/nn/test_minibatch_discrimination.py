import itertools

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError


def apart(rng, n, kernels, dimension):
    """Points no two of which share a coordinate to within 0.3: the absolute values are smooth."""
    ranks = rng.permuted(np.tile(np.arange(n), (kernels, dimension, 1)), axis=2)
    return 0.3 * np.moveaxis(ranks, 2, 0) + rng.uniform(0, 0.05, (n, kernels, dimension))


def test_closeness_is_the_formula(rng):
    M = rng.standard_normal((6, 3, 2))
    expected = np.zeros((6, 3))
    for i, j, b in itertools.product(range(6), range(6), range(3)):
        expected[i, b] += np.exp(-np.abs(M[i, b] - M[j, b]).sum())
    np.testing.assert_allclose(nn.closeness(M), expected, rtol=1e-14)


def test_closeness_to_second_order(rng):
    check_modes(nn.closeness, (apart(rng, 5, 2, 3),), rng, order=2)


def test_a_collapsed_batch_is_close_and_a_scattered_one_is_not(rng):
    np.testing.assert_array_equal(nn.closeness(np.ones((7, 2, 3))), 7)
    scattered = 100 * apart(rng, 7, 2, 3)
    np.testing.assert_allclose(nn.closeness(scattered), 1, rtol=1e-12)


def test_closeness_knows_neither_order_nor_place(rng):
    M, order = rng.standard_normal((6, 3, 2)), rng.permutation(6)
    np.testing.assert_allclose(nn.closeness(M + 5.0), nn.closeness(M), rtol=1e-13)
    np.testing.assert_allclose(nn.closeness(M[order]), nn.closeness(M)[order], rtol=1e-13)


def test_layer_to_second_order(rng):
    layer = nn.MinibatchDiscrimination(3, kernels=3, dimension=1)
    x, T = apart(rng, 5, 3, 1)[:, :, 0], np.eye(3)
    check_modes(lambda x, T: layer({"T": np.eye(3) + 0.1 * T}, x), (x, T), rng, order=2)


def test_layer_appends_to_its_input(rng):
    layer = nn.MinibatchDiscrimination(4, kernels=3, dimension=2)
    params, x = layer.init(rng, np.float64), rng.standard_normal((6, 4))
    y = layer(params, x)
    np.testing.assert_array_equal(y[:, :4], x)
    M = (x @ params["T"]).reshape(6, 3, 2)
    np.testing.assert_allclose(y[:, 4:], nn.closeness(M), rtol=1e-15)


def test_single_precision_stays(rng):
    layer = nn.MinibatchDiscrimination(4, kernels=3, dimension=2)
    params, x = layer.init(rng), np.ones((6, 4), np.float32)
    assert layer(params, x).dtype == np.float32
    assert ug.grad(lambda p: np.sum(layer(p, x)))(params)["T"].dtype == np.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.MinibatchDiscrimination(4, kernels=0, dimension=2), "kernels.*positive"),
        (lambda: nn.MinibatchDiscrimination(4, kernels=2, dimension=1.5), "dimension.*positive"),
        (
            lambda: nn.MinibatchDiscrimination(4, 3, 2)({"T": np.ones((4, 6))}, np.ones((2, 5))),
            r"x: expected shape \(batch, 4\)",
        ),
        (
            lambda: nn.MinibatchDiscrimination(4, 3, 2)({"T": np.ones((4, 5))}, np.ones((2, 4))),
            r"params: expected \(4, 6\)",
        ),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
