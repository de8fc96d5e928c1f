"""scipy.special: the gamma function, its derivatives, its quotients and its integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import anywhere, double, in_common_dtype
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample, samples_with

# Away from the pole of the gamma function at 0, whose derivatives grow like factorials.
BEYOND_POLE = Domain(0.8, 4.0)

_zeta = sp._ufuncs._zeta  # sp.zeta is a Python function that hands its arguments to this one


def _polygamma(order: Any, x: Any) -> Any:
    """The derivative of `psi` of whole order; `psi` itself for order 0."""
    derivative = (-1.0) ** (order + 1) * sp.gamma(order + 1.0) * sp.zeta(order + 1, x)
    return in_common_dtype(np.where(order == 0, sp.psi(x), derivative), x, 0.0)


_BERNOULLI = sp.bernoulli(16)[2::2]
_SHIFT = 10


def _polygamma_rise(order: int, x: Any, step: Any) -> Any:
    """``polygamma(order, x + step) - polygamma(order, x)``, to full relative precision.

    By recurrence the argument moves up by `_SHIFT`, where the asymptotic series (DLMF 5.11.2) has
    converged. Both are sums of powers of x, each of which knows its own rise.
    """
    positive = (x > 0) & (x + step > 0)
    away = _polygamma(order, x + step) - _polygamma(order, x)
    z, h = np.where(positive, x, 1), np.where(positive, step, 0)
    sign, factorial = (-1.0) ** (order + 1), math.factorial(order)
    near = sum(factorial * _power_rise(z + j, h, order + 1) for j in range(_SHIFT))
    z = z + _SHIFT
    far = math.factorial(order - 1) * _power_rise(z, h, order) if order else -np.log1p(h / z)
    far = far + factorial / 2 * _power_rise(z, h, order + 1)
    for k, bernoulli in enumerate(_BERNOULLI, start=1):
        weight = bernoulli * math.factorial(2 * k + order - 1) / math.factorial(2 * k)
        far = far + float(weight) * _power_rise(z, h, 2 * k + order)
    return np.where(positive, sign * (near + far), away)[()]


def _power_rise(x: Any, step: Any, power: int) -> Any:
    """``(x + step) ** -power - x ** -power``."""
    return x ** -float(power) * np.expm1(-power * np.log1p(step / x))


def _rgamma_slope(x: Any) -> Any:
    """The derivative of 1 / gamma, by the reflection formula where that is 0 at whole numbers."""
    left = x < 0.5
    y, z = np.where(left, x, 0), np.where(left, 1, np.where(x == np.inf, 200, x))
    whole = np.rint(y)
    turn = np.pi * (y - whole)
    parity = 1 - 2 * (whole % 2)
    reflected = np.cos(turn) - sp.psi(1 - y) * np.sin(turn) / np.pi
    return np.where(left, parity * sp.gamma(1 - y) * reflected, -sp.psi(z) * sp.rgamma(z))


def _power_at_zero(a: Any) -> Any:
    """The limit of ``x ** (a - 1) / gamma(a)`` at x = 0, for a >= 0."""
    return np.where(a == 1, 1, np.where((a > 1) | (a == 0), 0, np.inf))


def _stirling_error(a: Any) -> Any:
    """``gammaln(a) - ((a - 1/2) log(a) - a + log(2 pi) / 2)`` for a >= 10 (DLMF 5.11.1)."""
    terms = (float(b) / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI, start=1))
    return sum(term / a ** (2 * k - 1) for k, term in enumerate(terms, start=1))


def _log1p_minus(u: Any) -> Any:
    """``log(1 + u) - u``, by a series in ``r = u / (2 + u)`` where that cancels."""
    near = np.abs(u) < 0.3
    r = np.where(near, u, 0) / (2 + np.where(near, u, 0))
    series = 0 * r
    for k in reversed(range(12)):
        series = series * r * r + 1 / (2 * k + 3)
    away = np.where(near, 0, u)
    return np.where(near, 2 * r * r * (r * series - 1 / (1 - r)), np.log1p(away) - away)


def _log_gamma_density(a: Any, x: Any) -> Any:
    """For a >= 10 around x = a, where powers and gamma function cancel (Loader, 2000)."""
    large = a >= _SHIFT
    small_a, a = np.where(large, 1, a), np.where(large, a, _SHIFT)
    small = sp.xlogy(small_a - 1, x) - x - sp.gammaln(small_a)
    around = a * _log1p_minus((x - a) / a) - _stirling_error(a) + np.log(a / (2 * np.pi)) / 2
    return np.where(large, around - np.log(x), small)


def _log_beta_density(a: Any, b: Any, x: Any) -> Any:
    """For a, b >= 10 around x = a / (a + b), where powers and beta function cancel."""
    large = (a >= _SHIFT) & (b >= _SHIFT)
    small_a, small_b = np.where(large, 1, a), np.where(large, 1, b)
    small = sp.xlogy(small_a - 1, x) + sp.xlog1py(small_b - 1, -x) - sp.betaln(small_a, small_b)
    a, b = np.where(large, a, _SHIFT), np.where(large, b, _SHIFT)
    off = x * b - (1 - x) * a
    around = a * _log1p_minus(off / a) + b * _log1p_minus(-off / b)
    around = around + _stirling_error(a + b) - _stirling_error(a) - _stirling_error(b)
    around = around + np.log(a / (a + b) * b / (2 * np.pi)) / 2
    return np.where(large, around - np.log(x) - np.log1p(-x), small)


def _gamma_density(a: Any, x: Any) -> Any:
    """``x^(a - 1) exp(-x) / gamma(a)``, the density of the gamma distribution."""
    inside = (x > 0) & (x < np.inf)
    density = np.exp(_log_gamma_density(double(a), np.where(inside, x, 1)))
    edge = np.where(x == np.inf, 0, np.where(x == 0, _power_at_zero(a), np.nan))
    return in_common_dtype(np.where(inside, density, edge), a, x)


def _gamma_density_slope(ans: Any, a: Any, x: Any) -> Any:
    """By its logarithm; far below the mode, where that cancels for whole a, as a difference."""
    low = (x == 0) | (x < (a - 1) / 2)
    y = np.where(low | (x == np.inf), 1, x)
    slope = ans * ((a - 1) / y - 1)
    if not anywhere(low):
        return slope
    steep = low & (a < 1)
    difference = gamma_density(np.maximum(double(a), 1) - 1, x) - np.where(steep, 0, ans)
    below = np.where(steep, (a - 1) * np.where(steep, ans, 0), difference)
    return np.where(low, below, slope)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """``x^(a - 1) (1 - x)^(b - 1) / beta(a, b)``, the density of the beta distribution."""
    inside = (x > 0) & (x < 1)
    density = np.exp(_log_beta_density(double(a), double(b), np.where(inside, x, 0.5)))
    left, right = np.where(a == 1, b, _power_at_zero(a)), np.where(b == 1, a, _power_at_zero(b))
    edge = np.where(x == 0, left, np.where(x == 1, right, np.nan))
    return in_common_dtype(np.where(inside, density, edge), a, b, x)


def _beta_density_slope(ans: Any, a: Any, b: Any, x: Any) -> Any:
    """By its logarithm; far from the mode, where that cancels for whole a or b, as a difference."""
    left, right = x == 0, x == 1
    toward_left, toward_right = (a - 1) * (1 - x), (b - 1) * x
    apart = (toward_left > 2 * toward_right) | (toward_right > 2 * toward_left)
    far = left | right | ((a >= 1) & (b >= 1) & apart)
    y = np.where(far, 0.5, x)
    slope = ans * ((a - 1) / y - (b - 1) / (1 - y))
    if not anywhere(far):
        return slope
    steep = (left & (a < 1)) | (right & (b < 1))
    factor = np.where(left, a - 1, 1 - b)
    a, b = double(a), double(b)
    a, b = np.where(right, a, np.maximum(a, 1)), np.where(left, b, np.maximum(b, 1))
    difference = (a + b - 1) * (beta_density(a - 1, b, x) - beta_density(a, b - 1, x))
    return np.where(far, np.where(steep, factor * np.where(steep, ans, 0), difference), slope)


def _log_half_step(a: Any) -> Any:
    """``gammaln(a + 1/2) - gammaln(a)``."""
    large = a >= _SHIFT
    small_a, a = np.where(large, 1, a), np.where(large, a, _SHIFT)
    small = sp.gammaln(small_a + 0.5) - sp.gammaln(small_a)
    stirling = _stirling_error(a + 0.5) - _stirling_error(a)
    return np.where(large, np.log(a) / 2 + a * _log1p_minus(0.5 / a) + stirling, small)


def _t_density(df: Any, t: Any) -> Any:
    """The density of Student's distribution."""
    tail = (df + 1) / 2 * np.log1p(t * t / df)
    return np.exp(_log_half_step(df / 2) - tail) / np.sqrt(np.pi * df)


# fmt: off
polygamma: Primitive = elementwise(
    _polygamma, None, lambda ans, n, x: polygamma(n + 1, x),
)
polygamma_rise: Primitive = elementwise(
    _polygamma_rise, None, lambda ans, n, x, step: polygamma_rise(n + 1, x, step),
                           lambda ans, n, x, step: polygamma(n + 1, x + step),
)
gamma_density = elementwise(
    _gamma_density, None, _gamma_density_slope,
    convention="at 0 and infinity the limit from inside",
)
beta_density = elementwise(
    _beta_density, None, None, _beta_density_slope,
    convention="at 0 and 1 the limit from inside",
)
_GAMMA = (
    elementwise(sp.gamma,    lambda ans, x: ans * sp.psi(x), domain=BEYOND_POLE),
    elementwise(sp.rgamma,   lambda ans, x: _rgamma_slope(x)),
    elementwise(sp.gammaln,  lambda ans, x: sp.psi(x), domain=BEYOND_POLE),
    elementwise(sp.loggamma, lambda ans, x: sp.psi(np.where(x < 0, np.nan, x)), domain=BEYOND_POLE),
    elementwise(sp.gammasgn, 0, domain=BEYOND_POLE),
    elementwise(sp.psi,      lambda ans, x: polygamma(1, x), domain=BEYOND_POLE),
    elementwise(_zeta, None, lambda ans, x, q: -x * _zeta(double(x) + 1, q)),
    polygamma, polygamma_rise,
)
_BETA = (
    elementwise(sp.beta,   lambda ans, a, b: -ans * polygamma_rise(0, a, b),
                           lambda ans, a, b: -ans * polygamma_rise(0, b, a), domain=BEYOND_POLE),
    elementwise(sp.betaln, lambda ans, a, b: -polygamma_rise(0, a, b),
                           lambda ans, a, b: -polygamma_rise(0, b, a), domain=BEYOND_POLE),
)
_INCOMPLETE = (
    elementwise(sp.gammainc,  None, lambda ans, a, x: gamma_density(a, x)),
    elementwise(sp.gammaincc, None, lambda ans, a, x: -gamma_density(a, x)),
    elementwise(sp.betainc,  None, None, lambda ans, a, b, x: beta_density(a, b, x)),
    elementwise(sp.betaincc, None, None, lambda ans, a, b, x: -beta_density(a, b, x)),
    elementwise(sp.stdtr, None, lambda ans, df, t: _t_density(double(df), t)),
    gamma_density, beta_density,
)
# fmt: on

RULES = (*_GAMMA, *_BETA, *_INCOMPLETE)

FRACTION = Domain(0.4, 0.6)
_SHAPES = ((1.0,), (2.5,), ([[0.5], [3.0]],))
_PAIRS = ((1.0, 2.0), (3.0, 2.5), ([[0.5], [3.0]], 1.0))

SAMPLES: Samples = {
    _polygamma: [
        sample(n, Random(shape, BEYOND_POLE))
        for n, shape in ((0, (2,)), (1, (3,)), (3, ()), (np.array([[0], [2]]), (3,)))
    ],
    _polygamma_rise: [
        sample(n, Random(shape, BEYOND_POLE), Random((3,), POSITIVE))
        for n, shape in ((0, (3,)), (1, (2, 1)), (3, ()))
    ],
    _gamma_density: samples_with(*_SHAPES, domain=POSITIVE),
    _beta_density: samples_with(*_PAIRS, domain=FRACTION),
    _zeta: samples_with((2.0,), (3.5,), domain=BEYOND_POLE),
    sp.gammainc: samples_with(*_SHAPES, domain=POSITIVE),
    sp.gammaincc: samples_with(*_SHAPES, domain=POSITIVE),
    sp.betainc: samples_with(*_PAIRS, domain=FRACTION),
    sp.betaincc: samples_with(*_PAIRS, domain=FRACTION),
    sp.stdtr: samples_with(*_SHAPES),
}
