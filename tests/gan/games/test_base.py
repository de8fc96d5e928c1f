"""A game of three methods is a whole game, whose generator runs once for all unrolled steps."""

import numpy as np
import pytest

from tinygrad_ugan import unroll
from tinygrad_ugan.gan.games.base import GeneratorGame


class Shift(GeneratorGame):
    """Samples are noise shifted by theta_g; the discriminator is a line through the origin."""

    def __init__(self):
        self.runs = 0

    def generate(self, theta_g, batch):
        self.runs += 1
        return batch + theta_g

    def inner_on(self, samples, theta_d, batch):
        return theta_d * np.mean(samples) - theta_d**2 / 2

    def outer_on(self, samples, theta_d, batch):
        return theta_d * np.mean(samples)


def test_inner_and_outer_follow():
    game, batch = Shift(), np.array([1.0, 3.0])
    assert game.inner(1.0, 2.0, batch) == 2 * 3 - 2
    assert game.outer(1.0, 2.0, batch) == 2 * 3


def test_the_generator_runs_once_for_all_steps():
    game, batch = Shift(), np.array([1.0, 3.0])
    value, gradient = unroll.value_and_grad(game, 1.0, 2.0, batch, steps=3, lr=0.5)
    assert game.runs == 1
    theta_d = 3 - 0.5**3  # the steps go half of the way to mean(x) = 3
    np.testing.assert_allclose(value, theta_d * 3)
    np.testing.assert_allclose(gradient, theta_d + 3 * (1 - 0.5**3))


def test_all_three_are_needed():
    class Half(GeneratorGame):
        def generate(self, theta_g, batch):
            return batch

    with pytest.raises(TypeError, match="inner_on"):
        Half()
