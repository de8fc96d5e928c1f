"""Side effects that a program would lose, as far as they can be seen: random numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_ugan.errors import NotCompilableError

_Generators = (np.random.Generator, np.random.RandomState)


@contextmanager
def without_random_numbers(f: Callable[..., Any], leaves: list[Any]) -> Iterator[None]:
    """Refuse a function that draws random numbers while it is recorded.

    A program would return the same ones forever. The generators looked at are the arguments, those
    that the function names, and NumPy's own.
    """
    inner = inspect.unwrap(f)
    named = inspect.getclosurevars(inner) if isinstance(inner, FunctionType) else None
    around = [*named.nonlocals.values(), *named.globals.values()] if named else []
    generators = [x for x in (*leaves, *around) if isinstance(x, _Generators)]
    generators.append(np.random.mtrand._rand)
    before = list(map(_state, generators))
    yield
    if list(map(_state, generators)) != before:
        raise NotCompilableError(
            "a compiled function drew random numbers, and its program would return the same ones "
            "in every call; draw them outside and hand them in"
        )


def _state(generator: Any) -> str:
    if isinstance(generator, np.random.RandomState):
        _, key, *rest = generator.get_state()
        return repr((np.asarray(key).tobytes(), rest))
    return repr(generator.bit_generator.state)
