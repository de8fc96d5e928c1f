"""What layers check of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.primitive import shape_of
from tinygrad_ugan.errors import ArgumentError


def check_width(name: str, width: Any) -> None:
    """Raise `ArgumentError` unless `width` is a positive whole number."""
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ArgumentError(name, repr(width), "a positive whole number")


def check_rows(x: Any, width: int, name: str = "x") -> None:
    """Raise `ArgumentError` unless `x` has rows of that width."""
    shape = shape_of(x)
    if len(shape) != 2 or shape[1] != width:
        raise ArgumentError(name, f"shape {shape}", f"shape (batch, {width})")
