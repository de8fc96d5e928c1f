"""scipy.special: entropies, relative entropies and the losses of Huber."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.operands import in_common_dtype
from tinygrad_ugan.autodiff.primitive import Primitive, elementwise
from tinygrad_ugan.autodiff.samples import POSITIVE, REAL, Domain, Random, Samples, sample


def _log_ratio(x: Any, y: Any) -> Any:
    """``log(x / y)`` for x, y >= 0, precise where they are near and finite where they are far."""
    x, y = np.where(x < 0, np.nan, x), np.where(y < 0, np.nan, y)
    with np.errstate(all="ignore"):
        ratio = x / y
        beyond = (x > 0) & (y > 0) & ((ratio == np.inf) | (ratio < np.finfo(ratio.dtype).tiny))
        result = np.where(beyond, np.log(x) - np.log(y), np.log(ratio))
        result = np.where((ratio > 0.5) & (ratio < 2), np.log1p((x - y) / y), result)
    return in_common_dtype(result, x, y)


def _quotient(x: Any, y: Any) -> Any:
    """``x / y``, but 0 at x = y = 0."""
    return x / np.where((x == 0) & (y == 0), 1, y)


def _relative_excess(x: Any, y: Any) -> Any:
    """``(y - x) / y`` for x, y >= 0, and 1 at x = y = 0."""
    x, y = np.where(x < 0, np.nan, x), np.where(y < 0, np.nan, y)
    with np.errstate(divide="ignore"):
        return in_common_dtype(np.where(x == 0, y + 1 - y, y - x) / np.where(x == 0, 1, y), x, y)


def _share(x: Any, y: Any) -> Any:
    """``x / y``, but 0 where x is."""
    return x / np.where(x == 0, 1, y)


def _unless_negative(delta: Any, slope: Any) -> Any:
    """NaN where a loss of Huber is infinite."""
    return np.where(delta < 0, np.nan, slope)


def _cosine(x: Any, y: Any) -> Any:
    """``x / hypot(x, y)``, and 0 at the origin."""
    return x / _nonzero(np.hypot(x, y))


def _pseudo_huber_slope(delta: Any, r: Any) -> Any:
    """The derivative in r."""
    return _unless_negative(delta, delta * _cosine(r, delta))


def _pseudo_huber_in_delta(delta: Any, r: Any) -> Any:
    """``(h - delta)^2 / h`` for ``h = hypot(delta, r)``."""
    h = np.hypot(delta, r)
    excess = r * (r / _nonzero(h + delta))
    return _unless_negative(delta, excess * (excess / _nonzero(h)))


def _nonzero(h: Any) -> Any:
    return np.where(h == 0, 1, h)


def _share_of_square(ans: Any, x: Any, y: Any) -> Any:
    return _share(_share(x, y), y)


# fmt: off
log_ratio = elementwise(_log_ratio, lambda ans, x, y: 1 / x, lambda ans, x, y: -1 / y,
                        domain=POSITIVE)
relative_excess = elementwise(_relative_excess, lambda ans, x, y: -1 / y, _share_of_square,
                              domain=POSITIVE)
cosine: Primitive = elementwise(
    _cosine, lambda ans, x, y: cosine(y, x) ** 2 / _nonzero(np.hypot(x, y)),
             lambda ans, x, y: -ans * cosine(y, x) / _nonzero(np.hypot(x, y)),
    domain=(REAL, POSITIVE),
)
pseudo_huber_slope = elementwise(
    _pseudo_huber_slope, lambda ans, d, r: cosine(r, d) ** 3, lambda ans, d, r: cosine(d, r) ** 3,
    domain=(POSITIVE, REAL),
)
quotient = elementwise(_quotient, lambda ans, x, y: 1 / y, lambda ans, x, y: -ans / y,
                       domain=(REAL, POSITIVE), convention="that of x / y, also at x = y = 0")

RULES = (
    elementwise(sp.entr,    lambda ans, x: -np.log(x) - 1, domain=POSITIVE),
    elementwise(sp.xlogy,   lambda ans, x, y: np.log(y), lambda ans, x, y: quotient(x, y),
                domain=(REAL, POSITIVE), convention="at x = y = 0 the derivative in y is 0"),
    elementwise(sp.xlog1py, lambda ans, x, y: np.log1p(y),
                            lambda ans, x, y: quotient(x, 1 + y),
                domain=(REAL, POSITIVE), convention="at x = 0, y = -1 the derivative in y is 0"),
    elementwise(sp.rel_entr, lambda ans, x, y: log_ratio(x, y) + 1, lambda ans, x, y: -_share(x, y),
                domain=POSITIVE, convention="at x = y = 0, NaN in x and 0 in y"),
    elementwise(sp.kl_div,   lambda ans, x, y: log_ratio(x, y),
                             lambda ans, x, y: relative_excess(x, y),
                domain=POSITIVE, convention="at x = y = 0, NaN in x and 1 in y"),
    elementwise(sp.huber,
                lambda ans, d, r: _unless_negative(d, np.where(np.abs(r) > d, np.abs(r) - d, 0)),
                lambda ans, d, r: _unless_negative(d, np.where(np.abs(r) > d, d * np.sign(r), r)),
                convention="where |r| = delta, the derivatives of the parabola"),
    elementwise(sp.pseudo_huber,
                lambda ans, d, r: _pseudo_huber_in_delta(d, r),
                lambda ans, d, r: pseudo_huber_slope(d, r),
                domain=(POSITIVE, REAL), convention="0 at delta = r = 0"),
    quotient, log_ratio, relative_excess, cosine, pseudo_huber_slope,
)
# fmt: on

# Inside and outside of where the loss of Huber is a parabola.
_HUBER = [
    sample(Random((3,), Domain(1.0, 2.0)), Random((2, 1), Domain(-0.8, 0.8))),
    sample(Random((), Domain(1.0, 2.0)), Random((3,), Domain(2.3, 3.0))),
    sample(Random((2, 1), Domain(1.0, 2.0)), Random((3,), Domain(-3.0, -2.3))),
]

SAMPLES: Samples = {
    sp.huber: _HUBER,
}
