"""Derivatives that are wrong by as much as one wants."""

import numpy as np

import tinygrad_ugan as ug


def spoiled(size, shape, element, value=lambda x: x):
    """A function with derivatives of the identity, but for an error at one element.

    `element` may be ``...``: all of them.
    """
    factor = np.ones(shape)
    factor[element] += size

    @ug.primitive(partials=[lambda ans, x: factor.astype(x.dtype)])
    def spoil(x):
        return value(x)

    return spoil
