"""Reference functions of all kernels in plain NumPy: their specification, and oracles in tests.

`tinygrad_ugan.kernels.plain` runs whole programs by them, compiled by numba. So they use only what
numba supports, and a product is a loop: a call of BLAS would wake its threads.
"""

from tinygrad_ugan.kernels.reference import layers, losses, parameters, philox
from tinygrad_ugan.kernels.reference.registry import HELPERS, REFERENCES, ArrayLayout, Reference

__all__ = [
    "HELPERS",
    "REFERENCES",
    "ArrayLayout",
    "Reference",
    "layers",
    "losses",
    "parameters",
    "philox",
]
