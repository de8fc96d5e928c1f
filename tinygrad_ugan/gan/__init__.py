"""GANs as games: objectives, batches, and objectives."""

from tinygrad_ugan.gan.game import Batch, Game
from tinygrad_ugan.gan.objectives import LOSSES

__all__ = [
    "LOSSES",
    "Batch",
    "Game",
]
