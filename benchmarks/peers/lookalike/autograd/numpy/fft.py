"""NumPy's own."""

from numpy.fft import *
