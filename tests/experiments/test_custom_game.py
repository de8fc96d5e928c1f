"""Training of one's own games takes the same steps as that of a run."""

import itertools

import numpy as np

from tests.gan.small import SMALL, bits
from tinygrad_ugan import gan, nn
from tinygrad_ugan.experiments.custom_game import training_states


def test_the_games_of_settings_train_as_in_a_run():
    *_, last = training_states(SMALL, SMALL.build_game())
    assert bits(last) == bits(gan.train(SMALL).checkpoint.state)


def test_batches_of_ones_own(rng):
    real, noise = rng.standard_normal((5, 2), np.float32), rng.standard_normal((5, 4), np.float32)
    supply = itertools.repeat([gan.Batch(real, noise)])
    first, second, *_ = training_states(SMALL, SMALL.build_game(), supply)
    following, _ = gan.TrainStep(SMALL)(first, [gan.Batch(real, noise)])
    assert bits(second) == bits(following)


def test_a_start_of_ones_own(rng):
    game = SMALL.build_game()
    start = game.generator.init(rng), game.discriminator.init(rng)
    first, *_ = training_states(SMALL, game, start=start)
    assert bits(first) == bits(gan.TrainStep(SMALL).start(*start))
    assert bits(first[:2]) == bits(start)


def test_players_of_ones_own():
    judge = nn.Sequential(nn.MLP((2, 8)), np.tanh, nn.MLP((8, 1)))
    *_, last = training_states(SMALL, gan.Game(nn.MLP((4, 8, 2)), judge))
    assert last.step == SMALL.steps
    assert judge(last.theta_d, np.ones((3, 2), np.float32)).shape == (3, 1)
