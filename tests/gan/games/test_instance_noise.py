"""The discriminator sees every sample through noise; the samples themselves have none."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError

INSIDE = gan.Game(lambda theta, z: z @ theta, lambda theta, x: x @ theta, "least_squares")
GAME = gan.InstanceNoise(INSIDE, 0.5)


@pytest.fixture
def place(rng):
    batch = gan.FullBatch(rng.standard_normal((4, 2)), rng.standard_normal((6, 3)))
    batch = batch._replace(drawn=GAME.draw(rng, batch))
    return rng.standard_normal((3, 2)), rng.standard_normal((2, 1)), batch


def test_objectives_are_those_of_the_noisy_samples(place):
    theta_g, theta_d, batch = place
    noise = batch.drawn["instance_noise"]
    assert noise["real"].shape == (4, 2)
    assert noise["generated"].shape == (6, 2)
    r = (batch.real + 0.5 * noise["real"]) @ theta_d
    s = (batch.noise @ theta_g + 0.5 * noise["generated"]) @ theta_d
    assert GAME.inner(*place) == pytest.approx(INSIDE.objectives.inner(r, s), rel=1e-14)
    assert GAME.outer(*place) == pytest.approx(INSIDE.objectives.outer(r, s), rel=1e-14)
    np.testing.assert_array_equal(GAME.generate(theta_g, batch), INSIDE.generate(theta_g, batch))


def test_a_penalty_within_sees_the_noise_and_one_around_does_not(place):
    def mean_of_real(game, samples, theta_d, batch):
        return np.mean(batch.real)

    *_, batch = place
    noise = 0.5 * np.mean(batch.drawn["instance_noise"]["real"])
    within = gan.InstanceNoise(gan.Penalized(INSIDE, mean_of_real), 0.5).inner(*place)
    around = gan.Penalized(GAME, mean_of_real).inner(*place)
    assert GAME.inner(*place) - within == pytest.approx(np.mean(batch.real) + noise, rel=1e-12)
    assert GAME.inner(*place) - around == pytest.approx(np.mean(batch.real), rel=1e-12)


def test_no_noise_is_the_game_itself(place):
    still = gan.InstanceNoise(INSIDE, 0.0)
    assert still.inner(*place) == INSIDE.inner(*place)


def test_the_random_numbers_of_the_game_are_drawn_too(rng):
    net = nn.Sequential(nn.MLP((2, 4)), nn.Dropout(4), nn.MLP((4, 1)))
    game = gan.InstanceNoise(gan.Game(nn.MLP((3, 2)), net), 0.5)
    batch = gan.FullBatch(rng.standard_normal((4, 2)), rng.standard_normal((4, 3)))
    assert game.draw(rng, batch).keys() == {"real", "generated", "instance_noise"}


class Heavier(gan.Game):
    """Its discriminator ascends more than what it sees of the samples."""

    def inner(self, theta_g, theta_d, batch):
        return super().inner(theta_g, theta_d, batch) - np.sum(theta_d**2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: gan.InstanceNoise(INSIDE, -1.0), "std: expected a finite number >= 0, got -1"),
        (
            lambda p: gan.InstanceNoise(ug.unroll.Game(lambda x, y, b: x * y), 0.1),
            "game: expected one whose players meet only through the samples.*Game states no such",
        ),
        (
            lambda p: gan.InstanceNoise(Heavier(*vars(INSIDE).values()), 0.1),
            "game: .*players meet only.*got another: Heavier overrides inner",
        ),
        (
            lambda p: GAME.inner(*p[:2], p[2]._replace(drawn={})),
            "batch.drawn: .*got none for 'instance_noise'",
        ),
    ],
)
def test_bad_input(call, words, place):
    with pytest.raises(ArgumentError, match=words):
        call(place)
