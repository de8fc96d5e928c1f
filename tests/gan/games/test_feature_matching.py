import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import gan, nn

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
