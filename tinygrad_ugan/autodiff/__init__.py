"""The differentiation engine: levels and tape (`core`), the table of derivatives (`rules`), the
NumPy protocols (`tensor`) and the transforms. It knows nothing of networks or GANs.
"""

from tinygrad_ugan.autodiff.functions import log_softmax, logsumexp, softmax
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.autodiff.transforms import (
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)

__all__ = [
    "Tensor",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "log_softmax",
    "logsumexp",
    "softmax",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
