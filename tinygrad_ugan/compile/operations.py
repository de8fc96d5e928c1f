"""Instructions as what kernels do: maps, products, reductions; and views, which cost nothing.

`can_lower` says whether an instruction is of these; `Translation` takes instructions one by one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import EllipsisType, MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.autodiff.rules import TABLE, vector_form
from tinygrad_ugan.autodiff.rules.conditionals import where
from tinygrad_ugan.autodiff.rules.indexing import scatter_add
from tinygrad_ugan.autodiff.rules.joining import concatenate
from tinygrad_ugan.autodiff.rules.products import matmul, matmul_nt, matmul_tn
from tinygrad_ugan.autodiff.rules.reductions import center, largest, smallest, total
from tinygrad_ugan.compile.program import Instruction, Symbol
from tinygrad_ugan.compile.strided import Storage, View
from tinygrad_ugan.kernels.windows import Windows, gather, scatter

Operand: TypeAlias = View | float
"""An operand of a map: an array, or the same number at every point."""

COPY, ADD, AS_NUMBER = "copy", "numpy.add", "as_number"
"""The maps that return their operand, the sum, and the numbers 0 and 1 for a mask."""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """An elementwise function: ``out[i] = operation(operands[i], ...)``.

    Attributes
    ----------
    operation : str
        The name of its vector form, or `COPY`.
    operands : tuple
        Views of the shape of `out`, and numbers.
    out : Storage
    """

    operation: str
    operands: tuple[Operand, ...]
    out: Storage


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A sum of products of matrices, ``out = sum_s a_s b_s``.

    Attributes
    ----------
    terms : tuple of (View, View)
        a and b, with two axes each.
    out : Storage
    """

    terms: tuple[tuple[View, View], ...]
    out: Storage

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        a, b = self.terms[0]
        return a.shape[0], b.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class RowProduct(Product):
    """A sum of products over rows that blocks of rows add to: ``out[part] += a b``.

    Attributes
    ----------
    terms : tuple of (View, View)
        a and b at the first block of rows, which are the depth.
    out : Storage
        Of one result for each part of a phase.
    rows : int
        All of them.
    """

    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Reduce:
    """A reduction: "add", "maximum" or "minimum" over some axes, which stay with length 1.

    Attributes
    ----------
    operation : str
    operand : View
    axes : tuple of int
    out : Storage
    """

    operation: str
    operand: View
    axes: tuple[int, ...]
    out: Storage


@dataclass(frozen=True, slots=True, eq=False)
class Windowing:
    """The windows of images, or the sum of windows at their places.

    Attributes
    ----------
    operand : View
        Images, or windows: all elements of a storage in their order.
    windows : Windows
    is_sum : bool
    out : Storage
    """

    operand: View
    windows: Windows
    is_sum: bool
    out: Storage


@dataclass(frozen=True, slots=True, eq=False)
class Joining:
    """Arrays joined along an axis, ``np.concatenate`` and ``np.stack``; or one between zeros.

    Attributes
    ----------
    operands : tuple of View or int
        All elements of a storage each, in their order, with rows as the result has them; or a
        number of zeros.
    out : Storage
        Of shape (rows, repeats, columns): in every repetition a run of each operand.
    """

    operands: tuple[View | int, ...]
    out: Storage

    @property
    def runs(self) -> tuple[tuple[int, bool], ...]:
        """How many elements of each operand stand side by side, and whether it is an array."""
        return tuple(
            (x.shape[-1], True) if isinstance(x, View) else (x, False) for x in self.operands
        )


Operation: TypeAlias = Map | Product | Reduce | Windowing | Joining


def reads(each: Operation) -> Iterator[View]:
    """The views that an operation reads."""
    match each:
        case Map():
            yield from (x for x in each.operands if isinstance(x, View))
        case Product():
            yield from itertools.chain(*each.terms)
        case Reduce() | Windowing():
            yield each.operand
        case Joining():
            yield from (x for x in each.operands if isinstance(x, View))


_PRODUCTS: dict[Any, tuple[bool, bool]] = {
    np.matmul: (False, False),
    np.dot: (False, False),
    matmul.implementation: (False, False),
    matmul_nt.implementation: (False, True),
    matmul_tn.implementation: (True, False),
}
"""Whether the factors are transposed."""

_REDUCTIONS: dict[Any, tuple[str, bool]] = {
    np.sum: ("add", False),
    np.mean: ("add", True),
    np.max: ("maximum", False),
    np.min: ("minimum", False),
    largest.implementation: ("maximum", False),
    smallest.implementation: ("minimum", False),
    total.implementation: ("add", False),
    center.implementation: ("add", True),
}
"""The operation, and whether the result is divided by the number of elements."""

_WINDOWS = {gather: False, scatter: True}
"""Whether the result is a sum of windows."""

_JOINING = (np.concatenate, np.stack, concatenate.implementation)

MOST_JOINED = 14
"""Arrays that a kernel joins: a call has 16 arguments, the first row and the result among them."""

_OF_MASKS = {
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert),
}
_WHERE = {np.where, where.implementation}

_VIEWS = {
    *(np.transpose, np.swapaxes, np.moveaxis, np.matrix_transpose, np.squeeze, np.expand_dims),
    *(np.reshape, np.ravel, np.broadcast_to, np.flip, np.flipud, np.fliplr, np.real),
}
_VIEWS |= {TABLE[f].implementation for f in _VIEWS if f in TABLE}

LARGEST_PRODUCT = 2**26
"""Multiply-adds from which on BLAS, which packs its operands for the caches, is faster."""


def is_view(call: Instruction) -> bool:
    """Whether an instruction returns a view of its only variable, or the very same elements."""
    if len(list(call.variables)) != 1 or not isinstance(call.operands[0], Symbol):
        return False
    x, y = call.operands[0], call.results[0]
    if x.dtype != y.dtype or x.kind not in ("array", "scalar") or y.kind != "array" or not y.size:
        return False
    if call.name == "getitem":
        return y.is_view and _is_basic(call.arguments[0][1])
    return y.is_view and (call.function in _VIEWS or call.name == "alias")


def _is_basic(key: Any) -> bool:
    """Whether an index picks a view: an array or list of integers picks copies."""
    parts = key if type(key) is tuple else (key,)
    kinds = int | np.integer | slice | None | EllipsisType
    return all(isinstance(x, kinds) and not isinstance(x, bool) for x in parts)


def can_lower(call: Instruction, dtype: np.dtype[Any]) -> bool:
    """Whether kernels of a dtype can do what an instruction does."""
    result = call.results[0]
    if call.several or not result.size or result.kind == "number":
        return False
    if any(isinstance(x, Memo) for x in call.operands):
        return False
    if not all(_fits(x, dtype) for x in (result, *call.variables)):
        return False
    if call.function in _PRODUCTS:
        return _can_multiply(call, dtype)
    if call.function in _REDUCTIONS:
        is_max = _REDUCTIONS[call.function][0] != "add"
        of_masks = is_max and call.operands[0].dtype == np.bool_
        return result.dtype == dtype and not of_masks and _reduction(call) is not None
    if call.function in _WINDOWS:
        return bool(result.dtype == dtype == call.operands[0].dtype)
    if call.function in _JOINING:
        return _can_join(call, dtype)
    if call.function is scatter_add.implementation:
        return result.dtype == dtype and _slab(call) is not None
    return _can_map(call, dtype)


def _fits(x: Symbol, dtype: np.dtype[Any]) -> bool:
    return x.size > 0 and (x.dtype in (dtype, np.bool_) or x.kind == "number")


def _can_multiply(call: Instruction, dtype: np.dtype[Any]) -> bool:
    args, params = call.arguments
    if params or len(args) != 2 or not all(isinstance(x, Symbol | np.ndarray) for x in args):
        return False
    is_small = call.results[0].size * _depth(call) < LARGEST_PRODUCT
    return is_small and all(x.dtype == dtype and 1 <= len(x.shape) <= 2 for x in args)


def _can_join(call: Instruction, dtype: np.dtype[Any]) -> bool:
    operands, axis, others = _joined(call)
    if others or type(axis) is not int or len(operands) > MOST_JOINED:
        return False
    arrays = all(isinstance(x, Symbol | np.ndarray) for x in operands)
    return arrays and all(x.dtype == dtype and x.size for x in operands)


def _slab(call: Instruction) -> tuple[int, int, int] | None:
    """The axis along which a call puts an array between zeros, from where and to where."""
    (_, key, shape), params = call.arguments
    key = key if isinstance(key, tuple) else (key,)
    if params or not all(type(k) in (int, slice) for k in key) or not shape:
        return None
    found = [(0, 0, shape[0])]
    for axis, (k, n) in enumerate(zip(key, shape, strict=False)):
        start, stop, step = (k % n, k % n + 1, 1) if isinstance(k, int) else k.indices(n)
        if step != 1 or start >= stop:
            return None
        if (start, stop) != (0, n):
            found.append((axis, start, stop))
    return found[-1] if len(found) < 3 else None


def _joined(call: Instruction) -> tuple[Sequence[Any], Any, Any]:
    """The arrays that are joined, the axis, and other arguments."""
    args, params = call.arguments
    if call.function is concatenate.implementation:
        return args[1:], args[0], params
    axis = (*args[1:], params.pop("axis", 0))[0]
    return args[0], axis, (args[2:], params) if args[2:] or params else ()


def _depth(call: Instruction) -> int:
    """The number of products in an element of a product of matrices."""
    x, is_transposed = call.operands[0], _PRODUCTS[call.function][0]
    depth: int = x.shape[-2 if is_transposed and len(x.shape) > 1 else -1]
    return depth


def _reduction(call: Instruction) -> tuple[int, ...] | None:
    """The axes that a reduction is over; None if it is one that only NumPy knows."""
    args, params = call.arguments
    if "dtype" in params and params["dtype"] == call.results[0].dtype:
        del params["dtype"]  # of a mask, whose elements are counted
    axis, keepdims = (*args[1:], None)[0], (*args[2:], False)[0]
    if len(args) > 2 and call.function in (np.sum, np.mean):  # a dtype by position
        return None
    if len(args) > 3 or set(params) - {"axis", "keepdims"} or not isinstance(args[0], Symbol):
        return None
    axis, keepdims = params.get("axis", axis), params.get("keepdims", keepdims)
    if not isinstance(keepdims, bool) or not _is_axis(axis):
        return None
    ndim = len(args[0].shape)
    if not ndim:
        return ()  # NumPy takes axis 0 of a number, too
    return normalize_axis_tuple(range(ndim) if axis is None else axis, ndim)


def _is_axis(axis: Any) -> bool:
    return axis is None or all(type(i) is int for i in (axis if type(axis) is tuple else (axis,)))


def _can_map(call: Instruction, dtype: np.dtype[Any]) -> bool:
    args, params = call.arguments
    if params or vector_form(call.function) is None:
        return False
    if not all(isinstance(x, Symbol) or _is_number(x, dtype) for x in args):
        return False
    if call.function in _OF_MASKS:
        return all(map(_is_mask, args))
    if call.function in _WHERE:
        condition, *numbers = args
        return _is_mask(condition) and _is_of(numbers, dtype)
    return _is_of(args, dtype)


def _is_of(args: Iterable[Any], dtype: np.dtype[Any]) -> bool:
    """Whether NumPy computes in a dtype: not with masks alone, nor with Python's floats alone."""
    of_floats = dtype == np.float64 and any(type(x) is float for x in args)
    typed = (x for x in args if hasattr(x, "dtype"))
    return of_floats or any(x.dtype == dtype for x in typed)


def _is_mask(x: Any) -> bool:
    return getattr(x, "dtype", None) == np.bool_


def _is_number(x: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a constant is an array of a program's numbers, or one number that fits to them."""
    if isinstance(x, np.ndarray):
        return x.size > 0 and x.dtype in (dtype, np.bool_)
    return type(x) in (int, float) or (isinstance(x, np.generic) and x.dtype == dtype)


class Translation:
    """Instructions as operations, one by one.

    Attributes
    ----------
    operations : list of Operation
    forms : dict
        Vector forms of the operations of maps, by name.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.operations: list[Operation] = []
        self.forms: dict[str, Callable[..., Any]] = dict(_OWN_FORMS)
        self._views: dict[Symbol, View] = {}
        self._constants: dict[int, View] = {}
        self._packed: dict[View, View] = {}
        self._numbers: dict[View, View] = {}
        self._functions: dict[str, Callable[..., Any]] = {}

    def add_input(self, x: Symbol) -> Storage:
        """Give a variable from outside its storage."""
        storage = Storage(x.shape, self.dtype if x.kind == "number" else x.dtype)
        self._views[x] = View.of(storage)
        return storage

    def result(self, x: Any) -> View:
        """Find the elements of a variable, or of a constant array."""
        return self._views[x] if isinstance(x, Symbol) else self._constant(x)

    def whole(self, x: View, taken: Collection[Storage] = ()) -> Storage:
        """A storage, none of those taken, that holds the elements of a view in their order."""
        if x.is_whole and x.storage.constant is None and x.storage not in taken:
            return x.storage
        return self._map(COPY, [x], x.shape, x.dtype).storage

    def add(self, call: Instruction) -> None:
        """Append what an instruction does."""
        result = call.results[0]
        if is_view(call):
            self._views[result] = self._view(call)
        elif call.function in _PRODUCTS:
            self._views[result] = self._product(call).reshaped(result.shape)
        elif call.function in _REDUCTIONS:
            self._views[result] = self._reduce(call).reshaped(result.shape)
        elif call.function in _WINDOWS:
            self._views[result] = self._windowing(call)
        elif call.function in _JOINING:
            self._views[result] = self._joining(call).reshaped(result.shape)
        elif call.function is scatter_add.implementation:
            self._views[result] = self._between_zeros(call).reshaped(result.shape)
        else:
            name = self._name(call.function)
            form = vector_form(call.function)
            assert form is not None
            self.forms[name] = form
            operands = [self._operand(x) for x in call.arguments[0]]
            masks = len(operands) if call.function in _OF_MASKS else int(call.function in _WHERE)
            operands[masks:] = map(self._as_number, operands[masks:])
            self._views[result] = self._map(name, operands, result.shape, result.dtype)

    def _name(self, function: Callable[..., Any]) -> str:
        """A name for a function; several may have the same one in Python."""
        name = f"{getattr(function, '__module__', 'numpy')}.{function.__name__}"
        while self._functions.setdefault(name, function) is not function:
            name += "'"
        return name

    def _operand(self, x: Any) -> Operand:
        if isinstance(x, Symbol):
            return self._views[x]
        if isinstance(x, np.ndarray) and x.dtype == self.dtype and _is_uniform(x):
            return float(x.flat[0])
        return self._constant(x) if isinstance(x, np.ndarray) else float(x)

    def _as_number(self, x: Operand) -> Operand:
        """Turn a mask into numbers 0 and 1."""
        if not isinstance(x, View) or x.dtype != np.bool_:
            return x
        if x not in self._numbers:
            self._numbers[x] = self._map(AS_NUMBER, [x], x.shape, self.dtype)
        return self._numbers[x]

    def _constant(self, x: Any) -> View:
        if id(x) not in self._constants:
            storage = Storage(x.shape, x.dtype, np.array(x, order="C"))
            self._constants[id(x)] = View.of(storage)
        return self._constants[id(x)]

    def _map(
        self, name: str, operands: Sequence[Operand], shape: Sequence[int], dtype: np.dtype[Any]
    ) -> View:
        out = Storage(tuple(shape), dtype)
        given = tuple(x.broadcast_to(shape) if isinstance(x, View) else x for x in operands)
        self.operations.append(Map(name, given, out))
        return View.of(out)

    def _view(self, call: Instruction) -> View:
        args, params = call.arguments

        def function(x: Any) -> Any:
            return call.function(x, *args[1:], **params)

        x = self._views[args[0]]
        found = x.transformed(function)
        if found is None:  # reshaping moves the elements
            found = View.of(self.whole(x)).transformed(function)
        assert found is not None
        return found

    def _reduce(self, call: Instruction) -> View:
        name, is_mean = _REDUCTIONS[call.function]
        x, axes = self._as_number(self._views[call.operands[0]]), _reduction(call)
        assert isinstance(x, View)
        assert axes is not None
        count = math.prod(x.shape[i] for i in axes)
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        found = x.reshaped(kept) if count == 1 and x.is_whole else None
        if found is None:
            out = Storage(kept, self.dtype)
            self.operations.append(Reduce(name, x, axes, out))
            found = View.of(out)
        return self._map(_DIVIDE, [found, float(count)], kept, self.dtype) if is_mean else found

    def _product(self, call: Instruction) -> View:
        x, y = (x if isinstance(x, Symbol) else self._constant(x) for x in call.arguments[0])
        a, b = (self._views[x] if isinstance(x, Symbol) else x for x in (x, y))
        if len(a.shape) == 1:
            a = replace(a, shape=(1, *a.shape), strides=(0, *a.strides))
        if len(b.shape) == 1:
            b = replace(b, shape=(*b.shape, 1), strides=(*b.strides, 0))
        a, b = (
            _mT(x) if flip else x for x, flip in zip((a, b), _PRODUCTS[call.function], strict=True)
        )
        out = Storage((a.shape[0], b.shape[1]), self.dtype)
        self.operations.append(Product(((a, self._packed_for(a, b)),), out))
        return View.of(out)

    def _windowing(self, call: Instruction) -> View:
        x, windows = call.arguments[0]
        operand = View.of(self.whole(self._views[x])).reshaped(x.shape)
        out = Storage(call.results[0].shape, self.dtype)
        self.operations.append(Windowing(operand, windows, _WINDOWS[call.function], out))
        return View.of(out)

    def _joining(self, call: Instruction) -> View:
        arrays, axis, _ = _joined(call)
        return self._join(arrays, call.results[0].shape, axis)

    def _between_zeros(self, call: Instruction) -> View:
        slab = _slab(call)
        assert slab
        axis, start, stop = slab
        shape = call.results[0].shape
        inner = math.prod(shape[axis + 1 :])
        before, after = start * inner, (shape[axis] - stop) * inner
        operands = [*filter(None, [before]), call.operands[0], *filter(None, [after])]
        return self._join(operands, shape, axis)

    def _join(self, operands: Sequence[Any], shape: Sequence[int], axis: int) -> View:
        """Join arrays and numbers of zeros along an axis."""
        axis %= len(shape)
        rows, repeats = (shape[0] if axis else 1), math.prod(shape[1:axis])

        def run(x: Any) -> View | int:
            if isinstance(x, int):
                return x
            view = self.result(x)
            storage = view.storage if view.is_whole else self.whole(view)
            return View.of(storage).reshaped((rows, repeats, x.size // (rows * repeats)))

        out = Storage((rows, repeats, math.prod(shape) // (rows * repeats)), self.dtype)
        self.operations.append(Joining(tuple(map(run, operands)), out))
        return View.of(out)

    def _packed_for(self, a: View, b: View) -> View:
        """Return b with its columns, or if these are few its rows, one element after the other."""
        (along, across), columns = b.strides, b.shape[1]
        dots = columns <= NARROW and a.strides[1] == 1
        if (along if dots else across) == 1 or (columns == 1 and not dots):
            return b
        key = _mT(b) if dots else b
        if key not in self._packed:
            self._packed[key] = self._map(COPY, [key], key.shape, key.dtype)
        return _mT(self._packed[key]) if dots else self._packed[key]


NARROW = 4
"""Columns of a product up to which it is taken for dot products."""

_DIVIDE = "divide"
_OWN_FORMS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        COPY: lambda e, x: x,
        ADD: lambda e, x, y: x + y,
        _DIVIDE: lambda e, x, y: x / y,
        AS_NUMBER: lambda e, x: e.where(x, e.constant(1.0), e.constant(0.0)),
    }
)


def _is_uniform(x: Any) -> bool:
    first = x.flat[0]
    return bool(np.all((x == first) & (np.signbit(x) == np.signbit(first))))


def _mT(x: View) -> View:
    return replace(x, shape=x.shape[::-1], strides=x.strides[::-1])
