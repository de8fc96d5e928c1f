"""Checks of the arguments of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.operands import shape_of
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, kind_of


def check_width(name: str, width: Any) -> None:
    """Raise `ArgumentError` unless `width` is a positive integer."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ArgumentError(name, repr(width), "a positive whole number")


def check_array(name: str, x: Any) -> None:
    """Raise `ArgumentTypeError` unless `x` is a NumPy array, or a tensor of this package."""
    if not isinstance(getattr(x, "dtype", None), np.dtype):
        hint = "convert it with np.asarray, a tensor of PyTorch with .detach().numpy()"
        raise ArgumentTypeError(name, f"a {kind_of(x)}", "a NumPy array", hint)


def check_rows(x: Any, width: int, name: str = "x") -> None:
    """Raise an error unless `x` is a matrix with rows of that width."""
    check_array(name, x)
    shape = shape_of(x)
    if len(shape) != 2 or shape[1] != width:
        raise ArgumentError(name, f"shape {shape}", f"shape (batch, {width})")
