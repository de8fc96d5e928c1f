"""The cost of functions, by their vector forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_ugan.autodiff.rules import vector_form
from tinygrad_ugan.compile.program import Instruction, Symbol


def is_cheap(call: Instruction) -> bool:
    """Whether an elementwise function costs little more than to load its result from memory.

    So do additions, products, comparisons and choices; not divisions, roots and exponentials.
    """
    form = vector_form(call.function)
    args, params = call.arguments
    if form is None or params:
        return False
    operands = [_Vector() if isinstance(x, Symbol | np.ndarray) else x for x in args]
    try:
        form(_Arithmetic(), *operands)
    except _ExpensiveError:
        return False
    return True


class _ExpensiveError(Exception):
    """A form takes something that costs more."""


class _Vector:
    """A vector of no numbers."""

    def _cheap(self, *others: Any) -> _Vector:
        return self

    def _expensive(self, *others: Any) -> _Vector:
        raise _ExpensiveError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _cheap
    __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __xor__ = __invert__ = _cheap
    __truediv__ = __rtruediv__ = _expensive


class _Arithmetic:
    """An arithmetic of such vectors."""

    def __getattr__(self, name: str) -> Callable[..., _Vector]:
        if name in _CHEAP:
            return lambda *args: _Vector()
        raise _ExpensiveError


_CHEAP = frozenset(
    {"add", "subtract", "multiply", "negative", "positive", "square", "fma", "absolute", "fabs"}
    | {"maximum", "minimum", "where", "greater", "greater_equal", "less", "less_equal"}
    | {"logical_and", "logical_or", "logical_not", "invert"}
)
