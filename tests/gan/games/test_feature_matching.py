import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentTypeError

NET = nn.Sequential(nn.MLP((2, 6)), np.tanh, nn.MinibatchDiscrimination(6, 2, 1), nn.MLP((8, 1)))


def features(theta_d, x):
    return NET[:-1](theta_d[:-1], x)


@pytest.fixture
def problem(rng):
    game = gan.FeatureMatching(gan.Game(nn.MLP((3, 6, 2)), NET), features)
    theta_g, theta_d = game.generator.init(rng, np.float64), NET.init(rng, np.float64)
    batch = gan.Batch(real=rng.standard_normal((5, 2)), noise=rng.standard_normal((5, 3)))
    return game, theta_g, theta_d, batch


def test_distance_is_the_formula_to_second_order(rng):
    real, generated = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    expected = np.linalg.norm(real.mean(axis=0) - generated.mean(axis=0)) ** 2
    assert gan.feature_distance(real, generated) == pytest.approx(expected, rel=1e-14)
    assert gan.feature_distance(real, real[::-1]) == pytest.approx(0, abs=1e-30)
    check_modes(gan.feature_distance, (real, generated), rng, order=2)


def test_only_the_generator_plays_otherwise(problem):
    game, theta_g, theta_d, batch = problem
    assert game.inner(theta_g, theta_d, batch) == game.game.inner(theta_g, theta_d, batch)
    samples = game.generator(theta_g, batch.noise)
    expected = gan.feature_distance(features(theta_d, batch.real), features(theta_d, samples))
    assert game.outer(theta_g, theta_d, batch) == expected


def test_unrolled_gradient(problem, rng):
    options = {"steps": 3, "lr": 0.1}
    value, gradient = ug.unroll.value_and_grad(*problem, **options)
    other = ug.unroll.value_and_grad(*problem, method="tape", **options)
    assert value == pytest.approx(other[0], rel=1e-12)
    assert relative_error(gradient, other[1]) < 1e-11

    game, theta_g, theta_d, batch = problem
    v = normal_like(rng, theta_g)
    # short steps: the distances in the minibatch layer are smooth only between their kinks
    numeric = directional_derivative(
        lambda theta_g: ug.unroll.value_and_grad(game, theta_g, theta_d, batch, **options)[0],
        theta_g, v, step=1e-5, rows=3,
    )  # fmt: skip
    assert dot(gradient, v) == pytest.approx(float(numeric), rel=1e-6)


def test_training_with_a_game_of_ones_own(problem, rng):
    game, *_, batch = problem
    config = gan.Config(batch=5, unroll=gan.Unroll(2), precision="float64")
    step = gan.TrainStep(config, game)
    state = step.init(rng)
    following, objectives = step(state, [batch])
    expected, _ = ug.unroll.value_and_grad(
        game, state.theta_g, state.theta_d, batch, steps=2, lr=0.1
    )
    assert objectives.generator == pytest.approx(float(expected))
    assert relative_error(following.theta_d, state.theta_d) > 0


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (nn.MLP((2, 5, 4, 1), "tanh", 0.5), lambda net, p, x: np.tanh(hidden(net, p, x))),
        (NET, lambda net, p, x: features(p, x)),
    ],
)
def test_the_features_before_the_last_layer(net, expected, rng):
    params, x = net.init(rng, np.float64), rng.standard_normal((5, 2))
    found = gan.games.feature_matching.hidden_features(net)(params, x)
    np.testing.assert_allclose(found, expected(net, params, x), rtol=1e-14)


def hidden(net, params, x):
    first, second, _ = params
    h = np.tanh(net.input_scale * x @ first["w"] + first["b"])
    return h @ second["w"] + second["b"]


def test_the_features_are_seen_with_the_random_numbers_of_the_step(rng):
    net = nn.Sequential(nn.MLP((2, 6)), nn.Dropout(6, 0.5), nn.MLP((6, 1)))
    found = gan.games.feature_matching.hidden_features(net)
    params, x, side = net.init(rng), np.ones((5, 2), np.float32), net.draw(rng, 5)
    np.testing.assert_array_equal(found(params, x, side), net[:-1](params[:-1], x, side[:-1]))


class Doubled(nn.MLP):
    def __call__(self, params, x):
        return 2 * super().__call__(params, x)


@pytest.mark.parametrize("net", [nn.MLP((2, 1)), Doubled((2, 3, 1)), nn.Sequential(nn.MLP((2, 1)))])
def test_networks_whose_last_layer_cannot_be_left_out(net):
    with pytest.raises(ArgumentTypeError, match=r"discriminator: expected an nn.MLP with a hidden"):
        gan.games.feature_matching.hidden_features(net)
