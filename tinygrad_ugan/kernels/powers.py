"""Powers, roots and logarithms of vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_ugan.kernels import extra_precision, vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Number, Value
from tinygrad_ugan.kernels.extra_precision import in_float64, two_product

_LOG2_E = float.fromhex("0x1.71547652b82fep+0"), float.fromhex("0x1.777d0ffda0d24p-56")
_LOG10_E = float.fromhex("0x1.bcb7b1526e50ep-2"), float.fromhex("0x1.95355baaafad3p-57")


@in_float64
def log2(e: Emitter, x: Value) -> Value:
    """The logarithm to base 2, exact for powers of 2; error below 0.6 ulp."""
    return _log(e, x, _LOG2_E)


@in_float64
def log10(e: Emitter, x: Value) -> Value:
    """The logarithm to base 10, exact for powers of 10; error below 0.6 ulp."""
    return _log(e, x, _LOG10_E)


def _log(e: Emitter, x: Value, factor: tuple[float, float]) -> Value:
    high, low = extra_precision.times(e, extra_precision.log(e, x), factor)
    return vecmath.at_edges(e, x, high + low)


def power(e: Emitter, x: Value | Number, y: Value | Number) -> Value:
    """``x ** y``; error below 1.2 ulp, and 2 ulp for the exponents below."""
    if isinstance(x, Value) and not isinstance(y, Value) and y in _POWERS:
        return _POWERS[y](e, x)
    x, y = e.alike(x, y)
    size, floor = e.absolute(x), e.floor(y)
    is_whole, half = e.equal(y, floor), floor * 0.5
    is_odd = is_whole & e.not_equal(half, e.floor(half))
    magnitude = e.where(e.equal(size, 1.0) & e.equal(y, y), 1.0, _positive_power(e, size, y))
    signed = e.where(is_odd, e.copysign(magnitude, x), magnitude)
    has_none = (x < 0.0) & (x > -np.inf) & ~(is_whole | e.equal(e.absolute(y), np.inf))
    power = e.where(has_none & e.equal(y, y), np.nan, signed)
    return e.where(e.equal(x, 1.0) | e.equal(y, 0.0), 1.0, power)


_POWERS: dict[Number, Callable[[Emitter, Value], Value]] = {
    0: lambda e, x: e.like(1.0, x),
    0.5: lambda e, x: e.sqrt(x),
    1: lambda e, x: x,
    2: lambda e, x: x * x,
    3: lambda e, x: x * x * x,
    4: lambda e, x: (x * x) * (x * x),
    -1: lambda e, x: 1.0 / x,
    -2: lambda e, x: (1.0 / x) * (1.0 / x),
}
"""By the exponents that are common; the first four and -1 are NumPy's."""


@in_float64
def _positive_power(e: Emitter, x: Value, y: Value) -> Value:
    high, low = extra_precision.log(e, x)
    high = vecmath.at_edges(e, x, high)
    product, rest = two_product(e, y, high)
    return vecmath.exp(e, product, rest + y * low)


@in_float64
def cbrt(e: Emitter, x: Value) -> Value:
    """The cube root; error below 0.6 ulp."""
    size = e.absolute(x)
    is_small = size < 1.0
    size = size * e.where(is_small, 2.0**300, 2.0**-300)
    root = vecmath.exp(e, vecmath.log(e, size) / 3.0)
    square, rest = two_product(e, root, root)  # and one step of Newton's method
    cube, low = two_product(e, square, root)
    root = root + ((size - cube) - (low + rest * root)) / (3.0 * square)
    root = root * e.where(is_small, 2.0**-100, 2.0**100)
    is_regular = (e.absolute(x) > 0.0) & (size < np.inf)
    return e.where(is_regular, e.copysign(root, x), x)


@in_float64
def hypot(e: Emitter, x: Value | Number, y: Value | Number) -> Value:
    """``sqrt(x^2 + y^2)``, without overflow; error below 1.2 ulp."""
    x, y = (e.absolute(v) for v in e.alike(x, y))
    larger = e.where(x < y, y, x)
    is_large, is_small = larger > 2.0**500, larger < 2.0**-500
    scale = e.where(is_large, 2.0**-600, e.where(is_small, 2.0**600, 1.0))
    inverse = e.where(is_large, 2.0**600, e.where(is_small, 2.0**-600, 1.0))
    x, y = x * scale, y * scale
    length = e.sqrt(e.fma(x, x, y * y)) * inverse
    is_infinite = e.equal(x, np.inf) | e.equal(y, np.inf)  # even beside NaN
    return e.where(is_infinite, np.inf, length)


def logaddexp2(e: Emitter, x: Value, y: Value | Number) -> Value:
    """``log2(2^x + 2^y)``, without overflow.

    The error is below 3 ulp of the largest of x, y and the result.
    """
    distance = e.where(e.equal(x, y), 0.0, e.absolute(x - y))
    return e.maximum(x, y) + vecmath.log1p(e, vecmath.exp2(e, -distance)) * _LOG2_E[0]
