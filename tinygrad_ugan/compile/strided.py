"""Arrays of a program in memory, and strided views of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """Memory of one value: an array in C order, known by identity.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    constant : ndarray or None
        The elements, if they are the same in every run.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    constant: Any = None

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class View:
    """Elements of a storage, as an array of any shape.

    Attributes
    ----------
    storage : Storage
    shape : tuple of int
    strides : tuple of int
        Distances between neighbours, in elements; 0 along an axis that repeats.
    offset : int
        Position of the first element.
    """

    storage: Storage
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def of(cls, storage: Storage) -> View:
        """The view of all elements."""
        return cls(storage, storage.shape, c_strides(storage.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the elements."""
        return self.storage.dtype

    @property
    def is_whole(self) -> bool:
        """Whether it runs through all elements of the storage in their order."""
        return math.prod(self.shape) == math.prod(self.storage.shape) and squeezed(
            self.shape, self.strides
        ) == squeezed(self.shape, c_strides(self.shape))

    def broadcast_to(self, shape: Sequence[int]) -> View:
        """The view repeated along new axes, and along axes of length 1."""
        missing = len(shape) - len(self.shape)
        pairs = zip(self.shape, self.strides, shape[missing:], strict=True)
        strides = tuple(s if n == m else 0 for n, s, m in pairs)
        return replace(self, shape=tuple(shape), strides=(0,) * missing + strides)

    def reshaped(self, shape: Sequence[int]) -> View:
        """A whole view in another shape."""
        return replace(self, shape=tuple(shape), strides=c_strides(shape))

    def transformed(self, function: Callable[[Any], Any]) -> View | None:
        """The view that a NumPy function returns of it; None if that has to copy."""
        size, itemsize = math.prod(self.storage.shape), self.dtype.itemsize
        memory = np.empty(size, self.dtype)  # never touched, unless the function copies
        steps = [itemsize * s for s in self.strides]
        before = np.ndarray(
            self.shape,
            self.dtype,
            memory,
            self.offset * itemsize,
            steps,
        )
        after = function(before)
        if not np.may_share_memory(after, memory):
            return None
        backwards = sum(
            min(s, 0) * (n - 1) for n, s in zip(after.shape, after.strides, strict=True)
        )
        offset = byte_bounds(after)[0] - backwards - byte_bounds(memory)[0]
        strides = tuple(s // itemsize for s in after.strides)
        return View(self.storage, after.shape, strides, offset // itemsize)


def c_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of an array in C order."""
    lengths = itertools.accumulate(reversed(shape[1:]), lambda x, y: x * y, initial=1)
    return tuple(reversed([*lengths])) if shape else ()


def squeezed(shape: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Strides along the axes that are longer than 1."""
    return tuple(s for n, s in zip(shape, strides, strict=True) if n != 1)
