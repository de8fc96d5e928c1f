import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tests.oracles import directional_derivative, dot, normal_like, relative_error
from tinygrad_ugan import gan, nn


@pytest.fixture
def problem(rng):
    judges = gan.Judges(nn.MLP((2, 6, 1)), nn.MLP((2, 6, 3)))
    game = gan.InfoGame(nn.MLP((5, 6, 2)), judges, weight=0.7)
    theta_g, theta_d = game.generator.init(rng, float), judges.init(rng, float)
    batch = gan.Batch(rng.standard_normal((6, 2)), gan.code_noise(6, 3, 2, rng, float))
    return game, theta_g, theta_d, batch


def test_bound_is_the_formula_to_second_order(rng):
    logits, codes = rng.standard_normal((6, 3)), np.eye(3)[[0, 2, 1, 1, 0, 2]]
    q = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.log(q[codes == 1]).mean() + np.log(3)
    assert gan.information_bound(logits, codes) == pytest.approx(expected, rel=1e-13)
    check_modes(lambda logits: gan.information_bound(logits, codes), (logits,), rng, order=2)


def test_bound_is_attained_by_the_true_posterior(rng):
    """Of a channel that swaps codes at random: I(c; x) is known, and no Q does better."""
    channel = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.1, 0.15, 0.75]])  # p(x | c)
    joint = channel / 3
    information = np.sum(joint * np.log(joint / (joint.sum(axis=0) / 3)))
    codes, x = np.divmod(rng.choice(9, size=200_000, p=joint.ravel()), 3)
    posterior = np.log(joint / joint.sum(axis=0)).T
    found = gan.information_bound(posterior[x], np.eye(3)[codes])
    assert found == pytest.approx(information, abs=0.01)  # 5 standard errors of log q
    other = gan.information_bound(posterior[x] + np.array([0.5, 0.0, -0.5]), np.eye(3)[codes])
    assert other < found


def test_both_players_want_the_code_read(problem):
    game, theta_g, theta_d, batch = problem
    plain = gan.Game(game.generator, game.discriminator.d)
    samples = game.generate(theta_g, batch)
    information = gan.information_bound(
        game.discriminator.q(theta_d["q"], samples), batch.noise[:, :3]
    )
    value = plain.inner(theta_g, theta_d["d"], batch)
    assert game.inner(*problem[1:]) == pytest.approx(value + 0.7 * information)
    assert game.outer(*problem[1:]) == pytest.approx(value - 0.7 * information)


def test_unrolled_gradient(problem, rng):
    value, gradient = ug.unroll.value_and_grad(*problem, steps=3, lr=0.2)
    other = ug.unroll.value_and_grad(*problem, steps=3, lr=0.2, method="tape")
    assert value == pytest.approx(other[0], rel=1e-12)
    assert relative_error(gradient, other[1]) < 1e-11

    game, theta_g, theta_d, batch = problem
    v = normal_like(rng, theta_g)
    numeric = directional_derivative(
        lambda g: ug.unroll.value_and_grad(game, g, theta_d, batch, steps=3, lr=0.2)[0], theta_g, v
    )
    assert dot(gradient, v) == pytest.approx(float(numeric), rel=1e-8)


def test_codes_are_uniform_and_beside_the_noise(rng):
    x = gan.code_noise(40_000, 4, 3, rng)
    assert x.dtype == np.float32
    assert np.isin(x[:, :4], [0, 1]).all()
    assert (x[:, :4].sum(axis=1) == 1).all()
    np.testing.assert_allclose(x[:, :4].mean(axis=0), 0.25, atol=4 * np.sqrt(0.19 / 40_000))
    assert x[:, 4:].std() == pytest.approx(1, abs=0.01)
