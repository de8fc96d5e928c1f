"""Powers ``x ** y``, and their derivatives to any order in base and exponent."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import POSITIVE, REAL, Domain, Random, Samples, sample


def _power_derivative(k: int, n: int, x: Any, y: Any) -> Any:
    """The derivative of ``x ** y``, k times in x and n times in y."""
    dtype = np.result_type(x, y)
    x, y = np.asarray(x, dtype), np.asarray(y, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # of log(0), log(-1), 0 ** -1
        return _derivative(np, k, n, x, y)[()]


def _derivative(e: Any, k: int, n: int, x: Any, y: Any) -> Any:
    """The same in the arithmetic of NumPy, or of any `e`.

    With c for a small change of y it is n! times the coefficient of c^n in
    ``(y + c) (y + c - 1) ... (y + c - k + 1) x^(y - k) exp(c log(x))``.
    At x = 0 it is the limit from the right, and at x < 0 there is none in y (NaN).
    """
    k, n = int(k), int(n)  # kernels have floats
    first, *others = _falling_factorial(y, k, n)
    factor, log_x = first, e.log(x) if n else None
    for j, coefficient in enumerate(others):
        factor = coefficient + _product(e, factor, log_x) / (n - j)
    derivative = _product(e, factor * math.factorial(n), e.power(x, y - k))
    if n and k == 0:  # 0 ** y jumps at y = 0: from 1 to 0
        derivative = e.where(e.equal(x, 0) & e.equal(y, 0), 0, derivative)
    return derivative


def _falling_factorial(y: Any, k: int, n: int) -> list[Any]:
    """Taylor coefficients of ``y (y - 1) ... (y - k + 1)``, up to that of order n."""
    series: list[Any] = [1, *([0] * n)]
    for i in range(k):
        below = [0, *series[:-1]]
        series = [c * (y - i) + b for c, b in zip(series, below, strict=True)]
    return series


def _product(e: Any, a: Any, b: Any) -> Any:
    """``a * b``, but 0 for 0 * inf: the zero is approached faster."""
    vanishes = (e.equal(a, 0) & e.isinf(b)) | (e.equal(b, 0) & e.isinf(a))
    return e.where(vanishes, 0, a * b)


power_derivative: Primitive = elementwise(
    _power_derivative,
    0,
    0,
    lambda ans, k, n, x, y: power_derivative(k + 1, n, x, y),
    lambda ans, k, n, x, y: power_derivative(k, n + 1, x, y),
    vector=_derivative,
)


def _in_base(ans: Any, x: Any, y: Any) -> Any:
    """The derivative in x; a Python number for y is a constant, and 2 needs no power."""
    if not isinstance(y, int | float) or math.isinf(y):
        return power_derivative(1, 0, x, y)
    if y == 0:
        return np.zeros(shape_of(x), x.dtype)
    return y * x if y == 2 else y * x ** (y - 1)


def _double(x: Any) -> Any:
    return x * np.float64(1)


_AT_ZERO = "at 0 ** 0 the derivative in the exponent is 0; at negative bases there is none (NaN)"

RULES = (
    elementwise(
        np.power,
        _in_base,
        lambda ans, x, y: power_derivative(0, 1, x, y),
        implementation=operator.pow,  # has NumPy's short cuts for small exponents
        domain=(POSITIVE, REAL),
        convention=_AT_ZERO,
    ),
    elementwise(
        np.float_power,
        lambda ans, x, y: power_derivative(1, 0, _double(x), _double(y)),
        lambda ans, x, y: power_derivative(0, 1, _double(x), _double(y)),
        domain=(POSITIVE, REAL),
        convention=_AT_ZERO,
    ),
    power_derivative,
)

_NEGATIVE = Domain(-3.0, -0.2)
_WHOLE = np.array([0, 1, 2], np.float32)
_SAMPLES = [
    *(sample(Random(a, POSITIVE), Random(b)) for a, b in (((), ()), ((3,), (3,)), ((2, 3), (3,)))),
    sample(Random((), POSITIVE), Random((4,))),
    sample(Random((2, 1, 3), POSITIVE), Random((4, 1))),
    sample(Random((3,), _NEGATIVE), _WHOLE),
    sample(Random((2, 3), POSITIVE), _WHOLE),
]

SAMPLES: Samples = {
    _power_derivative: [
        *(
            sample(k, n, Random((3,), POSITIVE), Random((2, 1)))
            for k, n in ((1, 0), (0, 1), (2, 1))
        ),
        sample(1, 0, Random((3,), _NEGATIVE), _WHOLE),
        sample(2, 1, Random((3,), POSITIVE), _WHOLE),
    ],
    np.power: _SAMPLES,
    np.float_power: _SAMPLES,
}
