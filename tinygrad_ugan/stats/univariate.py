r"""Distributions of one variable: one record each, as in a table of distributions.

With :math:`z = (x - \text{loc}) / \text{scale}` the standard densities are (Johnson, Kotz &
Balakrishnan, *Continuous Univariate Distributions*; for `poisson` and `bernoulli`, *Univariate
Discrete Distributions*)

========== ========================================================= ==============
name       density or probability                                    support
========== ========================================================= ==============
norm       exp(-z^2 / 2) / sqrt(2 pi)                                all numbers
t          (1 + z^2 / df)^(-(df + 1) / 2) / (sqrt(df) B(df / 2, 1/2)) all numbers
gamma      z^(a - 1) exp(-z) / Gamma(a)                              z >= 0
chi2       that of gamma for a = df / 2, with scale 2                z >= 0
expon      exp(-z)                                                   z >= 0
beta       z^(a - 1) (1 - z)^(b - 1) / B(a, b)                       0 <= z <= 1
uniform    1                                                         0 <= z <= 1
poisson    mu^k exp(-mu) / k!                                        k = 0, 1, 2 ...
bernoulli  p for k = 1, 1 - p for k = 0                              k = 0, 1
========== ========================================================= ==============
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special as sp

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import as_array
from tinygrad_ugan.errors import NotDifferentiableError

Function = Callable[..., Any]

LOG_ROOT_2PI = math.log(2 * math.pi) / 2


class _Family:
    """The name of a family of distributions, and those of its parameters."""

    def __init__(
        self, name: str, shapes: Sequence[str], variable: str, options: dict[str, float]
    ) -> None:
        self.name = name
        places = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self._signature = inspect.Signature(
            [
                *(inspect.Parameter(n, places) for n in (variable, *shapes)),
                *(inspect.Parameter(n, places, default=x) for n, x in options.items()),
            ]
        )

    def __repr__(self) -> str:
        return f"<ug.stats.{self.name}{self._signature}>"

    def _arguments(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        """The arguments of a method, by the names of the family, as arrays."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return [x if isinstance(x, int | float) else as_array(x) for x in bound.args]


class Continuous(_Family):
    """A family of densities, with location and scale.

    Every method takes, as SciPy's, the variable, then the parameters of the shape, then ``loc=0``
    and ``scale=1``, by place or by name, and broadcasts them against each other. It differentiates
    in all of them for which a derivative is known; any other is refused by name. The result is
    NaN where the parameters are out of range.

    Parameters
    ----------
    name : str
        As in scipy.stats.
    shapes : sequence of str
        The names of the parameters of the shape, positive numbers.
    log_density, cdf, sf, logcdf, logsf, ppf, isf : callable
        ``f(z, *shapes)`` for location 0 and scale 1, in the support; those of the logarithms have
        defaults.
    support : pair of float
        The interval outside of which the density is 0.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> float(ug.grad(ug.stats.norm.logpdf)(3.0, loc=1.0))
    -2.0
    >>> ug.stats.gamma
    <ug.stats.gamma(x, a, loc=0.0, scale=1.0)>
    """

    def __init__(
        self,
        name: str,
        shapes: Sequence[str] = (),
        *,
        log_density: Function,
        support: tuple[float, float] = (-math.inf, math.inf),
        cdf: Function,
        sf: Function,
        logcdf: Function | None = None,
        logsf: Function | None = None,
        ppf: Function | None = None,
        isf: Function | None = None,
    ) -> None:
        super().__init__(name, shapes, "x", {"loc": 0.0, "scale": 1.0})
        self._log_density, self._support = log_density, support
        self._cdf, self._sf, self._ppf, self._isf = cdf, sf, ppf, isf
        self._logcdf = logcdf or (lambda z, *shapes: np.log(cdf(z, *shapes)))
        self._logsf = logsf or (lambda z, *shapes: np.log(sf(z, *shapes)))

    def logpdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of the density: ``logpdf(x, *shapes, loc=0, scale=1)``."""
        z, shapes, _, scale = self._standard(args, kwargs)
        return self._inside(self._log_density, z, shapes, -np.inf, -np.inf) - np.log(scale)

    def pdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the density: ``pdf(x, *shapes, loc=0, scale=1)``."""
        return np.exp(self.logpdf(*args, **kwargs))

    def cdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the probability of less: ``cdf(x, *shapes, loc=0, scale=1)``."""
        z, shapes, *_ = self._standard(args, kwargs)
        return self._inside(self._cdf, z, shapes, 0, 1)

    def sf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the probability of more: ``sf(x, *shapes, loc=0, scale=1)``."""
        z, shapes, *_ = self._standard(args, kwargs)
        return self._inside(self._sf, z, shapes, 1, 0)

    def logcdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of `cdf`."""
        z, shapes, *_ = self._standard(args, kwargs)
        return self._inside(self._logcdf, z, shapes, -np.inf, 0)

    def logsf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of `sf`."""
        z, shapes, *_ = self._standard(args, kwargs)
        return self._inside(self._logsf, z, shapes, 0, -np.inf)

    def ppf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the quantile, the inverse of `cdf`: ``ppf(q, *shapes, loc=0, scale=1)``."""
        return self._quantile("ppf", self._ppf, args, kwargs)

    def isf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the inverse of `sf`: ``isf(q, *shapes, loc=0, scale=1)``."""
        return self._quantile("isf", self._isf, args, kwargs)

    def _quantile(
        self, method: str, function: Function | None, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        if function is None:
            raise NotDifferentiableError(
                f"ug.stats.{self.name}.{method} has no derivative rule; those of norm, expon and "
                f"uniform have one, and scipy.stats.{self.name}.{method} the value"
            )
        q, *shapes, loc, scale = self._arguments(args, kwargs)
        return function(q, *shapes) * _where_positive(scale) + loc

    def _standard(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, list[Any], Any, Any]:
        """The variable in units of the scale from the location; and the parameters."""
        x, *shapes, loc, scale = self._arguments(args, kwargs)
        scale = _where_positive(scale)
        return (x - loc) / scale, [_where_positive(s) for s in shapes], loc, scale

    def _inside(
        self, function: Function, z: Any, shapes: Sequence[Any], below: float, above: float
    ) -> Any:
        """The function in the support, and constants below and above of it."""
        low, high = self._support
        is_below, is_above = z < low, z > high
        if not np.any(is_below | is_above):
            return function(z, *shapes)
        value = function(np.where(is_below | is_above, 0.5, z), *shapes)
        return np.where(is_below, below, np.where(is_above, above, value))


class Discrete(_Family):
    """A family of probabilities of whole numbers, with location.

    Every method takes, as SciPy's, the variable and its location, which are constants, and the
    parameters, in which it differentiates: ``logpmf(k, *shapes, loc=0)``.

    Parameters
    ----------
    name : str
        As in scipy.stats.
    shapes : sequence of str
        The names of the parameters.
    log_probability, cdf, sf : callable
        ``f(k, *shapes)`` for whole numbers k of the support.
    valid : callable
        ``valid(*shapes)``: whether there is such a distribution. NaN is returned where not.
    largest : float
        The largest number of the support, which begins at 0.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> float(ug.grad(ug.stats.poisson.logpmf, 1)(3, 2.0))
    0.5
    """

    def __init__(
        self,
        name: str,
        shapes: Sequence[str],
        *,
        log_probability: Function,
        cdf: Function,
        sf: Function,
        valid: Function,
        largest: float = math.inf,
    ) -> None:
        super().__init__(name, shapes, "k", {"loc": 0})
        self._log_probability, self._cdf, self._sf = log_probability, cdf, sf
        self._valid, self._largest = valid, largest

    def logpmf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of the probability: ``logpmf(k, *shapes, loc=0)``."""
        k, shapes = self._standard(args, kwargs)
        outside = (k < 0) | (k > self._largest) | (k != np.floor(k))
        value = self._log_probability(np.where(outside, 0, k), *shapes)
        return np.where(outside, -np.inf, value) if np.any(outside) else value

    def pmf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the probability: ``pmf(k, *shapes, loc=0)``."""
        return np.exp(self.logpmf(*args, **kwargs))

    def cdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the probability of k or less: ``cdf(k, *shapes, loc=0)``."""
        return self._between(self._cdf, args, kwargs, 0, 1)

    def sf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the probability of more than k: ``sf(k, *shapes, loc=0)``."""
        return self._between(self._sf, args, kwargs, 1, 0)

    def logcdf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of `cdf`."""
        return np.log(self.cdf(*args, **kwargs))

    def logsf(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the logarithm of `sf`."""
        return np.log(self.sf(*args, **kwargs))

    def _between(
        self,
        function: Function,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        below: float,
        above: float,
    ) -> Any:
        k, shapes = self._standard(args, kwargs)
        k = np.floor(k)
        is_below, is_above = k < 0, k >= self._largest
        value = function(np.where(is_below | is_above, 0, k), *shapes)
        return np.where(is_below, below, np.where(is_above, above, value))

    def _standard(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The variable from its location, and the parameters."""
        k, *shapes, loc = self._arguments(args, kwargs)
        for argument, x in (("k", k), ("loc", loc)):
            if isinstance(x, Tracer):
                raise NotDifferentiableError(
                    f"ug.stats.{self.name} got a tensor for {argument}, which stands for whole "
                    "numbers; cut its derivative with stop_gradient"
                )
        valid = self._valid(*shapes)
        return k - loc, shapes if np.all(valid) else [s * _one_where(valid) for s in shapes]


def _where_positive(x: Any) -> Any:
    """A parameter, NaN where it is not positive, and so is every derivative."""
    positive = x > 0
    return x if np.all(positive) else x * _one_where(positive)


def _one_where(valid: Any) -> Any:
    return np.where(valid, 1, np.nan)


def _t_log_density(z: Any, df: Any) -> Any:
    tail = (df + 1) / 2 * np.log1p(z * z / df)
    return -tail - np.log(df) / 2 - sp.betaln(df / 2, 0.5)


def _beta_log_density(z: Any, a: Any, b: Any) -> Any:
    return sp.xlogy(a - 1, z) + sp.xlog1py(b - 1, -z) - sp.betaln(a, b)


def _gamma_log_density(z: Any, a: Any) -> Any:
    return sp.xlogy(a - 1, z) - z - sp.gammaln(a)


def _chi2_log_density(z: Any, df: Any) -> Any:
    return _gamma_log_density(z / 2, df / 2) - math.log(2)


def _poisson_log_probability(k: Any, mu: Any) -> Any:
    return sp.xlogy(k, mu) - mu - sp.gammaln(k + 1)


HALF_LINE, UNIT_INTERVAL = (0.0, math.inf), (0.0, 1.0)

# fmt: off
norm = Continuous(
    "norm", log_density=lambda z: -z * z / 2 - LOG_ROOT_2PI,
    cdf=lambda z: sp.ndtr(z),        sf=lambda z: sp.ndtr(-z),
    logcdf=lambda z: sp.log_ndtr(z), logsf=lambda z: sp.log_ndtr(-z),
    ppf=lambda q: sp.ndtri(q),       isf=lambda q: -sp.ndtri(q),
)
t = Continuous(
    "t", ["df"], log_density=_t_log_density,
    cdf=lambda z, df: sp.stdtr(df, z), sf=lambda z, df: sp.stdtr(df, -z),
)
gamma = Continuous(
    "gamma", ["a"], log_density=_gamma_log_density, support=HALF_LINE,
    cdf=lambda z, a: sp.gammainc(a, z), sf=lambda z, a: sp.gammaincc(a, z),
)
chi2 = Continuous(
    "chi2", ["df"], log_density=_chi2_log_density, support=HALF_LINE,
    cdf=lambda z, df: sp.gammainc(df / 2, z / 2), sf=lambda z, df: sp.gammaincc(df / 2, z / 2),
)
expon = Continuous(
    "expon", log_density=lambda z: -z, support=HALF_LINE,
    cdf=lambda z: -np.expm1(-z), sf=lambda z: np.exp(-z), logsf=lambda z: -z,
    ppf=lambda q: -np.log1p(-q), isf=lambda q: -np.log(q),
)
beta = Continuous(
    "beta", ["a", "b"], log_density=_beta_log_density, support=UNIT_INTERVAL,
    cdf=lambda z, a, b: sp.betainc(a, b, z), sf=lambda z, a, b: sp.betaincc(a, b, z),
)
uniform = Continuous(
    "uniform", log_density=lambda z: 0 * z, support=UNIT_INTERVAL,
    cdf=lambda z: z, sf=lambda z: 1 - z, ppf=lambda q: q, isf=lambda q: 1 - q,
)
poisson = Discrete(
    "poisson", ["mu"], log_probability=_poisson_log_probability, valid=lambda mu: mu >= 0,
    cdf=lambda k, mu: sp.gammaincc(k + 1, mu), sf=lambda k, mu: sp.gammainc(k + 1, mu),
)
bernoulli = Discrete(
    "bernoulli", ["p"], log_probability=lambda k, p: sp.xlogy(k, p) + sp.xlog1py(1 - k, -p),
    valid=lambda p: (p >= 0) & (p <= 1), largest=1,
    cdf=lambda k, p: 1 - p, sf=lambda k, p: p,
)
# fmt: on
