"""Elementwise functions that select among values: maximum, where, clip and similar."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Params, Tracer
from tinygrad_ugan.autodiff.operands import broadcast_like, match_dtype, unbroadcast, untrace
from tinygrad_ugan.autodiff.primitive import composite, elementwise, general
from tinygrad_ugan.autodiff.rules.stable_derivatives import sign
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample


def _shared(ans: Any, chosen: Any, tied: Any) -> Any:
    """1 where chosen, 1/2 at ties, else 0, in the dtype of the result."""
    return np.where(tied, ans.dtype.type(0.5), chosen)


def _heaviside_vector(e: Any, x: Any, y: Any) -> Any:
    return e.where(e.equal(x, 0.0), y, e.where(e.isnan(x), x, e.where(x > 0, 1.0, 0.0)))


_EVENLY = "equal arguments share the cotangent evenly"

# fmt: off
_EXTREMES = (
    elementwise(np.maximum, lambda ans, x, y: _shared(ans, x > y, x == y),
                            lambda ans, x, y: _shared(ans, y > x, x == y), convention=_EVENLY),
    elementwise(np.minimum, lambda ans, x, y: _shared(ans, x < y, x == y),
                            lambda ans, x, y: _shared(ans, y < x, x == y), convention=_EVENLY),
    elementwise(np.fmax,    lambda ans, x, y: _shared(ans, (x > y) | np.isnan(y), x == y),
                            lambda ans, x, y: _shared(ans, (y > x) | np.isnan(x), x == y),
                convention=_EVENLY),
    elementwise(np.fmin,    lambda ans, x, y: _shared(ans, (x < y) | np.isnan(y), x == y),
                            lambda ans, x, y: _shared(ans, (y < x) | np.isnan(x), x == y),
                convention=_EVENLY),
)

_SIGNS = (
    elementwise(np.copysign, lambda ans, x, y: sign(x) * np.copysign(1, y), 0,
                domain=(POSITIVE, Domain(-3.0, -0.2)), convention="0 at x = 0, and then NaN"),
    elementwise(np.heaviside, 0, lambda ans, x, y: x == 0,
                convention="the derivative in x is 0 at the step", vector=_heaviside_vector),
)
# fmt: on


def _where(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition, x, y)


def _where_jvp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, tangents: list[Any]
) -> Any:
    by_place = dict(zip(traced, tangents, strict=True))
    zero = np.zeros((), ans.dtype)
    return broadcast_like(where(args[0], by_place.get(1, zero), by_place.get(2, zero)), ans)


def _where_vjp(
    traced: Sequence[int], ans: Any, args: Sequence[Any], params: Params, cotangent: Any
) -> Sequence[Any]:
    """Select rather than multiply by the mask: 0 * inf on the other side would be NaN."""
    condition, zero = args[0], np.zeros((), cotangent.dtype)
    chosen = {1: (cotangent, zero), 2: (zero, cotangent)}
    return [unbroadcast(where(condition, *chosen[i]), args[i]) for i in traced]


where = general(_where, _where_jvp, _where_vjp, vector=lambda e, mask, x, y: e.where(mask, x, y))


def _where_of_any(condition: Any, *choices: Any) -> Any:
    """``np.where`` with a constant condition; with nothing else, the indices where it holds."""
    return where(untrace(condition), *choices) if choices else np.where(untrace(condition))


def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    if not condlist:
        raise ValueError("select with an empty condition list is not possible")
    chosen = default
    for condition, choice in reversed([*zip(condlist, choicelist, strict=True)]):
        chosen = np.where(condition, choice, chosen)
    return chosen


def _clip(
    e: Any, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    """``np.clip`` in the arithmetic of NumPy, or of any `e`."""
    lower, upper = a_min if min is None else min, a_max if max is None else max
    if lower is not None:
        a = e.maximum(a, lower)
    return a if upper is None else e.minimum(a, upper)


def _nan_to_num(x: Any, *, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    given = ((np.isnan, nan), (np.isposinf, posinf), (np.isneginf, neginf))
    finite = np.nan_to_num(
        untrace(x), nan=untrace(nan), posinf=untrace(posinf), neginf=untrace(neginf)
    )
    result = np.where(np.isfinite(x), x, finite)
    for is_such, value in given:
        if isinstance(value, Tracer):
            result = np.where(is_such(x), match_dtype(value, x), result)
    return result


_COMPOSITES = (
    composite(np.where, _where_of_any, vector=where.vector),
    composite(np.select, _select),
    composite(
        np.clip,
        partial(_clip, np),
        convention="an element at a bound shares the cotangent evenly with the bound",
        rounds_differently=True,  # of equal zeros, which sign is kept
        vector=_clip,
    ),
    composite(np.nan_to_num, _nan_to_num),
)

RULES = (*_EXTREMES, *_SIGNS, where, *_COMPOSITES)

CONSTANTS = (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    *(np.isfinite, np.isnan, np.isinf, np.isneginf, np.isposinf),
    *(np.isreal, np.iscomplex, np.isrealobj, np.isclose),
)

_AT_STEP = np.array([0, 1, 0], np.float32)
_MASK = np.array([True, False, True])
_WHERE = [
    sample(_MASK, Random((3,)), Random((3,))),
    sample(_MASK, Random((2, 3)), Random(())),
    sample(_MASK[:, None], Random(()), Random((1, 2))),
]
_LEFT, _RIGHT = Domain(-3.0, -1.2), Domain(1.2, 3.0)

SAMPLES: Samples = {
    np.heaviside: [
        sample(Random((2, 3), POSITIVE), Random((3,), POSITIVE)),
        sample(_AT_STEP, Random((3,), POSITIVE)),
        sample(_AT_STEP, Random((2, 1), POSITIVE)),
    ],
    _where: _WHERE,
    np.where: _WHERE,
    np.select: [
        sample([_MASK, ~_MASK], [Random((3,)), Random((2, 3))]),
        sample([_MASK, _MASK[::-1]], [Random(()), Random((3,))], Random((2, 1))),
    ],
    np.clip: [
        sample(Random((2, 3), Domain(-0.9, 0.9)), -1, 1),
        sample(Random((2, 3), _RIGHT), None, 1.0),
        sample(Random((), _RIGHT), Random((2, 1), _LEFT), Random((3,), Domain(-0.5, 0.5))),
        sample(Random((3,), _LEFT), Random((3,), Domain(-0.5, 0.5)), None),
    ],
    np.nan_to_num: [sample(Random((2, 3))), sample(Random(()), nan=1.0)],
}
