"""Tensor: a tracer that NumPy takes for an array, so that plain NumPy code differentiates.

``np.tanh(x) @ w`` reaches the table of rules by NumPy's own protocols (``__array_ufunc__`` and
``__array_function__``); operators and methods reach it directly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from operator import attrgetter
from types import FrameType
from typing import Any, NoReturn

import numpy as np
import optree

from tinygrad_ugan.autodiff.core import Tracer, bind
from tinygrad_ugan.autodiff.operands import (
    as_operand,
    as_plain,
    defers_to,
    is_plain,
    unsupported_operand,
    unsupported_type,
    untrace,
)
from tinygrad_ugan.autodiff.rules import CONSTANTS, IN_PLACE, TABLE, find
from tinygrad_ugan.autodiff.rules.indexing import getitem
from tinygrad_ugan.autodiff.rules.shape import astype
from tinygrad_ugan.autodiff.rules.unsupported import WAYS_OUT
from tinygrad_ugan.autodiff.scipy_hints import scipy_caller, use_instead
from tinygrad_ugan.autodiff.signatures import full_name, refuse_keywords
from tinygrad_ugan.errors import NotDifferentiableError


def _operator(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        if not is_plain(other):
            if defers_to(other):
                return NotImplemented
            other = as_plain(other)
        return bind(primitive, (self, other), {})

    return method


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        if not is_plain(other):
            if defers_to(other):
                return NotImplemented
            other = as_plain(other)
        return bind(primitive, (other, self), {})

    return method


def _constant(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def method(self: Tensor, other: Any) -> Any:
        return function(untrace(self), untrace(other))

    return method


def _reflected_constant(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def method(self: Tensor, other: Any) -> Any:
        return function(untrace(other), untrace(self))

    return method


def _unary(function: Callable[..., Any]) -> Callable[[Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor) -> Any:
        return bind(primitive, (self,), {})

    return method


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return self.__array_function__(function, (), (self, *args), kwargs)

    method.__doc__ = f"See `numpy.{function.__name__}`."
    return method


class Tensor(Tracer):
    """An array (or NumPy scalar) under differentiation, which behaves like its value."""

    __slots__ = ()

    def __init__(self, value: Any, level: int, node: Any) -> None:
        """Hold an array of floats or a tensor of a lower level; nothing else has rules."""
        kind = type(value)  # this runs for every operation: two look-ups in sets
        if kind is _ARRAY:
            if value.dtype not in _FLOATS and value.dtype.kind != "f":
                raise unsupported_operand(value)
        elif kind not in _HELD and not (isinstance(value, Tensor) and value.dtype.kind == "f"):
            raise unsupported_operand(value)
        self.value = value
        self.level = level
        self.node = node

    # NumPy's protocols.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        record = find(ufunc)
        if record is not None and method == "__call__" and not kwargs:
            return record(*map(as_operand, inputs))
        if method == "at":
            raise _in_place(f"{full_name(ufunc)}.at", "ug.at(x)[index].add(value)")
        if method != "__call__":
            raise NotDifferentiableError(
                f"{full_name(ufunc)}.{method} has no derivative rule; write it with a NumPy "
                "function such as np.sum, np.max or np.cumsum"
            )
        if kwargs.get("out") is not None:
            refuse_keywords(ufunc, ["out"])
        if ufunc in CONSTANTS:
            return ufunc(*map(untrace, inputs), **kwargs)
        if record is not None:
            refuse_keywords(ufunc, kwargs)
        raise _no_rule(ufunc)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if len(types) > 1 and not _ARRAYS.issuperset(types):
            foreign = [t for t in types if t not in _ARRAYS and not issubclass(t, Tensor)]
            if foreign:
                raise unsupported_type(foreign[0])
        return _call(function, args, kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        function = scipy_caller()
        if function:
            raise NotDifferentiableError(
                f"{function} makes a plain array of a traced value, which would lose its "
                f"derivative: {use_instead(function)}"
            )
        name = _caller_in_numpy()
        where = f"in NumPy's {name}, " if name else ""
        instead = f"use {_INSTEAD_OF[name]}, " if name in _INSTEAD_OF else ""
        raise NotDifferentiableError(
            f"{where}a traced value cannot become a plain array inside a differentiated function: "
            f"{instead}build arrays with ug.array, np.stack or np.concatenate instead of np.array "
            "(also of a list of tensors for a NumPy function) and with start + step * np.arange(n) "
            "instead of np.arange(x), write to them with ug.at(x)[index].set(value), call "
            "ug.softmax and its like instead of SciPy's, or cut the derivative with stop_gradient"
        )

    # Protocols of other libraries, which would take a tensor for an array of their own.

    __pandas_priority__ = 10_000  # above all of theirs: `series * x` is left to us, and refused

    def __jax_array__(self) -> NoReturn:
        raise _foreign("JAX")

    @classmethod
    def __torch_function__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise _foreign("PyTorch")

    # Attributes and comparisons of the value, which are constants.

    shape = property(attrgetter("value.shape"), doc="Shape of the array.")
    ndim = property(attrgetter("value.ndim"), doc="Number of axes.")
    size = property(attrgetter("value.size"), doc="Number of elements.")
    dtype = property(attrgetter("value.dtype"), doc="Data type of the elements.")
    itemsize = property(attrgetter("value.itemsize"), doc="Bytes of an element.")
    nbytes = property(attrgetter("value.nbytes"), doc="Bytes of the elements.")

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Tensor(level={self.level}, value={self.value!r})"

    __hash__ = Tracer.__hash__
    __eq__ = _constant(np.equal)
    __ne__ = _constant(np.not_equal)
    __lt__ = _constant(np.less)
    __le__ = _constant(np.less_equal)
    __gt__ = _constant(np.greater)
    __ge__ = _constant(np.greater_equal)

    # Ways out of the engine, and writes in place: all of them raise.

    def _leaves(self, *args: Any) -> NoReturn:
        raise NotDifferentiableError(
            "a traced value cannot become a Python number inside a differentiated function: keep "
            "it an array (np.sqrt, not math.sqrt), write it into another with ug.array or "
            "ug.at(a)[i].set(x), or cut the derivative with stop_gradient first"
        )

    __float__ = __int__ = __index__ = __complex__ = __round__ = __trunc__ = _leaves

    def __copy__(self) -> Tensor:
        """Return the tensor itself: it is immutable, and a copy keeps its derivative."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotDifferentiableError(
            "a traced value cannot be pickled, as that would cut its derivative: keep it in this "
            "process, or cut the derivative with stop_gradient first"
        )

    def item(self, *args: Any) -> NoReturn:
        """Raise: a Python number would lose the derivative."""
        self._leaves()

    def tolist(self) -> NoReturn:
        """Raise: Python numbers would lose the derivative."""
        self._leaves()

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise _in_place("x[index] = value", "ug.at(x)[index].set(value), or np.where")

    def fill(self, *args: Any) -> NoReturn:
        """Raise: writes in place."""
        raise _in_place("x.fill", "np.full_like")

    def put(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: writes in place."""
        raise _in_place("x.put", "ug.at(x)[index].set(value)")

    def sort(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: sorts in place."""
        raise _in_place("x.sort", "np.sort")

    def partition(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: moves elements in place."""
        raise _in_place("x.partition", "np.partition")

    # Operators and methods that differentiate.

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    __add__, __radd__ = _operator(np.add), _reflected(np.add)
    __sub__, __rsub__ = _operator(np.subtract), _reflected(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply), _reflected(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.divide), _reflected(np.divide)
    __pow__, __rpow__ = _operator(np.power), _reflected(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul), _reflected(np.matmul)
    __mod__, __rmod__ = _operator(np.remainder), _reflected(np.remainder)
    __floordiv__, __rfloordiv__ = _constant(np.floor_divide), _reflected_constant(np.floor_divide)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)

    sum, mean, var, std = _method(np.sum), _method(np.mean), _method(np.var), _method(np.std)
    prod, cumsum, cumprod = _method(np.prod), _method(np.cumsum), _method(np.cumprod)
    max, min, clip = _method(np.max), _method(np.min), _method(np.clip)
    argmax, argmin = _method(np.argmax), _method(np.argmin)
    argsort, argpartition = _method(np.argsort), _method(np.argpartition)
    nonzero, searchsorted = _method(np.nonzero), _method(np.searchsorted)
    any, all = _method(np.any), _method(np.all)
    round, conj, conjugate = _method(np.round), _method(np.conjugate), _method(np.conjugate)
    ravel, squeeze, swapaxes = _method(np.ravel), _method(np.squeeze), _method(np.swapaxes)
    dot, copy = _method(np.dot), _method(np.copy)
    flatten = ravel
    take, repeat = _method(np.take), _method(np.repeat)
    diagonal, trace = _method(np.diagonal), _method(np.trace)

    @property
    def real(self) -> Any:
        """The tensor itself: tensors are real."""
        return self

    @property
    def imag(self) -> Any:
        """Zeros: tensors are real."""
        return np.imag(self)

    @property
    def T(self) -> Any:
        """The transposed array."""
        return TABLE[np.transpose](self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return TABLE[np.swapaxes](self, -1, -2)

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """See `numpy.reshape`; the shape may be given as one tuple or as several integers."""
        return TABLE[np.reshape](self, shape[0] if len(shape) == 1 else shape, order)

    def transpose(self, *axes: Any) -> Any:
        """See `numpy.transpose`; the axes may be given as one tuple or as several integers."""
        axes = axes[0] if len(axes) == 1 else axes
        return TABLE[np.transpose](self, axes or None)

    def astype(self, dtype: Any, **kwargs: Any) -> Any:
        """Cast to another floating dtype; a cast to integers or booleans is a constant."""
        dtype = np.dtype(dtype)
        if dtype.kind in "iub":
            return untrace(self).astype(dtype)
        return astype(self, dtype)

    def __getitem__(self, key: Any) -> Any:
        return getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))


# Types that a tensor may hold besides arrays of floats, and that may stand beside tensors.
_ARRAY = np.ndarray
_SCALARS = (np.float16, np.float32, np.float64, np.longdouble)
_FLOATS = frozenset(map(np.dtype, _SCALARS))
_HELD = frozenset({Tensor, *_SCALARS})
_ARRAYS = frozenset({Tensor, np.ndarray, np.memmap})


# Replacements for the NumPy functions that do not dispatch to a tensor, by name.
_INSTEAD_OF = {
    "full": "np.broadcast_to(x, shape)",
    "select": "np.where",
    "pad": "np.concatenate",
    "fill_diagonal": "ug.at(a)[i, i].set(x) with i = np.arange(n)",
}


def _caller_in_numpy() -> str:
    """Name the function of NumPy that is running, if it is written in Python."""
    name = ""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("numpy"):
        name, frame = frame.f_code.co_name, frame.f_back
    return name


def _call(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function through its record; some of the arguments are tensors."""
    if kwargs and kwargs.get("out") is not None:
        refuse_keywords(function, ["out"])
    record = TABLE.get(function)
    if record is not None:
        if not record.signature.accepts(args, kwargs):
            args, kwargs = record.signature.normalized(function, args, kwargs)
        return record(*args, **kwargs)
    if function in CONSTANTS:
        args, kwargs = optree.tree_map(untrace, (tuple(args), kwargs))
        return function(*args, **kwargs)
    if function in IN_PLACE:
        raise _in_place(full_name(function), IN_PLACE[function])
    raise _no_rule(function)


def _in_place(name: str, way_out: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"{name} writes in place, which has no derivative; use {way_out}, which makes a new array"
    )


def _foreign(library: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"{library} cannot take a traced value: its derivative would be lost; do the whole of it "
        "with NumPy's functions, or cut the derivative with stop_gradient"
    )


def _no_rule(function: Callable[..., Any]) -> NotDifferentiableError:
    if function in WAYS_OUT:
        return NotDifferentiableError(
            f"{full_name(function)} has no derivative rule; {WAYS_OUT[function]}"
        )
    return NotDifferentiableError(
        f"{full_name(function)} has no derivative rule; write it with functions that have one, "
        "give it one with ug.primitive or ug.custom_vjp, or cut the derivative with stop_gradient"
    )
