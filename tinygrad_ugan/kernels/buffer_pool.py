"""Memory that is used again, so that its pages need not be asked for again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.kernels.program import aligned


class Shelf:
    """Pieces of memory of one size that are not in use.

    Parameters
    ----------
    size : int
        Of each, in bytes.
    grown : callable
        Called when one is made.
    """

    _MOST = 2**26  # bytes that are kept

    def __init__(self, size: int, grown: Callable[[], None] = lambda: None) -> None:
        self._size = size
        self._grown = grown
        self._free: list[NDArray] = []

    @property
    def nbytes(self) -> int:
        """What waits here."""
        return len(self._free) * self._size

    def take(self) -> NDArray:
        """Memory that is zero, or as it was put back."""
        try:
            return self._free.pop()
        except IndexError:
            self._grown()
            return aligned(self._size)

    def put(self, memory: NDArray) -> None:
        """Keep it for the next one."""
        if (len(self._free) + 1) * self._size <= self._MOST:
            self._free.append(memory)

    def lend(self) -> NDArray:
        """Memory as from `take`, which is put back when the last array that views it is gone."""
        return np.asarray(_Loan(self))


class Lent:
    """Memory of a shelf, which is put back when this is gone."""

    _shelf: Shelf | None = None  # until the memory is here: an interrupt may come before

    def __init__(self, shelf: Shelf) -> None:
        self.memory = shelf.take()
        self._shelf = shelf

    def __del__(self) -> None:
        if self._shelf is not None:
            self._shelf.put(self.memory)


class _Loan:
    """What arrays in lent memory have for a base."""

    def __init__(self, shelf: Shelf) -> None:
        self._lent = Lent(shelf)
        self.__array_interface__ = self._lent.memory.__array_interface__
