"""Callers' arrays, checked before compiled code gets their addresses.

Compiled code trusts every address. So a program declares the arrays it takes, each call is checked
against that here, and nothing else turns a caller's array into an address: in
`tests/kernels/test_entries.py` a test finds all code that does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.typing import Array

_first_byte: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer


class ArraySignature:
    """The arrays that a program reads, or writes, in order: their names, shapes and dtypes.

    Parameters
    ----------
    dtype : dtype
        That of all for which no other is given.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._misaligned = self._dtype.itemsize - 1  # bits that are zero in an aligned address
        self._names: list[str] = []
        self._shapes: list[tuple[int, ...]] = []
        self._dtypes: list[np.dtype[Any]] = []

    def __len__(self) -> int:
        return len(self._names)

    def expect(
        self, name: str, shape: tuple[int, ...], copies: int = 1, dtype: DTypeLike | None = None
    ) -> None:
        """Append some arrays of one shape, of the common dtype or another; errors use the name."""
        self._names += [name] * copies
        self._shapes += [shape] * copies
        self._dtypes += [self._dtype if dtype is None else np.dtype(dtype)] * copies

    def check(self, arrays: Sequence[Array]) -> None:
        """Raise unless number, shapes, dtype and byte order are as declared.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            Naming the first array that does not match.
        """
        if [x.shape for x in arrays] != self._shapes or [x.dtype for x in arrays] != self._dtypes:
            self._refuse(arrays)

    def readable(self, arrays: Sequence[Array]) -> tuple[list[int], Sequence[Array]]:
        """Return the addresses, and the arrays that must outlive the run.

        Any memory layout is accepted: what is not contiguous and aligned is copied.
        """
        self.check(arrays)
        try:
            addresses = [*map(ctypes.addressof, map(_first_byte, arrays))]
            unusable = [a for a in addresses if a & self._misaligned]
        except (TypeError, ValueError):  # an array is read-only, empty, or not contiguous
            unusable = [-1]
        if not unusable:
            return addresses, arrays
        kept = [native_rows(x) for x in arrays]
        return [x.ctypes.data for x in kept], kept

    def make(self) -> tuple[list[int], list[Array]]:
        """Allocate the arrays, none of them empty; return their addresses, too."""
        arrays = [*map(np.empty, self._shapes, self._dtypes)]
        return [*map(ctypes.addressof, map(_first_byte, arrays))], arrays

    def writable(self, arrays: Sequence[Array]) -> list[int]:
        """Return the addresses of arrays to write to; no input may share their memory."""
        self.check(arrays)
        if not all(x.flags.carray for x in arrays):
            raise ArgumentError("result", "another layout", "aligned rows that may be written to")
        return [x.ctypes.data for x in arrays]

    def _refuse(self, arrays: Sequence[Array]) -> NoReturn:
        expected = zip(self._names, self._shapes, self._dtypes, strict=True)
        for x, (name, shape, dtype) in zip(arrays, expected, strict=False):
            check_shape(name, x, shape)
            if x.dtype != dtype:
                raise ArgumentTypeError(name, f"dtype {x.dtype.str}", f"{dtype.str}")
        raise ArgumentError("arrays", f"{len(arrays)}", f"{len(self)}")


def check_shape(name: str, x: Array, shape: tuple[int, ...]) -> None:
    """Raise `ArgumentError` for an array of another shape."""
    if x.shape != shape:
        raise ArgumentError(name, f"shape {x.shape}", f"shape {shape}")


def native_rows(x: Array) -> Array:
    """The array in C order, aligned and in the native byte order; a copy if necessary."""
    if isinstance(x, np.ndarray) and x.flags.c_contiguous and x.flags.aligned and x.dtype.isnative:
        return x  # it may still be read-only
    return np.require(x, x.dtype.newbyteorder("="), ["C", "A"])


def address_of(x: Array) -> int:
    """The address of a writable, contiguous array."""
    return ctypes.addressof(_first_byte(x))
