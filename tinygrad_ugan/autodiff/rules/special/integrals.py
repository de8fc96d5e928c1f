"""scipy.special: functions defined by integrals: error functions, exponential and elliptic ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import double, in_common_dtype
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample, samples_with

ROOT_PI = math.sqrt(math.pi)
ROOT_2PI = math.sqrt(2 * math.pi)
LN10 = math.log(10)

# Where the inverses of the error functions are not too steep to compare.
FRACTION, AROUND_ONE = Domain(0.25, 0.75), Domain(0.5, 1.5)
BEYOND_POLE = Domain(0.8, 4.0)
# Moduli away from the pole at 1.
MODULUS = Domain(-0.9, 0.6)

# Gauss-Legendre nodes and weights on the interval from 0 to 1.
_ON_BOTH_SIDES, _WEIGHTS = ((x / 2).tolist() for x in np.polynomial.legendre.leggauss(20))
_NODES = [0.5 + x for x in _ON_BOTH_SIDES]

_CONTINUED = 80


def _erfcx_derivative(n: int, x: Any) -> Any:
    """The derivative of order n of ``erfcx``.

    By recurrence from ``f' = 2 x f - 2 / sqrt(pi)``, which cancels for large x; there as a multiple
    of ``erfcx`` by the continued fraction of repeated integrals (Gautschi, 1961).
    """
    far = x > 1.5
    y, z = np.where(far, 0, x), np.where(far, x, 1)
    before, near = sp.erfcx(y), 2 * y * sp.erfcx(y) - 2 / ROOT_PI
    for k in range(2, n + 1):
        before, near = near, 2 * y * near + 2 * (k - 1) * before
    ratio, product = np.zeros_like(z), sp.erfcx(z)
    for k in reversed(range(1, n + _CONTINUED)):
        ratio = 0.5 / (z + (k + 1) * ratio)
        if k <= n:
            product = -2 * k * ratio * product
    return in_common_dtype(np.where(far, product, near), x)


def _exprel_derivative(n: int, x: Any) -> Any:
    """The derivative of order n of ``(exp(x) - 1) / x``, the integral of ``s^n exp(s x)``."""
    near = np.abs(x) < 10
    y, z = np.where(near, x, 0), np.where(near, 10, x)
    with np.errstate(over="ignore"):
        exponential, away = np.exp(z), sp.exprel(z)
        for k in range(1, n + 1):
            away = (exponential - k * away) / z
    return in_common_dtype(np.where(near, _integral(lambda s: s**n * np.exp(s * y)), away), x)


def _spence_slope(n: int, x: Any) -> Any:
    """The derivative of order n of ``log(x) / (1 - x)``."""
    near = np.abs(x - 1) < 0.5
    y, z = np.where(near, x, 1), np.where(near, 2, x)
    inner = _integral(lambda s: s**n / (1 + s * (y - 1)) ** (n + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.log(z) / (1 - z)
        for k in range(1, n + 1):
            away = (k * away + (-1) ** (k - 1) * math.factorial(k - 1) / z**k) / (1 - z)
    return in_common_dtype(np.where(near, -((-1) ** n) * math.factorial(n) * inner, away), x)


def _hyp2f1_slope(a: Any, b: Any, c: Any, x: Any) -> Any:
    return a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, x)


def _integral(f: Callable[[float], Any]) -> Any:
    return sum(weight * f(node) for node, weight in zip(_NODES, _WEIGHTS, strict=True))


# fmt: off
erfcx_derivative: Primitive = elementwise(
    _erfcx_derivative, None, lambda ans, n, x: erfcx_derivative(n + 1, x),
)
exprel_derivative: Primitive = elementwise(
    _exprel_derivative, None, lambda ans, n, x: exprel_derivative(n + 1, x),
)
spence_slope: Primitive = elementwise(
    _spence_slope, None, lambda ans, n, x: spence_slope(n + 1, x),
)
_ERROR_FUNCTIONS = (
    elementwise(sp.erfcx,   lambda ans, x: erfcx_derivative(1, x)),
    elementwise(sp.erfi,    lambda ans, x: 2 / ROOT_PI * np.exp(x * x), domain=Domain(-1.5, 1.5)),
    elementwise(sp.erfcinv, lambda ans, x: -ROOT_PI / 2 * np.exp(ans * ans), domain=AROUND_ONE),
    elementwise(sp.ndtri,   lambda ans, x: ROOT_2PI * np.exp(ans * ans / 2), domain=FRACTION),
    erfcx_derivative,
)
_EXPONENTIAL_INTEGRALS = (
    elementwise(sp.expi,   lambda ans, x: np.exp(x) / x, domain=BEYOND_POLE),
    elementwise(sp.exp1,   lambda ans, x: -np.exp(-x) / x, domain=BEYOND_POLE),
    elementwise(sp.expn, None, lambda ans, n, x: -sp.expn(n - 1, x)),
    elementwise(sp.exprel, lambda ans, x: exprel_derivative(1, x)),
    elementwise(sp.spence, lambda ans, x: spence_slope(0, x), domain=BEYOND_POLE),
    exprel_derivative, spence_slope,
)
_ELLIPTIC = (
    elementwise(sp.hyp2f1, None, None, None,
                lambda ans, a, b, c, x: _hyp2f1_slope(double(a), double(b), double(c), x)),
    elementwise(sp.ellipk, lambda ans, m: math.pi / 8 * sp.hyp2f1(1.5, 1.5, 2.0, m),
                domain=MODULUS),
    elementwise(sp.ellipe, lambda ans, m: -math.pi / 8 * sp.hyp2f1(0.5, 1.5, 2.0, m),
                domain=MODULUS),
)
_EXPONENTIALS = (
    elementwise(sp.exp2,  lambda ans, x: ans * math.log(2)),
    elementwise(sp.exp10, lambda ans, x: ans * LN10, domain=Domain(-1.0, 1.0)),
    elementwise(sp.cbrt,  lambda ans, x: np.square(1 / ans) / 3, domain=POSITIVE),
    elementwise(sp.expm1, lambda ans, x: np.exp(x)),
    elementwise(sp.log1p, lambda ans, x: 1 / (1 + x), domain=Domain(-0.8, 3.0)),
)
# fmt: on

RULES = (*_ERROR_FUNCTIONS, *_EXPONENTIAL_INTEGRALS, *_ELLIPTIC, *_EXPONENTIALS)

# Where they are computed in another way than near 0.
LARGE, NEGATIVE = Domain(2.0, 3.0), Domain(-15.0, -11.0)

SAMPLES: Samples = {
    _erfcx_derivative: [
        sample(1, Random((3,))),
        sample(4, Random(())),
        sample(2, Random((2,), LARGE)),
    ],
    _exprel_derivative: [
        sample(1, Random((3,))),
        sample(4, Random(())),
        sample(2, Random((2,), NEGATIVE)),
    ],
    _spence_slope: [
        sample(n, Random((3,), domain))
        for n, domain in ((0, AROUND_ONE), (2, AROUND_ONE), (1, BEYOND_POLE))
    ],
    sp.expn: samples_with((3,), (5,), domain=BEYOND_POLE),
    sp.hyp2f1: samples_with((0.5, 1.5, 2.0), (-0.5, 0.5, 1.0), domain=MODULUS),
}
