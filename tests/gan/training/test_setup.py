"""The parts of a run: those of the settings, and those that are handed in instead."""

import types

import numpy as np
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan, nn, optim, unroll
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training.setup import Setup

RNG = np.random.default_rng(0)


class Blob:
    """Data of one's own."""

    dimension = 3

    def sample(self, n, rng, dtype=np.float32):
        return rng.standard_normal((n, 3)).astype(dtype)

    def centers(self):
        return np.zeros((1, 3))

    std = 1.0


def test_the_settings_describe_all():
    setup = Setup.of(SMALL)
    assert setup.data is SMALL.data
    assert setup.game == SMALL.build_game()
    assert setup.handed_in == {}


def test_a_setup_is_taken_as_it_is():
    setup = Setup.of(SMALL, data=Blob())
    assert Setup.of(setup) is setup


def test_what_the_settings_describe_may_be_handed_in():
    same = gan.train(SMALL, game=SMALL.build_game(), data=gan.Ring())
    assert outcome(same) == outcome(gan.train(SMALL))


def test_players_alone_play_for_the_loss_of_the_settings():
    built = SMALL.build_game()
    players = types.SimpleNamespace(generator=built.generator, discriminator=built.discriminator)
    assert outcome(gan.train(SMALL, game=players)) == outcome(gan.train(SMALL))


def test_data_of_other_dimensions_changes_the_networks():
    run = gan.train(SMALL, data=Blob())
    assert run.samples.shape == (2, 50, 3)
    assert run.sample(7, RNG).shape == (7, 3)


def test_the_start_may_be_given_or_drawn():
    start = Setup.of(SMALL).init(np.random.default_rng(5))
    given = gan.train(SMALL, init=start)
    drawn = gan.train(SMALL, init=lambda rng: start)
    assert outcome(given) == outcome(drawn)
    assert bits(given.theta_g) != bits(gan.train(SMALL).theta_g)


def test_a_game_may_draw_its_own_start():
    class Mine(gan.Game):
        def init(self, rng, dtype):
            return self.generator.init(rng, dtype), self.discriminator.init(rng, dtype)

    built = SMALL.build_game()
    mine = Mine(built.generator, built.discriminator)
    assert outcome(gan.train(SMALL, game=mine)) == outcome(gan.train(SMALL))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"game": 3}, "game: expected an object with inner and outer, or with a generator"),
        ({"data": [1, 2]}, r"data: expected an object with sample\(n, rng, dtype\)"),
        ({"init": 3}, "init: expected theta_g and theta_d, or a function"),
        ({"init": lambda rng: None}, "init: expected theta_g and theta_d"),
        (
            {"game": unroll.Game(lambda *args: 0.0)},
            "init: expected theta_g and theta_d, got a game whose generator has no init",
        ),
        ({"game": gan.Game(nn.MLP((4, 2)), lambda theta, x: x)}, "whose discriminator has no init"),
    ],
)
def test_wrong_parts_are_told(parts, words):
    with pytest.raises(ArgumentTypeError, match=words):
        Setup.of(SMALL, **parts).init(RNG)


def test_parameters_have_the_dtype_of_the_settings():
    start = Setup.of(varied(precision="float64")).init(RNG)
    with pytest.raises(ArgumentError, match=r"init: expected float32 in all of it, .* float64 in"):
        Setup.of(SMALL, init=start).init(RNG)


# Losses and penalties by name.

PENALISED = varied(
    loss="nonsaturating", label_smoothing=0.1, penalty=gan.penalties.R1(2.0), instance_noise=0.2
)


def test_the_settings_make_the_game():
    generator, discriminator = PENALISED.networks.build(2)
    inside = gan.Game(generator, discriminator, gan.label_smoothing("nonsaturating", 0.1))
    expected = gan.InstanceNoise(gan.Penalized(inside, gan.penalties.R1(2.0)), 0.2)
    assert outcome(gan.train(varied(), game=expected)) == outcome(gan.train(PENALISED))


def test_players_of_ones_own_play_for_penalties_too():
    generator, discriminator = PENALISED.networks.build(2)
    players = types.SimpleNamespace(generator=generator, discriminator=discriminator)
    assert outcome(gan.train(PENALISED, game=players)) == outcome(gan.train(PENALISED))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "hinge"),
        ("label_smoothing", 0.1),
        ("penalty", gan.penalties.R1()),
        ("instance_noise", 0.1),
        ("feature_matching", True),
    ],
)
def test_a_game_with_objectives_of_its_own_refuses_others(name, value):
    words = rf"{name}: expected .*, as a .*Game has objectives of its own, got"
    with pytest.raises(ArgumentError, match=words):
        Setup.of(varied(**{name: value}), game=SMALL.build_game())


@pytest.mark.parametrize(("name", "value"), [("loss", "hinge"), ("penalty", gan.penalties.R1(2.0))])
def test_a_game_may_have_the_objectives_that_the_settings_ask_for(name, value):
    config = varied(**{name: value})
    game = config.build_game()
    assert Setup.of(config, game=game).game is game


def test_step_sizes_that_an_optimiser_handed_in_would_not_take_are_refused():
    config = varied(unroll=gan.Unroll(2, (0.1, 0.2)))
    with pytest.raises(ArgumentError, match=r"optimizers.unroll: expected one step size"):
        Setup.of(config, optimizers={"unroll": optim.SGD(0.1)})


def test_what_does_not_go_together():
    with pytest.raises(ArgumentError, match="label_smoothing: expected 0 with the loss 'hinge'"):
        varied(loss="hinge", label_smoothing=0.1)
    config = varied(networks=gan.Networks(4, (8,), ()), feature_matching=True)
    with pytest.raises(ArgumentTypeError, match=r"discriminator: expected an nn.MLP with a hidden"):
        Setup.of(config)
