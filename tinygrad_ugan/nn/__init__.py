"""Networks as pure functions of parameter pytrees: ``mlp(params, x)``."""

from tinygrad_ugan.nn.activations import ACTIVATIONS
from tinygrad_ugan.nn.convolution import Conv, ConvTranspose, conv, conv_transpose
from tinygrad_ugan.nn.initializers import GlorotUniform, HeNormal, Initializer, Orthogonal
from tinygrad_ugan.nn.minibatch_discrimination import MinibatchDiscrimination, closeness
from tinygrad_ugan.nn.mlp import MLP
from tinygrad_ugan.nn.normalization import (
    BatchNorm,
    LayerNorm,
    SpectralNorm,
    Statistics,
    WeightNorm,
    batch_norm,
    batch_statistics,
    layer_norm,
    running_average,
    spectral_norm,
    weight_norm,
)
from tinygrad_ugan.nn.random_layers import Dropout, GaussianNoise, dropout, gaussian_noise
from tinygrad_ugan.nn.recurrent import GRUCell, LSTMCell, LSTMState
from tinygrad_ugan.nn.resampling import AvgPool, Reshape, Upsample, avg_pool, upsample
from tinygrad_ugan.nn.residual import Residual
from tinygrad_ugan.nn.sequential import Sequential

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "AvgPool",
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "Dropout",
    "GRUCell",
    "GaussianNoise",
    "GlorotUniform",
    "HeNormal",
    "Initializer",
    "LSTMCell",
    "LSTMState",
    "LayerNorm",
    "MinibatchDiscrimination",
    "Orthogonal",
    "Reshape",
    "Residual",
    "Sequential",
    "SpectralNorm",
    "Statistics",
    "Upsample",
    "WeightNorm",
    "avg_pool",
    "batch_norm",
    "batch_statistics",
    "closeness",
    "conv",
    "conv_transpose",
    "dropout",
    "gaussian_noise",
    "layer_norm",
    "running_average",
    "spectral_norm",
    "upsample",
    "weight_norm",
]
