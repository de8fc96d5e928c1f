"""NumPy's own."""

from numpy.random import *
