"""Activations against their definitions, and where these overflow; the table tests their rules."""

import mpmath
import numpy as np
import pytest

from tinygrad_ugan.nn.activations import ACTIVATIONS, LEAKY_SLOPE, log_sigmoid

DEFINITIONS = {
    "tanh": mpmath.tanh,
    "relu": lambda x: max(x, 0),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "leaky_relu": lambda x: x if x > 0 else LEAKY_SLOPE * x,
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "identity": lambda x: x,
    "log_sigmoid": lambda x: -mpmath.log(1 + mpmath.exp(-x)),
}
POINTS = np.array([-1000.0, -30.0, -1.5, -1e-3, 0.0, 1e-3, 0.5, 2.0, 30.0, 1000.0])
FUNCTIONS = {**ACTIVATIONS, "log_sigmoid": log_sigmoid}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_is_its_definition(name, dtype):
    x = POINTS.astype(dtype)
    found = FUNCTIONS[name](x)
    with mpmath.workdps(500):  # so that 1 + exp(-1000) is not 1
        expected = np.array([float(DEFINITIONS[name](mpmath.mpf(float(each)))) for each in x])
    assert found.dtype == dtype
    tiny = np.finfo(dtype).smallest_normal
    np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=tiny)
