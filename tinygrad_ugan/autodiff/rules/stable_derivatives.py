"""Factors of derivatives that need care, at points without a derivative and against cancellation.

A rule may return 0 where a function has a corner, but the derivative of that 0 must not be 0 again:
``hypot(x, y)**2`` is smooth at the origin, and its second derivative would come out wrong. Here it
is NaN. The other factors are those whose plain formulas cancel, such as ``1 - tanh(x)**2``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import POSITIVE, REAL, Domain, Random, Samples, sample


def nan_if_zero(x: Any) -> Any:
    """x, but NaN where it is 0."""
    return np.where(x == 0, np.nan, x)


def nan_at_zero(x: Any) -> Any:
    """NaN where x is 0, else 0: the derivative of a function that is constant on either side."""
    bare = untrace(x)
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


def _one_minus_square(x: Any) -> Any:
    """``(1 - x) (1 + x)``, which is exact near 1."""
    return (1 - x) * (1 + x)


# Near saturation ``1 - ans`` cancels and x has to be used; elsewhere it is much cheaper than an
# exponential. For few elements the number of calls decides. One of the two arguments is passed
# bare: it is a function of the other, through which all derivatives go.

SATURATED, FEW = 1 / 8, 512


def _tanh_slope(t: Any, x: Any) -> Any:
    """``1 - t^2`` for t = tanh(x), which is ``exp(-2 x) (1 + t)^2`` too."""
    if x.size <= FEW:
        return _square_of_secant(x)
    slope = 1 - t * t
    if np.min(slope) >= SATURATED:
        return slope
    slope = np.abs(t, out=slope)
    slope += 1
    slope *= slope
    slope *= _decay(x, 2)
    return slope


def _logistic_slope(s: Any, x: Any) -> Any:
    """``s (1 - s)`` for the logistic function s of x, which is ``exp(-x) s^2`` too."""
    if x.size <= FEW:
        return 0.25 * _square_of_secant(0.5 * x)
    rest = 1 - s
    if np.min(rest) >= SATURATED:
        rest *= s
        return rest
    slope = np.maximum(s, rest, out=rest)
    slope *= slope
    slope *= _decay(x, 1)
    return slope


def _decay(x: Any, rate: int) -> Any:
    """``exp(-rate |x|)``."""
    decay = np.abs(x)
    decay *= -rate
    return np.exp(decay, out=decay)


def _square_of_secant(x: Any) -> Any:
    with np.errstate(over="ignore"):  # 1 / inf is 0
        return np.square(1 / np.cosh(x))


def _logistic_complement(log_s: Any, x: Any) -> Any:
    """``1 - s`` for the logarithm of the logistic function s of x."""
    return -np.expm1(log_s)


def _expm1_plus_one(e: Any, x: Any) -> Any:
    """``1 + e`` for e = expm1(x) if x < 0; unspecified otherwise."""
    power = 1 + e
    if np.min(power, initial=1) >= SATURATED:
        return power
    return np.exp(np.minimum(x, 0))


def _softmax_weight(x: Any, y: Any, total: Any) -> Any:
    """``exp(x) / (exp(x) + exp(y))``, given the logarithm of the sum; its limits at infinity.

    If both are -inf it is 0; if both are inf there is no limit, and it is NaN.
    """
    if not np.count_nonzero(np.isinf(total)):
        return np.exp(x - total)
    largest = np.finfo(total.dtype).max
    weight = np.exp(np.minimum(x, largest) - np.clip(total, -largest, largest))
    return np.where(np.equal(x, np.inf) & np.equal(y, np.inf), np.nan, weight)


def _product_of_weights(x: Any, y: Any, total: Any) -> Any:
    return _softmax_weight(x, y, total) * _softmax_weight(y, x, total)


# The same as vector forms, which take the way near saturation for all elements.


def _tanh_slope_vector(e: Any, t: Any, x: Any) -> Any:
    return e.square(e.absolute(t) + 1.0) * e.exp(-2.0 * e.absolute(x))


def _logistic_slope_vector(e: Any, s: Any, x: Any) -> Any:
    return e.square(e.maximum(s, 1.0 - s)) * e.exp(-e.absolute(x))


def _softmax_weight_vector(e: Any, x: Any, y: Any, total: Any) -> Any:
    limit = e.where(x < 0.0, -np.inf, e.where(e.equal(x, y), np.nan, 0.0))
    return e.exp(e.where(e.isinf(x) & e.equal(x, total), limit, x - total))


def _ratio_vector(e: Any, x: Any, y: Any) -> Any:
    return e.where(e.equal(y, 0.0), 0.0, x / y)


def _cosine_vector(e: Any, x: Any, y: Any) -> Any:
    inside = _ratio_vector(e, x, e.hypot(x, y))
    return e.where(e.isinf(x) & e.isfinite(y), e.sign(x), inside)


def _root_vector(e: Any, total: Any, degree: Any) -> Any:
    return e.power(total, 1 / degree)


# fmt: off
sign = elementwise(_sign, lambda ans, x: nan_at_zero(x), domain=POSITIVE,
                   convention="NaN at 0", vector=lambda e, x: e.sign(x))
ratio: Primitive = elementwise(
    _ratio, lambda ans, x, y: 1 / nan_if_zero(y), lambda ans, x, y: -ans / nan_if_zero(y),
    domain=(REAL, POSITIVE), convention="NaN where y is 0", vector=_ratio_vector)
cosine: Primitive = elementwise(
    _cosine, lambda ans, x, y: cosine(y, x) * cosine(y, x) / nan_if_zero(np.hypot(x, y)),
             lambda ans, x, y: -ans * cosine(y, x) / nan_if_zero(np.hypot(x, y)),
    domain=(REAL, POSITIVE), convention="NaN at the origin", vector=_cosine_vector)
root: Primitive = elementwise(
    _root, _root_slope, 0,
    convention="0 at 0, and then NaN", vector=_root_vector)
one_minus_square: Primitive = elementwise(_one_minus_square, lambda ans, x: -2 * x,
                                          vector=lambda e, x: (1.0 - x) * (1.0 + x))

tanh_slope = elementwise(_tanh_slope, lambda ans, t, x: -2 * t, 0, vector=_tanh_slope_vector)
logistic_slope = elementwise(_logistic_slope, 0, lambda ans, s, x: -ans * np.tanh(x / 2),
                             vector=_logistic_slope_vector)
logistic_complement = elementwise(_logistic_complement, 0,
                                  lambda ans, log_s, x: -logistic_slope(untrace(ans), -x),
                                  vector=lambda e, log_s, x: -e.expm1(log_s))
expm1_plus_one = elementwise(_expm1_plus_one, 1, 0,
                             vector=lambda e, ans, x: e.exp(e.minimum(x, 0.0)))

# The total is passed bare, too. It is a function of x and y, so that no sample call can vary these
# alone.
softmax_weight = elementwise(
    _softmax_weight, lambda ans, x, y, total: product_of_weights(x, y, total),
            lambda ans, x, y, total: -product_of_weights(x, y, total), 0,
    vector=_softmax_weight_vector)
product_of_weights: Primitive = elementwise(
    _product_of_weights, lambda ans, x, y, total: -ans * np.tanh((x - y) / 2),
                        lambda ans, x, y, total: ans * np.tanh((x - y) / 2), 0,
    vector=lambda e, x, y, total: (
        _softmax_weight_vector(e, x, y, total) * _softmax_weight_vector(e, y, x, total)))
# fmt: on


def tanh_derivative(ans: Any, x: Any) -> Any:
    """``1 - ans^2``; a direct call at the lowest level, where training spends its time."""
    return _tanh_slope(ans, x) if type(x) is np.ndarray else tanh_slope(ans, untrace(x))


RULES = (sign, ratio, cosine, root, one_minus_square, expm1_plus_one)

_INSIDE = Random((2, 3), Domain(-0.7, 0.7))
_NOWHERE = np.zeros((2, 3), np.float32)

SAMPLES: Samples = {
    _root: [sample(Random((2, 3), POSITIVE), degree) for degree in (2, 3, 0.5)],
    _expm1_plus_one: [sample(_INSIDE, _NOWHERE)],
}
