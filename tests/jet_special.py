"""The functions of scipy.special on arrays of jets, by what python-flint knows of them."""

import math

import numpy as np
from flint import arb

from tests.jets import Jet

_SQRT2 = Jet(arb(2).sqrt())


def _elementwise(function, constants=0):
    """A function of numbers, `constants` many, and of jets, for arrays of these."""
    names = function.__code__.co_argcount

    def call(*args):
        numbers = [arb(float(x)) for x in args[:constants]]
        return function(*numbers, *map(Jet.of, args[constants:]))

    return np.frompyfunc(call, names, 1)


def _log_gamma(x):
    return Jet.of(x.series.lgamma())


def _betaln(a, b):
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)


def _gamma_density(a, x):
    return ((Jet(a) - 1) * x.log() - x - Jet(a.lgamma())).exp()


def _beta_density(a, b, x):
    powers = (Jet(a) - 1) * x.log() + (Jet(b) - 1) * (1 - x).log()
    return (powers - _betaln(Jet(a), Jet(b))).exp()


def _t_density(df, t):
    half = Jet((df + 1) / 2)
    scale = _log_gamma(half) - _log_gamma(Jet(df / 2)) - Jet((df * arb.pi()).log() / 2)
    return (scale - half * (1 + t * t / Jet(df)).log()).exp()


def _integral(x, value, density):
    """The jet of an integral, from its value and the jet of what is integrated."""
    slope = density(Jet(x.value, 1))
    return x.compose(value, slope.series[0], slope.series[1])


def _gamma_lower(a, x):
    value = x.value.gamma_lower(a) / a.gamma()
    return _integral(x, value, lambda x: _gamma_density(a, x))


def _beta_lower(a, b, x):
    value = x.value.beta_lower(a, b, regularized=True)
    return _integral(x, value, lambda x: _beta_density(a, b, x))


def _stdtr(df, t):
    t2 = t.value * t.value
    tail = (df / (df + t2)).beta_lower(df / 2, 0.5, regularized=True) / 2
    value = tail if t < 0 else 1 - tail
    return _integral(t, value, lambda t: _t_density(df, t))


def _polygamma(n, x):
    order = int(float(n))
    values = [
        x.value.digamma()
        if k == 0
        else (-1) ** (k + 1) * math.factorial(k) * arb(k + 1).zeta(x.value)
        for k in range(order, order + 3)
    ]
    return x.compose(*values)


def _zeta(s, q):
    values = [s.zeta(q.value), -s * (s + 1).zeta(q.value), s * (s + 1) * (s + 2).zeta(q.value)]
    return q.compose(*values)


def _bessel(name, sign, factor):
    """By ``f_v' = factor (f_(v-1) + sign f_(v+1))``."""

    def of_order(v, x):
        def f(k):
            return getattr(x.value, name)(v + k)

        first = factor * (f(-1) + sign * f(1))
        return x.compose(f(0), first, factor**2 * (f(-2) + 2 * sign * f(0) + f(2)))

    return of_order


_J, _Y = _bessel("bessel_j", -1, 0.5), _bessel("bessel_y", -1, 0.5)
_I, _K = _bessel("bessel_i", 1, 0.5), _bessel("bessel_k", 1, -0.5)


def _ive(v, x):
    return (-abs(x)).exp() * _I(v, x)


def _kve(v, x):
    return x.exp() * _K(v, x)


def _expn(n, x):
    values = [x.value.expint(n - k) * (-1) ** k for k in range(3)]
    return x.compose(*values)


def _hyp2f1(a, b, c, x):
    values = [x.value.hypgeom_2f1(a, b, c)]
    factor = arb(1)
    for k in range(2):
        factor = factor * (a + k) * (b + k) / (c + k)
        values.append(factor * x.value.hypgeom_2f1(a + k + 1, b + k + 1, c + k + 1))
    return x.compose(*values)


def _complete(first):
    """An elliptic integral: pi / 2 times a hypergeometric function."""
    return lambda m: Jet(arb.pi() / 2) * _hyp2f1(arb(first), arb(0.5), arb(1), m)


def _spence(x):
    return _integral(x, (1 - x.value).polylog(2), lambda x: x.log() / (1 - x))


def _erfinv(x):
    return x.erfinv()


def _huber(delta, r):
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def _of_whole_order(bessel, order):
    return _elementwise(lambda x: bessel(arb(order), x))


STAND_INS = {
    "gamma": _elementwise(lambda x: Jet.of(x.series.gamma())),
    "rgamma": _elementwise(lambda x: Jet.of(x.series.rgamma())),
    "loggamma": _elementwise(_log_gamma),
    "gammasgn": _elementwise(lambda x: Jet(x.value.gamma().sgn())),
    "betaln": _elementwise(_betaln),
    "beta": _elementwise(lambda a, b: _betaln(a, b).exp()),
    "gamma_density": _elementwise(_gamma_density, 1),
    "beta_density": _elementwise(_beta_density, 2),
    "gammainc": _elementwise(_gamma_lower, 1),
    "gammaincc": _elementwise(lambda a, x: 1 - _gamma_lower(a, x), 1),
    "betainc": _elementwise(_beta_lower, 2),
    "betaincc": _elementwise(lambda a, b, x: 1 - _beta_lower(a, b, x), 2),
    "stdtr": _elementwise(_stdtr, 1),
    "polygamma": _elementwise(_polygamma, 1),
    "polygamma_rise": _elementwise(lambda n, x, h: _polygamma(n, x + h) - _polygamma(n, x), 1),
    "zeta": _elementwise(_zeta, 1),
    "jv": _elementwise(_J, 1),
    "yv": _elementwise(_Y, 1),
    "yn": _elementwise(_Y, 1),
    "iv": _elementwise(_I, 1),
    "kv": _elementwise(_K, 1),
    "kn": _elementwise(_K, 1),
    "ive": _elementwise(_ive, 1),
    "kve": _elementwise(_kve, 1),
    **{f"j{n}": _of_whole_order(_J, n) for n in range(2)},
    **{f"y{n}": _of_whole_order(_Y, n) for n in range(2)},
    **{f"k{n}": _of_whole_order(_K, n) for n in range(2)},
    **{f"i{n}e": _of_whole_order(_ive, n) for n in range(2)},
    **{f"k{n}e": _of_whole_order(_kve, n) for n in range(2)},
    "erfi": _elementwise(lambda x: Jet.of(x.series.erfi())),
    "erfcx": _elementwise(lambda x: (x * x).exp() * x.erfc()),
    "erfcinv": _elementwise(lambda x: _erfinv(1 - x)),
    "ndtri": _elementwise(lambda x: _SQRT2 * _erfinv(2 * x - 1)),
    "expi": _elementwise(lambda x: Jet.of(x.series.ei())),
    "exp1": _elementwise(lambda x: -Jet.of((-x).series.ei())),
    "expn": _elementwise(_expn, 1),
    "exprel": _elementwise(lambda x: (x.exp() - 1) / x),
    "spence": _elementwise(_spence),
    "hyp2f1": _elementwise(_hyp2f1, 3),
    "ellipk": _elementwise(_complete(0.5)),
    "ellipe": _elementwise(_complete(-0.5)),
    "exp10": _elementwise(lambda x: (x * Jet(arb(10).log())).exp()),
    "rel_entr": _elementwise(lambda x, y: x * (x / y).log()),
    "kl_div": _elementwise(lambda x, y: x * (x / y).log() - x + y),
    "log_ratio": _elementwise(lambda x, y: (x / y).log()),
    "huber": _elementwise(_huber),
    "pseudo_huber": _elementwise(lambda d, r: d * d * ((1 + r * r / (d * d)).sqrt() - 1)),
}
