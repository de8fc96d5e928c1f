"""The heart: games, and the gradient of a generator's objective through K discriminator steps."""

from tinygrad_ugan.unroll.game import Game, SampleGame
from tinygrad_ugan.unroll.gradient import METHODS, value_and_grad

__all__ = ["METHODS", "Game", "SampleGame", "value_and_grad"]
