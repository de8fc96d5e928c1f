"""Networks of layers: alone, and as players of games that are unrolled."""

from typing import Any, NamedTuple

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import nn
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.nn.activations import log_sigmoid

EVERYTHING = nn.Sequential(
    nn.GaussianNoise(2, 0.3),
    nn.WeightNorm(nn.MLP((2, 8))),
    nn.BatchNorm(8),
    np.tanh,
    nn.Dropout(8, 0.25),
    nn.MinibatchDiscrimination(8, kernels=3, dimension=2),
    nn.MLP((11, 1)),
)


def test_layers_of_mlps_are_an_mlp(rng):
    mlp = nn.MLP((3, 5, 4, 2))
    net = nn.Sequential(nn.MLP((3, 5)), np.tanh, nn.MLP((5, 4)), np.tanh, nn.MLP((4, 2)))
    params, x = net.init(rng, np.float64), rng.standard_normal((6, 3))
    flat = [layer for part in params for layer in part]
    np.testing.assert_allclose(net(params, x), mlp(flat, x), rtol=1e-14)


def test_a_slice_is_the_network_of_a_slice_of_the_parameters(rng):
    params, x = EVERYTHING.init(rng, np.float64), rng.standard_normal((6, 2))
    features = EVERYTHING[:-1](params[:-1], x)
    assert features.shape == (6, 11)
    np.testing.assert_array_equal(EVERYTHING[-1](params[-1], features), EVERYTHING(params, x))
    assert len(EVERYTHING[2:5]) == 3


def test_a_discriminator_of_layers_in_a_gan(rng):
    net = nn.Sequential(
        nn.MLP((2, 8)), np.tanh, nn.MinibatchDiscrimination(8, 3, 2), nn.MLP((11, 1))
    )
    game = ug.gan.Game(nn.MLP((3, 8, 2)), net, "nonsaturating")
    theta_g, theta_d = game.generator.init(rng, np.float64), net.init(rng, np.float64)
    batch = ug.gan.Batch(rng.standard_normal((6, 2)), rng.standard_normal((6, 3)))
    found = [
        ug.unroll.value_and_grad(game, theta_g, theta_d, batch, steps=3, lr=0.2, method=method)[1]
        for method in ("auto", "tape")
    ]
    assert relative_error(*found) < 1e-11


def test_draws_disturb_and_statistics_hold_still(rng):
    params, x = EVERYTHING.init(rng, np.float64), rng.standard_normal((6, 2))
    side = EVERYTHING.draw(np.random.default_rng(1), 6, np.float64)
    y = EVERYTHING(params, x, side)
    np.testing.assert_array_equal(EVERYTHING(params, x, side), y)
    assert not np.allclose(EVERYTHING(params, x), y)

    deterministic = nn.Sequential(*EVERYTHING.layers[:5], nn.MLP((8, 1)))  # each row by itself
    params = deterministic.init(rng, np.float64)
    held = deterministic.statistics(params, rng.standard_normal((50, 2)))
    whole = deterministic(params, x, held)
    np.testing.assert_allclose(deterministic(params, x[:1], held), whole[:1], rtol=1e-13)


def test_statistics_are_those_of_the_data_at_each_layer(rng):
    net = nn.Sequential(nn.BatchNorm(2), nn.MLP((2, 3)), nn.BatchNorm(3))
    params, x = net.init(rng, np.float64), rng.standard_normal((40, 2)) * 5 + 1
    first, none, last = net.statistics(params, x)
    np.testing.assert_allclose(first.mean, x.mean(axis=0))
    np.testing.assert_allclose(last.var, net[:2](params[:2], x).var(axis=0))
    assert none is None
    np.testing.assert_array_equal(net(params, x, (first, none, last)), net(params, x))


def test_single_precision_stays(rng):
    params, x = EVERYTHING.init(rng), rng.standard_normal((6, 2), np.float32)
    side = EVERYTHING.draw(rng, 6)
    gradient = ug.grad(lambda p: np.sum(EVERYTHING(p, x, side) ** 2))(params)
    dtypes = {leaf.dtype for leaf in optree.tree_leaves((params, gradient))}
    assert dtypes == {np.dtype(np.float32)}
    assert EVERYTHING(params, x, side).dtype == np.float32


class NoisyBatch(NamedTuple):
    real: Any
    noise: Any
    sides: Any


def noisy_problem(rng, dtype=np.float64):
    """A game with every layer in the discriminator, whose random numbers are in the batch."""
    generator = nn.Sequential(nn.MLP((3, 6)), nn.BatchNorm(6), np.tanh, nn.MLP((6, 2)))

    def objective(theta_g, theta_d, batch):
        real, generated = batch.sides
        r = EVERYTHING(theta_d, batch.real, real)
        s = EVERYTHING(theta_d, generator(theta_g, batch.noise), generated)
        return np.mean(log_sigmoid(r)) + np.mean(log_sigmoid(-s))

    batch = NoisyBatch(
        rng.standard_normal((6, 2)),
        rng.standard_normal((6, 3)),
        [EVERYTHING.draw(rng, 6, dtype) for _ in range(2)],
    )
    theta_d = optree.tree_map(
        lambda a: a + 0.1 * rng.standard_normal(a.shape), EVERYTHING.init(rng, dtype)
    )
    return ug.unroll.Game(objective), generator.init(rng, dtype), theta_d, batch


def test_the_exact_gradient_goes_through_every_layer(rng):
    game, theta_g, theta_d, batch = noisy_problem(rng)
    options = {"steps": 3, "lr": 0.2}
    value, gradient = ug.unroll.value_and_grad(game, theta_g, theta_d, batch, **options)
    for method in ("tape", "forward"):
        other = ug.unroll.value_and_grad(game, theta_g, theta_d, batch, method=method, **options)
        assert other[0] == pytest.approx(value, rel=1e-12)
        assert relative_error(other[1], gradient) < 1e-11

    def f_K(theta_g):
        theta = theta_d
        for _ in range(3):
            g = ug.grad(game.inner, argnums=1)(theta_g, theta, batch)
            theta = optree.tree_map(lambda t, d: t + 0.2 * d, theta, g)
        return game.outer(theta_g, theta, batch)

    v = normal_like(rng, theta_g)
    # short steps: the absolute values in the minibatch layer are smooth only between their kinks
    numeric = directional_derivative(f_K, theta_g, v, step=1e-5, rows=3)
    assert dot(gradient, v) == pytest.approx(float(numeric), rel=1e-7)

    _, detached = ug.unroll.value_and_grad(
        game, theta_g, theta_d, batch, method="detached", **options
    )
    assert relative_error(detached, gradient) > 0.01  # there is an indirect term to get right


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Sequential(nn.MLP((2, 1)), 3), ArgumentTypeError, r"layers\[1\].*function"),
        (
            lambda: nn.Sequential(np.tanh)([], np.ones((2, 1))),
            ArgumentError,
            "params.*0 entries",
        ),
        (
            lambda: nn.Sequential(np.tanh)([()], np.ones((2, 1)), ()),
            ArgumentError,
            "side.*0 entries",
        ),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
