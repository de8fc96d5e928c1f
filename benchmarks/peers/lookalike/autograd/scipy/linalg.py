"""SciPy's functions, and in the place of those that make plain arrays of tensors ours."""

from scipy.linalg import *

from tinygrad_ugan.linalg import *
