"""What every kernel does, in plain NumPy on arrays: its specification, and its oracle in tests.

Where a machine has none of the vector instructions that kernels are emitted for, numba compiles
these functions in their place (`tinygrad_ugan.kernels.plain`). So they use what numba knows, and a
product is a sum of rows: a call of BLAS would wake BLAS's own threads up.
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
