"""Penalties in closed form, around games of all kinds, and what cannot be penalised."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

GP, R1, R2 = gan.penalties.GradientPenalty, gan.penalties.R1, gan.penalties.R2


def parabola(theta, x):
    """``D(x) = x^T A x / 2``, whose gradient is A x."""
    return np.sum((x @ theta) * x, axis=1) / 2


GAME = gan.Game(lambda theta, z: z @ theta, parabola, "wasserstein")


@pytest.fixture
def place(rng):
    theta_g, A = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
    batch = gan.FullBatch(*rng.standard_normal((2, 5, 2)), drawn={"line": rng.random((5, 1))})
    return theta_g, A + A.T, batch


def squares(x):
    return np.sum(x * x, axis=1)


@pytest.mark.parametrize(
    ("penalty", "formula"),
    [
        (R1(3.0), lambda A, x, y, t: 3 / 2 * np.mean(squares(x @ A))),
        (R2(3.0), lambda A, x, y, t: 3 / 2 * np.mean(squares(y @ A))),
        (
            GP(2.0),
            lambda A, x, y, t: 2 * np.mean((np.sqrt(squares((t * x + (1 - t) * y) @ A)) - 1) ** 2),
        ),
        (
            GP(2.0, target=0.5),
            lambda A, x, y, t: (
                2 * np.mean((np.sqrt(squares((t * x + (1 - t) * y) @ A)) - 0.5) ** 2)
            ),
        ),
    ],
    ids=["r1", "r2", "gradient penalty", "gradient penalty to 1/2"],
)
def test_closed_forms(penalty, formula, place):
    theta_g, A, batch = place
    game, samples = gan.Penalized(GAME, penalty), batch.noise @ theta_g
    expected = formula(A, batch.real, samples, batch.drawn["line"])
    assert penalty(GAME, samples, A, batch) == pytest.approx(expected, rel=1e-14)
    inner = GAME.inner(*place) - expected
    assert game.inner(*place) == pytest.approx(inner, rel=1e-13)
    assert game.outer(*place) == GAME.outer(*place)


def test_samples_may_have_any_shape(rng):
    def logit(theta, x):
        return np.sum(theta * x**2, axis=(1, 2))

    game = gan.Game(lambda theta, z: theta * z, logit)
    batch = gan.FullBatch(*rng.standard_normal((2, 5, 3, 4)))
    batch = batch._replace(drawn=gan.Penalized(game, GP()).draw(rng, batch))
    slopes = 2 * 1.5 * np.sqrt(np.sum(batch.real**2, axis=(1, 2)))
    found = R1(2.0)(game, batch.noise, 1.5, batch)
    assert found == pytest.approx(np.mean(slopes**2), rel=1e-14)
    between = batch.noise + batch.drawn["line"] * (batch.real - batch.noise)
    slopes = 3 * np.sqrt(np.sum(between**2, axis=(1, 2)))
    found = GP(1.0)(game, batch.noise, 1.5, batch)
    assert found == pytest.approx(np.mean((slopes - 1) ** 2), rel=1e-14)


def test_the_places_on_the_lines_are_uniform(rng):
    game = gan.Penalized(GAME, GP())
    batch = gan.FullBatch(*np.zeros((2, 10_000, 2), np.float32))
    line = game.draw(rng, batch)["line"]
    assert line.shape == (10_000, 1)
    assert line.dtype == np.float32
    assert np.abs(np.quantile(line, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.02


def test_where_the_slope_is_zero_its_norm_has_the_derivative_zero():
    """A ReLU network has whole regions of slope zero."""
    game = gan.Penalized(GAME, GP(2.0))
    batch = gan.FullBatch(*np.ones((2, 4, 2)), drawn={"line": np.full((4, 1), 0.5)})
    flat = np.zeros((2, 2))
    assert game.inner(np.eye(2), flat, batch) == -2.0
    for method in ("adjoint", "tape", "forward"):
        found = ug.unroll.value_and_grad(
            game, np.eye(2), flat, batch, steps=2, lr=0.1, method=method
        )
        assert all(np.isfinite(x).all() for x in found)


class Bare:
    """A game of inner and outer, whose samples and discriminator stand beside them."""

    def inner(self, theta_g, theta_d, batch):
        return np.mean(batch.noise * theta_g) * theta_d - theta_d**2 / 2

    def outer(self, theta_g, theta_d, batch):
        return np.mean(batch.noise * theta_g) * theta_d

    def generate(self, theta_g, batch):
        return batch.noise * theta_g

    def discriminator(self, theta_d, x):
        return theta_d * x


def test_any_game_with_samples_and_a_discriminator(rng):
    """One step from y = 1 by hand: y + lr (x mean(z) - y - 3 y), with R1's slope y^2."""
    game = gan.Penalized(Bare(), R1(3.0))
    batch = gan.FullBatch(*rng.standard_normal((2, 5, 1)))
    m, x = np.mean(batch.noise), 2.0
    y = 1 + 0.1 * (x * m - 1 - 3)
    value, gradient = ug.unroll.value_and_grad(game, x, 1.0, batch, steps=1, lr=0.1)
    assert value == pytest.approx(m * x * y, rel=1e-14)
    assert gradient == pytest.approx(m * y + m * x * 0.1 * m, rel=1e-13)
    assert game.sample_form is None


def test_penalties_add_up_and_draw_for_each_other(place):
    theta_g, A, batch = place
    both = gan.Penalized(gan.Penalized(GAME, R1(2.0)), GP(1.0))
    assert both.is_random
    assert not both.game.is_random
    samples = batch.noise @ theta_g
    penalty = sum(p(GAME, samples, A, batch) for p in (R1(2.0), GP(1.0)))
    assert both.inner(*place) == pytest.approx(GAME.inner(*place) - penalty, rel=1e-13)


def test_the_generator_runs_once_for_all_steps(place):
    runs = []

    def generator(theta, z):
        runs.append(1)
        return z @ theta

    game = gan.Penalized(gan.Game(generator, parabola, "wasserstein"), GP())
    found = ug.unroll.value_and_grad(game, *place, steps=3, lr=0.1)
    assert len(runs) == 1
    fresh = ug.unroll.value_and_grad(game, *place[:2], [place[2]] * 4, steps=3, lr=0.1)
    assert relative_error(found, fresh) < 1e-11
    assert len(runs) > 1


def test_what_else_a_game_has_is_still_there():
    class Own(gan.Game):
        metrics = {"one": lambda state, samples: 1.0}  # noqa: RUF012

        def init(self, rng, dtype):
            return "start"

    inside = Own(lambda theta, z: z, parabola)
    game = gan.InstanceNoise(gan.Penalized(inside, R1()), 0.1)
    assert game.init(None, None) == "start"
    assert game.metrics is inside.metrics
    assert game.discriminator is parabola
    assert not hasattr(game, "nothing")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: gan.Penalized(GAME, 3.0), "penalty: expected a function of .*got a float"),
        (
            lambda p: gan.Penalized(ug.unroll.Game(lambda x, y, b: x * y), R1()),
            r"game: expected one with generate\(theta_g, batch\), and a discriminator.*got .*Game",
        ),
        (
            lambda p: gan.Penalized(gan.Game(GAME.generator, nn.MLP((2, 2))), R1()).inner(
                p[0], nn.MLP((2, 2)).init(np.random.default_rng(0), float), p[2]
            ),
            r"game: expected one logit for each row, got logits of shape \(5, 2\)",
        ),
        (
            lambda p: gan.Penalized(GAME, GP()).inner(*p[:2], p[2]._replace(drawn=None)),
            r"batch.drawn: expected random numbers, got none for 'line'; .*game.draw\(rng, batch\)",
        ),
        (
            lambda p: gan.Penalized(GAME, GP()).inner(*p[:2], p[2]._replace(real=np.ones((4, 2)))),
            r"batch: expected pairs, got .*\(4, 2\) and \(5, 2\)",
        ),
        (lambda p: R1(-1.0), "weight: expected a positive number"),
        (lambda p: GP(target=0.0), "target: expected a positive number"),
    ],
)
def test_bad_input(call, words, place):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        call(place)
