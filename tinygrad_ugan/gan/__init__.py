"""GANs as games: objectives, batches, metrics, and the training loop."""

from tinygrad_ugan.gan.config import Config, Networks, Ring, Unroll
from tinygrad_ugan.gan.game import Batch, Game
from tinygrad_ugan.gan.metrics import Coverage, mode_coverage
from tinygrad_ugan.gan.objectives import LOSSES
from tinygrad_ugan.gan.run import Row, Run, load
from tinygrad_ugan.gan.training import train, train_step

__all__ = [
    "LOSSES",
    "Batch",
    "Config",
    "Coverage",
    "Game",
    "Networks",
    "Ring",
    "Row",
    "Run",
    "Unroll",
    "load",
    "mode_coverage",
    "train",
    "train_step",
]
