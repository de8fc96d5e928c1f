"""More digits than the dtype has: float32 numbers as float64, and float64 numbers as pairs.

A pair stands for the sum of its two numbers, the second of which is far below the last digit of the
first (T. J. Dekker 1971, "A floating-point technique for extending the available precision").
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Number, Value

Pair = tuple[Value, Value]
Function = Callable[..., Value]


def in_float64(function: Function) -> Function:
    """Let a function of float64 vectors serve float32 too, by computing in twice the digits."""

    @functools.wraps(function)
    def in_any(e: Emitter, *args: Value | Number) -> Value:
        if not e.single:
            return function(e, *args)
        wide = _of_float64(e)
        builder = e.builder
        widened = [
            Value(wide, builder.fpext(x.ir, wide.vector)) if isinstance(x, Value) else x
            for x in args
        ]
        return Value(e, builder.fptrunc(function(wide, *widened).ir, e.vector))

    return in_any


def _of_float64(e: Emitter) -> Any:
    """An emitter that writes to the same place, of float64 vectors with as many elements."""
    wide = copy.copy(e)
    wide.dtype, wide.single, wide.scalar = np.dtype(np.float64), False, ir.DoubleType()
    wide.vector = ir.VectorType(wide.scalar, e.lanes)
    wide.bits = ir.VectorType(ir.IntType(64), e.lanes)
    wide._constants = {}  # those of e are of its own type
    return wide


def two_sum(x: Value, y: Value | Number) -> Pair:
    """``x + y`` without an error."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def quick_two_sum(x: Value | Number, y: Value) -> Pair:
    """``x + y`` without an error, where x is at least as large, or 0."""
    total = x + y
    return total, y - (total - x)


def two_product(e: Emitter, x: Value, y: Value | float) -> Pair:
    """``x y`` without an error, where neither is near overflow or underflow."""
    product = x * y
    if e.target.has_fma:
        return product, e.fma(x, y, -product)
    (a, b), (c, d) = _halves(x), _halves(e.like(y, x))
    return product, b * d - (((product - a * c) - b * c) - a * d)


def _halves(x: Value) -> Pair:
    """Two numbers of 26 digits each."""
    scaled = x * (2.0**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high


def times(e: Emitter, x: Pair, y: Pair | tuple[float, float]) -> Pair:
    """The product of two pairs."""
    high, low = two_product(e, x[0], y[0])
    return quick_two_sum(high, low + (x[0] * y[1] + x[1] * y[0]))


# The series of 2 artanh(s) = s (2 + 2/3 s^2 + s^4 P(s^2)) for |s| < 0.1716.
_P = (
    0.4,
    0.28571428571429364,
    0.22222222221655885,
    0.18181818335392802,
    0.1538459496251843,
    0.1333480469384731,
    0.11706236339491206,
    0.11723178623876518,
)
_TWO_THIRDS = 2 / 3, 2.0**-54 / 3 * 2
_LOG_2 = float.fromhex("0x1.62e42fefa0000p-1"), float.fromhex("0x1.cf79abc9e3b3ap-40")


def log(e: Emitter, x: Value) -> Pair:
    """The logarithm of positive float64 numbers to 64 bits."""
    k, significand = vecmath.split(e, x)
    s = _quotient(e, significand - 1.0, quick_two_sum(1.0, significand))
    high, low = two_product(e, s[0], s[0])
    square = high, low + 2.0 * s[0] * s[1]
    tail = square[0] * vecmath.polynomial(e, square[0], _P)
    high, low = quick_two_sum(_TWO_THIRDS[0], tail)
    high, low = times(e, square, (high, low + _TWO_THIRDS[1]))
    two, rest = quick_two_sum(2.0, high)
    high, low = times(e, s, (two, rest + low))
    total, rest = two_sum(k * _LOG_2[0], high)  # the product is exact
    return quick_two_sum(total, rest + (low + k * _LOG_2[1]))


def _quotient(e: Emitter, x: Value, y: Pair) -> Pair:
    quotient = x / y[0]
    high, low = two_product(e, quotient, y[0])
    return quotient, (((x - high) - low) - quotient * y[1]) / y[0]
