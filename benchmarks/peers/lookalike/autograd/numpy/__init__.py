"""NumPy's namespace, which tensors go through as it is, and what Autograd adds to it.

Autograd puts functions of its own in the place of those of NumPy that never ask their arguments
what to do. Here they are those that this engine offers instead, such as `ug.array`.
"""

import builtins

import numpy as _np
from numpy import *
from numpy import fft, random  # noqa: F401

import autograd.numpy.linalg as linalg  # noqa: F401  (not NumPy's, which the star brought)
import tinygrad_ugan as _ug
from tinygrad_ugan.autodiff.core import Tracer as _Tracer

__version__ = _np.__version__
abs, max, min, round, sum, any, all = (
    *(_np.abs, _np.max, _np.min, _np.round, _np.sum, _np.any, _np.all),
)


def _holds_tensor(x):
    if isinstance(x, (list, tuple)):
        return builtins.any(map(_holds_tensor, x))
    return isinstance(x, _Tracer)


def _joined(x):
    """A list or tuple with tensors in it as one."""
    return _ug.array(x) if isinstance(x, (list, tuple)) and _holds_tensor(x) else x


def array(A, dtype=None, ndmin=0, **kwargs):
    """``ug.array`` where tensors are about."""
    if not _holds_tensor(A):
        return _np.array(A, dtype, ndmin=ndmin, **kwargs)
    joined = _ug.array(A, dtype)
    return joined[(None,) * builtins.max(ndmin - joined.ndim, 0)] if ndmin else joined


def _constant_type(kind):
    """An integer type whose call makes a constant of a tensor."""

    def cast(cls, x):
        return _np.asarray(_ug.stop_gradient(x)).astype(kind)[()]

    return type(kind.__name__, (kind,), {"__new__": cast})


int8, int16, int32, int64 = map(_constant_type, (_np.int8, _np.int16, _np.int32, _np.int64))


def _of_lists(function):
    return lambda a, *args, **kwargs: function(_joined(a), *args, **kwargs)


mean, std, var, sum = map(_of_lists, (_np.mean, _np.std, _np.var, _np.sum))


def append(arr, values, axis=None):
    """As NumPy's, of lists of tensors too."""
    return _np.append(_joined(arr), _joined(values), axis)


def full(shape, fill_value, dtype=None):
    """A number, traced or not, as often as there are elements."""
    if isinstance(fill_value, _Tracer):
        return _np.broadcast_to(fill_value, shape)
    return _np.full(shape, fill_value, dtype)


def where(condition, *args, **kwargs):
    """As NumPy's; of Python's own numbers and lists, such a one."""
    if not args and not kwargs:
        return _np.where(condition)
    x, y = (*args, *(kwargs[name] for name in ("x", "y") if name in kwargs))
    chosen = _np.where(condition, x, y)
    if builtins.any(isinstance(z, (_np.ndarray, _np.generic, _Tracer)) for z in (condition, x, y)):
        return chosen
    return chosen.tolist()


class _Concatenator:
    """``r_`` and ``c_`` for what is written in their brackets as arrays."""

    def __init__(self, join):
        self._join = join

    def __getitem__(self, parts):
        parts = parts if isinstance(parts, tuple) else (parts,)
        return self._join([_np.r_[x] if isinstance(x, slice) else _joined(x) for x in parts])


def _side_by_side(arrays):
    return _np.concatenate([_np.atleast_1d(x) for x in arrays])


r_, c_ = _Concatenator(_side_by_side), _Concatenator(_np.column_stack)


def make_diagonal(D, offset=0, axis1=0, axis2=1):
    """Matrices with these diagonals."""
    return D[..., None] * _np.eye(D.shape[-1])
