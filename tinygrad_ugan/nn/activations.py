"""Activation functions, each a primitive of its own: one pass over the array, one short rule."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import elementwise
from tinygrad_ugan.autodiff.rules.stable_derivatives import (
    expm1_plus_one,
    logistic_complement,
    logistic_slope,
)
from tinygrad_ugan.autodiff.samples import POSITIVE

LEAKY_SLOPE = 0.01
"""Slope of the leaky ReLU below zero, as in JAX and PyTorch."""


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


def _leaky_relu(x: Any) -> Any:
    return np.where(x > 0, x, LEAKY_SLOPE * x)


def _elu(x: Any) -> Any:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1, small) / (1 + small)


def _log_sigmoid(x: Any) -> Any:
    return -np.logaddexp(-x, 0)


# fmt: off
relu = elementwise(_relu, lambda ans, x: x > 0, domain=POSITIVE, convention="0 at 0",
                   vector=lambda e, x: e.maximum(x, 0.0))
leaky_relu = elementwise(_leaky_relu, lambda ans, x: np.where(x > 0, x.dtype.type(1), LEAKY_SLOPE),
                         domain=POSITIVE, convention="0.01 at 0",
                         vector=lambda e, x: e.where(x > 0.0, x, LEAKY_SLOPE * x))
elu = elementwise(_elu, lambda ans, x: np.where(x > 0, 1, expm1_plus_one(ans, untrace(x))),
                  domain=POSITIVE,
                  convention="the first derivative is continuous; the second at 0 is 1",
                  vector=lambda e, x: e.where(x > 0.0, x, e.expm1(e.minimum(x, 0.0))))
sigmoid = elementwise(_sigmoid, lambda ans, x: logistic_slope(untrace(ans), x),
                      vector=lambda e, x: e.sigmoid(x))
log_sigmoid = elementwise(_log_sigmoid, lambda ans, x: logistic_complement(untrace(ans), x),
                          vector=lambda e, x: -e.logaddexp(-x, 0.0))
# fmt: on


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, finite for every finite x.

    Examples
    --------
    >>> float(softplus(1000.0))
    1000.0
    """
    return np.logaddexp(x, 0)


def identity(x: Any) -> Any:
    """Return `x`."""
    return x


PRIMITIVES = (relu, leaky_relu, elu, sigmoid, log_sigmoid)

ACTIVATIONS: MappingProxyType[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "tanh": np.tanh,
        "relu": relu,
        "softplus": softplus,
        "leaky_relu": leaky_relu,
        "elu": elu,
        "sigmoid": sigmoid,
        "identity": identity,
    }
)
"""The activations by the names that `MLP` takes."""
