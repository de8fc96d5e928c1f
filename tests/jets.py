"""Oracle: first and second derivatives by Taylor series in ball arithmetic.

A `Jet` is ``c0 + c1 t + c2 t^2 + O(t^3)`` with coefficients that are balls, a midpoint and a radius
that is proved to hold every rounding error (python-flint). ``f(x + t v)`` on an array of jets gives
``f``, its derivative along v and half of its second one, exact but for these radii.

NumPy runs its own code on object arrays: ``np.exp`` calls the method `exp` of each element,
``np.max`` compares them. So the oracle shares with the engine neither a rule nor a line of code.
"""

from __future__ import annotations

import flint
import numpy as np
from flint import arb, arb_series

flint.ctx.cap = 3  # series of three terms
flint.ctx.prec = 53  # each operation rounds as float64 does, so that the radii say what that costs


class UndecidedError(ArithmeticError):
    """A comparison depends on rounding: the point is too near to a kink."""


def _decided(yes, no):
    if not (yes or no):
        raise UndecidedError
    return yes


def _operator(method):
    """A method of two jets; arrays take over, element by element."""

    def operator(self, other):
        return NotImplemented if isinstance(other, np.ndarray) else method(self, Jet.of(other))

    return operator


class Jet:
    """A Taylor series of three terms; the methods are those that NumPy calls on objects."""

    __slots__ = ("series",)

    def __init__(self, *coefficients):
        self.series = arb_series(list(coefficients))

    @staticmethod
    def of(x):
        """A series, or a number as a constant series."""
        if isinstance(x, Jet):
            return x
        jet = Jet.__new__(Jet)
        jet.series = x if isinstance(x, arb_series) else arb_series([float(x)])
        return jet

    @property
    def value(self):
        return self.series[0]

    def __repr__(self):
        return f"Jet({self.series})"

    # Arithmetic.

    @_operator
    def __add__(self, other):
        return Jet.of(self.series + other.series)

    @_operator
    def __mul__(self, other):
        return Jet.of(self.series * other.series)

    __radd__, __rmul__ = __add__, __mul__

    @_operator
    def __sub__(self, other):
        return Jet.of(self.series - other.series)

    @_operator
    def __rsub__(self, other):
        return other - self

    @_operator
    def __truediv__(self, other):
        return Jet.of(self.series / other.series)

    @_operator
    def __rtruediv__(self, other):
        return other / self

    @_operator
    def __floordiv__(self, other):
        return (self / other).floor()

    @_operator
    def __mod__(self, other):
        return self - other * (self // other)

    @_operator
    def __rmod__(self, other):
        return other % self

    def fmod(self, other):
        return self - other * (self / other).trunc()

    @_operator
    def __pow__(self, other):
        if other.series.length() <= 1 and other.value.is_integer():
            exponent = int(float(other.value))
            whole = Jet.of(self.series ** abs(exponent))
            return whole if exponent >= 0 else 1 / whole
        return (self.log() * other).exp()

    @_operator
    def __rpow__(self, other):
        return other**self

    def __neg__(self):
        return Jet.of(-self.series)

    def __pos__(self):
        return self

    def __abs__(self):
        return -self if self < 0 else self

    fabs = __abs__
    conjugate = __pos__

    # Comparisons look at the value, and only where every point of the balls agrees.

    @_operator
    def __lt__(self, other):
        return _decided(self.value < other.value, self.value >= other.value)

    @_operator
    def __le__(self, other):
        return _decided(self.value <= other.value, self.value > other.value)

    @_operator
    def __gt__(self, other):
        return other < self

    @_operator
    def __ge__(self, other):
        return other <= self

    @_operator
    def __eq__(self, other):
        same = self is other or self.value == other.value
        return _decided(same, self.value != other.value)

    @_operator
    def __ne__(self, other):
        return not self == other

    __hash__ = None

    def __bool__(self):
        return self != 0

    # Step functions.

    def floor(self):
        floor = self.value.floor()
        if not floor.is_exact():
            raise UndecidedError
        return Jet(floor)

    def ceil(self):
        return -(-self).floor()

    def trunc(self):
        return self.ceil() if self < 0 else self.floor()

    def rint(self):
        return (self + 0.5).floor()

    # What flint has series for.

    def exp(self):
        return Jet.of(self.series.exp())

    def log(self):
        return Jet.of(self.series.log())

    def sqrt(self):
        return Jet.of(self.series.sqrt())

    def sin(self):
        return Jet.of(self.series.sin())

    def cos(self):
        return Jet.of(self.series.cos())

    def tan(self):
        return Jet.of(self.series.tan())

    def arcsin(self):
        return Jet.of(self.series.asin())

    def arccos(self):
        return Jet.of(self.series.acos())

    def arctan(self):
        return Jet.of(self.series.atan())

    def erf(self):
        return Jet.of(self.series.erf())

    def erfc(self):
        return Jet.of(self.series.erfc())

    def gammaln(self):
        return Jet.of(self.series.lgamma())

    # What follows by its definition.

    def exp2(self):
        return (self * Jet(arb(2).log())).exp()

    def expm1(self):
        return self.exp() - 1

    def log2(self):
        return self.log() / Jet(arb(2).log())

    def log10(self):
        return self.log() / Jet(arb(10).log())

    def log1p(self):
        return (self + 1).log()

    def cbrt(self):
        return -(-self).cbrt() if self < 0 else (self.log() / 3).exp()

    def hypot(self, other):
        return (self * self + other * other).sqrt()

    def deg2rad(self):
        return self * Jet(arb.pi()) / 180

    def rad2deg(self):
        return self * 180 / Jet(arb.pi())

    radians, degrees = deg2rad, rad2deg

    def sinh(self):
        return (self.exp() - (-self).exp()) / 2

    def cosh(self):
        return (self.exp() + (-self).exp()) / 2

    def tanh(self):
        return self.sinh() / self.cosh()

    def arcsinh(self):
        return (self + (self * self + 1).sqrt()).log()

    def arccosh(self):
        return (self + (self * self - 1).sqrt()).log()

    def arctanh(self):
        return ((1 + self) / (1 - self)).log() / 2

    def arctan2(self, other):
        other = Jet.of(other)
        steep = abs(float(self.value)) > abs(float(other.value))
        angle = -(other / self).arctan() if steep else (self / other).arctan()
        return Jet(arb.atan2(self.value, other.value), angle.series[1], angle.series[2])

    # What needs its derivatives at the point.

    def compose(self, value, first, second):
        """``g(self)`` from g and its two derivatives at the value of self."""
        step = self - Jet(self.value)
        return Jet(value) + step * (Jet(first) + step * Jet(second) / 2)

    def erfinv(self):
        y = self.value.erfinv()
        slope = arb.pi().sqrt() / 2 * (y * y).exp()  # 1 / erf'(y), and erf'' = -2 y erf'
        return self.compose(y, slope, 2 * y * slope * slope)

    def psi(self):
        x = self.value
        return self.compose(x.digamma(), arb(2).zeta(x), -2 * arb(3).zeta(x))

    def bessel_i(self, order):
        """From ``I_n' = (I_{n-1} + I_{n+1}) / 2``, where ``I_{-n} = I_n``."""
        i = [self.value.bessel_i(abs(order + k)) for k in range(-2, 3)]
        return self.compose(i[2], (i[1] + i[3]) / 2, (i[0] + 2 * i[2] + i[4]) / 4)


lift = np.frompyfunc(Jet.of, 1, 1)


def line(x, v):
    """The array of jets ``x + t v``."""
    return np.frompyfunc(Jet, 2, 1)(x, v)


def coefficient(jets, i):
    """The i-th coefficients of an array of jets: their midpoints and radii."""
    balls = [jet.series[i] for jet in np.ravel(jets)]
    middle = np.reshape([float(ball.mid()) for ball in balls], np.shape(jets))
    return middle, np.reshape([float(ball.rad()) for ball in balls], np.shape(jets))
