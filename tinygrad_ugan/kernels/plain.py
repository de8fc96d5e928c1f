"""Execution of programs by the reference functions, compiled by numba: an oracle for the kernels.

Much slower, on one thread, and with the same results up to rounding. A kernel has a number, stored
in a program's table in place of the address of its machine code.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numba
import numpy as np

from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.reference import HELPERS, REFERENCES, ArrayLayout, layers, losses
from tinygrad_ugan.typing import Array

WORD = np.dtype(np.int64)


class ReferenceKernel:
    """The reference function of a kernel, called like the kernel with addresses and counts."""

    def __init__(
        self,
        emit: Callable[..., None],
        kinds: dict[str, str],
        statics: tuple[Any, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self._reference = REFERENCES[emit.__name__]
        self._kinds = kinds
        self._dtype = dtype
        names = [name for name in inspect.signature(emit).parameters if name not in kinds]
        given = dict(zip(names[1:], statics, strict=True))  # the first is the emitter
        self._statics = {n: _CODES[n].index(x) if n in _CODES else x for n, x in given.items()}
        self._function = compiled(emit.__name__, dtype)

    def __call__(self, numbers: Sequence[int], rows: int) -> None:
        """Run on `rows` rows."""
        self._function(*self.arguments(numbers, rows))

    def arguments(self, numbers: Sequence[int], rows: int) -> Iterable[Any]:
        """The arguments of the reference function: arrays are views of memory."""
        known = {"rows": rows, **self._statics, **dict(zip(self._kinds, numbers, strict=False))}
        for name, kind in self._kinds.items():
            if kind in ("ArraySlot", "IntSlot"):
                known[name] = int(memory(known[name], (1,), (1,), WORD)[0])
        for name in self._reference.names:
            layout = self._reference.layouts.get(name)
            yield known[name] if layout is None else self._view(name, layout, known)

    def _view(self, name: str, layout: ArrayLayout, known: dict[str, Any]) -> Array:
        return memory(known[name], *layout.resolve(known), self._dtype)


KERNELS: list[ReferenceKernel] = []
"""All kernels that were loaded, indexed by number."""


@functools.cache
def load(
    emit: Callable[..., None],
    kinds: tuple[tuple[str, str], ...],
    statics: tuple[Any, ...],
    dtype: np.dtype[Any],
) -> int:
    """Return the number of a kernel."""
    KERNELS.append(ReferenceKernel(emit, dict(kinds), statics, dtype))
    return len(KERNELS) - 1


def run(schedule: Array, phases: Array, sections: Array, calls: Array, blocks: Array) -> None:
    """Run a program, given its tables: see `tinygrad_ugan.kernels.executor`."""
    for phase, k, i, j in schedule.tolist():
        chunks, first, last = phases[phase].tolist()
        for chunk in range(chunks):
            for begin, end, starts in sections[first:last].tolist():
                start, stop = memory(starts + WORD.itemsize * chunk, (2,), (1,), WORD).tolist()
                for row, rows in blocks[start:stop].tolist():
                    place = np.array([1, row, chunk, k, i, j])
                    for call in calls[begin:end]:
                        numbers = place @ call[8:].reshape(place.size, -1)
                        KERNELS[call[0]](numbers.tolist(), rows)


class _Window:
    """Memory at an address, in NumPy's array interface."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface


def memory(
    address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype
) -> Array:
    """Return the array at an address; strides are in elements."""
    return np.asarray(
        _Window(
            {
                "version": 3,
                "data": (address, False),
                "shape": shape,
                "strides": tuple(dtype.itemsize * s for s in strides),
                "typestr": dtype.str,
            }
        )
    )


@functools.cache
def compiled(name: str, dtype: np.dtype[Any]) -> Callable[..., None]:
    """Compile a reference function for one dtype and arrays with any strides."""
    _introduce_helpers()
    reference = REFERENCES[name]
    kinds = (_kind(reference.layouts.get(n), n, dtype) for n in reference.names)
    function: Callable[..., None] = jitted(reference.function, numba.void(*kinds))
    return function


def jitted(function: Callable[..., None], signature: Any) -> Any:
    """Compile a function with numba, cached on disk if possible."""
    with jit_cache.compiling:
        try:
            return numba.njit(signature, cache=True)(function)
        except RuntimeError:  # there is no writable cache folder
            return numba.njit(signature)(function)


@functools.cache
def _introduce_helpers() -> None:
    for function in HELPERS:
        numba.extending.register_jitable(function)


def _kind(layout: ArrayLayout | None, name: str, dtype: np.dtype[Any]) -> numba.types.Type:
    if layout is None:
        return _SCALARS[name]
    dimensions = len(layout.shape)
    return numba.types.Array(numba.from_dtype(dtype), dimensions, "C" if dimensions == 1 else "A")


_CODES = {"activation": layers.ACTIVATIONS, "function": losses.FUNCTIONS}
_SCALARS = {
    "activation": numba.types.int64,
    "function": numba.types.int64,
    "has_tangent": numba.types.boolean,
    "first": numba.types.int64,
    "digits": numba.types.int64,
    "key": numba.types.int64,
}
