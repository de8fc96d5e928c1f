import numpy as np
import pytest

from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


def linear(params, x):
    return x @ params


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_objectives_see_the_logits_of_real_and_generated_rows(loss, rng):
    game = gan.Game(linear, linear, loss)
    theta_g, theta_d = rng.standard_normal((3, 2)), rng.standard_normal((2, 1))
    batch = gan.Batch(real=rng.standard_normal((4, 2)), noise=rng.standard_normal((4, 3)))
    r, s = batch.real @ theta_d, batch.noise @ theta_g @ theta_d
    assert game.inner(theta_g, theta_d, batch) == gan.LOSSES[loss].inner(r, s)
    assert game.outer(theta_g, theta_d, batch) == gan.LOSSES[loss].outer(r, s)


def test_unknown_loss():
    with pytest.raises(ArgumentError, match=r"loss.*minimax.*did you mean 'hinge'"):
        gan.Game(nn.MLP(), nn.MLP(), loss="hing")


def test_a_shape_that_does_not_fit_names_it(rng):
    game = gan.Game(nn.MLP((4, 2)), nn.MLP((2, 1)))
    theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    batch = gan.Batch(real=np.ones((5, 2)), noise=np.ones((5, 3)))
    with pytest.raises(ArgumentError, match=r"x: expected shape \(batch, 4\), got shape \(5, 3\)"):
        game.inner(theta_g, theta_d, batch)


def test_a_loss_of_ones_own(rng):
    game = gan.Game(linear, linear, gan.Loss(lambda r, s: np.sum(r - s), lambda r, s: np.sum(s**2)))
    theta_g, theta_d = rng.standard_normal((3, 2)), rng.standard_normal((2, 1))
    batch = gan.Batch(real=rng.standard_normal((4, 2)), noise=rng.standard_normal((4, 3)))
    r, s = batch.real @ theta_d, batch.noise @ theta_g @ theta_d
    assert game.inner(theta_g, theta_d, batch) == np.sum(r - s)
    assert game.outer(theta_g, theta_d, batch) == np.sum(s**2)
    networks = nn.MLP((3, 2)), nn.MLP((2, 1))
    assert "ug.gan.LOSSES" in gan.Game(*networks, game.loss).logit_form


# Conditional games.


def test_both_networks_see_the_labels(rng):
    game = gan.Game(linear, linear, classes=3)
    theta_g, theta_d = rng.standard_normal((2 + 3, 2)), rng.standard_normal((2 + 3, 1))
    batch = gan.FullBatch(*rng.standard_normal((2, 4, 2)), labels=np.array([2, 0, 1, 2]))
    generated = batch.noise @ theta_g[:2] + theta_g[2 + batch.labels]
    np.testing.assert_allclose(game.generate(theta_g, batch), generated, rtol=1e-14)
    r, s = (x @ theta_d[:2] + theta_d[2 + batch.labels] for x in (batch.real, generated))
    assert game.inner(theta_g, theta_d, batch) == pytest.approx(gan.LOSSES["minimax"].inner(r, s))
    without = gan.Game(linear, linear)
    assert without.generate(theta_g[:2], batch).shape == (4, 2)  # which looks at no labels


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, r"batch.labels: expected whole numbers from 0 to 2.*4 rows, got none; data whose"),
        ([0, 1, 2, 0], "batch.labels: .*got a list"),
        (np.zeros(4), "batch.labels: .*got a numpy.ndarray of float64"),
        (np.zeros(3, int), r"batch.labels: .*got shape \(3,\)"),
        (np.array([0, 1, 2, 3]), "batch.labels: expected .* from 0 to 2, .*got 0 to 3"),
        (np.array([0, 1, 2, -1]), "batch.labels: .*got -1 to 2"),
    ],
)
def test_labels_that_are_none(labels, words, rng):
    game = gan.Game(linear, linear, classes=3)
    batch = gan.FullBatch(*rng.standard_normal((2, 4, 2)), labels=labels)
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        game.inner(np.ones((5, 2)), np.ones((5, 1)), batch)


def test_conditional_networks_have_to_fit_with_the_classes():
    gan.Game(nn.MLP((4, 2)), nn.MLP((5, 1)), classes=3)
    words = "discriminator: expected one of 5 inputs, .*outputs, and the 3 classes, got one of 2"
    with pytest.raises(ArgumentError, match=words):
        gan.Game(nn.MLP((4, 2)), nn.MLP((2, 1)), classes=3)


# Random layers.


def noisy(n_in, n_out):
    return nn.Sequential(nn.MLP((n_in, 4)), nn.GaussianNoise(4, 0.3), nn.MLP((4, n_out)))


def test_each_call_has_random_numbers_of_its_own(rng):
    game = gan.Game(noisy(3, 2), noisy(2, 1))
    theta = game.generator.init(rng, np.float64), game.discriminator.init(rng, np.float64)
    batch = gan.FullBatch(rng.standard_normal((5, 2)), rng.standard_normal((6, 3)))
    drawn = game.draw(np.random.default_rng(1), batch)
    assert {name: side[1].shape for name, side in drawn.items()} == {
        "generator": (6, 4),
        "real": (5, 4),
        "generated": (6, 4),
    }
    batch = batch._replace(drawn=drawn)
    samples = game.generator(theta[0], batch.noise, drawn["generator"])
    r = game.discriminator(theta[1], batch.real, drawn["real"])
    s = game.discriminator(theta[1], samples, drawn["generated"])
    assert game.inner(*theta, batch) == gan.LOSSES["minimax"].inner(r, s)


def test_without_random_numbers_is_said(rng):
    game = gan.Game(noisy(3, 2), nn.MLP((2, 1)))
    theta_g = game.generator.init(rng, np.float64)
    batch = gan.FullBatch(rng.standard_normal((5, 2)), rng.standard_normal((6, 3)))
    with pytest.raises(
        ArgumentError, match=r"generator: .*gan.FullBatch\(real, noise, drawn=game.draw\(rng, b"
    ):
        game.generate(theta_g, batch)
    still = game.generate(theta_g, batch._replace(drawn={}))
    np.testing.assert_array_equal(still, game.generator(theta_g, batch.noise))


def test_only_random_games_draw():
    assert gan.Game(noisy(3, 2), nn.MLP((2, 1))).is_random
    assert gan.Game(nn.MLP((3, 2)), noisy(2, 1)).is_random
    plain = gan.Game(nn.MLP((3, 2)), nn.MLP((2, 1)))
    assert not plain.is_random
    assert (
        plain.draw(np.random.default_rng(0), gan.FullBatch(np.ones((5, 2)), np.ones((5, 3)))) == {}
    )
