"""An emitter with NumPy's ufuncs: the arithmetic of vector forms, in machine code.

See `tinygrad_ugan.autodiff.vector_forms` for the forms, and for what is expected here.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from tinygrad_ugan.kernels import hyperbolic, powers, trigonometry, vecmath
from tinygrad_ugan.kernels.emitter import Emitter, Number, Value


class UfuncEmitter(Emitter):
    """An `Emitter` whose methods are ufuncs by NumPy's names, with NumPy's results.

    Arguments are vectors, or masks, which comparisons return; of several, some may be numbers.
    """

    # Arithmetic

    add, subtract = staticmethod(operator.add), staticmethod(operator.sub)
    multiply, divide = staticmethod(operator.mul), staticmethod(operator.truediv)
    negative = staticmethod(operator.neg)
    positive = conjugate = staticmethod(lambda x: x)
    fabs, rint = Emitter.absolute, Emitter.round

    def reciprocal(self, x: Value) -> Value:
        """``1 / x``."""
        return 1.0 / x

    def square(self, x: Value) -> Value:
        """``x x``."""
        return x * x

    def fmod(self, x: Value | Number, y: Value | Number) -> Value:
        """The rest of a division towards 0, exactly; the C library does it, number by number."""
        x, y = self.alike(x, y)
        return Value(self, self.builder.frem(x.ir, y.ir))

    def remainder(self, x: Value | Number, y: Value | Number) -> Value:
        """The rest of a division towards minus infinity, as Python's ``%``."""
        x, y = self.alike(x, y)
        rest = self.fmod(x, y)
        rest = self.where(self._differ_in_sign(rest, y), rest + y, rest)
        return self.where(
            self.equal(rest, 0.0) & self.not_equal(y, 0.0), self.copysign(rest, y), rest
        )

    def floor_divide(self, x: Value | Number, y: Value | Number) -> Value:
        """The quotient rounded down, as Python's ``//``."""
        x, y = self.alike(x, y)
        rest, quotient = self.fmod(x, y), x / y
        whole = (x - rest) / y
        whole = self.where(self._differ_in_sign(rest, y), whole - 1.0, whole)
        floor = self.floor(whole)
        nearest = self.where(whole - floor > 0.5, floor + 1.0, floor)
        nearest = self.where(self.equal(whole, 0.0), self.copysign(0.0, quotient), nearest)
        return self.where(self.equal(y, 0.0), quotient, nearest)

    def _differ_in_sign(self, rest: Value, y: Value) -> Value:
        return self.not_equal(rest, 0.0) & ((rest < 0.0) ^ (y < 0.0))

    # Signs and sizes

    def copysign(self, magnitude: Value | Number, sign: Value | Number) -> Value:
        """The first argument with the sign of the second."""
        return super().copysign(*self.alike(magnitude, sign))

    def sign(self, x: Value) -> Value:
        """1, 0 or -1."""
        return self.where(x > 0.0, 1.0, self.where(x < 0.0, -1.0, x + 0.0))  # NaN, and no -0

    def signbit(self, x: Value) -> Value:
        """The mask of negative numbers and -0."""
        return self.to_bits(x) < 0

    def maximum(self, x: Value | Number, y: Value | Number) -> Value:
        """The larger of two; NaN if either is."""
        x, y = _vector_first(x, y)
        larger = super().maximum(x, y)
        return larger if _is_known(y) else self.where(self.isnan(y), y, larger)

    def minimum(self, x: Value | Number, y: Value | Number) -> Value:
        """The smaller of two; NaN if either is."""
        x, y = _vector_first(x, y)
        smaller = super().minimum(x, y)
        return smaller if _is_known(y) else self.where(self.isnan(y), y, smaller)

    def fmax(self, x: Value | Number, y: Value | Number) -> Value:
        """The larger of two; the other if either is NaN."""
        x, y = self.alike(x, y)
        return self.where(self.isnan(x), y, super().maximum(x, y))

    def fmin(self, x: Value | Number, y: Value | Number) -> Value:
        """The smaller of two; the other if either is NaN."""
        x, y = self.alike(x, y)
        return self.where(self.isnan(x), y, super().minimum(x, y))

    # Masks

    less, less_equal = staticmethod(operator.lt), staticmethod(operator.le)
    greater, greater_equal = staticmethod(operator.gt), staticmethod(operator.ge)
    bitwise_and, bitwise_or = staticmethod(operator.and_), staticmethod(operator.or_)
    bitwise_xor, invert = staticmethod(operator.xor), staticmethod(operator.invert)

    def isnan(self, x: Value | Number) -> Value:
        """The mask of NaN."""
        return self.not_equal(x, x)

    def isinf(self, x: Value | Number) -> Value:
        """The mask of infinities."""
        return self.equal(self.absolute(self.like(x, self.zero())), np.inf)

    def isfinite(self, x: Value | Number) -> Value:
        """The mask of numbers that are neither infinite nor NaN."""
        return self.absolute(self.like(x, self.zero())) < np.inf

    def logical_and(self, x: Value | Number, y: Value | Number) -> Value:
        """The mask of elements of which both are true."""
        return self._truth(x) & self._truth(y)

    def logical_or(self, x: Value | Number, y: Value | Number) -> Value:
        """The mask of elements of which any is true."""
        return self._truth(x) | self._truth(y)

    def logical_xor(self, x: Value | Number, y: Value | Number) -> Value:
        """The mask of elements of which exactly one is true."""
        return self._truth(x) ^ self._truth(y)

    def logical_not(self, x: Value) -> Value:
        """The mask of elements that are false."""
        return ~self._truth(x)

    def where(self, mask: Value, x: Value | Number, y: Value | Number) -> Value:
        """`x` where the mask holds, or is a number other than 0, and `y` elsewhere."""
        return super().where(self._truth(mask), x, y)

    def from_mask(self, mask: Value) -> Value:
        """1 where a mask holds, and 0 elsewhere: the numbers that NumPy makes of it."""
        return self.where(mask, 1.0, 0.0)

    def _truth(self, x: Value | Number) -> Value:
        return x if isinstance(x, Value) and x.is_integer else self.not_equal(x, 0.0)

    # Elementary functions

    expm1, exp2 = vecmath.expm1, vecmath.exp2
    log, log1p, log2, log10 = vecmath.log, vecmath.log1p, powers.log2, powers.log10
    power, float_power, cbrt, hypot = powers.power, powers.power, powers.cbrt, powers.hypot
    sin, cos, tan = trigonometry.sin, trigonometry.cos, trigonometry.tan
    arcsin, arccos, arctan = trigonometry.arcsin, trigonometry.arccos, trigonometry.arctan
    arctan2 = trigonometry.arctan2
    degrees = rad2deg = staticmethod(lambda x: x * (180 / math.pi))
    radians = deg2rad = staticmethod(lambda x: x * (math.pi / 180))
    sinh, cosh, tanh = hyperbolic.sinh, hyperbolic.cosh, vecmath.tanh
    arcsinh, arccosh, arctanh = hyperbolic.arcsinh, hyperbolic.arccosh, hyperbolic.arctanh
    sigmoid = vecmath.sigmoid

    def exp(self, x: Value) -> Value:
        """The exponential."""
        return vecmath.exp(self, x)

    def logaddexp(self, x: Value | Number, y: Value | Number) -> Value:
        """``log(exp(x) + exp(y))``, without overflow."""
        return vecmath.logaddexp(self, *_vector_first(x, y))

    def logaddexp2(self, x: Value | Number, y: Value | Number) -> Value:
        """``log2(2^x + 2^y)``, without overflow."""
        return powers.logaddexp2(self, *_vector_first(x, y))


def _vector_first(x: Value | Number, y: Value | Number) -> tuple[Value, Value | Number]:
    if isinstance(x, Value):
        return x, y
    assert isinstance(y, Value)
    return y, x


def _is_known(x: Value | Number) -> bool:
    """Whether this is a Python number, and not NaN."""
    return not isinstance(x, Value) and x == x
