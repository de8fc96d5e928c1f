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

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

VectorForm = Callable[..., Any]

_ARITHMETIC = (np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal)
_SIZES = (np.absolute, np.fabs, np.sign, np.signbit, np.copysign, np.square, np.sqrt)
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
_EXPONENTIAL = (np.exp, np.expm1, np.log, np.log1p, np.logaddexp, np.tanh)

UFUNCS: tuple[np.ufunc, ...] = (
    *(*_ARITHMETIC, *_SIZES, *_EXTREMES, *_WHOLE),
    *(*_COMPARISONS, *_LOGICAL, *_EXPONENTIAL),
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
    """Let `registered` find the vector form of a primitive by its implementation."""
    _registered[implementation] = form


def registered(implementation: Callable[..., Any]) -> VectorForm | None:
    """The vector form of the primitive with this implementation, if it has one."""
    try:
        return _registered.get(implementation)
    except TypeError:  # no weak reference can be made to it, so that it was not registered
        return None


_registered: WeakKeyDictionary[Callable[..., Any], VectorForm] = WeakKeyDictionary()
