"""scipy.special: exponentials, roots and the logistic function."""

from __future__ import annotations

import math

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import untrace
from tinygrad_ugan.autodiff.primitive import elementwise
from tinygrad_ugan.autodiff.rules.stable_derivatives import logistic_slope
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Samples

LN2, LN10 = math.log(2), math.log(10)

# fmt: off
RULES = (
    elementwise(sp.expit,     lambda ans, x: logistic_slope(untrace(ans), x),
                vector=lambda e, x: e.sigmoid(x)),
    elementwise(sp.logit,     lambda ans, x: 1 / x + 1 / (1 - x), domain=Domain(0.2, 0.8)),
    elementwise(sp.log_expit, lambda ans, x: sp.expit(-x),
                vector=lambda e, x: -e.logaddexp(-x, 0.0)),
    elementwise(sp.exp2,      lambda ans, x: ans * LN2, vector=lambda e, x: e.exp2(x)),
    elementwise(sp.exp10,     lambda ans, x: ans * LN10, domain=Domain(-1.0, 1.0),
                vector=lambda e, x: e.power(10.0, x)),
    elementwise(sp.cbrt,      lambda ans, x: np.square(1 / ans) / 3, domain=POSITIVE,
                vector=lambda e, x: e.cbrt(x)),
    elementwise(sp.expm1,     lambda ans, x: np.exp(x), vector=lambda e, x: e.expm1(x)),
    elementwise(sp.log1p,     lambda ans, x: 1 / (1 + x), domain=Domain(-0.8, 3.0),
                vector=lambda e, x: e.log1p(x)),
)
# fmt: on

SAMPLES: Samples = {}
