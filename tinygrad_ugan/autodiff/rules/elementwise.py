"""Elementwise functions: each line gives the partial derivatives in terms of (ans, *args)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import Primitive, composite, elementwise
from tinygrad_ugan.autodiff.rules.stable_derivatives import (
    cosine,
    one_minus_square,
    ratio,
    sign,
    softmax_weight,
    tanh_derivative,
)
from tinygrad_ugan.autodiff.samples import POSITIVE, REAL, Domain, Random, Samples, sample

LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180

# Where the arcs of sine, cosine and hyperbolic tangent are smooth, and not too steep to compare.
INSIDE = Domain(-0.7, 0.7)
# Quotients between 2 and 3, away from the jumps at whole numbers.
QUOTIENTS = (Domain(2.3, 2.8), Domain(1.0, 1.1))

_AT_CORNER = "0 at 0, and then NaN"
_BOTH = "0 where both are -inf"
_AT_JUMPS = "at the jumps, the derivative from the side where it is continuous"


def _over_square(x: Any, y: Any) -> Any:
    """``x / (x^2 + y^2)``, 0 at the origin and at infinity; the squares may overflow."""
    r = np.hypot(x, y)
    return np.where(np.isinf(untrace(r)), 0, ratio(cosine(x, y), r))


def _sinc_derivative(order: int, x: Any) -> Any:
    """The derivative of ``sin(pi x) / (pi x)`` of the given order.

    With t = pi x, s(t) = sin(t) / t and t s(t) = sin(t), the derivatives obey
    ``t s_n + n s_(n-1) = sin(t + n pi / 2)``. Upwards this loses digits like n! / t^n, so that the
    power series takes over near 0.
    """
    t = np.asarray(np.pi * x)
    near = np.abs(t) < 1 + order / 2
    away = np.where(near, 1, t)
    s = np.sin(away) / away
    for n in range(1, order + 1):
        s = (np.sin(away + n * (np.pi / 2)) - n * s) / away
    return np.pi**order * np.where(near, _sinc_series(order, np.where(near, t, 0)), s)


def _sinc_series(order: int, t: Any) -> Any:
    """Sum of ``(-1)^k t^(2k - n) / ((2k - n)! (2k + 1))`` for 2k >= n, by Horner's rule."""
    total = np.zeros_like(t)
    first = (order + 1) // 2
    for k in reversed(range(first, first + 12 + order)):
        weight = (-1) ** k / (2 * k + 1) / math.factorial(2 * k - order)
        total = total * t * t + weight
    return total * t if order % 2 else total


def _sinc_vector(e: Any, x: Any) -> Any:
    t = math.pi * e.where(e.equal(x, 0.0), 1e-20, x)  # as NumPy does it
    return e.sin(t) / t


def _inverse(y: Any) -> Any:
    """``1 / y``, also of Python's zero, by which NumPy does divide an array."""
    return np.divide(1.0, y) if isinstance(y, (int, float)) and y == 0 else 1 / y


# fmt: off
_ARITHMETIC = (
    elementwise(np.add,      1, 1),
    elementwise(np.subtract, 1, -1),
    elementwise(np.multiply, lambda ans, x, y: y, lambda ans, x, y: x),
    elementwise(np.divide,   lambda ans, x, y: _inverse(y), lambda ans, x, y: -ans / y,
                domain=(REAL, POSITIVE)),
    elementwise(np.negative, -1),
    elementwise(np.positive, 1),
    elementwise(np.square,   lambda ans, x: 2 * x),
    elementwise(np.sqrt,     lambda ans, x: 0.5 / ans, domain=POSITIVE),
    elementwise(np.cbrt,     lambda ans, x: np.square(1 / ans) / 3, domain=POSITIVE),
    elementwise(np.reciprocal, lambda ans, x: -ans * ans, domain=POSITIVE),
    elementwise(np.absolute, lambda ans, x: sign(x), domain=POSITIVE, convention=_AT_CORNER),
    elementwise(np.fabs,     lambda ans, x: sign(x), domain=POSITIVE, convention=_AT_CORNER),
    elementwise(np.remainder, 1, lambda ans, x, y: -np.floor_divide(x, y), domain=QUOTIENTS,
                convention=_AT_JUMPS),
    elementwise(np.fmod,     1, lambda ans, x, y: -np.rint((x - ans) / y), domain=QUOTIENTS,
                convention=_AT_JUMPS),
)

_EXPONENTIAL = (
    elementwise(np.exp,   lambda ans, x: ans),
    elementwise(np.exp2,  lambda ans, x: ans * LN2),
    elementwise(np.expm1, lambda ans, x: np.exp(x)),
    elementwise(np.log,   lambda ans, x: 1 / x, domain=POSITIVE),
    elementwise(np.log2,  lambda ans, x: 1 / (x * LN2), domain=POSITIVE),
    elementwise(np.log10, lambda ans, x: 1 / (x * LN10), domain=POSITIVE),
    elementwise(np.log1p, lambda ans, x: 1 / (1 + x), domain=Domain(-0.8, 3.0)),
    elementwise(np.logaddexp,
                lambda ans, x, y: softmax_weight(x, y, untrace(ans)),
                lambda ans, x, y: softmax_weight(y, x, untrace(ans)), convention=_BOTH),
    elementwise(np.logaddexp2,
                lambda ans, x, y: softmax_weight(x * LN2, y * LN2, untrace(ans) * LN2),
                lambda ans, x, y: softmax_weight(y * LN2, x * LN2, untrace(ans) * LN2),
                convention=_BOTH),
)

_TRIGONOMETRIC = (
    elementwise(np.sin,     lambda ans, x: np.cos(x)),
    elementwise(np.cos,     lambda ans, x: -np.sin(x)),
    elementwise(np.tan,     lambda ans, x: 1 + ans * ans, domain=INSIDE),
    elementwise(np.arcsin,  lambda ans, x: 1 / np.sqrt(one_minus_square(x)), domain=INSIDE),
    elementwise(np.arccos,  lambda ans, x: -1 / np.sqrt(one_minus_square(x)), domain=INSIDE),
    elementwise(np.arctan,  lambda ans, x: np.square(cosine(1, x))),
    elementwise(np.arctan2, lambda ans, y, x: _over_square(x, y),
                            lambda ans, y, x: -_over_square(y, x),
                domain=(REAL, POSITIVE), convention=_AT_CORNER),
    elementwise(np.hypot,   lambda ans, x, y: cosine(x, y), lambda ans, x, y: cosine(y, x),
                domain=(REAL, POSITIVE), convention=_AT_CORNER),
    elementwise(np.deg2rad, lambda ans, x: DEGREE),
    elementwise(np.radians, lambda ans, x: DEGREE),
    elementwise(np.rad2deg, lambda ans, x: 1 / DEGREE),
    elementwise(np.degrees, lambda ans, x: 1 / DEGREE),
)

_HYPERBOLIC = (
    elementwise(np.sinh,    lambda ans, x: np.cosh(x)),
    elementwise(np.cosh,    lambda ans, x: np.sinh(x)),
    elementwise(np.tanh,    tanh_derivative),
    elementwise(np.arcsinh, lambda ans, x: cosine(1, x)),
    elementwise(np.arccosh, lambda ans, x: (x - 1) ** -0.5 * (x + 1) ** -0.5,
                domain=Domain(1.5, 4.0)),
    elementwise(np.arctanh, lambda ans, x: 1 / one_minus_square(x), domain=INSIDE),
)

sinc_derivative: Primitive = elementwise(
    _sinc_derivative, 0, lambda ans, order, x: sinc_derivative(order + 1, x),
)
_SPECIAL = (
    elementwise(np.sinc, lambda ans, x: sinc_derivative(1, x), vector=_sinc_vector),
    sinc_derivative,
)

# Of real input: tensors are never complex.
_COMPLEX = (
    elementwise(np.conjugate, 1),
    composite(np.real, lambda val: val),
)
# fmt: on

RULES = (*_ARITHMETIC, *_EXPONENTIAL, *_TRIGONOMETRIC, *_HYPERBOLIC, *_SPECIAL, *_COMPLEX)

CONSTANTS = (
    *(np.sign, np.signbit, np.floor_divide, np.imag, np.angle),
    *(np.floor, np.ceil, np.rint, np.trunc, np.round, np.around, np.fix),
)

SAMPLES: Samples = {
    _sinc_derivative: [sample(1, Random((3,))), sample(2, Random((2, 3))), sample(5, Random(()))],
    np.real: [sample(Random((2, 3)))],
}
