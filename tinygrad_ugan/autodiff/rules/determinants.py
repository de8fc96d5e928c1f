"""Determinants: ``np.linalg.det`` and ``slogdet``, also of singular matrices.

The derivative of a determinant is the matrix of cofactors, ``det(A) A^-T`` where A has an inverse.
If A is singular, or nearly so, the determinant is computed again by blocks: with ``A = U S V^T``,
and U and V held constant, ``U^T A V`` is diagonal at this A. Its block of large elements has an
inverse, and the determinant of the small Schur complement of the rest is expanded by minors. That
is exact for every A, and so differentiates to any order.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, untrace
from tinygrad_ugan.autodiff.primitive import composite, elementwise, unary
from tinygrad_ugan.autodiff.rules.linalg import well_conditioned
from tinygrad_ugan.autodiff.rules.products import mT
from tinygrad_ugan.autodiff.samples import Random, Samples, sample

SlogdetResult = type(np.linalg.slogdet(np.eye(1)))

LARGE = 1e-3  # singular values down to this part of the largest one form the block with an inverse
SMALL = 12  # the most that may be left: their minors are as many as their subsets


def _per_matrix(x: Any) -> Any:
    return np.expand_dims(x, (-2, -1))


def _inverse_or_nan(a: Any) -> Any:
    """The inverse; NaN for a singular matrix, where `inv` would refuse the whole stack."""
    singular = np.linalg.slogdet(untrace(a)).sign == 0
    return np.linalg.inv(np.where(_per_matrix(singular), np.nan, a))


def _logabsdet(a: Any) -> Any:
    return np.linalg.slogdet(a).logabsdet


def _logabsdet_push(t: Any, ans: Any, a: Any) -> Any:
    return np.sum(mT(_inverse_or_nan(a)) * t, axis=(-2, -1))


def _logabsdet_pull(g: Any, ans: Any, a: Any) -> Any:
    return _per_matrix(g) * mT(_inverse_or_nan(a))


def _slogdet(a: Any) -> Any:
    return SlogdetResult(np.linalg.slogdet(untrace(a)).sign, logabsdet(a))


def _regular_det(a: Any) -> Any:
    return np.linalg.det(a)


def _regular_det_push(t: Any, ans: Any, a: Any) -> Any:
    return ans * _logabsdet_push(t, ans, a)


def _regular_det_pull(g: Any, ans: Any, a: Any) -> Any:
    return _logabsdet_pull(g * ans, ans, a)


def _known(x: Any, value: Any) -> Any:
    """Return `value`, which equals x but for rounding."""
    return value


def _det(a: Any) -> Any:
    a = as_array(a)
    bare = untrace(a)
    s = np.linalg.svd(bare, compute_uv=False)
    poor = np.any(s <= LARGE * s[..., :1], axis=-1)
    if not np.any(poor):
        return regular_det(a)
    matrices = np.reshape(a, (-1, *bare.shape[-2:]))
    dets = [
        _det_by_blocks(matrix) if is_poor else regular_det(matrix)
        for matrix, is_poor in zip(matrices, np.ravel(poor), strict=True)
    ]
    return known(np.reshape(np.stack(dets), bare.shape[:-2]), np.linalg.det(bare))


def _det_by_blocks(a: Any) -> Any:
    u, s, vT = np.linalg.svd(untrace(a))
    r = np.count_nonzero(s > LARGE * s[0])
    if len(s) - r > SMALL:
        return regular_det(a)
    b = u.T @ a @ vT.T
    large, small = b[:r, :r], b[r:, r:] - b[r:, :r] @ np.linalg.solve(b[:r, :r], b[:r, r:])
    sign = np.rint(np.linalg.det(u) * np.linalg.det(vT))
    return sign * regular_det(large) * _det_by_minors(small)


def _det_by_minors(a: Any) -> Any:
    """Expand row by row in minors of the rows above: without divisions, zeros do no harm."""
    columns = range(len(a))
    minors = np.ones(1, a.dtype)
    for i in columns:
        place = {chosen: k for k, chosen in enumerate(itertools.combinations(columns, i))}
        wider = [*itertools.combinations(columns, i + 1)]
        without = [[place[c[:j] + c[j + 1 :]] for j in range(i + 1)] for c in wider]
        signs = np.asarray([(-1) ** (i + j) for j in range(i + 1)], a.dtype)
        minors = np.sum(signs * a[i, np.array(wider)] * minors[np.array(without)], axis=-1)
    return minors[0]


logabsdet = unary(_logabsdet, _logabsdet_push, _logabsdet_pull)
regular_det = unary(_regular_det, _regular_det_push, _regular_det_pull)
known = elementwise(_known, 1, 0)

RULES = (
    composite(np.linalg.det, _det, convention=f"NaN where more than {SMALL} singular values are 0"),
    regular_det,
    logabsdet,
    composite(np.linalg.slogdet, _slogdet, convention="NaN at a singular matrix"),
)

_SQUARE = Random((3, 3), structure=well_conditioned)
_STACK = Random((2, 3, 3), structure=well_conditioned)
_SAMPLES = [sample(_SQUARE), sample(_STACK)]
_NEARLY = Random((2, 3, 3), structure=lambda x: x * np.asarray([1, 1e-4, 1e-4], x.dtype))

SAMPLES: Samples = {
    _logabsdet: _SAMPLES,
    _regular_det: _SAMPLES,
    np.linalg.det: [*_SAMPLES, sample(_NEARLY)],
    np.linalg.slogdet: _SAMPLES,
}
