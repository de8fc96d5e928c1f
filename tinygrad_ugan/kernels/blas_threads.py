"""The threads of NumPy's BLAS: one for all but the largest products.

OpenBLAS deals a product out in equal parts and spins until the last is done. Where other programs
run, that part waits for a processor: with two threads on two busy processors a product of 8 million
multiply-adds took 25 times as long as with one, and only from 2^30 on about as long. How busy a
machine is must not decide, as the bits of a result depend on the number of threads. So size
decides, and results below that are the same for any number of processors.

Whoever sets one of the environment variables `SETTINGS` has that number of threads everywhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinygrad_ugan.kernels import fork_safety
from tinygrad_ugan.typing import Array

SETTINGS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
FEW = 2**13
"""Up to so many multiply-adds OpenBLAS has one thread anyhow: more is 9,216 with a vector."""
MANY = 2**30
"""From so many on a product may have several threads: it then lasts longer than others' turns."""


class _Library(NamedTuple):
    """Functions of OpenBLAS."""

    get: Callable[[], int]
    set: Callable[[int], None]


class _Limit:
    """How many calls want one thread at present, and the number that there was before."""

    lock = fork_safety.fork_safe_lock()
    calls = 0
    threads = 1


def product(multiply: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    """``multiply(x, y)``, a product over the last axis of x, on threads as its size asks."""
    inner = x.shape[-1] if x.ndim else 0
    size = _last_two(x) * _last_two(y) // (inner or 1)
    if not FEW < size < MANY:
        return multiply(x, y)
    with one_thread():
        return multiply(x, y)


def _last_two(x: Array) -> int:
    """The number of elements of a matrix, or of one of a stack of them."""
    return x.size if x.ndim < 3 else x.shape[-2] * x.shape[-1]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS use one thread inside the context: the bits are the same on any machine."""
    if (library := _library()) is None:
        yield
        return
    with _Limit.lock:
        if not _Limit.calls:
            _Limit.threads = library.get()
            library.set(1)
        _Limit.calls += 1
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.calls -= 1
            if not _Limit.calls:
                library.set(_Limit.threads)


@fork_safety.call_in_child
def _forget() -> None:
    """Forget, in a forked child, the calls of threads that it does not have."""
    if _Limit.calls and (library := _library()):
        library.set(_Limit.threads)
    _Limit.calls = 0


@functools.cache
def _library() -> _Library | None:
    """The OpenBLAS of NumPy's wheels; None where NumPy has another, or the user a wish."""
    if any(os.environ.get(name) for name in SETTINGS):
        return None
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in folder.glob("*openblas*"):
            library = ctypes.CDLL(str(path))
            for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads"):
                with contextlib.suppress(AttributeError):
                    return _Library(
                        *(getattr(library, name.format(verb)) for verb in _Library._fields)
                    )
    return None
