"""scipy.special: exponential, elliptic and hypergeometric integrals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import double, in_common_dtype
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import Domain, Random, Samples, sample, samples_with

AROUND_ONE = Domain(0.5, 1.5)
BEYOND_POLE = Domain(0.8, 4.0)
# Moduli away from the pole at 1.
MODULUS = Domain(-0.9, 0.6)

# Gauss-Legendre nodes and weights on the interval from 0 to 1.
_ON_BOTH_SIDES, _WEIGHTS = ((x / 2).tolist() for x in np.polynomial.legendre.leggauss(20))
_NODES = [0.5 + x for x in _ON_BOTH_SIDES]


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
exprel_derivative: Primitive = elementwise(
    _exprel_derivative, None, lambda ans, n, x: exprel_derivative(n + 1, x),
)
spence_slope: Primitive = elementwise(
    _spence_slope, None, lambda ans, n, x: spence_slope(n + 1, x),
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
# fmt: on

RULES = (*_EXPONENTIAL_INTEGRALS, *_ELLIPTIC)

# Where `exprel` is computed in another way than near 0.
NEGATIVE = Domain(-15.0, -11.0)

SAMPLES: Samples = {
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
