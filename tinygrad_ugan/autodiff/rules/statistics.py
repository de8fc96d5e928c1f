"""Covariances, correlations, and weights added up by whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, shape_of, untrace
from tinygrad_ugan.autodiff.rules.derived import derived
from tinygrad_ugan.autodiff.rules.indexing import scatter_add
from tinygrad_ugan.autodiff.samples import POSITIVE, Random, Samples, sample


def _variables(x: Any, rowvar: bool) -> Any:
    """One variable a row."""
    x = np.atleast_2d(as_array(x))
    return x if rowvar or shape_of(x)[0] == 1 else np.transpose(x)


def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    x = _variables(m, rowvar)
    if y is not None:
        x = np.concatenate([x, _variables(y, rowvar)])
    ddof = int(not bias) if ddof is None else ddof
    times = 1 if fweights is None else as_array(fweights)
    weights = np.ones(shape_of(x)[1]) * times
    freedom = np.sum(weights) - ddof
    if aweights is not None:
        aweights = as_array(aweights)
        weights = weights * aweights
        total = np.sum(weights)
        freedom = total - ddof * np.sum(weights * aweights) / total
    x = x - np.sum(x * weights, axis=1, keepdims=True) / np.sum(weights)
    return np.squeeze(x @ np.transpose(x * weights) / freedom)


def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = _cov(x, y, rowvar)
    if shape_of(c) == ():
        return c / c
    deviation = np.sqrt(np.diagonal(c))
    return c / deviation[:, None] / deviation


def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    x = as_array(untrace(x))
    length = max(minlength, int(np.max(x, initial=-1)) + 1)
    return scatter_add(as_array(weights), x, (length,))


RULES = (
    derived(np.cov, _cov),
    derived(np.corrcoef, _corrcoef),
    derived(np.bincount, _bincount),
)

_V, _W = Random((5,)), Random((5,))
_M, _N = Random((3, 5)), Random((2, 5))
_OFTEN = np.array([1, 2, 1, 3, 1])
_BINS = np.array([0, 2, 2, 1, 0])
_ROWS = [
    *(sample(_V), sample(_M), sample(_M, _N), sample(_V, _W), sample(_M, rowvar=False)),
    sample(_V, _W, False),
]

SAMPLES: Samples = {
    np.cov: [
        *(*_ROWS, sample(_M, None, True, True), sample(_M, ddof=0, fweights=_OFTEN)),
        sample(_M, None, True, False, None, None, Random((5,), POSITIVE)),
        sample(_V, None, True, True, None, _OFTEN, Random((5,), POSITIVE)),
    ],
    np.corrcoef: _ROWS,
    np.bincount: [sample(_BINS, _V), sample(_BINS, _V, 7)],
}
