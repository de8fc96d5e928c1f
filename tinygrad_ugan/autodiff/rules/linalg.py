"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    Operand,
    bilinear,
    composite,
    sample,
    shape_of,
    unbroadcast,
)


def _matmul_left(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of x in ``x @ y``."""
    if len(shape_of(y)) == 1:
        return unbroadcast(np.expand_dims(g, -1) * y, x)
    if len(shape_of(x)) == 1:
        return unbroadcast(np.squeeze(np.expand_dims(g, -2) @ _transposed(y), -2), x)
    return unbroadcast(g @ _transposed(y), x)


def _matmul_right(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of y in ``x @ y``."""
    if len(shape_of(x)) == 1:
        outer = x if len(shape_of(y)) == 1 else np.expand_dims(x, -1)
        g = g if len(shape_of(y)) == 1 else np.expand_dims(g, -2)
        return unbroadcast(outer * g, y)
    if len(shape_of(y)) == 1:
        return unbroadcast(np.squeeze(_transposed(x) @ np.expand_dims(g, -1), -1), y)
    return unbroadcast(_transposed(x) @ g, y)


def _transposed(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


_SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3,)),
    ((2, 1, 2, 3), (4, 3, 2)),
]

matmul = bilinear(
    np.matmul,
    _matmul_left,
    _matmul_right,
    [sample(Operand(left), Operand(right)) for left, right in _SHAPES],
)


def _dot(a: Any, b: Any) -> Any:
    """``np.dot`` in terms of the matrix product: b's axes behind its last but one come last."""
    if not shape_of(a) or not shape_of(b):
        return np.multiply(a, b)
    if len(shape_of(b)) <= 2:
        return np.matmul(a, b)
    n = shape_of(b)[-2]
    columns = np.reshape(np.moveaxis(b, -2, 0), (n, -1))
    return np.reshape(np.matmul(a, columns), shape_of(a)[:-1] + shape_of(b)[:-2] + shape_of(b)[-1:])


_DOT_SHAPES = [((3,), (3,)), ((2, 3), (3,)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((), (2,))]

RULES = (
    matmul,
    composite(np.dot, _dot, [sample(Operand(a), Operand(b)) for a, b in _DOT_SHAPES]),
)
