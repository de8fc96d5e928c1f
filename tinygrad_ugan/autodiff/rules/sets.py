"""Set routines, and functions that pick elements by conditions, numbers or values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import as_array, untrace
from tinygrad_ugan.autodiff.primitive import composite
from tinygrad_ugan.autodiff.rules.indexing import rearrange, selection
from tinygrad_ugan.autodiff.samples import Random, Samples, sample


def _choose(a: Any, choices: Sequence[Any], *, mode: str = "raise") -> Any:
    arrays = [as_array(x) for x in choices]
    return rearrange(lambda *labels: np.choose(untrace(a), labels, mode=mode), arrays)


def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    return rearrange(lambda labels: np.compress(untrace(condition), labels, axis), [as_array(a)])


def _extract(condition: Any, arr: Any) -> Any:
    return rearrange(lambda labels: np.extract(untrace(condition), labels), [as_array(arr)])


def _members(function: Callable[..., Any]) -> Callable[..., Any]:
    """A set operation on two arguments; each element is the first of those equal to it."""

    def pick(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
        options = {"assume_unique": True} if assume_unique else {}
        result = function(untrace(ar1), untrace(ar2), **options)
        return _found(result, np.concatenate([np.ravel(as_array(x)) for x in (ar1, ar2)]))

    return pick


def _found(values: Any, numbers: Any) -> Any:
    """For each value, the first element of a vector that is equal to it."""
    bare = as_array(untrace(numbers))
    order = np.argsort(bare, kind="stable")
    return numbers[order[np.searchsorted(bare, values, sorter=order)]]


def _unique_values(x: Any, /) -> Any:
    return _found(np.unique_values(untrace(x)), np.ravel(x))


def _with_unique_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with several results, of which only the values differentiate."""

    def unique(x: Any, /) -> Any:
        result = function(untrace(x))
        return result._replace(values=_found(result.values, np.ravel(x)))

    return unique


def _union1d(ar1: Any, ar2: Any) -> Any:
    return _members(np.union1d)(ar1, ar2)


_FIRST = "of equal numbers the first takes the cotangent"

RULES = (
    composite(np.choose, _choose),
    composite(np.compress, _compress),
    composite(np.extract, _extract),
    selection(np.resize),
    composite(np.unique_values, _unique_values, _FIRST),
    *(
        composite(function, _with_unique_values(function), _FIRST)
        for function in (np.unique_all, np.unique_counts, np.unique_inverse)
    ),
    composite(np.union1d, _union1d, _FIRST),
    composite(np.intersect1d, _members(np.intersect1d), _FIRST),
    composite(np.setdiff1d, _members(np.setdiff1d), _FIRST),
    composite(np.setxor1d, _members(np.setxor1d), _FIRST),
)

CONSTANTS = (
    *(np.isin, np.digitize, np.lexsort, np.diag_indices_from, np.array_equiv),
    *(np.common_type, np.min_scalar_type, np.einsum_path),
)


def _ascending(x: Any) -> Any:
    """Numbers near 0, 3, 6, ..."""
    return x / 10 + 3 * np.arange(len(x), dtype=x.dtype)


_V, _M = Random((3,)), Random((3, 4))
_FAR = Random((4,), structure=_ascending)
_SOME = np.asarray([100, 100, -5], np.float32)
_CHOICES = [Random((3,)), Random((2, 3)), Random(())]
_MASK = np.array([True, False, True])

SAMPLES: Samples = {
    **{f: [sample(_FAR)] for f in (np.unique_all, np.unique_counts, np.unique_inverse)},
    np.choose: [
        sample(np.array([[0, 1, 2], [2, 1, 0]]), _CHOICES),
        sample(np.array([0, 4, -1]), _CHOICES, mode="wrap"),
    ],
    np.compress: [sample(_MASK, _M, 0), sample([0, 1], _M, axis=-1), sample(_MASK, _M)],
    np.extract: [sample(_MASK, _V), sample(np.eye(3, 4) > 0, _M)],
    np.resize: [sample(_V, (2, 4)), sample(_M, 5), sample(_M, (0,))],
    np.unique_values: [sample(_FAR)],
    np.union1d: [sample(_FAR, _SOME)],
    np.intersect1d: [sample(_FAR, _FAR)],
    np.setdiff1d: [sample(_FAR, _SOME)],
    np.setxor1d: [sample(_FAR, _SOME)],
}
