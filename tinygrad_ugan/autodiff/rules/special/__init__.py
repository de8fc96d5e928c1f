"""The ufuncs of scipy.special, in the manner of `elementwise`. Read by `rules.find` when needed.

Here are the logistic and the normal distribution; other functions have files of their own.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.rules.special import (
    bessel,
    gamma_functions,
    information_theory,
    integrals,
)
from tinygrad_ugan.autodiff.rules.stable_derivatives import logistic_slope
from tinygrad_ugan.autodiff.samples import POSITIVE, REAL, Domain, Random, Samples, sample

ROOT_PI = math.sqrt(math.pi)
ROOT_2 = math.sqrt(2)
ROOT_2PI = math.sqrt(2 * math.pi)

# Where the inverses of error function and logistic function are not too steep to compare.
INSIDE, FRACTION = Domain(-0.7, 0.7), Domain(0.2, 0.8)


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


def _quotient(x: Any, y: Any) -> Any:
    """``x / y``, but 0 at x = y = 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


def _bell(x: Any) -> Any:
    with np.errstate(over="ignore"):  # of the square, whose exponential is 0
        return np.exp(-x * x)


# fmt: off
_LOGISTIC = (
    elementwise(sp.expit,     lambda ans, x: logistic_slope(untrace(ans), x)),
    elementwise(sp.logit,     lambda ans, x: 1 / x + 1 / (1 - x), domain=FRACTION),
    elementwise(sp.log_expit, lambda ans, x: sp.expit(-x)),
)

log_ndtr_derivative: Primitive = elementwise(
    _log_ndtr_derivative, 0, lambda ans, order, x: log_ndtr_derivative(order + 1, x),
)
bell = elementwise(_bell, lambda ans, x: -2 * np.where(untrace(ans) == 0, 0, x) * ans)
_NORMAL = (
    elementwise(sp.erf,      lambda ans, x: 2 / ROOT_PI * bell(x)),
    elementwise(sp.erfc,     lambda ans, x: -2 / ROOT_PI * bell(x)),
    elementwise(sp.erfinv,   lambda ans, x: ROOT_PI / 2 * np.exp(ans * ans), domain=INSIDE),
    elementwise(sp.ndtr,     lambda ans, x: bell(x / ROOT_2) / ROOT_2PI),
    elementwise(sp.log_ndtr, lambda ans, x: log_ndtr_derivative(1, x)),
    log_ndtr_derivative,
    bell,
)

quotient = elementwise(_quotient, lambda ans, x, y: 1 / y, lambda ans, x, y: -ans / y,
                       domain=(REAL, POSITIVE), convention="that of x / y, also at x = y = 0")
_ENTROPY = (
    quotient,
    elementwise(sp.xlogy,   lambda ans, x, y: np.log(y), lambda ans, x, y: quotient(x, y),
                domain=(REAL, POSITIVE), convention="at x = y = 0 the derivative in y is 0"),
    elementwise(sp.xlog1py, lambda ans, x, y: np.log1p(y),
                            lambda ans, x, y: quotient(x, 1 + y),
                domain=(REAL, POSITIVE), convention="at x = 0, y = -1 the derivative in y is 0"),
    elementwise(sp.entr,    lambda ans, x: -np.log(x) - 1, domain=POSITIVE),
)
# fmt: on

_ROOMS = (gamma_functions, bessel, information_theory, integrals)
RULES = (*_LOGISTIC, *_NORMAL, *_ENTROPY, *(record for room in _ROOMS for record in room.RULES))
TABLE = MappingProxyType({record.function: record for record in RULES})

SAMPLES: Samples = {
    **{f: calls for room in _ROOMS for f, calls in room.SAMPLES.items()},
    _log_ndtr_derivative: [sample(1, Random((3,))), sample(3, Random((2, 3), Domain(-9.0, -1.0)))],
}
