"""The differentiation engine: levels and tape (`core`), the table of derivatives (`rules`), the
NumPy protocols (`tensor`), the transforms, and array updates that differentiate (`indexed_update`).
It knows nothing of networks or GANs.

`custom.primitive` is not repeated here, where `primitive` is the module of that name.
"""

from tinygrad_ugan.autodiff.checkpointing import checkpoint
from tinygrad_ugan.autodiff.custom import custom_vjp
from tinygrad_ugan.autodiff.functions import array, log_softmax, logsumexp, softmax
from tinygrad_ugan.autodiff.indexed_update import at
from tinygrad_ugan.autodiff.jacobians import hessian, jacobian
from tinygrad_ugan.autodiff.scanning import scan
from tinygrad_ugan.autodiff.tensor import Tensor
from tinygrad_ugan.autodiff.transforms import (
    grad,
    hvp,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)

__all__ = [
    "Tensor",
    "array",
    "at",
    "checkpoint",
    "custom_vjp",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "log_softmax",
    "logsumexp",
    "scan",
    "softmax",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
