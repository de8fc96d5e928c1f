"""Hyperbolic functions of vectors, and their inverses; the hyperbolic tangent is in `vecmath`."""

from __future__ import annotations

import numpy as np

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Value
from tinygrad_ugan.kernels.extra_precision import in_float64

_LOG_2 = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
_LARGE = 2.0**28  # the square of it is the same with 1 added

# sinh(x) = x + x^3 P(x^2) for |x| < 1
_P = (
    0.16666666666666666,
    0.008333333333333299,
    0.00019841269841324198,
    2.7557319191381816e-06,
    2.5052117695907823e-08,
    1.6057679623801638e-10,
    7.746178593018827e-13,
)


@in_float64
def sinh(e: Emitter, x: Value) -> Value:
    """The hyperbolic sine; error below 2 ulp."""
    half, square = _half_exp(e, e.absolute(x)), x * x
    near = e.fma(x * square, vecmath.polynomial(e, square, _P), x)
    far = e.copysign(half - 0.25 / half, x)
    return e.where(e.absolute(x) < 1.0, e.where(e.absolute(x) > 0.0, near, x), far)


@in_float64
def cosh(e: Emitter, x: Value) -> Value:
    """The hyperbolic cosine; error below 2 ulp."""
    half = _half_exp(e, e.absolute(x))
    return half + 0.25 / half


def _half_exp(e: Emitter, x: Value) -> Value:
    """``exp(x) / 2``, which overflows later than `exp`."""
    less = x - _LOG_2[0]
    return vecmath.exp(e, less, ((x - less) - _LOG_2[0]) - _LOG_2[1])


@in_float64
def arcsinh(e: Emitter, x: Value) -> Value:
    """The inverse of `sinh`; error below 4 ulp."""
    size = e.absolute(x)
    square = size * size
    growth = size + square / (e.sqrt(square + 1.0) + 1.0)
    is_large = size > _LARGE
    value = vecmath.log1p(e, e.where(is_large, size - 1.0, growth))
    return e.copysign(value + e.where(is_large, _LOG_2[0], 0.0), x)


@in_float64
def arccosh(e: Emitter, x: Value) -> Value:
    """The inverse of `cosh`, from 1 on; error below 4 ulp."""
    above = e.where(x < 1.0, np.nan, x - 1.0)
    growth = above + e.sqrt(above * (above + 2.0))
    is_large = x > _LARGE
    value = vecmath.log1p(e, e.where(is_large, above, growth))
    return value + e.where(is_large, _LOG_2[0], 0.0)


@in_float64
def arctanh(e: Emitter, x: Value) -> Value:
    """The inverse of `tanh`; error below 4 ulp."""
    size = e.absolute(x)
    return e.copysign(0.5 * vecmath.log1p(e, (size + size) / (1.0 - size)), x)
