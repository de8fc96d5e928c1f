"""scipy.special: error functions and the normal distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import in_common_dtype, untrace
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import Domain, Random, Samples, sample

ROOT_PI = math.sqrt(math.pi)
ROOT_2 = math.sqrt(2)
ROOT_2PI = math.sqrt(2 * math.pi)

# Where the inverses of the error functions are not too steep to compare.
INSIDE, FRACTION, AROUND_ONE = Domain(-0.7, 0.7), Domain(0.25, 0.75), Domain(0.5, 1.5)

_CONTINUED = 80


def _log_ndtr_derivative(order: int, x: Any) -> Any:
    """The derivative of `log_ndtr` of that order, from 1: the density over the distribution."""
    x = np.asarray(x)
    left = (x < -2.5) & (order > 1)
    coefficient = _hazard_series(np.where(left, 0, x), order)
    if np.any(left):
        coefficient[left] = (-1) ** (order - 1) * _hazard_fraction(-x[left], order)
    return (math.factorial(order - 1) * coefficient)[()]


def _hazard_series(x: Any, order: int) -> Any:
    """A Taylor coefficient of the hazard h at x, from ``h' = -h (x + h)``."""
    h = [math.sqrt(2 / math.pi) / sp.erfcx(-x / math.sqrt(2))]
    sums = [np.where(h[0] == 0, 0, x) + h[0]]
    for k in range(1, order):
        h.append(-sum(a * b for a, b in zip(h, reversed(sums), strict=True)) / k)
        sums.append(h[k] + (k == 1))
    return np.asarray(h[order - 1])


def _hazard_fraction(t: Any, order: int) -> Any:
    """The same at -t, in t, by the continued fraction ``t + 1 / (t + 2 / (t + 3 / (t + ...`` ."""
    tail = [np.zeros_like(t) for _ in range(order)]
    for k in reversed(range(1, 129)):
        below = _plus_variable(t, tail)
        tail = [k / below[0]]
        for m in range(1, order):
            tail.append(-sum(below[j] * tail[m - j] for j in range(1, m + 1)) / below[0])
    return _plus_variable(t, tail)[order - 1]


def _plus_variable(t: Any, series: list[Any]) -> list[Any]:
    return [c + t if k == 0 else c + (k == 1) for k, c in enumerate(series)]


def _bell(x: Any) -> Any:
    with np.errstate(over="ignore"):  # of the square, whose exponential is 0
        return np.exp(-x * x)


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


# fmt: off
erfcx_derivative: Primitive = elementwise(
    _erfcx_derivative, None, lambda ans, n, x: erfcx_derivative(n + 1, x),
)
log_ndtr_derivative: Primitive = elementwise(
    _log_ndtr_derivative, 0, lambda ans, order, x: log_ndtr_derivative(order + 1, x),
)
bell = elementwise(_bell, lambda ans, x: -2 * np.where(untrace(ans) == 0, 0, x) * ans,
                   vector=lambda e, x: e.exp(-x * x))

RULES = (
    elementwise(sp.erf,      lambda ans, x: 2 / ROOT_PI * bell(x)),
    elementwise(sp.erfc,     lambda ans, x: -2 / ROOT_PI * bell(x)),
    elementwise(sp.erfcx,    lambda ans, x: erfcx_derivative(1, x)),
    elementwise(sp.erfi,     lambda ans, x: 2 / ROOT_PI * np.exp(x * x), domain=Domain(-1.5, 1.5)),
    elementwise(sp.erfinv,   lambda ans, x: ROOT_PI / 2 * np.exp(ans * ans), domain=INSIDE),
    elementwise(sp.erfcinv,  lambda ans, x: -ROOT_PI / 2 * np.exp(ans * ans), domain=AROUND_ONE),
    elementwise(sp.ndtr,     lambda ans, x: bell(x / ROOT_2) / ROOT_2PI),
    elementwise(sp.ndtri,    lambda ans, x: ROOT_2PI * np.exp(ans * ans / 2), domain=FRACTION),
    elementwise(sp.log_ndtr, lambda ans, x: log_ndtr_derivative(1, x)),
    erfcx_derivative, log_ndtr_derivative, bell,
)
# fmt: on

# Large arguments, of which `erfcx` is computed in another way.
LARGE = Domain(2.0, 3.0)

SAMPLES: Samples = {
    _erfcx_derivative: [
        sample(1, Random((3,))),
        sample(4, Random(())),
        sample(2, Random((2,), LARGE)),
    ],
    _log_ndtr_derivative: [sample(1, Random((3,))), sample(3, Random((2, 3), Domain(-9.0, -1.0)))],
}
