"""Derivatives that are wrong by as much as one wants, and what the checker finds of them."""

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.check import GradCheckError, check_grads


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


def finding_of(f, args, **options):
    with pytest.raises(GradCheckError) as caught:
        check_grads(f, args, **options)
    return caught.value.finding
