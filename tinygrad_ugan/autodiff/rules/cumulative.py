"""Running sums and products, and the product of all."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.autodiff.primitive import Primitive, composite, linear
from tinygrad_ugan.autodiff.rules.axes import Axis, cast, merge_axes, restore_axes
from tinygrad_ugan.autodiff.rules.masked_reductions import masked_prod
from tinygrad_ugan.autodiff.rules.reductions import MASKED, REDUCTIONS, STARTED
from tinygrad_ugan.autodiff.samples import Random, Samples, sample


def _running_sum(x: Any, axis: int) -> Any:
    return np.cumsum(x, axis)


def _reversed(x: Any, axis: int) -> Any:
    return x[(slice(None),) * (axis % len(shape_of(x))) + (slice(None, None, -1),)]


running_sum: Primitive = linear(
    _running_sum,
    lambda g, x, axis: _reversed(running_sum(_reversed(g, axis), axis), axis),
)


def _cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    a = cast(a, dtype)
    return running_sum(np.ravel(a), 0) if axis is None else running_sum(a, axis)


# Products of two are all that is differentiated below: nothing is divided by an element, so that
# zeros among them are as good as any number.


def _cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """By doubling: after r rounds, element k is the product of the last 2^r up to k."""
    a = cast(a, dtype)
    if axis is None:
        return _cumprod(np.ravel(a), 0)
    products = np.swapaxes(a, axis, -1)
    span = 1
    while span < shape_of(products)[-1]:
        longer = products[..., span:] * products[..., :-span]
        products = np.concatenate([products[..., :span], longer], axis=-1)
        span *= 2
    return np.swapaxes(products, axis, -1)


def _prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """By halves: elements are multiplied in pairs until one is left."""
    if not (initial is None and where is True):
        initial = 1 if initial is None else initial
        return masked_prod(a, axis, dtype, keepdims=keepdims, initial=initial, where=where)
    a = cast(a, dtype)
    factors = merge_axes(a, axis)
    if shape_of(factors)[-1] == 0:
        factors = np.ones((*shape_of(factors)[:-1], 1), a.dtype)
    while (n := shape_of(factors)[-1]) > 1:
        pairs = factors[..., : n // 2] * factors[..., n // 2 : n - n % 2]
        factors = np.concatenate([pairs, factors[..., -1:]], axis=-1) if n % 2 else pairs
    product = factors[..., 0]
    return restore_axes(product, shape_of(a), axis) if keepdims else product


RULES = (
    running_sum,
    composite(np.cumsum, _cumsum),
    composite(np.cumprod, _cumprod, rounds_differently=True),
    composite(np.prod, _prod, rounds_differently=True),
)

_RUNNING = [
    sample(Random((2, 3))),
    sample(Random((3, 5)), 1),
    sample(Random((4, 2)), axis=-2),
    sample(Random((2, 3)), 0, dtype=None),
    sample(Random(())),
]

SAMPLES: Samples = {
    _running_sum: [sample(Random((3, 4)), 0), sample(Random((3, 4)), -1)],
    np.cumsum: _RUNNING,
    np.cumprod: _RUNNING,
    np.prod: [*REDUCTIONS, *MASKED, *STARTED, sample(Random((5,)), dtype=None)],
}
