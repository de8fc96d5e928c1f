"""Factors of derivatives that need care: at points without a derivative, and where digits cancel.

A rule may say 0 where a function has a corner, but the derivative of that 0 must not be 0 again:
``hypot(x, y)**2`` is smooth at the origin, and its second derivative would come out wrong. Here it
is NaN. The other factors are those whose plain formulas lose digits, such as ``1 - tanh(x)**2``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    POSITIVE,
    REAL,
    Operand,
    Primitive,
    elementwise,
    sample,
    strip,
)


def nonzero(x: Any) -> Any:
    """x, but NaN where it is 0."""
    return np.where(x == 0, np.nan, x)


def nan_at_zero(x: Any) -> Any:
    """NaN where x is 0, else 0: the derivative of a function that is constant on either side."""
    bare = strip(x)
    return np.where(bare == 0, np.nan, np.zeros_like(bare))


def _sign(x: Any) -> Any:
    return np.sign(x)


def _ratio(x: Any, y: Any) -> Any:
    """``x / y``, but 0 where y is 0."""
    return np.where(y == 0, 0, x / np.where(y == 0, 1, y))


def _cosine(x: Any, y: Any) -> Any:
    """``x / hypot(x, y)``, but 0 at the origin."""
    with np.errstate(invalid="ignore"):  # of infinity over infinity
        return np.where(np.isinf(x) & np.isfinite(y), np.sign(x), _ratio(x, np.hypot(x, y)))


def _root(total: Any, degree: float) -> Any:
    return np.sqrt(total) if degree == 2 else total ** (1 / degree)


def _root_slope(ans: Any, total: Any, degree: float) -> Any:
    return ratio(0.5, ans) if degree == 2 else ratio(ans, degree * total)


# fmt: off
sign = elementwise(_sign, lambda ans, x: nan_at_zero(x), domain=POSITIVE,
                   convention="NaN at 0")
ratio: Primitive = elementwise(
    _ratio, lambda ans, x, y: 1 / nonzero(y), lambda ans, x, y: -ans / nonzero(y),
    domain=(REAL, POSITIVE), convention="NaN where y is 0")
cosine: Primitive = elementwise(
    _cosine, lambda ans, x, y: cosine(y, x) * cosine(y, x) / nonzero(np.hypot(x, y)),
             lambda ans, x, y: -ans * cosine(y, x) / nonzero(np.hypot(x, y)),
    domain=(REAL, POSITIVE), convention="NaN at the origin")
root: Primitive = elementwise(
    _root, _root_slope, 0,
    samples=[sample(Operand((2, 3), POSITIVE), degree) for degree in (2, 3, 0.5)],
    convention="0 at 0, and then NaN")
# fmt: on

RULES = (sign, ratio, cosine, root)
