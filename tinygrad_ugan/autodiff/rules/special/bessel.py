"""scipy.special: Bessel functions, in their argument; the order is a constant (DLMF, part 10)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import double, in_common_dtype
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import Domain, Random, SampleCall, Samples, sample, samples_with

# Away from the poles at 0; and where asymptotic series are used.
BEYOND_POLE, FAR = Domain(0.8, 4.0), Domain(25.0, 50.0)

_TERMS = 30
_LEAST_FAR = 20


def _half_difference(bessel: Callable[..., Any], v: Any, x: Any) -> Any:
    """The half difference of the functions of orders v - 1 and v + 1."""
    return (bessel(double(v) - 1, x) - bessel(double(v) + 1, x)) / 2


def _mean(bessel: Callable[..., Any], v: Any, x: Any) -> Any:
    """The mean of the functions of orders v - 1 and v + 1."""
    return (bessel(double(v) - 1, x) + bessel(double(v) + 1, x)) / 2


def _scaled_i(n: int, v: Any, x: Any) -> Any:
    """The derivative of order n of ``ive(v, x) = exp(-|x|) iv(v, x)``."""
    near, size = np.abs(x) <= _least_far(v), np.abs(x)
    z = np.where(near, size, 1)
    orders = [
        (-1) ** (n - k) * math.comb(n, k) * _derivative(sp.ive, k, v, z) for k in range(n + 1)
    ]
    far = _asymptotic_series(n, v, np.where(near, _least_far(v), size), -1)
    values = np.where(near, sum(orders), far / math.sqrt(2 * math.pi))
    return in_common_dtype(_parity(n + v, x) * values, v, x)


def _scaled_k(n: int, v: Any, x: Any) -> Any:
    """The derivative of order n of ``kve(v, x) = exp(x) kv(v, x)``."""
    near, pole = x <= _least_far(v), x == 0
    z = np.where(near & np.logical_not(pole), x, 1)
    orders = [(-1) ** k * math.comb(n, k) * _derivative(sp.kve, k, v, z) for k in range(n + 1)]
    far = _asymptotic_series(n, v, np.where(near, _least_far(v), x), 1)
    values = np.where(near, sum(orders), far * math.sqrt(math.pi / 2))
    return in_common_dtype(np.where(pole, (-1) ** n * np.inf, values), v, x)


def _least_far(v: Any) -> Any:
    """Beyond this argument the asymptotic series for order v has converged."""
    return np.maximum(double(v) ** 2 / 2, _LEAST_FAR)


def _derivative(scaled: Callable[..., Any], k: int, v: Any, x: Any) -> Any:
    """``exp(-x) iv`` or ``exp(x) |kv|``, differentiated k times in the second factor."""
    return sum(math.comb(k, j) * scaled(double(v) - k + 2 * j, x) for j in range(k + 1)) / 2**k


def _asymptotic_series(n: int, v: Any, x: Any, sign: int) -> Any:
    """The derivative of order n of ``sum of sign^k a_k(v) x^(-k - 1/2)`` (DLMF 10.40.1 and 2)."""
    term = (-1) ** n * math.gamma(n + 0.5) / math.sqrt(math.pi) * x ** (-n - 0.5)
    total = term
    for k in range(1, _TERMS):
        ratio = sign * (4 * double(v) ** 2 - (2 * k - 1) ** 2) / (8 * k * x) * (1 + n / (k - 0.5))
        term = np.where(np.abs(ratio) < 1, term * ratio, 0)
        total = total + term
    return total


def _parity(order: Any, x: Any) -> Any:
    """The sign that turns a function of |x| into one of x, even or odd as `order` is."""
    odd = order % 2
    at_zero = np.where(odd == 1, 0, 1)
    below = np.where(odd == 0, 1, np.where(odd == 1, -1, np.nan))
    return np.where(x > 0, 1, np.where(x == 0, at_zero, below))


_KINK = "at 0 the mean of both sides"

# fmt: off
scaled_i: Primitive = elementwise(
    _scaled_i, None, None, lambda ans, n, v, x: scaled_i(n + 1, v, x), convention=_KINK,
)
scaled_k: Primitive = elementwise(
    _scaled_k, None, None, lambda ans, n, v, x: scaled_k(n + 1, v, x),
)

_FIRST_KIND = (
    elementwise(sp.jv, None, lambda ans, v, x: _half_difference(sp.jv, v, x)),
    elementwise(sp.j0, lambda ans, x: -sp.j1(x)),
    elementwise(sp.j1, lambda ans, x: (sp.j0(x) - sp.jv(2, x)) / 2),
)
_SECOND_KIND = (
    elementwise(sp.yv, None, lambda ans, v, x: _half_difference(sp.yv, v, x)),
    elementwise(sp.yn, None, lambda ans, n, x: _half_difference(sp.yn, n, x)),
    elementwise(sp.y0, lambda ans, x: -sp.y1(x), domain=BEYOND_POLE),
    elementwise(sp.y1, lambda ans, x: (sp.y0(x) - sp.yn(2, x)) / 2, domain=BEYOND_POLE),
)
_MODIFIED_FIRST_KIND = (
    elementwise(sp.iv, None, lambda ans, v, x: _mean(sp.iv, v, x)),
    elementwise(sp.i0, lambda ans, x: sp.i1(x)),
    elementwise(sp.i1, lambda ans, x: (sp.i0(x) + sp.iv(2, x)) / 2),
    elementwise(sp.ive, None, lambda ans, v, x: scaled_i(1, v, x),
                convention=_KINK),
    elementwise(sp.i0e, lambda ans, x: scaled_i(1, 0, x), domain=BEYOND_POLE, convention=_KINK),
    elementwise(sp.i1e, lambda ans, x: scaled_i(1, 1, x), domain=BEYOND_POLE, convention=_KINK),
    scaled_i,
)
_MODIFIED_SECOND_KIND = (
    elementwise(sp.kv, None, lambda ans, v, x: -_mean(sp.kv, v, x)),
    elementwise(sp.kn, None, lambda ans, n, x: -_mean(sp.kn, n, x)),
    elementwise(sp.k0, lambda ans, x: -sp.k1(x), domain=BEYOND_POLE),
    elementwise(sp.k1, lambda ans, x: -(sp.k0(x) + sp.kn(2, x)) / 2, domain=BEYOND_POLE),
    elementwise(sp.kve, None, lambda ans, v, x: scaled_k(1, v, x)),
    elementwise(sp.k0e, lambda ans, x: scaled_k(1, 0, x), domain=BEYOND_POLE),
    elementwise(sp.k1e, lambda ans, x: scaled_k(1, 1, x), domain=BEYOND_POLE),
    scaled_k,
)
# fmt: on

RULES = (*_FIRST_KIND, *_SECOND_KIND, *_MODIFIED_FIRST_KIND, *_MODIFIED_SECOND_KIND)


def _samples(*orders: Any, domain: Domain = BEYOND_POLE) -> tuple[SampleCall, ...]:
    return samples_with(*((v,) for v in orders), domain=domain)


# Whole and other orders, and both in one array.
_ORDERS = (0, 2, 1.5, [[0.0], [-2.5], [3.0]])
_WHOLE = (0, 1, 4, [[0], [3]])

SAMPLES: Samples = {
    _scaled_i: (sample(1, 0, Random((3,), BEYOND_POLE)), sample(2, 1.5, Random((), FAR))),
    _scaled_k: (sample(1, 0, Random((3,), BEYOND_POLE)), sample(2, 1.5, Random((), FAR))),
    sp.jv: _samples(*_ORDERS),
    sp.yv: _samples(*_ORDERS),
    sp.yn: _samples(*_WHOLE),
    sp.iv: _samples(*_ORDERS),
    sp.ive: _samples(*_ORDERS),
    sp.kv: _samples(*_ORDERS),
    sp.kn: _samples(*_WHOLE),
    sp.kve: _samples(*_ORDERS),
}
