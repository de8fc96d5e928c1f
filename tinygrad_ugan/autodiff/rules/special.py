"""The ufuncs of scipy.special, in the manner of `elementwise`. Read by `rules.find` when needed."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.primitive import (
    POSITIVE,
    REAL,
    Domain,
    Operand,
    Primitive,
    elementwise,
    sample,
)

ROOT_PI = math.sqrt(math.pi)
ROOT_2PI = math.sqrt(2 * math.pi)

# Where the inverses of error function and logistic function are not too steep to compare.
INSIDE, FRACTION = Domain(-0.7, 0.7), Domain(0.2, 0.8)
# Away from the pole of the gamma function at 0, whose derivatives grow like factorials.
BEYOND_POLE = Domain(0.8, 4.0)


def _polygamma(order: int, x: Any) -> Any:
    """The derivative of `psi` of that order, from 1."""
    return (-1.0) ** (order + 1) * math.factorial(order) * sp.zeta(order + 1, x)


def _bessel_i(order: int, x: Any) -> Any:
    """The modified Bessel function of the first kind of whole order."""
    return sp.iv(order, x)


def _normal_hazard(x: Any) -> Any:
    """The density of the normal distribution over its distribution function, far out too."""
    return math.sqrt(2 / math.pi) / sp.erfcx(-x / math.sqrt(2))


def _unless_both_zero(x: Any, y: Any) -> Any:
    """``x / y``, but 0 at x = y = 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


def _bell(x: Any) -> Any:
    return np.exp(-x * x)


# fmt: off
_LOGISTIC = (
    elementwise(sp.expit,     lambda ans, x: ans * sp.expit(-x)),
    elementwise(sp.logit,     lambda ans, x: 1 / (x * (1 - x)), domain=FRACTION),
    elementwise(sp.log_expit, lambda ans, x: sp.expit(-x)),
)

normal_hazard = elementwise(_normal_hazard, lambda ans, x: -ans * (x + ans))
_NORMAL = (
    elementwise(sp.erf,      lambda ans, x: 2 / ROOT_PI * _bell(x)),
    elementwise(sp.erfc,     lambda ans, x: -2 / ROOT_PI * _bell(x)),
    elementwise(sp.erfinv,   lambda ans, x: ROOT_PI / 2 * np.exp(ans * ans), domain=INSIDE),
    elementwise(sp.ndtr,     lambda ans, x: np.exp(-x * x / 2) / ROOT_2PI),
    elementwise(sp.log_ndtr, lambda ans, x: normal_hazard(x)),
    normal_hazard,
)

polygamma: Primitive = elementwise(
    _polygamma, 0, lambda ans, order, x: polygamma(order + 1, x),
    samples=[sample(1, Operand((3,), BEYOND_POLE)), sample(3, Operand((), BEYOND_POLE))],
)
_GAMMA = (
    elementwise(sp.gammaln, lambda ans, x: sp.psi(x), domain=BEYOND_POLE),
    elementwise(sp.psi,     lambda ans, x: polygamma(1, x), domain=BEYOND_POLE),
    polygamma,
)

_ENTROPY = (
    elementwise(sp.xlogy,   lambda ans, x, y: np.log(y), lambda ans, x, y: _unless_both_zero(x, y),
                domain=(REAL, POSITIVE), convention="at x = y = 0 the derivative in y is 0"),
    elementwise(sp.xlog1py, lambda ans, x, y: np.log1p(y),
                            lambda ans, x, y: _unless_both_zero(x, 1 + y),
                domain=(REAL, POSITIVE), convention="at x = 0, y = -1 the derivative in y is 0"),
    elementwise(sp.entr,    lambda ans, x: -np.log(x) - 1, domain=POSITIVE),
)

bessel_i: Primitive = elementwise(
    _bessel_i, 0, lambda ans, n, x: (bessel_i(n - 1, x) + bessel_i(n + 1, x)) / 2,
    samples=[sample(0, Operand((3,))), sample(2, Operand(()))],
)
_BESSEL = (
    elementwise(sp.i0, lambda ans, x: sp.i1(x)),
    elementwise(sp.i1, lambda ans, x: bessel_i(2, x) / 2 + sp.i0(x) / 2),
    bessel_i,
)
# fmt: on

RULES = (*_LOGISTIC, *_NORMAL, *_GAMMA, *_ENTROPY, *_BESSEL)
TABLE = MappingProxyType({record.function: record for record in RULES})
