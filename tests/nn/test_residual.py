"""Residual networks, alone and in a game that is unrolled."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError

BLOCK = nn.Residual(nn.Sequential(nn.MLP((4, 4)), nn.BatchNorm(4), np.tanh, nn.Dropout(4, 0.3)))
NET = nn.Sequential(nn.MLP((2, 4)), np.tanh, BLOCK, nn.MLP((4, 1)))


def test_it_adds_what_its_network_computes(rng):
    params, x = BLOCK.init(rng, np.float64), rng.standard_normal((6, 4))
    side = BLOCK.draw(rng, 6, np.float64)
    expected = x + BLOCK.network(params, x, side)
    np.testing.assert_array_equal(BLOCK(params, x, side), expected)
    assert not np.allclose(BLOCK(params, x), expected)
    assert BLOCK.is_random


def test_to_second_order(rng):
    x, w, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)
    block = nn.Residual(nn.Sequential(nn.MLP((4, 4)), np.tanh))
    check_modes(lambda w, b, x: block([[{"w": w, "b": b}], ()], x), (w, b, x), rng, order=2)


def test_side_inputs_reach_the_layers_within(rng):
    """Statistics of a batch as side input give what the batch itself gives."""
    params, x = NET.init(rng, np.float64), rng.standard_normal((6, 2))
    np.testing.assert_allclose(
        NET(params, x, NET.statistics(params, x)), NET(params, x), rtol=1e-13
    )
    alone = NET(params, x[:1], NET.statistics(params, x))
    np.testing.assert_allclose(alone, NET(params, x)[:1], rtol=1e-13)
    assert NET.is_random
    assert not np.allclose(NET(params, x, NET.draw(rng, 6)), NET(params, x))


def test_unrolled(rng):
    game = ug.gan.Game(
        nn.MLP((3, 6, 2)), nn.Sequential(nn.MLP((2, 4)), BLOCK_WITHOUT, nn.MLP((4, 1)))
    )
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((6, 2)), rng.standard_normal((6, 3)))
    found = [
        ug.unroll.value_and_grad(game, *theta, batch, steps=3, lr=0.2, method=method)[1]
        for method in ("auto", "tape", "forward")
    ]
    assert relative_error(found[0], found[1]) < 1e-11
    assert relative_error(found[0], found[2]) < 1e-11


BLOCK_WITHOUT = nn.Residual(nn.Sequential(nn.MLP((4, 4)), nn.BatchNorm(4), np.tanh))


def test_widths_that_differ_are_named(rng):
    block = nn.Residual(nn.Sequential(nn.MLP((4, 1))))
    with pytest.raises(ArgumentError, match=r"network: expected as many .* \(5, 4\) to \(5, 1\)"):
        block(block.init(rng), np.ones((5, 4), np.float32))
