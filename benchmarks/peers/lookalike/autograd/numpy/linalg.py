"""NumPy's own, and the short names that Autograd's tests use."""

import numpy as np
from numpy.linalg import *

import tinygrad_ugan as ug


def norm(x, *args, **kwargs):
    """As NumPy's, of lists of tensors too."""
    return np.linalg.norm(ug.array(x) if isinstance(x, (list, tuple)) else x, *args, **kwargs)


def T(x):
    """The transposed matrices."""
    return np.swapaxes(x, -1, -2)


_dot = np.matmul
