"""Reuse of memory, so that the system need not map and clear its pages again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.kernels.program import aligned


class BufferPool:
    """A pool of buffers of one size.

    Parameters
    ----------
    size : int
        Of each buffer, in bytes.
    on_growth : callable
        Called when a new buffer is allocated.
    """

    _MAX_BYTES = 2**26  # of free buffers

    def __init__(self, size: int, on_growth: Callable[[], None] = lambda: None) -> None:
        self._size = size
        self._on_growth = on_growth
        self._free: list[NDArray[np.uint8]] = []

    @property
    def nbytes(self) -> int:
        """The size of all free buffers."""
        return len(self._free) * self._size

    def acquire(self) -> NDArray[np.uint8]:
        """Take a buffer: a new one is zero, a reused one is as it was released."""
        try:
            return self._free.pop()
        except IndexError:
            self._on_growth()
            return aligned(self._size)

    def release(self, buffer: NDArray[np.uint8]) -> None:
        """Put a buffer back; it is freed if there are enough."""
        if (len(self._free) + 1) * self._size <= self._MAX_BYTES:
            self._free.append(buffer)

    def acquire_array(self) -> NDArray[np.uint8]:
        """Take a buffer that is released when the last array that views it is gone."""
        return np.asarray(_BaseArray(self))


class BorrowedBuffer:
    """A buffer that is released when this object is gone."""

    _pool: BufferPool | None = None  # until there is a buffer: an interrupt may come before

    def __init__(self, pool: BufferPool) -> None:
        self.memory = pool.acquire()
        self._pool = pool

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool.release(self.memory)


class _BaseArray:
    """The base of all arrays that view a borrowed buffer."""

    def __init__(self, pool: BufferPool) -> None:
        self._borrowed = BorrowedBuffer(pool)
        self.__array_interface__ = self._borrowed.memory.__array_interface__
