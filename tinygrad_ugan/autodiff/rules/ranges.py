"""Numerical ranges: numbers spaced evenly on a linear or logarithmic scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_operand, shape_of
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.derived import derive, derived
from tinygrad_ugan.autodiff.samples import POSITIVE, Domain, Random, Samples, sample


def _fractions(start: Any, stop: Any, num: int, endpoint: bool) -> np.ndarray:
    """The fractions of the way from start to stop, along a first axis."""
    steps = max(num - 1 if endpoint else num, 1)
    rank = max(len(shape_of(start)), len(shape_of(stop)))
    return np.reshape(np.arange(num) / steps, (-1, *(1,) * rank))


def _line(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    start, stop = as_operand(start), as_operand(stop)
    t = _fractions(start, stop, num, endpoint)
    return np.moveaxis((1 - t) * start + t * stop, 0, axis)


def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    points = line(start, stop, num, endpoint, dtype=dtype, axis=axis)
    if not retstep:
        return points
    steps = num - 1 if endpoint else num
    return points, np.subtract(stop, start) / steps if steps > 0 else np.nan


def _logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    start, stop, base = map(as_operand, np.broadcast_arrays(start, stop, base))
    exponents = _line(start, stop, num, endpoint)
    return np.moveaxis(np.power(base, exponents), 0, axis)


def _geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    start, stop = as_operand(start), as_operand(stop)
    t = _fractions(start, stop, num, endpoint)
    return np.moveaxis(start * np.power(stop / start, t), 0, axis)


line = derive(np.linspace, _line)


RULES = (
    composite(np.linspace, _linspace),
    derived(np.logspace, _logspace),
    derived(np.geomspace, _geomspace),
)

_S, _V = Random(()), Random((3,))
_P, _N = Random((), POSITIVE), Random((2,), Domain(-3.0, -0.2))
_BASE = Random((), POSITIVE)

SAMPLES: Samples = {
    np.linspace: [
        *(sample(_S, _S, 4), sample(_V, _S, 3), sample(_V, Random((2, 1)), num=3, axis=-1)),
        *(sample(_S, _V, 5, endpoint=False), sample(_S, _S, 1), sample(_S, 1.0, 4)),
        *(sample(_S, _V, 4, True, True), sample(_S, _S, 3, False, retstep=True)),
    ],
    np.logspace: [
        *(sample(_S, _S, 4, base=2.0), sample(_V, 1.0, 3, base=2.0, axis=1)),
        *(sample(_S, _S, 3, False, _BASE), sample(_V, _S, 3, True, Random((3,), POSITIVE))),
    ],
    np.geomspace: [
        *(sample(_P, _P, 4), sample(_N, _N, 3), sample(_P, 2.0, 4, endpoint=False)),
        sample(Random((2, 1), POSITIVE), Random((3,), POSITIVE), num=3, axis=-1),
    ],
}
