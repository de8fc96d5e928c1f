"""The ufuncs of scipy.special, in the manner of `elementwise`. Read by `rules.find` when needed.

Here are the logistic and the normal distribution; other functions have files of their own.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.primitive import POSITIVE, REAL, Domain, elementwise
from tinygrad_ugan.autodiff.rules import bessel, distances, gamma_functions, integrals

ROOT_PI = math.sqrt(math.pi)
ROOT_2PI = math.sqrt(2 * math.pi)

# Where the inverses of error function and logistic function are not too steep to compare.
INSIDE, FRACTION = Domain(-0.7, 0.7), Domain(0.2, 0.8)


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

_ENTROPY = (
    elementwise(sp.xlogy,   lambda ans, x, y: np.log(y), lambda ans, x, y: _unless_both_zero(x, y),
                domain=(REAL, POSITIVE), convention="at x = y = 0 the derivative in y is 0"),
    elementwise(sp.xlog1py, lambda ans, x, y: np.log1p(y),
                            lambda ans, x, y: _unless_both_zero(x, 1 + y),
                domain=(REAL, POSITIVE), convention="at x = 0, y = -1 the derivative in y is 0"),
    elementwise(sp.entr,    lambda ans, x: -np.log(x) - 1, domain=POSITIVE),
)
# fmt: on

_ROOMS = (gamma_functions, bessel, distances, integrals)
RULES = (*_LOGISTIC, *_NORMAL, *_ENTROPY, *(record for room in _ROOMS for record in room.RULES))
TABLE = MappingProxyType({record.function: record for record in RULES})
