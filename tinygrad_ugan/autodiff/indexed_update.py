"""What NumPy does by its constructor or in place, as functions that differentiate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import match_dtype, shape_of, unsupported_operand, untrace
from tinygrad_ugan.autodiff.rules.indexing import index_set, scatter_add
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


def array(object: Any, dtype: Any = None) -> Any:  # noqa: A002
    """Make an array of nested lists of tensors, arrays and numbers: `numpy.array`, differentiable.

    Parameters
    ----------
    object : array-like
        Whatever stands side by side in a list must have one shape.
    dtype : dtype, optional
        By default that of the tensors and arrays, promoted among themselves; Python numbers take
        part as they do in arithmetic and do not widen float32.

    Returns
    -------
    array or tensor
        A tensor if `object` holds one.

    Raises
    ------
    ArgumentError
        If shapes differ within a list.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> def rotated(angle):
    ...     c, s = np.cos(angle), np.sin(angle)
    ...     return ug.array([[c, -s], [s, c]]) @ np.array([1.0, 0.0])
    >>> ug.jacobian(rotated)(0.0)
    array([0., 1.])
    """
    if dtype is None:
        kinds = {getattr(x, "dtype", type(x)): untrace(x) for x in optree.tree_leaves(object)}
        dtype = np.result_type(*kinds.values()) if kinds else float
    dtype = np.dtype(dtype)
    return _stacked(object, dtype) if _holds_tensor(object) else np.array(object, dtype)


def _holds_tensor(x: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in optree.tree_leaves(x))


def _stacked(x: Any, dtype: np.dtype) -> Any:
    if not _holds_tensor(x):
        return np.asarray(x, dtype)
    if isinstance(x, Tracer):
        return match_dtype(x, np.empty(0, dtype))
    parts = [_stacked(item, dtype) for item in x]
    shapes = sorted({shape_of(part) for part in parts})
    if len(shapes) > 1:
        raise ArgumentError("object", f"a list of shapes {shapes}", "one shape within each list")
    return np.stack(parts)


@dataclass(frozen=True, slots=True)
class AtIndex:
    """Elements of an array that may be replaced, see `at`."""

    array: Any
    key: Any

    def set(self, values: Any) -> Any:
        """Return a copy of the array with `values`, broadcast, at this place."""
        return index_set(self.array, self._broadcast(values), self.key)

    def add(self, values: Any) -> Any:
        """Return the array with `values`, broadcast, added at this place."""
        shape = shape_of(self.array)
        return self.array + scatter_add(self._broadcast(values), self.key, shape)

    def _broadcast(self, values: Any) -> Any:
        """Give the values the shape and dtype of what they are to replace."""
        dtype = self.array.dtype
        if dtype.kind == "c" and isinstance(values, Tracer):
            raise unsupported_operand(self.array)
        if not isinstance(values, Tracer):
            values = np.asarray(values)
            if values.dtype.kind == "c" != dtype.kind:
                raise unsupported_operand(values)
            values = values.astype(dtype)
        elif dtype.kind != "f":
            raise ArgumentTypeError(
                "x", f"dtype {dtype}", "a floating-point array", "convert it with x.astype(float)"
            )
        shape = shape_of(untrace(self.array)[self.key])
        if shape_of(values) != shape:
            values = np.broadcast_to(values, shape)
        return match_dtype(values, self.array)


@dataclass(frozen=True, slots=True)
class At:
    """An array waiting for an index, see `at`."""

    array: Any

    def __getitem__(self, key: Any) -> AtIndex:
        return AtIndex(self.array, key)


def at(x: Any) -> At:
    """Update an array without writing to it: ``at(x)[index].set(values)`` or ``.add(values)``.

    Both return a new array, what ``x[index] = values`` or ``numpy.add.at(x, index, values)`` would
    leave in x, and differentiate in x and in `values`. Where an index is repeated, `add` adds up,
    and of `set` the last value stays, which alone has a derivative.

    Parameters
    ----------
    x : array or tensor
        Keeps its dtype.

    Returns
    -------
    At
        To be indexed by anything that indexes a NumPy array.

    Raises
    ------
    ArgumentTypeError
        If tensors are to be written to an array of integers.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_ugan as ug
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> at(x)[1:].set(0.0)
    array([1., 0., 0.])
    >>> at(x)[[0, 0]].add(10.0)
    array([21.,  2.,  3.])
    >>> ug.grad(lambda v: np.sum(at(x)[1].set(v) ** 2))(5.0).item()
    10.0
    """
    return At(x if isinstance(x, Tracer) else np.asarray(x))
