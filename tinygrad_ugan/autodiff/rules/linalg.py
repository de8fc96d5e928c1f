"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import (
    Operand,
    Primitive,
    bilinear,
    composite,
    sample,
    shape_of,
)


def _matmul_left(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of x in ``x @ y``."""
    if y.ndim == 1:
        return _column(g) * y
    if x.ndim == 1:
        return y @ g if y.ndim == 2 else (y @ _column(g)).reshape(y.shape[:-1])
    return matmul_nt(g, y)


def _matmul_right(g: Any, x: Any, y: Any) -> Any:
    """Cotangent of y in ``x @ y``."""
    if x.ndim == 1:
        return x * g if y.ndim == 1 else _column(x) * _row(g)
    if y.ndim == 1:
        return g @ x if x.ndim == 2 else (_row(g) @ x).reshape((*x.shape[:-2], -1))
    return matmul_tn(x, g)


def _column(x: Any) -> Any:
    return x.reshape((*x.shape, 1))


def _row(x: Any) -> Any:
    return x.reshape((*x.shape[:-1], 1, x.shape[-1]))


# The transposes of a product are products too, with one factor transposed; together the three are
# closed under transposition. np.dot gives the same bits as matmul, sooner: by far where the inner
# dimension is 1.
def _matmul_nt(x: Any, y: Any) -> Any:
    """Multiply x by y transposed: ``x @ y.mT``."""
    return np.dot(x, y.mT) if x.ndim == y.ndim == 2 else x @ y.mT


def _matmul_tn(x: Any, y: Any) -> Any:
    """Multiply x transposed by y: ``x.mT @ y``."""
    return np.dot(x.mT, y) if x.ndim == y.ndim == 2 else x.mT @ y


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

matmul: Primitive = bilinear(
    np.matmul,
    _matmul_left,
    _matmul_right,
    [sample(Operand(left), Operand(right)) for left, right in _SHAPES],
)
matmul_nt = bilinear(
    _matmul_nt,
    lambda g, x, y: matmul(g, y),
    lambda g, x, y: matmul_tn(g, x),
    [
        sample(Operand((2, 3)), Operand((4, 3))),
        sample(Operand((2, 1, 2, 3)), Operand((4, 2, 3))),
    ],
)
matmul_tn: Primitive = bilinear(
    _matmul_tn,
    lambda g, x, y: matmul_nt(y, g),
    lambda g, x, y: matmul(x, g),
    [
        sample(Operand((3, 2)), Operand((3, 4))),
        sample(Operand((2, 1, 3, 2)), Operand((4, 3, 2))),
    ],
)


def _dot(a: Any, b: Any) -> Any:
    """``np.dot`` in terms of the matrix product: b's axes behind its last but one come last."""
    if not shape_of(a) or not shape_of(b):
        return np.multiply(a, b)
    if len(shape_of(b)) <= 2:
        return matmul(a, b)
    n = shape_of(b)[-2]
    columns = np.reshape(np.moveaxis(b, -2, 0), (n, -1))
    return np.reshape(np.matmul(a, columns), shape_of(a)[:-1] + shape_of(b)[:-2] + shape_of(b)[-1:])


_DOT_SHAPES = [((3,), (3,)), ((2, 3), (3,)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((), (2,))]

RULES = (
    matmul,
    matmul_nt,
    matmul_tn,
    composite(np.dot, _dot, [sample(Operand(a), Operand(b)) for a, b in _DOT_SHAPES]),
)
