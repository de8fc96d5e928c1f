"""Pairwise L1 distances and their transpose, without an array of all differences.

Points p have shape (C, B, n): B sets of n points with C coordinates.
`tests/kernels/test_pairwise_l1.py` compares each function with one line of NumPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.kernels import plain
from tinygrad_ugan.kernels.addresses import check_shape, native_rows
from tinygrad_ugan.typing import Array


def signed_differences(v: Array, p: Array) -> Array:
    """``out_bij = sum_c sign(p_cbi - p_cbj) (v_cbi - v_cbj)``, shape (B, n, n).

    For v = p these are the L1 distances of all pairs of points; in general, their tangent along v.
    """
    v, p = _checked(v=v, p=p)
    _, sets, n = p.shape
    check_shape("v", v, p.shape)
    out = np.zeros((sets, n, n), v.dtype)
    return _added(_add_signed_differences, v, p, out)


def signed_sums(g: Array, p: Array) -> Array:
    """``out_cbi = sum_j sign(p_cbi - p_cbj) (g_bij + g_bji)``: the transpose, shape (C, B, n)."""
    g, p = _checked(g=g, p=p)
    _, sets, n = p.shape
    check_shape("g", g, (sets, n, n))
    out = np.zeros(p.shape, g.dtype)
    return _added(_add_signed_sums, g + np.swapaxes(g, 1, 2), p, out)


def _added(loops: Callable[..., None], *arrays: Array) -> Array:
    """Run the loops, which add to the last of the arrays; return that one."""
    _compiled(loops, *(x.dtype for x in arrays))(*arrays)
    return arrays[-1]


def _checked(**arrays: Array) -> list[Array]:
    """The arrays in C order, checked, as the loops check no bounds."""
    for name, x in arrays.items():
        if x.ndim != 3:
            raise ArgumentError(name, f"shape {x.shape}", "three axes")
        if x.dtype.kind not in "fi" or x.itemsize > 8 or x.dtype == np.float16:
            raise ArgumentTypeError(name, f"dtype {x.dtype}", "float32, float64 or whole numbers")
    return [native_rows(x) for x in arrays.values()]


# The innermost loop is contiguous in memory and not a reduction, so that LLVM can vectorise it.


def _add_signed_differences(v: Any, p: Any, out: Any) -> None:
    dimension, sets, n = p.shape
    zero = out.dtype.type(0)
    for b in range(sets):
        for i in range(n):
            for c in range(dimension):
                for j in range(n):
                    difference = v[c, b, i] - v[c, b, j]
                    greater = difference if p[c, b, i] > p[c, b, j] else zero
                    less = difference if p[c, b, i] < p[c, b, j] else zero
                    out[b, i, j] += greater - less


def _add_signed_sums(symmetric: Any, p: Any, out: Any) -> None:
    dimension, sets, n = p.shape
    zero = out.dtype.type(0)
    for b in range(sets):
        for j in range(n):
            for c in range(dimension):
                for i in range(n):
                    greater = symmetric[b, j, i] if p[c, b, i] > p[c, b, j] else zero
                    less = symmetric[b, j, i] if p[c, b, i] < p[c, b, j] else zero
                    out[c, b, i] += greater - less


@functools.cache
def _compiled(loops: Callable[..., None], *dtypes: np.dtype[Any]) -> Any:
    """Compile the loops, for two arrays to read and one to add to."""
    kinds = [
        numba.types.Array(numba.from_dtype(dtype), 3, "C", readonly=place < 2)
        for place, dtype in enumerate(dtypes)
    ]
    return plain.jitted(loops, numba.void(*kinds))
