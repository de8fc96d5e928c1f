"""What may meet a tensor in arithmetic: real numbers and plain arrays of them, nothing else.

The rules are those of real functions of NumPy arrays. Whatever is not one (complex numbers, masked
arrays and matrices, the arrays of other libraries, Python objects) would be computed by rules of
its own, and its derivative be another's; it is refused where it comes in, with the way to go on.
"""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.errors import NotDifferentiableError

_REAL_KINDS = "fiub"
_REAL_SCALARS = frozenset(
    {int, float, bool}
    | {kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in _REAL_KINDS}
)


def is_plain(x: Any) -> bool:
    """Whether `x` is a tensor, a real number, or a NumPy array of real numbers."""
    return (
        isinstance(x, Tracer)
        or type(x) in _REAL_SCALARS
        or (type(x) is np.ndarray and x.dtype.kind in _REAL_KINDS)
    )


def made_plain(x: Any) -> Any:
    """The plain array that `x` stands for, where there is no doubt; all else is refused."""
    if isinstance(x, list | tuple | np.memmap):
        x = np.asarray(x)
    if is_plain(x) or isinstance(x, int | float):  # such as a member of an IntEnum
        return x
    raise refused(x)


def knows_better(x: Any) -> bool:
    """Whether an operator is left to `x`: an object that is neither array, number nor text."""
    array_like = hasattr(x, "dtype") or hasattr(x, "__array__")
    return not (array_like or isinstance(x, Number | str | bytes | list | tuple))


def refused(x: Any) -> NotDifferentiableError:
    """The error for what can be no operand, and no result, of a differentiable operation."""
    dtype = getattr(x, "dtype", None)
    if isinstance(x, complex) or getattr(dtype, "kind", "") == "c":
        return NotDifferentiableError(
            "complex numbers have no derivative rules: a complex value would depend on what is "
            "differentiated; write its real and imaginary parts as two real arrays, or cut the "
            "derivative with stop_gradient"
        )
    if type(x) is np.ndarray or isinstance(x, np.generic):
        return NotDifferentiableError(
            f"a value of dtype {dtype} cannot be part of a differentiable operation; use real "
            "floating-point numbers, such as a.astype(float)"
        )
    return foreign(type(x))


def foreign(kind: type) -> NotDifferentiableError:
    """The error for an object of a class that the rules do not know."""
    module = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if module == "builtins" else f"{module} {kind.__qualname__}"
    return NotDifferentiableError(
        f"a {name} cannot be part of a differentiable operation; hand in a plain NumPy "
        "array or number: np.asarray(a) (of pandas a.to_numpy(), of a masked array "
        "a.filled(value), of a sparse matrix a.toarray()), or float(q) of a number"
    )
