"""One step of Adam for all parameters of a network in one pass."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.kernels import network, parameters
from tinygrad_ugan.kernels.buffer_pool import BufferPool
from tinygrad_ugan.kernels.program import FIRST_ROW, Executable, Program
from tinygrad_ugan.kernels.target import Target
from tinygrad_ugan.typing import Array

_CHUNK = 2**13  # elements of a chunk at least: fewer are not worth a second thread
_INPUTS = ("theta", "g", "mean", "square")
_RESULTS = ("theta_next", "mean_next", "square_next")


class AdamProgram:
    """A step of Adam for arrays of given shapes. Thread-safe.

    Parameters
    ----------
    shapes : sequence of tuple of int
    target : Target
    dtype : dtype
        The type of all numbers.
    on_growth : callable
        Called when more memory is allocated.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        target: Target,
        dtype: DTypeLike,
        on_growth: Callable[[], None] = lambda: None,
    ) -> None:
        self._dtype, unit = np.dtype(dtype), target.padded(1, dtype)
        sizes = [math.prod(shape) for shape in shapes]
        ends = list(itertools.accumulate(-(-size // unit) * unit for size in sizes))
        starts = [0, *ends[:-1]]
        stops = [start + size for start, size in zip(starts, sizes, strict=True)]
        self._pieces = list(zip(starts, stops, shapes, strict=True))
        self._pool = BufferPool(len(_RESULTS) * ends[-1] * self._dtype.itemsize, on_growth)
        self._program = p = Program(target, dtype)
        self._scalars = p.vector(7)
        chunks = max(1, min(4, sum(sizes) // _CHUNK))
        p.run_phase(p.phase(chunks))
        given = [{name: p.input(name, shape) for name in _INPUTS} for shape in shapes]
        for size, shape, slots in zip(sizes, shapes, given, strict=True):
            slots |= {name: p.result(shape) for name in _RESULTS}
            p.section(network.shares(size, chunks, unit))
            p.call(parameters.descend_adam, first=FIRST_ROW, scalars=self._scalars, **slots)
        self._free: list[Executable] = []

    @property
    def nbytes(self) -> int:
        """The size of all memory, except that of results in use."""
        waiting = sum(executable.nbytes for executable in list(self._free))
        return self._pool.nbytes + self._program.nbytes + waiting

    def step(self, scalars: Sequence[float], *arrays: Sequence[Array]) -> tuple[list[Array], ...]:
        """Return parameters and both means after the step, in memory that no earlier result uses.

        Parameters
        ----------
        scalars : sequence of float
            beta1, 1 - beta1, beta2, 1 - beta2, eps^2, and the factors of the step and of the mean
            of squares: see `tinygrad_ugan.optim.Adam`.
        *arrays : sequence of ndarray
            Parameters, gradients, and the running means of gradients and of their squares.
        """
        memory = self._pool.acquire_array().view(self._dtype).reshape(len(_RESULTS), -1)
        results = tuple(
            [line[start:stop].reshape(shape) for start, stop, shape in self._pieces]
            for line in memory
        )
        executable = self._borrow()
        executable.view(self._scalars)[0] = scalars
        executable.run(_by_leaf(arrays), _by_leaf(results))
        self._free.append(executable)
        return results

    def _borrow(self) -> Executable:
        try:
            return self._free.pop()
        except IndexError:
            return self._program.compile()


def _by_leaf(groups: Sequence[Sequence[Array]]) -> list[Array]:
    """Interleave: the first arrays of all groups, then the second ones, and so on."""
    return list(itertools.chain.from_iterable(zip(*groups, strict=True)))
