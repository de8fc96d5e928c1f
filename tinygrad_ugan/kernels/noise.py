"""Normal noise, drawn by all threads."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygrad_ugan.kernels import randoms
from tinygrad_ugan.kernels.program import FIRST_ROW, Program, split
from tinygrad_ugan.kernels.shelf import Shelf
from tinygrad_ugan.kernels.target import Target

_CHUNK = 64  # rows of a chunk at least: less is not worth a second thread


class Noise:
    """Draws arrays of one size from N(0, 1). `draw` is not to be called by two threads at once.

    Parameters
    ----------
    size : int
        Of the arrays.
    target : Target
    dtype : dtype
        float32 or float64.
    """

    def __init__(self, size: int, target: Target, dtype: DTypeLike) -> None:
        self._size, self._dtype = size, np.dtype(dtype)
        rows = -(-size // randoms.BLOCK)
        self._shelf = Shelf(rows * randoms.BLOCK * self._dtype.itemsize)
        p = Program(target, dtype)
        chunks = -(-rows // _CHUNK)
        p.run_phase(p.phase(chunks))
        p.section(split(rows, chunks, rows, 1))
        digits = randoms.DIGITS[self._dtype]
        numbers = p.result((rows * randoms.BLOCK,))
        p.call(randoms.normal, digits, key=p.number(), first=FIRST_ROW, out=numbers)
        self._executable = p.compile()

    def draw(self, key: int) -> NDArray:
        """The numbers that belong to a key, in memory that earlier ones no longer use.

        Parameters
        ----------
        key : int
            Of 64 bits, signed. Element i depends on key and i alone.

        Returns
        -------
        ndarray, shape (size,)
        """
        numbers = self._shelf.lend().view(self._dtype)
        self._executable.numbers[0] = key
        self._executable.run(results=[numbers])
        return numbers[: self._size]
