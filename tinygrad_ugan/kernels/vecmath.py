r"""Elementary functions of vectors, in straight-line code: no branches, no tables, no calls.

All are built on a few series. With :math:`x = k \log 2 + r`, k whole and
:math:`|r| \le \tfrac12 \log 2`,

.. math:: e^x = 2^k + 2^k (e^r - 1), \qquad e^r - 1 = r + r^2 P(r),

and for the logarithm, with :math:`s = f / (2 + f)`,

.. math:: \log(1 + f) = 2 \operatorname{artanh} s = f - s\,(f - s^2 Q(s^2)).

and for an angle t of at most :math:`\pi / 4`

.. math:: \sin t = t + t^3 S(t^2), \qquad \cos t = 1 - \tfrac12 t^2 + t^4 C(t^2).

P, Q, S and C minimise the largest relative error (Remez's algorithm in 50 digits, rounding the
leading coefficients one by one and refitting the rest); P for float32 has more weight where tanh
rounds worst. NaN gives NaN; infinities, overflow and denormal numbers
are as in IEEE 754; tanh and expm1 keep the sign of 0.

The error bounds, in units in the last place, were verified for every float32. For float64 they were
not proved: 18 million random points for each function stayed below them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_ugan.kernels.emitter import Emitter, Number, Value

_LOG2_E = float(np.log2(np.e))
_LOG_2 = float(np.log(2.0))


@dataclass(frozen=True)
class _Format:
    """The constants of a floating-point format."""

    fraction_bits: int
    exponent_bias: int
    log2_high: float  # few enough bits that its product with any exponent is exact
    log2_low: float
    exp_range: tuple[float, float]  # exp is 0 below, infinite above
    ones: float  # expm1(-x) is -1 and tanh(x / 2) is 1 from here on
    tiny: float  # expm1(x) is x below
    p: tuple[float, ...]
    q: tuple[float, ...]
    s: tuple[float, ...]
    c: tuple[float, ...]


_SINGLE = _Format(
    fraction_bits=23,
    exponent_bias=127,
    log2_high=float.fromhex("0x1.62e4p-1"),
    log2_low=float.fromhex("0x1.7f7d1cp-20"),
    exp_range=(-104.0, 89.0),
    ones=20.0,
    tiny=2.0**-25,
    p=(0.5, 0.166665226, 0.0416678973, 0.00836762786, 0.00138236093),
    q=(0.666664898, 0.400180012, 0.280522406, 0.27788645),
    s=(-0.16666655, 0.008332189, -0.00019518287),
    c=(0.041666646, -0.001388731, 2.4432327e-05),
)
_DOUBLE = _Format(
    fraction_bits=52,
    exponent_bias=1023,
    log2_high=float.fromhex("0x1.62e42fefa0000p-1"),
    log2_low=float.fromhex("0x1.cf79abc9e3b3ap-40"),
    exp_range=(-745.2, 709.8),
    ones=40.0,
    tiny=2.0**-54,
    p=(
        0.5,
        0.16666666666666674,
        0.04166666666666673,
        0.008333333333324922,
        0.0013888888888776466,
        0.00019841269875835795,
        2.4801587689215152e-05,
        2.7557255407317755e-06,
        2.755686510543092e-07,
        2.5105069527183464e-08,
        2.1062064043636106e-09,
    ),
    q=(
        0.6666666666666661,
        0.40000000000058106,
        0.2857142855924881,
        0.2222222331745779,
        0.18181765287084073,
        0.15386133819370096,
        0.1330624311228753,
        0.12066624994512996,
        0.08504032971999288,
        0.16728614570263772,
    ),
    s=(
        -0.1666666666666663,
        0.00833333333332184,
        -0.00019841269829358544,
        2.755731353852814e-06,
        -2.5050734392825543e-08,
        1.5895433575246176e-10,
    ),
    c=(
        0.041666666666666595,
        -0.001388888888887334,
        2.4801587288999775e-05,
        -2.7557314216165326e-07,
        2.0875705254626564e-09,
        -1.1358740937441046e-11,
    ),
)


def tanh(e: Emitter, x: Value) -> Value:
    """The hyperbolic tangent, ``(exp(2 x) - 1) / (exp(2 x) + 1)``; odd, and at most 1.

    The error is below 2.6 ulp.
    """
    form = _format(e)
    y = e.minimum(e.absolute(x), form.ones / 2)
    k, double_power = _whole(e, y, 2 * _LOG2_E, shift=1)
    r = e.fma(k, -_LOG_2 / 2, y)  # errors for large k do not matter, as tanh is flat there
    doubled = tuple(c * 2.0**n for n, c in enumerate(form.p, start=1))  # P at 2 r
    half = e.fma(r * r, polynomial(e, r, doubled), r)
    above_one = e.fma(double_power, half, e.fma(double_power, 0.5, -1.0))
    return e.copysign(above_one / (above_one + 2.0), x)


def sigmoid(e: Emitter, x: Value) -> Value:
    """``1 / (1 + exp(-x))``, without overflow; error below 2.5 ulp."""
    small = exp(e, -e.absolute(x))
    return e.where(x < 0.0, small, 1.0) / (small + 1.0)


def softplus(e: Emitter, x: Value) -> Value:
    """``log(1 + exp(x))``, without overflow; error below 2 ulp."""
    return e.maximum(x, 0.0) + _log1p(e, exp(e, -e.absolute(x)))


def log_sigmoid(e: Emitter, x: Value) -> Value:
    """``-log(1 + exp(-x))``, without overflow; error below 2 ulp."""
    return e.minimum(x, 0.0) - _log1p(e, exp(e, -e.absolute(x)))


def exp(e: Emitter, x: Value, tail: Value | None = None) -> Value:
    """The exponential, denormal results included, of x or of ``x + tail``; error below 1.2 ulp."""
    low, high = _format(e).exp_range
    inside = e.minimum(e.maximum(x, low), high)
    k, _ = _exponent(e, inside)
    r = _remainder(e, inside, k)
    if tail is not None:
        r = r + e.where(e.equal(inside, x), tail, 0.0)
    return _times_power(e, _expm1_series(e, r) + 1.0, k)


def exp2(e: Emitter, x: Value) -> Value:
    """``2^x``, denormal results included; error below 1.6 ulp, and none for whole numbers."""
    low, high = (_LOG2_E * end for end in _format(e).exp_range)
    x = e.minimum(e.maximum(x, low), high)
    k, _ = _whole(e, x)
    return _times_power(e, _expm1_series(e, (x - k) * _LOG_2) + 1.0, k)


def expm1(e: Emitter, x: Value) -> Value:
    """``exp(x) - 1``, accurate near 0; error below 2 ulp."""
    form = _format(e)
    y = e.minimum(e.maximum(x, -form.ones), form.exp_range[1])
    k, half_power = _exponent(e, y, shift=-1)  # half, as the largest power overflows
    half = e.fma(half_power, _expm1_series(e, _remainder(e, y, k)), half_power - 0.5)
    return e.where(e.absolute(x) < form.tiny, x, half + half)


def log(e: Emitter, x: Value) -> Value:
    """The logarithm, of denormal numbers too; error below 1.5 ulp."""
    k, significand = split(e, x)
    return at_edges(e, x, _add_exponent(e, k, _log1p(e, significand - 1.0)))


def log1p(e: Emitter, x: Value) -> Value:
    """``log(1 + x)``, accurate near 0; error below 2 ulp."""
    form = _format(e)
    total = x + 1.0
    k, significand = _split_normal(e, total)
    _, inverse_power = _whole(e, -k)
    # 1 + x before rounding, in place of the significand, as long as the 1 matters
    f = e.fma(x, inverse_power, inverse_power - 1.0)
    f = e.where(total < 2.0 ** (form.fraction_bits + 2), f, significand - 1.0)
    value = at_edges(e, total, _add_exponent(e, k, _log1p(e, f)))
    return e.where(e.absolute(x) < form.tiny, x, value)


def logaddexp(e: Emitter, x: Value, y: Value | Number) -> Value:
    """``log(exp(x) + exp(y))``, without overflow.

    The error is below 3 ulp of the largest of x, y and the result.
    """
    distance = e.where(e.equal(x, y), 0.0, e.absolute(x - y))
    return e.maximum(x, y) + _log1p(e, exp(e, -distance))


def sin_cos(e: Emitter, t: Value) -> tuple[Value, Value]:
    """Sine and cosine for t in [-pi / 4, pi / 4]; errors below 1.2 ulp (1 with multiply-adds)."""
    form, square = _format(e), t * t
    sine = e.fma(t * square, polynomial(e, square, form.s), t)
    tail = e.fma(square, polynomial(e, square, form.c), -0.5)
    return sine, e.fma(square, tail, 1.0)


def sin_cos_of_pair(e: Emitter, t: Value, rest: Value) -> tuple[Value, Value]:
    """The same of ``t + rest``, where the rest is below the last digit; errors below 0.9 ulp."""
    form, square = _format(e), t * t
    half = 0.5 * square
    sine = t + e.fma(t * square, polynomial(e, square, form.s), rest * (1.0 - half))
    without_half = 1.0 - half
    lost = (1.0 - without_half) - half
    tail = e.fma(square * square, polynomial(e, square, form.c), lost - t * rest)
    return sine, without_half + tail


def _log1p(e: Emitter, f: Value) -> Value:
    """``log(1 + f)`` for f in [-1/2, 1]."""
    s = f / (f + 2.0)
    z = s * s
    return e.fma(-s, e.fma(-z, polynomial(e, z, _format(e).q), f), f)


def split(e: Emitter, x: Value) -> tuple[Value, Value]:
    """``k`` and ``2^-k x`` in [sqrt(1/2), sqrt(2)), of positive numbers."""
    scaling = _format(e).fraction_bits + 1
    is_denormal = x < float(np.finfo(e.dtype).tiny)
    k, significand = _split_normal(e, e.where(is_denormal, x * 2.0**scaling, x))
    return e.where(is_denormal, k - float(scaling), k), significand


def _split_normal(e: Emitter, x: Value) -> tuple[Value, Value]:
    """The same of numbers that are not denormal."""
    form = _format(e)
    below = e.to_bits(x) - e.to_bits(e.constant(np.sqrt(0.5)))
    k = below >> form.fraction_bits
    return _whole_number(e, k), e.from_bits(e.to_bits(x) - (k << form.fraction_bits))


def _add_exponent(e: Emitter, k: Value, log: Value) -> Value:
    """``k log 2 + log``."""
    form = _format(e)
    return e.fma(k, form.log2_high, e.fma(k, form.log2_low, log))


def at_edges(e: Emitter, x: Value, log: Value) -> Value:
    """The logarithm of x at 0, infinity, negative numbers and NaN, and `log` elsewhere."""
    edge = e.where(x >= 0.0, e.where(x > 0.0, x, -np.inf), np.nan)
    return e.where((x > 0.0) & (x < np.inf), log, edge)


def _whole_number(e: Emitter, k: Value) -> Value:
    """Convert small integers to floating-point numbers: left in the last bits of large ones."""
    large = 1.5 * 2.0 ** _format(e).fraction_bits
    return e.from_bits(k + e.to_bits(e.constant(large))) - large


def _format(e: Emitter) -> _Format:
    return _SINGLE if e.single else _DOUBLE


def _exponent(e: Emitter, x: Value, shift: int = 0) -> tuple[Value, Value]:
    """``k = round(x / log 2)``, and ``2^(k + shift)``."""
    return _whole(e, x, _LOG2_E, shift)


def _whole(e: Emitter, x: Value, factor: float = 1.0, shift: int = 0) -> tuple[Value, Value]:
    """``k = round(factor x)``, and ``2^(k + shift)``.

    Adding 1.5 * 2^fraction_bits, plus bias and shift, rounds to an integer and leaves it in the
    last bits; shifted left, these are the exponent bits of the power, with a zero fraction.
    """
    form = _format(e)
    bias = 1.5 * 2.0**form.fraction_bits + form.exponent_bias + shift
    biased = e.fma(x, factor, bias)
    power = e.from_bits(e.to_bits(biased) << form.fraction_bits)
    return biased - bias, power


def _remainder(e: Emitter, x: Value, k: Value) -> Value:
    """``x - k log 2``."""
    form = _format(e)
    return e.fma(k, -form.log2_low, e.fma(k, -form.log2_high, x))


def _times_power(e: Emitter, x: Value, k: Value) -> Value:
    """``2^k x``, where 2^k itself may overflow."""
    half, power = _whole(e, k * 0.5)
    _, other_power = _whole(e, k - half)
    return x * power * other_power


def _expm1_series(e: Emitter, r: Value) -> Value:
    return e.fma(r * r, polynomial(e, r, _format(e).p), r)


def polynomial(e: Emitter, x: Value, coefficients: tuple[float, ...]) -> Value:
    """Horner's rule in the square, on pairs: no more instructions than Horner's, half the depth."""
    square = x * x
    pairs = [
        e.fma(x, odd, even)
        for even, odd in zip(coefficients[::2], coefficients[1::2], strict=False)
    ]
    total = e.like(coefficients[-1], x) if len(coefficients) % 2 else pairs.pop()
    for pair in reversed(pairs):
        total = e.fma(total, square, pair)
    return total
