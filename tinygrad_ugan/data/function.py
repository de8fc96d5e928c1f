"""Data of one's own that a function draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.data.protocol import check_labels
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError, kind_of
from tinygrad_ugan.typing import Array


class Function:
    """Samples that a function of one's own draws.

    Parameters
    ----------
    function : callable
        ``function(n, rng)`` -> array of floating-point numbers, shape (n, d); all its randomness
        comes from `rng`, a `numpy.random.Generator`. It is called twice at once, to find d.
    classes : int
        Number of classes, if the function returns pairs (array, labels), the labels an array of
        int, shape (n,), from 0 to classes - 1; 0 if it returns no labels.

    Attributes
    ----------
    dimension : int
        d.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If it returns something else, or not the same again from the same `rng`; `sample` raises
        them as well.

    Examples
    --------
    >>> uniform = Function(lambda n, rng: rng.random((n, 3)))
    >>> uniform.dimension, uniform.sample(5, np.random.default_rng(0)).dtype
    (3, dtype('float32'))
    >>> Function(lambda n, rng: rng.integers(6, size=(n, 2)))
    Traceback (most recent call last):
    ...
    tinygrad_ugan.errors.ArgumentTypeError: function: expected floating-point numbers, got dtype \
int64
    """

    def __init__(
        self, function: Callable[[int, np.random.Generator], Any], *, classes: int = 0
    ) -> None:
        if not callable(function):
            raise ArgumentTypeError("function", f"a {kind_of(function)}", "a function of n and rng")
        self._function = function
        self.classes = classes
        first, again = (self._drawn(3, np.random.default_rng(0)) for _ in range(2))
        self.dimension = first[0].shape[1]
        if not all(map(np.array_equal, first, again)):
            given = "other samples from the same rng"
            hint = "a run could not be resumed: draw by rng alone"
            raise ArgumentError("function", given, "the same samples again", hint)

    @property
    def identity(self) -> str:
        """The name of the function, and the number of classes."""
        name = f"of {getattr(self._function, '__qualname__', kind_of(self._function))}"
        return f"{name}, classes={self.classes}" if self.classes else name

    def sample(self, n: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Any:
        """Draw n samples, shape (n, dimension), or a pair of these and their labels."""
        x, *labels = self._drawn(n, rng)
        if x.shape[1] != self.dimension:
            expected = f"shape ({n}, {self.dimension}), as before"
            raise ArgumentError("function", f"shape {x.shape}", expected)
        return (x.astype(dtype), *labels) if labels else x.astype(dtype)

    def _drawn(self, n: int, rng: np.random.Generator) -> tuple[Array, ...]:
        """The samples and, if there are any, the labels, if they are such."""
        drawn = self._function(n, rng)
        x, *labels = drawn if isinstance(drawn, tuple) else (drawn,)
        self._check_samples(x, n)
        check_labels("function", labels, self.classes, n)
        return x, *labels

    @staticmethod
    def _check_samples(x: Any, n: int) -> None:
        if not isinstance(x, np.ndarray):
            raise ArgumentTypeError("function", f"a {kind_of(x)}", "an array")
        if x.ndim != 2 or len(x) != n or x.shape[1] == 0:
            raise ArgumentError("function", f"shape {x.shape} for n = {n}", f"shape ({n}, d)")
        if x.dtype.kind != "f":
            raise ArgumentTypeError("function", f"dtype {x.dtype}", "floating-point numbers")
        if not np.isfinite(x).all():
            raise NonFiniteError("function", "a NaN or infinity", "finite numbers")
