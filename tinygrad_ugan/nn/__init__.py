"""Networks as pure functions of parameter pytrees: ``mlp(params, x)``."""

from tinygrad_ugan.nn.activations import ACTIVATIONS
from tinygrad_ugan.nn.initializers import GlorotUniform, Initializer, Orthogonal
from tinygrad_ugan.nn.mlp import MLP

__all__ = ["ACTIVATIONS", "MLP", "GlorotUniform", "Initializer", "Orthogonal"]
