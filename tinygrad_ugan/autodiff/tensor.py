"""Tensor: a tracer that NumPy takes for an array, so that plain NumPy code differentiates.

``np.tanh(x) @ w`` reaches the table of rules by NumPy's own protocols (``__array_ufunc__`` and
``__array_function__``); operators and methods reach it directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.primitive import as_array, shape_of, strip
from tinygrad_ugan.autodiff.rules import CONSTANTS, IN_PLACE, TABLE
from tinygrad_ugan.autodiff.rules.indexing import getitem
from tinygrad_ugan.autodiff.rules.shape import astype
from tinygrad_ugan.errors import NotDifferentiableError


def _operator(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        return primitive(self, as_array(other))

    return method


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        return primitive(as_array(other), self)

    return method


def _comparison(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def method(self: Tensor, other: Any) -> Any:
        return function(strip(self), strip(other))

    return method


def _unary(function: Callable[..., Any]) -> Callable[[Any], Any]:
    primitive = TABLE[function]

    def method(self: Tensor) -> Any:
        return primitive(self)

    return method


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__doc__ = f"See `numpy.{function.__name__}`."
    return method


class Tensor(Tracer):
    """An array (or NumPy scalar) under differentiation; behaves like the array it stands for."""

    __slots__ = ()

    # What NumPy calls.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__":
            raise NotDifferentiableError(
                f"numpy.{name}.{method} has no derivative rule; write it with a NumPy function "
                "such as np.sum, np.max or np.cumsum"
            )
        _refuse_out(name, kwargs)
        if ufunc in CONSTANTS:
            return ufunc(*map(strip, inputs), **kwargs)
        primitive = TABLE.get(ufunc)
        if primitive is None:
            raise _no_rule(name)
        if kwargs:
            raise NotDifferentiableError(
                f"numpy.{name} with {', '.join(kwargs)}= has no derivative rule; leave it out, or "
                "use np.where and astype"
            )
        return primitive(*map(as_array, inputs))

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        _refuse_out(function.__name__, kwargs)
        if function in IN_PLACE:
            raise _in_place(f"numpy.{function.__name__}", "ug.at(x)[index].set(value)")
        record = TABLE.get(function)
        if record is not None:
            return record(*args, **kwargs)
        if function in CONSTANTS:
            return function(*map(strip, args), **{k: strip(v) for k, v in kwargs.items()})
        raise _no_rule(function.__name__)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotDifferentiableError(
            "a traced value cannot become a plain array inside a differentiated function: build "
            "arrays with ug.array, np.stack or np.concatenate instead of np.array, write to them "
            "with ug.at(x)[index].set(value), or cut the derivative with stop_gradient"
        )

    # What looks at the value only.

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return shape_of(self.value)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(shape_of(self.value))

    @property
    def size(self) -> int:
        """Number of elements."""
        return strip(self).size

    @property
    def dtype(self) -> np.dtype:
        """Data type of the elements."""
        return self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"Tensor(level={self.level}, value={self.value!r})"

    __hash__ = Tracer.__hash__
    __eq__ = _comparison(np.equal)
    __ne__ = _comparison(np.not_equal)
    __lt__ = _comparison(np.less)
    __le__ = _comparison(np.less_equal)
    __gt__ = _comparison(np.greater)
    __ge__ = _comparison(np.greater_equal)

    # What leaves the engine.

    def _leaves(self) -> NoReturn:
        raise NotDifferentiableError(
            "a traced value cannot become a Python number inside a differentiated function: keep "
            "it an array, or cut the derivative with stop_gradient first"
        )

    __float__ = __int__ = __index__ = __complex__ = _leaves

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

    # What differentiates.

    __add__, __radd__ = _operator(np.add), _reflected(np.add)
    __sub__, __rsub__ = _operator(np.subtract), _reflected(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply), _reflected(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.divide), _reflected(np.divide)
    __pow__, __rpow__ = _operator(np.power), _reflected(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul), _reflected(np.matmul)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)

    sum, mean, max, min = _method(np.sum), _method(np.mean), _method(np.max), _method(np.min)
    ravel, squeeze, swapaxes = _method(np.ravel), _method(np.squeeze), _method(np.swapaxes)
    dot, copy, argmax, argmin = (
        _method(np.dot),
        _method(np.copy),
        _method(np.argmax),
        _method(np.argmin),
    )
    flatten = ravel
    take, repeat = _method(np.take), _method(np.repeat)
    diagonal, trace = _method(np.diagonal), _method(np.trace)

    @property
    def T(self) -> Any:
        """The transposed array."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return np.matrix_transpose(self)

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
        if dtype.kind != "f":
            return strip(self).astype(dtype)
        return astype(self, dtype)

    def __getitem__(self, key: Any) -> Any:
        return getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))


def _refuse_out(name: str, kwargs: dict[str, Any]) -> None:
    if kwargs.get("out") is not None:
        raise NotDifferentiableError(
            f"numpy.{name} with out= writes in place, which has no derivative; leave out= away and "
            "use the value that is returned"
        )


def _in_place(name: str, way_out: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"{name} writes in place, which has no derivative; use {way_out}, which makes a new array"
    )


def _no_rule(name: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"numpy.{name} has no derivative rule; write it with functions that have one, or cut the "
        "derivative with stop_gradient"
    )
