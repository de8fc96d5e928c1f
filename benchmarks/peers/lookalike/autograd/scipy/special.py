"""SciPy's ufuncs, which come to the engine, and in the place of its Python functions ours."""

from scipy.special import *

from tinygrad_ugan.special import *
