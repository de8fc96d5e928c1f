"""Exact gradients through unrolled GANs, on a small differentiation engine for NumPy.

>>> import numpy as np
>>> import tinygrad_ugan as ug
>>> ug.grad(lambda x: np.sum(np.tanh(x)))(np.zeros(2))
array([1., 1.])
"""

import importlib
from typing import Any

from tinygrad_ugan import autodiff, check, data, gan, nn, optim, unroll, viz
from tinygrad_ugan.autodiff import (
    Tensor,
    array,
    at,
    checkpoint,
    custom_vjp,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    log_softmax,
    logsumexp,
    scan,
    softmax,
    stop_gradient,
    value_and_grad,
    vjp,
)
from tinygrad_ugan.autodiff.custom import elementwise, primitive
from tinygrad_ugan.compile import compile  # noqa: A004
from tinygrad_ugan.kernels.threads import get_num_threads, set_num_threads
from tinygrad_ugan.stated import states
from tinygrad_ugan.unroll.fused import warmup

__version__ = "0.2.0"

#: Read when first used: importing SciPy takes longer than all the rest.
_IN_PLACE_OF_SCIPY = ("integrate", "linalg", "special", "stats")

jit = compile

__all__ = [
    "Tensor",
    "array",
    "at",
    "autodiff",
    "check",
    "checkpoint",
    "compile",
    "custom_vjp",
    "data",
    "elementwise",
    "gan",
    "get_num_threads",
    "grad",
    "hessian",
    "hvp",
    "integrate",
    "jacobian",
    "jit",
    "jvp",
    "linalg",
    "log_softmax",
    "logsumexp",
    "nn",
    "optim",
    "primitive",
    "scan",
    "set_num_threads",
    "softmax",
    "special",
    "states",
    "stats",
    "stop_gradient",
    "unroll",
    "value_and_grad",
    "viz",
    "vjp",
    "warmup",
]


def __getattr__(name: str) -> Any:
    if name in _IN_PLACE_OF_SCIPY:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
