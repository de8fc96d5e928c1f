"""Array updates that differentiate: ``at(x)[index].set(values)`` for ``x[index] = values``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import match_dtype, shape_of, unsupported_operand, untrace
from tinygrad_ugan.autodiff.rules.indexing import index_set, scatter_add
from tinygrad_ugan.errors import ArgumentTypeError


@dataclass(frozen=True, slots=True)
class AtIndex:
    """An array and the index of the elements to be updated, see `at`."""

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
        """Give the values the shape and dtype of the elements that they replace."""
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
    """An array to be indexed, see `at`."""

    array: Any

    def __getitem__(self, key: Any) -> AtIndex:
        return AtIndex(self.array, key)


def at(x: Any) -> At:
    """Update an array without writing to it: ``at(x)[index].set(values)`` or ``.add(values)``.

    Both return a new array, equal to x after ``x[index] = values`` or ``numpy.add.at(x, index,
    values)``, and differentiate in x and in `values`. If an index is repeated, `add` accumulates,
    and `set` keeps the last value, which alone has a derivative.

    Parameters
    ----------
    x : array or tensor
        Keeps its dtype.

    Returns
    -------
    At
        Takes any index that a NumPy array takes.

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
