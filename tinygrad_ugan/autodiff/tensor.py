"""Tensor: a tracer that NumPy takes for an array, so that plain NumPy code differentiates.

``np.tanh(x) @ w`` reaches the table of rules by NumPy's own protocols (``__array_ufunc__`` and
``__array_function__``); operators and methods reach it directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NoReturn

import numpy as np

from tinygrad_ugan.autodiff.core import Tracer, bind
from tinygrad_ugan.autodiff.primitive import strip
from tinygrad_ugan.autodiff.rules import CONSTANTS, TABLE
from tinygrad_ugan.autodiff.rules.shape import astype, getitem
from tinygrad_ugan.errors import NotDifferentiableError


def _operator(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        return bind(primitive, (self, _operand(other)), {})

    return method


def _reflected(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor, other: Any) -> Any:
        return bind(primitive, (_operand(other), self), {})

    return method


def _comparison(function: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def method(self: Tensor, other: Any) -> Any:
        return function(strip(self), strip(other))

    return method


def _unary(function: Callable[..., Any]) -> Callable[[Any], Any]:
    primitive: Any = TABLE[function]

    def method(self: Tensor) -> Any:
        return bind(primitive, (self,), {})

    return method


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    record = TABLE.get(function, function)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return record(self, *args, **kwargs)

    method.__doc__ = f"See `numpy.{function.__name__}`."
    return method


class Tensor(Tracer):
    """An array (or NumPy scalar) under differentiation; behaves like the array it stands for."""

    __slots__ = ()

    # What NumPy calls.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        record = TABLE.get(ufunc)
        if record is not None and method == "__call__" and not kwargs:
            return record(*map(_operand, inputs))
        name = ufunc.__name__
        if method != "__call__":
            raise NotDifferentiableError(
                f"numpy.{name}.{method} has no derivative rule; write it with a NumPy function "
                "such as np.sum, np.max or np.cumsum"
            )
        _refuse_out(name, kwargs)
        if ufunc in CONSTANTS:
            return ufunc(*map(strip, inputs), **kwargs)
        if record is None:
            raise _no_rule(name)
        raise NotDifferentiableError(
            f"numpy.{name} with {', '.join(kwargs)}= has no derivative rule; leave it out, or "
            "use np.where and astype"
        )

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if "out" in kwargs:
            _refuse_out(function.__name__, kwargs)
        record = TABLE.get(function)
        if record is not None:
            return record(*args, **kwargs)
        if function in CONSTANTS:
            return function(*map(strip, args), **{k: strip(v) for k, v in kwargs.items()})
        raise _no_rule(function.__name__)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotDifferentiableError(
            "a traced value cannot become a plain array inside a differentiated function: build "
            "arrays with np.stack or np.concatenate instead of np.array, or cut the derivative "
            "with stop_gradient"
        )

    # What looks at the value only.

    shape = property(attrgetter("value.shape"), doc="Shape of the array.")
    ndim = property(attrgetter("value.ndim"), doc="Number of axes.")
    size = property(attrgetter("value.size"), doc="Number of elements.")
    dtype = property(attrgetter("value.dtype"), doc="Data type of the elements.")

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
            "it an array (np.sqrt, not math.sqrt), or cut the derivative with stop_gradient first"
        )

    __float__ = __int__ = __index__ = __complex__ = _leaves

    def item(self, *args: Any) -> NoReturn:
        """Raise: a Python number would lose the derivative."""
        self._leaves()

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise NotDifferentiableError(
            "in-place assignment has no derivative; build the new array functionally, with "
            "np.where, np.concatenate or np.stack"
        )

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

    @property
    def T(self) -> Any:
        """The transposed array."""
        return TABLE[np.transpose](self)

    @property
    def mT(self) -> Any:
        """The array with its last two axes swapped."""
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
        if dtype.kind != "f":
            return strip(self).astype(dtype)
        return astype(self, dtype)

    def __getitem__(self, key: Any) -> Any:
        return getitem(self, key)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))


def _operand(x: Any) -> Any:
    """Turn a list or tuple beside a tensor into an array, as NumPy does."""
    return np.asarray(x) if type(x) is list or type(x) is tuple else x


def _refuse_out(name: str, kwargs: dict[str, Any]) -> None:
    if kwargs.get("out") is not None:
        raise NotDifferentiableError(
            f"numpy.{name} with out= writes in place, which has no derivative; leave out= away and "
            "use the value that is returned"
        )


def _no_rule(name: str) -> NotDifferentiableError:
    return NotDifferentiableError(
        f"numpy.{name} has no derivative rule; write it with functions that have one, give it one "
        "with ug.primitive or ug.custom_vjp, or cut the derivative with stop_gradient"
    )
