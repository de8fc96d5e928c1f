"""The arrays that compiled code is given, and where their elements begin.

Compiled code believes every address that it gets. So a program says which arrays it takes, and
whatever comes is held against that here, each time: nothing else turns a caller's array into an
address. (`tests/kernels/test_entries.py` lists who does, and finds whoever else should try.)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError

_first_byte: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer


class ArraySignature:
    """Arrays of one dtype that a program reads, or writes, one after the other.

    Parameters
    ----------
    dtype : dtype
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._within = self._dtype.itemsize - 1  # an address of an element has none of these bits
        self._names: list[str] = []
        self._shapes: list[tuple[int, ...]] = []
        self._dtypes: list[np.dtype] = []

    def __len__(self) -> int:
        return len(self._names)

    def expect(self, name: str, shape: tuple[int, ...], copies: int = 1) -> None:
        """Add so many arrays of a shape; errors will name them."""
        self._names += [name] * copies
        self._shapes += [shape] * copies
        self._dtypes += [self._dtype] * copies

    def check(self, arrays: Sequence[NDArray]) -> None:
        """Refuse arrays of other shapes, of another dtype or byte order, or not as many.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            Naming the first that does not fit.
        """
        if [x.shape for x in arrays] != self._shapes or [x.dtype for x in arrays] != self._dtypes:
            self._refuse(arrays)

    def readable(self, arrays: Sequence[NDArray]) -> tuple[list[int], Sequence[NDArray]]:
        """Where they begin; and the arrays, which must outlive the run: copies where need be.

        Any layout will do.
        """
        self.check(arrays)
        try:
            addresses = [*map(ctypes.addressof, map(_first_byte, arrays))]
            crooked = [a for a in addresses if a & self._within]
        except (TypeError, ValueError):  # one is read-only, empty, or not contiguous
            crooked = [True]
        if not crooked:
            return addresses, arrays
        kept = [native_rows(x) for x in arrays]
        return [x.ctypes.data for x in kept], kept

    def make(self) -> tuple[list[int], list[NDArray]]:
        """Make such arrays, none of them empty, and see where they begin."""
        arrays = [np.empty(shape, self._dtype) for shape in self._shapes]
        return [*map(ctypes.addressof, map(_first_byte, arrays))], arrays

    def writable(self, arrays: Sequence[NDArray]) -> list[int]:
        """Where they begin; no array that is read may share their memory."""
        self.check(arrays)
        if not all(x.flags.carray for x in arrays):
            raise ArgumentError("result", "another layout", "aligned rows that may be written to")
        return [x.ctypes.data for x in arrays]

    def _refuse(self, arrays: Sequence[NDArray]) -> NoReturn:
        for x, name, shape in zip(arrays, self._names, self._shapes, strict=False):
            check_shape(name, x, shape)
            if x.dtype != self._dtype:
                raise ArgumentTypeError(name, f"dtype {x.dtype.str}", f"{self._dtype.str}")
        raise ArgumentError("arrays", f"{len(arrays)}", f"{len(self)}")


def check_shape(name: str, x: NDArray, shape: tuple[int, ...]) -> None:
    """Refuse an array of another shape."""
    if x.shape != shape:
        raise ArgumentError(name, f"shape {x.shape}", f"shape {shape}")


def native_rows(x: NDArray) -> NDArray:
    """The array row by row, aligned, and in the processor's byte order; a copy if need be."""
    if isinstance(x, np.ndarray) and x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative:
        return x  # a read-only array, for one
    return np.require(x, x.dtype.newbyteorder("="), ["C", "A"])


def address_of(x: NDArray) -> int:
    """Where the elements of an array begin, which is contiguous and may be written to."""
    return ctypes.addressof(_first_byte(x))
