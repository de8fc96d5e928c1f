"""Types that more than one room speaks of."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array of any dtype."""

PyTree: TypeAlias = Any
"""Lists, tuples and dictionaries, nested at will, with arrays and numbers at the leaves."""
