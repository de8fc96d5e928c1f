"""Vector forms: elementwise functions written in terms of vector arithmetic, for compilers.

A vector form is a function ``form(e, *args)`` of an arithmetic `e` and of vectors of its numbers.
NumPy's arrays are such vectors, and so are the registers of a kernel under construction
(`tinygrad_ugan.kernels.ufunc_emitter`), which is why a form says what is computed and not by whom.
It has no branches: `e.where` selects.

- Vectors have the operators ``+ - * /``, unary ``-`` and ``< <= > >=``; masks have ``& | ^ ~``.
  Either operand may be a Python number, and so may any argument of a function that is a constant.
- `e` has the functions in `UFUNCS` by NumPy's names, and with NumPy's results at NaN, infinities
  and zeros of either sign; and those in `MORE`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

VectorForm = Callable[..., Any]

_ARITHMETIC = (
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.conjugate),
    *(np.reciprocal, np.fmod, np.remainder, np.floor_divide),
)
_SIZES = (np.absolute, np.fabs, np.sign, np.signbit, np.copysign)
_EXTREMES = (np.maximum, np.minimum, np.fmax, np.fmin)
_WHOLE = (np.floor, np.ceil, np.trunc, np.rint)
_COMPARISONS = (
    *(np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal),
    *(np.isnan, np.isinf, np.isfinite),
)
_LOGICAL = (
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert),
)
_POWERS = (np.square, np.power, np.float_power, np.sqrt, np.cbrt, np.hypot)
_EXPONENTIAL = (
    *(np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p),
    *(np.logaddexp, np.logaddexp2),
)
_TRIGONOMETRIC = (
    *(np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.arctan2),
    *(np.degrees, np.rad2deg, np.radians, np.deg2rad),
)
_HYPERBOLIC = (np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh)

UFUNCS: tuple[np.ufunc, ...] = (
    *(*_ARITHMETIC, *_SIZES, *_EXTREMES, *_WHOLE, *_COMPARISONS, *_LOGICAL),
    *(*_POWERS, *_EXPONENTIAL, *_TRIGONOMETRIC, *_HYPERBOLIC),
)
"""NumPy's functions in vector arithmetic; the bitwise ones of masks only."""

MORE = ("fma", "sigmoid", "where")
"""``x y + z``, ``1 / (1 + exp(-x))``, and ``np.where``."""


def ufunc_form(function: Callable[..., Any]) -> VectorForm | None:
    """The vector form of a function in `UFUNCS`, and None of any other."""
    if not isinstance(function, np.ufunc) or function not in UFUNCS:
        return None
    name = function.__name__
    return lambda e, *args: getattr(e, name)(*args)


def register(implementation: Callable[..., Any], form: VectorForm) -> None:
    """Let `registered` find the vector form of a primitive by its implementation.

    NumPy's functions, to which no weak reference can be made, are found in the table of rules.
    """
    with contextlib.suppress(TypeError):
        _registered[implementation] = form


def registered(implementation: Callable[..., Any]) -> VectorForm | None:
    """The vector form of the primitive with this implementation, if it has one."""
    with contextlib.suppress(TypeError):
        return _registered.get(implementation)
    return None


_registered: WeakKeyDictionary[Callable[..., Any], VectorForm] = WeakKeyDictionary()
