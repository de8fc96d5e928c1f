"""Scalar functions of the user's own, compiled by numba to loops over arrays.

`tests/kernels/test_scalar_ufunc.py` compares them with the functions themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, printable
from tinygrad_ugan.kernels import jit_cache
from tinygrad_ugan.typing import Array

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class ScalarUfunc:
    """A function of numbers, applied element by element with broadcasting.

    float32 stays float32, and whole numbers become float64. Each dtype is compiled when it is first
    met, and never kept on disk: numba does not notice there that a global of the function changed.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self._f = f
        self._name = f.__name__
        self._arguments = len(inspect.signature(f).parameters)
        self._loops: dict[np.dtype[Any], Callable[..., Any]] = {}

    def __call__(self, *args: Array | float) -> Any:
        """Apply the function to arrays and numbers."""
        if len(args) != self._arguments:
            raise ArgumentError(self._name, f"{len(args)} arguments", f"{self._arguments}")
        args = tuple(x if isinstance(x, int | float) else np.asarray(x) for x in args)
        dtype = np.result_type(*args)
        if dtype.kind in "bui":
            dtype = np.dtype(np.float64)
        if dtype not in _DTYPES:
            expected = "float32, float64 or whole numbers"
            raise ArgumentTypeError(f"{self._name}'s arguments", f"dtype {dtype}", expected)
        loops = self._loops.get(dtype) or self._compile(dtype)
        with np.errstate(all="ignore"):  # both sides of a branch may have been computed
            return loops(*(np.asarray(x, dtype) for x in args))

    def _compile(self, dtype: np.dtype[Any]) -> Callable[..., Any]:
        kind = numba.from_dtype(dtype)
        vectorize: Any = numba.vectorize
        try:
            with jit_cache.compiling:
                loops: Callable[..., Any] = vectorize([kind(*[kind] * self._arguments)])(self._f)
        except NumbaError as error:
            reason = printable(str(error).splitlines()[1])
            raise ArgumentTypeError(
                "f",
                f"{self._name}, which numba cannot compile",
                "a function of numbers that returns a number",
                f"numba says: {reason}; ug.primitive takes any function of arrays",
            ) from error
        self._loops[dtype] = loops
        return loops
