"""SciPy's functions, and in the place of odeint ours."""

from scipy.integrate import *

from tinygrad_ugan.integrate import odeint as _odeint


def odeint(func, y0, t, args=(), **options):
    """As SciPy's; ``args`` may be a list."""
    return _odeint(func, y0, t, tuple(args), **options)
