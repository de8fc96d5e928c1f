r"""Trigonometric functions of vectors, and their inverses.

An angle is reduced to :math:`r = x - k \pi / 2`, :math:`|r| \le \pi / 4`, as a pair of numbers, so
that it is right to the last digit next to a multiple of :math:`\pi / 2` too. Up to a million, k
times :math:`\pi / 2` in four parts is subtracted (W. J. Cody and W. Waite 1980, *Software manual
for the elementary functions*); above, those of the 1,200 binary digits of :math:`2 / \pi` count
that k does not take up (M. H. Payne and R. N. Hanek 1983, "Radian reduction for trigonometric
functions"). Such angles are rare, and are done one by one.
"""

from __future__ import annotations

import functools

import numpy as np
from llvmlite import ir

from tinygrad_ugan.kernels import vecmath
from tinygrad_ugan.kernels.emitter import I64, Emitter, Number, Value
from tinygrad_ugan.kernels.extra_precision import (
    Pair,
    in_float64,
    quick_two_sum,
    times,
    two_product,
    two_sum,
)

_PI = float.fromhex("0x1.921fb54442d18p+1"), float.fromhex("0x1.1a62633145c07p-53")
_HALF_PI = _PI[0] / 2, _PI[1] / 2
# 33 digits each, so that products with k below 2^20 are exact, and 53.
_PARTS = tuple(
    map(
        float.fromhex,
        ("0x1.921fb544p+0", "0x1.0b4611a6p-34", "0x1.3198a2ep-69", "0x1.b839a252049c1p-104"),
    )
)
_LARGE = 2.0**20


@in_float64
def sin(e: Emitter, x: Value) -> Value:
    """The sine of any angle; error below 1 ulp."""
    quadrant, r = _reduced(e, x)
    return e.where(e.equal(x, 0.0), x, _sine(e, quadrant, r))


@in_float64
def cos(e: Emitter, x: Value) -> Value:
    """The cosine of any angle; error below 1 ulp."""
    quadrant, r = _reduced(e, x)
    return _sine(e, quadrant + 1, r)


@in_float64
def tan(e: Emitter, x: Value) -> Value:
    """The tangent of any angle; error below 2.5 ulp."""
    quadrant, r = _reduced(e, x)
    return e.where(e.equal(x, 0.0), x, _sine(e, quadrant, r) / _sine(e, quadrant + 1, r))


def _sine(e: Emitter, quadrant: Value, r: Pair) -> Value:
    """The sine of ``r + quadrant pi / 2``."""
    sine, cosine = vecmath.sin_cos_of_pair(e, *r)
    chosen = e.where(e.equal(quadrant & 1, 0), sine, cosine)
    return e.from_bits(e.to_bits(chosen) ^ ((quadrant & 2) << 62))


def _reduced(e: Emitter, x: Value) -> tuple[Value, Pair]:
    """The number of the quadrant, in the last bits of an integer, and the rest of the angle."""
    size = e.absolute(x)
    large = 1.5 * 2.0**52
    biased = e.fma(x, 1 / _HALF_PI[0], large)
    k = biased - large
    total, first = two_sum(x - k * _PARTS[0], -(k * _PARTS[1]))
    total, second = two_sum(total, -(k * _PARTS[2]))
    r = quick_two_sum(total, (first + second) - k * _PARTS[3])
    quadrant, high, low = (e.variable(v) for v in (e.to_bits(biased), *r))
    is_large = (size >= _LARGE) & (size < np.inf)
    with e.when(e.any(is_large)), e.loop(e.lanes) as lane, e.when(_element(e, is_large, lane)):
        found = _reduced_large(e, _element(e, x, lane))
        for variable, value in zip((quadrant, high, low), found, strict=True):
            builder = e.builder
            variable.set(Value(e, builder.insert_element(variable.get().ir, value.ir, lane.ir)))
    return quadrant.get(), (high.get(), low.get())


def _element(e: Emitter, x: Value, i: Value) -> Value:
    return Value(e, e.builder.extract_element(x.ir, i.ir))


_WINDOW = ir.IntType(192)
_DIGITS = 1216  # of 2 / pi, enough for the largest number


def _reduced_large(e: Emitter, x: Value) -> tuple[Value, Value, Value]:
    """`_reduced` of one number: the quadrant, and the pair for the rest of the angle.

    Let x be m 2^n with a whole number m. Of the binary digits of 2^n 2 / pi, those from 4 on give
    multiples of 4 quadrants: the others, as a fixed-point number, are multiplied by m.
    """
    builder = e.builder
    bits = Value(e, builder.bitcast(e.absolute(x).ir, I64))
    m = (bits & 2**52 - 1) | 2**52
    product = Value(e, builder.zext(m.ir, _WINDOW)) * _digits_from_four(e, (bits >> 52) - 1075)
    quadrant = Value(e, builder.trunc((product + 2**189 >> 190).ir, I64))
    fraction = product << 2  # with a sign: of half a quadrant at most
    total = rest = Value(e, ir.Constant(e.scalar, 0.0))
    for place in range(1, 5):  # 32 digits each
        digits = Value(e, builder.trunc((fraction >> 192 - 32 * place).ir, I64))
        digits = digits if place == 1 else digits & 2**32 - 1
        number = Value(e, builder.sitofp(digits.ir, e.scalar)) * 2.0 ** (-32 * place)
        total, lost = two_sum(total, number)
        rest = rest + lost
    high, low = times(e, quick_two_sum(total, rest), _HALF_PI)
    is_negative = x < 0.0
    quadrant, high, low = (e.where(is_negative, -v, v) for v in (quadrant, high, low))
    return quadrant, high, low


def _digits_from_four(e: Emitter, n: Value) -> Value:
    """``2^n 2 / pi`` modulo 4, times 2^190, without the digits behind."""
    kind = ir.ArrayType(ir.IntType(8), _DIGITS // 8 + 32)
    table = e.module.globals.get("two_over_pi")
    if table is None:
        table = ir.GlobalVariable(e.module, kind, "two_over_pi")
        table.linkage, table.global_constant = "internal", True
        table.initializer = ir.Constant(
            kind, bytearray(_two_over_pi().to_bytes(kind.count, "little"))
        )
    behind = (_DIGITS - 190) - n
    place = e.builder.gep(table, [I64(0), (behind >> 3).ir])
    place = e.builder.bitcast(place, ir.IntType(256).as_pointer())
    digits = e.builder.load(place, align=1)
    behind = e.builder.zext((behind & 7).ir, digits.type)
    return Value(e, e.builder.trunc(e.builder.lshr(digits, behind), _WINDOW))


@functools.cache
def _two_over_pi() -> int:
    """The digits of 2 / pi, by J. Machin's formula for pi."""
    unit = 1 << _DIGITS + 64
    pi = 16 * _arctan_of_inverse(5, unit) - 4 * _arctan_of_inverse(239, unit)
    return (unit << _DIGITS + 1) // pi


def _arctan_of_inverse(n: int, unit: int) -> int:
    """``arctan(1 / n)`` in units, by its series."""
    total, power, k = 0, unit // n, 1
    while power:
        total += power // k if k % 4 == 1 else -(power // k)
        power, k = power // (n * n), k + 2
    return total


# arctan(x) = x + x^3 A(x^2) for |x| < sqrt(2) - 1, and arcsin(x) = x + x^3 B(x^2) for |x| < 1/2
_A = (
    -0.3333333333333333,
    0.1999999999999552,
    -0.14285714284666542,
    0.11111111015256361,
    -0.09090904578123903,
    0.07692183190826087,
    -0.06664511447381948,
    0.0585814891280221,
    -0.0508544973794026,
    0.03923165829558719,
    -0.01917688711906226,
)
_B = (
    0.16666666666666669,
    0.07499999999998433,
    0.04464285714635543,
    0.030381944138531247,
    0.02237217294214989,
    0.017352392720869973,
    0.013971212973552933,
    0.011479177415184906,
    0.01032281435018578,
    0.005457506718640358,
    0.01740087944269402,
    -0.014851887071247204,
    0.028757851367421566,
)


@in_float64
def arctan(e: Emitter, x: Value) -> Value:
    """The inverse of `tan`; error below 2 ulp."""
    return e.copysign(_arctan_of_size(e, e.absolute(x)), x)


@in_float64
def arctan2(e: Emitter, y: Value | Number, x: Value | Number) -> Value:
    """The angle of the point (x, y), from -pi to pi; error below 2.5 ulp."""
    y, x = e.alike(y, x)
    height, width = e.absolute(y), e.absolute(x)
    ratio = e.where(e.equal(height, np.inf) & e.equal(width, np.inf), 1.0, height / width)
    angle = _arctan_of_size(e, e.where(e.equal(height, 0.0) & e.equal(width, 0.0), 0.0, ratio))
    is_left = e.to_bits(x) < 0
    return e.copysign(e.where(is_left, _PI[0] - (angle - _PI[1]), angle), y)


def _arctan_of_size(e: Emitter, x: Value) -> Value:
    """The arctangent of numbers >= 0, by that of (x - 1) / (x + 1) or -1 / x where large."""
    is_middle, is_far = x > 2**0.5 - 1, x > 2**0.5 + 1
    numerator = e.where(is_far, -1.0, e.where(is_middle, x - 1.0, x))
    denominator = e.where(is_far, x, e.where(is_middle, x + 1.0, 1.0))
    t = numerator / denominator
    high, low = (e.where(is_far, c, e.where(is_middle, c / 2, 0.0)) for c in _HALF_PI)
    square = t * t
    return high + (t + (t * square * vecmath.polynomial(e, square, _A) + low))


@in_float64
def arcsin(e: Emitter, x: Value) -> Value:
    """The inverse of `sin`; error below 2 ulp."""
    size = e.absolute(x)
    is_far = size > 0.5
    t, lost, series = _arcsin_series(e, size, is_far)
    far = (_HALF_PI[0] - 2.0 * t) - (2.0 * (series + lost) - _HALF_PI[1])
    return e.copysign(e.where(is_far, far, t + series), x)


@in_float64
def arccos(e: Emitter, x: Value) -> Value:
    """The inverse of `cos`; error below 2 ulp."""
    is_far = e.absolute(x) > 0.5
    t, lost, series = _arcsin_series(e, e.absolute(x), is_far)
    signed = e.copysign(t, x) + e.copysign(series, x)
    near = _HALF_PI[0] - (signed - _HALF_PI[1])
    beside_one = 2.0 * (t + (series + lost))
    far = e.where(x < 0.0, _PI[0] - (beside_one - _PI[1]), beside_one)
    return e.where(is_far, far, near)


def _arcsin_series(e: Emitter, x: Value, is_far: Value) -> tuple[Value, Value, Value]:
    """Split the arcsine of t in t and the rest, for ``t = x`` or ``sqrt((1 - x) / 2)``.

    Between them comes the rounding error of the root.
    """
    square = e.where(is_far, 0.5 - 0.5 * x, x * x)
    root = e.sqrt(square)
    t = e.where(is_far, root, x)
    high, low = two_product(e, root, root)
    lost = ((square - high) - low) / (root + root)
    lost = e.where(root > 0.0, lost, 0.0)
    return t, lost, t * square * vecmath.polynomial(e, square, _B)
