"""Operands of differentiable operations: real numbers and plain arrays of them, nothing else.

The rules are those of real functions of NumPy arrays. Anything else (complex numbers, masked arrays
and matrices, arrays of other libraries, Python objects) has arithmetic of its own, for which these
rules would be wrong. It is refused where it comes in, with an error that says what to do instead.
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


def as_plain(x: Any) -> Any:
    """Convert lists, tuples and memory maps to plain arrays; refuse whatever is no operand."""
    if isinstance(x, list | tuple | np.memmap):
        x = np.asarray(x)
    if is_plain(x) or isinstance(x, int | float):  # such as a member of an IntEnum
        return x
    raise unsupported_operand(x)


def defers_to(x: Any) -> bool:
    """Whether `x`, neither array, number nor text, is left to implement an operator itself."""
    array_like = hasattr(x, "dtype") or hasattr(x, "__array__")
    return not (array_like or isinstance(x, Number | str | bytes | list | tuple))


def unsupported_operand(x: Any) -> NotDifferentiableError:
    """The error for a value that cannot be an operand or result of a differentiable operation."""
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
    return unsupported_type(type(x))


def unsupported_type(kind: type) -> NotDifferentiableError:
    """The error for an object of a class that the rules do not know."""
    module = kind.__module__.partition(".")[0]
    name = kind.__qualname__ if module == "builtins" else f"{module} {kind.__qualname__}"
    return NotDifferentiableError(
        f"a {name} cannot be part of a differentiable operation; hand in a plain NumPy "
        "array or number: np.asarray(a) (of pandas a.to_numpy(), of a masked array "
        "a.filled(value), of a sparse matrix a.toarray()), or float(q) of a number"
    )


def is_differentiated(x: Any) -> bool:
    """Whether a value is traced above level 0, that is, under differentiation."""
    return isinstance(x, Tracer) and x.level > 0


def untrace(x: Any) -> Any:
    """Return the bare value beneath all levels; a tracer of level 0 stands for one."""
    while isinstance(x, Tracer) and x.level:
        x = x.value
    return x


def is_bare_array(x: Any) -> bool:
    """Whether `x` is an array that is not under differentiation, or a recorded one."""
    return type(x) is np.ndarray or (isinstance(x, Tracer) and not x.level and shape_of(x) != ())


def anywhere(mask: Any, *, unknown: bool = True) -> bool:
    """Whether a mask holds anywhere; `unknown` for a recorded one, which stands for any numbers."""
    bare = untrace(mask)
    return unknown if isinstance(bare, Tracer) else bool(np.any(bare))


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a tensor or a Python number."""
    return getattr(x, "shape", ())


def as_array(x: Any) -> Any:
    """Convert to an array of real numbers; tensors stay."""
    return x if isinstance(x, Tracer) else as_operand(np.asarray(x))


def as_operand(x: Any) -> Any:
    """Convert a list or tuple of numbers to an array, as NumPy does; refuse what is no operand."""
    return x if isinstance(x, Tracer) or is_plain(x) else as_plain(x)


def match_dtype(derivative: Any, x: Any) -> Any:
    """Cast a derivative to the dtype of `x`, where operands of two dtypes were mixed."""
    dtype = getattr(x, "dtype", None)
    if dtype is None or derivative.dtype == dtype:
        return derivative
    return derivative.astype(dtype)


def in_common_dtype(result: Any, *operands: Any) -> Any:
    """Cast a result to the common dtype of its operands; Python's numbers are weak."""
    return np.asarray(result, np.result_type(*operands))[()]


def double(constant: Any) -> Any:
    """Convert a constant to float64, so that arithmetic of constants is not rounded to float32."""
    recorded = isinstance(constant, Tracer)
    return constant.astype(float) if recorded else np.asarray(constant, float)[()]


def unbroadcast(cotangent: Any, x: Any) -> Any:
    """Undo broadcasting: sum `cotangent` over the axes along which `x` was repeated."""
    shape, given = x.shape, cotangent.shape
    if given != shape:
        extra = len(given) - len(shape)
        repeated = [i + extra for i, n in enumerate(shape) if n == 1 != given[i + extra]]
        cotangent = cotangent.sum((*range(extra), *repeated), keepdims=not extra)
        if extra and repeated:
            cotangent = cotangent.reshape(shape)
    return cotangent if cotangent.dtype == x.dtype else cotangent.astype(x.dtype)


def broadcast_like(tangent: Any, ans: Any) -> Any:
    """Give a tangent the shape and dtype of the value it belongs to."""
    if tangent.shape != ans.shape:
        tangent = np.broadcast_to(tangent, ans.shape)
    return tangent if tangent.dtype == ans.dtype else tangent.astype(ans.dtype)
