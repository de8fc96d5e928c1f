"""The two modes for a function of one argument, and `primitive` under its older address."""

import numpy as np
import optree

import tinygrad_ugan as ug
from autograd.extend import primitive
from autograd.wrap_util import floats


def make_vjp(fun, x):
    """The pullback of fun at x, and its value."""
    out, pullback = ug.vjp(fun, floats(x))
    return lambda g: pullback(g)[0], out


def make_jvp(fun, x):
    """The function that takes a direction to the value of fun at x and its derivative there."""
    return lambda v: ug.jvp(fun, (floats(x),), (v,))


def ones_like(tree):
    """Ones in the shape of every leaf."""
    return optree.tree_map(np.ones_like, tree)


primitive_vjps = {}  # Autograd's own table, which a test takes a rule out of

__all__ = ["make_jvp", "make_vjp", "ones_like", "primitive", "primitive_vjps"]
