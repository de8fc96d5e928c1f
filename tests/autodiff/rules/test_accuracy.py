"""How many digits derivatives have: every elementwise function to third order, near and far.

The oracle is a Taylor series in ball arithmetic with thousands of bits. A derivative computed from
a rounded argument x cannot be expected to be closer than ``eps cond``, with the condition number
``cond = |x f^(n+1)(x) / f^(n)(x)|``; here it may be `ROUNDINGS` times ``eps (1 + cond)`` away.
"""

import contextlib
import math

import flint
import numpy as np
import pytest
from flint import arb, arb_series
from scipy import special as sp

from tests.jet_functions import STAND_INS
from tests.jets import Jet
from tinygrad_ugan import grad, jvp
from tinygrad_ugan.autodiff.primitive import Primitive
from tinygrad_ugan.autodiff.rules import elementwise, powers
from tinygrad_ugan.autodiff.rules.special import elementary, error_functions, information_theory
from tinygrad_ugan.autodiff.rules.stable_derivatives import FEW
from tinygrad_ugan.nn import activations

ROUNDINGS = {1: 16, 2: 32, 3: 64}

# Between -2.5 and -1 the third derivative is a difference of terms 50 times as large.
MORE = {("log_ndtr", 3): 8}

SIZES = np.array(
    [
        1e-300,
        1e-150,
        1e-30,
        1e-15,
        1e-8,
        1e-5,
        1e-3,
        0.03,
        0.1,
        0.3,
        0.7,
        1.1,
        1.7,
        2.2,
        3.0,
        4.5,
        6.0,
    ]
    + [
        9.0,
        12.5,
        17.5,
        25.0,
        37.4,
        60.0,
        90.0,
        150.0,
        300.0,
        650.0,
        1e3,
        1e5,
        1e9,
        1e30,
        1e150,
        1e300,
    ]
)
REAL = np.concatenate([-SIZES[::-1], SIZES])
POSITIVE = SIZES
SMALL = SIZES[SIZES < 1]
NEAR_ONE = 1 - np.array([0.03, 1e-3, 1e-6, 1e-10, 1e-14])
FRACTION = np.concatenate([SMALL, NEAR_ONE])
INSIDE = np.concatenate([-FRACTION, FRACTION])
BEYOND_ONE = np.concatenate([1 + np.array([1e-14, 1e-10, 1e-6, 1e-3]), SIZES[SIZES > 1]])
BEYOND_MINUS_ONE = np.concatenate([-FRACTION, SIZES])
ANGLES = np.concatenate([-SIZES[SIZES < 40], SIZES[SIZES < 40]])
GROWING = np.concatenate([-SIZES[SIZES < 700], SIZES[SIZES < 700]])

# The function, where it is defined, and the same for jets, where that is not NumPy's own.
FUNCTIONS = {
    "exp": (np.exp, GROWING),
    "exp2": (np.exp2, GROWING),
    "expm1": (np.expm1, GROWING),
    "log": (np.log, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "log1p": (np.log1p, BEYOND_MINUS_ONE),
    "sqrt": (np.sqrt, POSITIVE),
    "cbrt": (np.cbrt, REAL),
    "square": (np.square, REAL),
    "reciprocal": (np.reciprocal, REAL),
    "divide": (lambda x: 3 / x, REAL),
    "sin": (np.sin, ANGLES),
    "cos": (np.cos, ANGLES),
    "tan": (np.tan, ANGLES),
    "arcsin": (np.arcsin, INSIDE),
    "arccos": (np.arccos, INSIDE),
    "arctan": (np.arctan, REAL),
    "arctan2": (lambda x: np.arctan2(x, 1.0), REAL, np.arctan),
    "arctan2 down": (lambda x: np.arctan2(1.0, x), POSITIVE, lambda x: np.arctan(1 / x)),
    "hypot": (lambda x: np.hypot(x, 1.0), REAL, lambda x: np.sqrt(x * x + 1)),
    "hypot small": (lambda x: np.hypot(2.0**-20, x), REAL, lambda x: np.sqrt(x * x + 2.0**-40)),
    "sinh": (np.sinh, GROWING),
    "cosh": (np.cosh, GROWING),
    "tanh": (np.tanh, REAL),
    "arcsinh": (np.arcsinh, REAL, lambda x: _arcsinh(x)),
    "arccosh": (np.arccosh, BEYOND_ONE),
    "arctanh": (np.arctanh, INSIDE),
    "logaddexp": (lambda x: np.logaddexp(x, 0.0), REAL, lambda x: np.log1p(np.exp(x))),
    "logaddexp second": (lambda x: np.logaddexp(1.0, x), REAL, lambda x: np.log(np.exp(x) + _E)),
    "logaddexp2": (lambda x: np.logaddexp2(x, 0.0), REAL, lambda x: np.log2(1 + np.exp2(x))),
    "power": (lambda x: x**3.3, POSITIVE, lambda x: np.exp(Jet(3.3) * np.log(x))),
    "power of a number": (lambda x: 2.5**x, GROWING, lambda x: np.exp(x * _LOG_5_2)),
    "power of an array": (lambda x: x ** np.array(-0.5), POSITIVE, lambda x: 1 / np.sqrt(x)),
    "expit": (sp.expit, REAL, STAND_INS["expit"]),
    "logit": (sp.logit, FRACTION, STAND_INS["logit"]),
    "log_expit": (sp.log_expit, REAL, lambda x: -np.log1p(np.exp(-x))),
    "sigmoid": (activations.sigmoid, REAL, STAND_INS["expit"]),
    "log_sigmoid": (activations.log_sigmoid, REAL, lambda x: -np.log1p(np.exp(-x))),
    "elu": (activations.elu, REAL, lambda x: x if x > 0 else np.expm1(x)),
    "erf": (sp.erf, REAL, lambda x: x.erf()),
    "erfc": (sp.erfc, REAL, lambda x: x.erfc()),
    "erfinv": (sp.erfinv, INSIDE, lambda x: _erfinv(x)),
    "ndtr": (sp.ndtr, REAL, lambda x: (-x * _ROOT_HALF).erfc() / 2),
    "log_ndtr": (sp.log_ndtr, REAL, lambda x: np.log((-x * _ROOT_HALF).erfc() / 2)),
    "gammaln": (sp.gammaln, POSITIVE, lambda x: x.gammaln()),
    "psi": (sp.psi, POSITIVE, lambda x: _psi(x)),
    "xlogy": (lambda x: sp.xlogy(0.7, x), POSITIVE, lambda x: Jet(0.7) * np.log(x)),
    "xlog1py": (lambda x: sp.xlog1py(0.7, x), BEYOND_MINUS_ONE, lambda x: Jet(0.7) * np.log1p(x)),
    "entr": (sp.entr, POSITIVE, lambda x: -x * np.log(x)),
}
BITS, ORDERS = 6000, 5


def _arcsinh(x):
    return -_arcsinh(-x) if x < 0 else np.log(x + np.sqrt(x * x + 1))


def _erfinv(x):
    y = x.value.erfinv()
    shifted = arb_series([y, 1]).erf()
    around = arb_series([0, *(shifted[k] for k in range(1, ORDERS))])
    return Jet.of(arb_series([y]) + around.reversion())


def _psi(x):
    flint.ctx.cap = ORDERS + 1  # one is lost to the derivative
    series = x.series.lgamma().derivative()
    flint.ctx.cap = ORDERS
    return Jet.of(series)


@contextlib.contextmanager
def precise():
    """Long series of many digits; what other tests set comes back."""
    before = flint.ctx.cap, flint.ctx.prec
    flint.ctx.cap, flint.ctx.prec = ORDERS, BITS
    try:
        yield
    finally:
        flint.ctx.cap, flint.ctx.prec = before


with precise():
    _E, _LOG_5_2, _ROOT_HALF = Jet(arb(1).exp()), Jet(arb(2.5).log()), Jet(arb(0.5).sqrt())


def exact(function, x):
    """The derivatives of `function` at x to fourth order; NaN where they are out of range."""
    series = function(Jet(float(x), 1)).series
    numbers = []
    for n in range(ORDERS):
        ball = series[n] * math.factorial(n)
        known = ball.is_finite() and (ball.rel_accuracy_bits() > 80 or ball == 0)
        numbers.append(float(ball.mid()) if known else np.nan)
    return numbers


def nested(f, order, forward):
    """The derivative of an elementwise f, element by element."""
    for _ in range(order):
        f = pushed(f) if forward else pulled(f)
    return f


def pushed(f):
    return lambda x: jvp(f, (x,), (np.ones_like(x),))[1]


def pulled(f):
    return grad(lambda x: np.sum(f(x)))


def representable(points, dtype):
    """What is left of the points in a dtype, away from the ends of its range and of domains."""
    info = np.finfo(dtype)
    size = np.abs(points)
    x = np.unique(dtype(points[(size < 0.1 * info.max) & (size > 10 * info.tiny)]))
    return x if np.any(size > 1e4) else x[np.abs(x) != 1]


def bounds(value, following, x, roundings):
    """How far a derivative may be off; NaN where it, or its condition number, is out of range."""
    info = np.finfo(x.dtype)
    with np.errstate(all="ignore"):
        condition = np.where(value == 0, 0, np.abs(x.astype(float) * following / value))
        bound = roundings * info.eps * (1 + condition) * np.abs(value)
    is_large = (np.abs(value) > info.tiny / info.eps) | (value == 0)
    return np.where(is_large & (np.abs(value) < 0.1 * info.max), bound, np.nan)


def check_digits(name, x):
    """Check every derivative of a function at the points x, in both modes."""
    f, _, *of_jets = FUNCTIONS[name]
    points, places = np.unique(x, return_inverse=True)
    with precise():
        expected = np.array([exact(of_jets[0] if of_jets else f, v) for v in points])[places]
    for order, roundings in ROUNDINGS.items():
        value, following = expected[:, order], expected[:, order + 1]
        bound = bounds(value, following, x, roundings * MORE.get((name, order), 1))
        assert np.any(np.isfinite(bound))
        for forward in (False, True):
            error = np.abs(np.float64(nested(f, order, forward)(x)) - value)
            off = ~(error <= bound) & np.isfinite(bound)
            assert not np.any(off), (order, forward, x[off], error[off] / bound[off])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of what overflows, as it does in NumPy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_digits(name, dtype):
    check_digits(name, representable(FUNCTIONS[name][1], dtype))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "expit", "elu"])
@pytest.mark.parametrize("largest", [1.0, 1e300])
def test_digits_of_many_elements(name, dtype, largest):
    """Large arrays go other ways, with and without elements near saturation."""
    x = representable(FUNCTIONS[name][1], dtype)
    check_digits(name, np.resize(x[np.abs(x) <= largest], 4 * FEW))


# Their derivatives are constants, or products of their arguments: a rounding or two.
PLAIN = """
    add subtract multiply negative positive absolute fabs remainder fmod conjugate deg2rad radians
    rad2deg degrees relu leaky_relu
"""
# Known under other names here, or parts of the rules of those above.
OTHERS = """
    float_power power_derivative bell quotient log_ndtr_derivative
"""
# In test_elementwise.py and test_special_functions.py.
ELSEWHERE = """
    sinc sinc_derivative exp10 erfcx erfcx_derivative erfi erfcinv ndtri
    rel_entr kl_div huber pseudo_huber log_ratio relative_excess cosine pseudo_huber_slope
"""
ROOMS = (
    *(elementwise.RULES, powers.RULES, activations.PRIMITIVES),
    *(elementary.RULES, error_functions.RULES, information_theory.RULES),
)


def test_no_function_is_left_out():
    checked = {name.split()[0] for name in FUNCTIONS}
    known = checked.union(PLAIN.split(), OTHERS.split(), ELSEWHERE.split())
    records = [record for room in ROOMS for record in room]
    names = {record.name for record in records if isinstance(record, Primitive)}
    assert not names - known
