"""Elementwise functions: each line gives the partial derivatives in terms of (ans, *args)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    POSITIVE,
    REAL,
    Domain,
    Operand,
    broadcast_like,
    elementwise,
    general,
    sample,
    unbroadcast,
)


def _lower_power(x: Any, y: Any) -> Any:
    """``x ** (y - 1)``, but x where y is 0, so that the derivative ``0 * x ** -1`` is 0 at 0."""
    if isinstance(y, int | float):  # stays a weak Python number: no promotion of float32
        return x if y in (0, 2) else x ** (y - 1)
    return x ** np.where(y == 0, 1, y - 1)


def _shared(chosen: Any, tied: Any) -> Any:
    """1 where chosen, 1/2 at ties, else 0."""
    return np.where(tied, 0.5, chosen)


# fmt: off
_ARITHMETIC = (
    elementwise(np.add,      1, 1),
    elementwise(np.subtract, 1, -1),
    elementwise(np.multiply, lambda ans, x, y: y, lambda ans, x, y: x),
    elementwise(np.divide,   lambda ans, x, y: 1 / y, lambda ans, x, y: -ans / y,
                domain=(REAL, POSITIVE)),
    elementwise(np.power,    lambda ans, x, y: y * _lower_power(x, y),
                             lambda ans, x, y: ans * np.log(np.where(x > 0, x, 1)),
                implementation=operator.pow,  # has NumPy's short cuts for small exponents
                domain=(POSITIVE, REAL),
                convention="at base 0 the derivative in the exponent is 0"),
    elementwise(np.negative, -1),
    elementwise(np.positive, 1),
    elementwise(np.square,   lambda ans, x: 2 * x),
    elementwise(np.sqrt,     lambda ans, x: 0.5 / ans, domain=POSITIVE),
    elementwise(np.reciprocal, lambda ans, x: -ans * ans, domain=POSITIVE),
    elementwise(np.absolute, lambda ans, x: np.sign(x), domain=POSITIVE, convention="0 at 0"),
)

_EXPONENTIAL = (
    elementwise(np.exp,   lambda ans, x: ans),
    elementwise(np.expm1, lambda ans, x: ans + 1),
    elementwise(np.log,   lambda ans, x: 1 / x, domain=POSITIVE),
    elementwise(np.log1p, lambda ans, x: 1 / (1 + x), domain=Domain(-0.8, 3.0)),
    elementwise(np.logaddexp, lambda ans, x, y: np.exp(x - ans), lambda ans, x, y: np.exp(y - ans)),
)

_TRIGONOMETRIC = (
    elementwise(np.sin,  lambda ans, x: np.cos(x)),
    elementwise(np.cos,  lambda ans, x: -np.sin(x)),
    elementwise(np.tanh, lambda ans, x: 1 - ans * ans),
)

_CHOICE = (
    elementwise(np.maximum, lambda ans, x, y: _shared(x > y, x == y),
                            lambda ans, x, y: _shared(y > x, x == y),
                convention="equal arguments share the cotangent evenly"),
    elementwise(np.minimum, lambda ans, x, y: _shared(x < y, x == y),
                            lambda ans, x, y: _shared(y < x, x == y),
                convention="equal arguments share the cotangent evenly"),
)
# fmt: on


def _where_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, tangents: Sequence[Any]
) -> Any:
    by_place = dict(zip(traced, tangents, strict=True))
    zero = np.zeros((), ans.dtype)
    return broadcast_like(np.where(args[0], by_place.get(1, zero), by_place.get(2, zero)), ans)


def _where_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: dict, cotangent: Any
) -> Sequence[Any]:
    """Choose instead of multiplying by the mask: 0 * inf on the side not taken would be NaN."""
    condition, zero = args[0], np.zeros((), cotangent.dtype)
    chosen = {1: (cotangent, zero), 2: (zero, cotangent)}
    return [unbroadcast(np.where(condition, *chosen[i]), args[i]) for i in traced]


_MASK = np.array([True, False, True])
where = general(
    np.where,
    _where_jvp,
    _where_vjp,
    samples=[
        sample(_MASK, Operand((3,)), Operand((3,))),
        sample(_MASK, Operand((2, 3)), Operand(())),
        sample(_MASK[:, None], Operand(()), Operand((1, 2))),
    ],
)

RULES = (*_ARITHMETIC, *_EXPONENTIAL, *_TRIGONOMETRIC, *_CHOICE, where)

CONSTANTS = (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.isfinite, np.isnan, np.isinf, np.signbit),
    *(np.sign, np.floor, np.ceil, np.rint, np.trunc, np.floor_divide),
)
