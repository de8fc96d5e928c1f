"""Memory that is used again, so that its pages need not be asked for again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.kernels.program import aligned


class Shelf:
    """Pieces of memory of one size that are not in use.

    Parameters
    ----------
    size : int
        Of each, in bytes.
    """

    _MOST = 2**26  # bytes that are kept

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[NDArray] = []

    def take(self) -> NDArray:
        """Memory that is zero, or as it was put back."""
        try:
            return self._free.pop()
        except IndexError:
            return aligned(self._size)

    def put(self, memory: NDArray) -> None:
        """Keep it for the next one."""
        if (len(self._free) + 1) * self._size <= self._MOST:
            self._free.append(memory)

    def lend(self) -> NDArray:
        """Memory as from `take`, which is put back when the last array that views it is gone."""
        return np.asarray(_Loan(self))


class _Loan:
    """What arrays in lent memory have for a base."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._memory = shelf.take()
        self.__array_interface__ = self._memory.__array_interface__

    def __del__(self) -> None:
        self._shelf.put(self._memory)
