"""Kernels by name: how one is emitted, and the kinds of its arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.kernels.emitter import Emitter, Value
from tinygrad_ugan.kernels.target import PLAIN, Target

MAX_ARGUMENTS = 16


@functools.cache
def parameters(emit: Callable[..., None]) -> dict[str, str]:
    """The arguments of a kernel with their kinds: "Address", "Count", "ArraySlot" or "IntSlot"."""
    annotated = {name: str(p.annotation) for name, p in inspect.signature(emit).parameters.items()}
    return {name: kind for name, kind in annotated.items() if kind in _READERS}


def load(
    emit: Callable[..., None], statics: tuple[Any, ...], target: Target, dtype: DTypeLike
) -> int:
    """Return the address of a kernel's machine code, or its number in `plain`.

    Parameters
    ----------
    emit : callable
        ``emit(emitter, *statics, *arguments)``, which writes the kernel.
    statics : tuple
        Arguments that are fixed at compile time: the name of an activation, a width.
    target : Target
    dtype : dtype
        float32 or float64.
    """
    if target == PLAIN:
        from tinygrad_ugan.kernels import plain  # numba is slow to import

        return plain.load(emit, tuple(parameters(emit).items()), statics, np.dtype(dtype))
    name = "_".join(map(str, (emit.__name__, *statics, np.dtype(dtype), target.name)))
    return jit_cache.load_function(
        name, target, functools.partial(_build, name, emit, statics, target, dtype)
    )


def _build(
    name: str, emit: Callable[..., None], statics: tuple[Any, ...], target: Target, dtype: DTypeLike
) -> Any:
    e = Emitter(name, target, dtype)
    emit(e, *statics, **{name: _READERS[kind](e) for name, kind in parameters(emit).items()})
    return e.finish()


_READERS: dict[str, Callable[[Emitter], Value]] = {
    "Address": Emitter.pointer,
    "Count": Emitter.integer,
    "ArraySlot": Emitter.dereferenced,
    "IntSlot": Emitter.dereferenced_integer,
}
