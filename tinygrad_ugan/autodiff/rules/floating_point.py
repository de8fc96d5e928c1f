"""Floating-point routines: integral and fractional parts, mantissas, neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import unbroadcast, untrace
from tinygrad_ugan.autodiff.primitive import composite, elementwise, linear
from tinygrad_ugan.autodiff.samples import Domain, Random, Samples, sample

# Between whole numbers, and between powers of two.
FRACTIONS, BETWEEN = Domain(1.2, 1.8), (Domain(2.3, 2.8), Domain(1.0, 1.1))


def _fraction(x: Any) -> Any:
    return np.modf(x)[0]


def _fraction_vector(e: Any, x: Any) -> Any:
    return e.copysign(e.where(e.isinf(x), 0.0, x - e.trunc(x)), x)


fraction = elementwise(
    _fraction, 1, domain=FRACTIONS, convention="1 at whole numbers", vector=_fraction_vector
)


def _frexp(x: Any) -> tuple[Any, Any]:
    exponent = np.frexp(untrace(x))[1]
    return np.ldexp(x, -exponent), exponent


RULES = (
    fraction,
    composite(np.modf, lambda x: (fraction(x), np.trunc(untrace(x))), "1 at whole numbers"),
    composite(
        np.divmod,
        lambda x1, x2: (np.floor_divide(x1, x2), np.remainder(x1, x2)),
        "at the jumps, the derivative from the side where it is continuous",
    ),
    linear(np.ldexp, lambda g, x1, x2: unbroadcast(np.ldexp(g, x2), x1)),
    composite(np.frexp, _frexp, "at powers of two, the derivative from above"),
    elementwise(np.nextafter, 1, 0),
    composite(np.real_if_close, lambda a, tol=100: a),
)

CONSTANTS = (np.spacing,)

_EXPONENTS = np.array([2, 0, -1])

SAMPLES: Samples = {
    np.modf: [sample(Random((3,), FRACTIONS))],
    np.divmod: [sample(Random((3,), BETWEEN[0]), Random((2, 1), BETWEEN[1]))],
    np.ldexp: [sample(Random((3,)), _EXPONENTS), sample(Random((2, 1)), _EXPONENTS)],
    np.frexp: [sample(Random((3,), FRACTIONS))],
    np.real_if_close: [sample(Random((2, 3)))],
}
