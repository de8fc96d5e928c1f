"""How the arguments of a kernel, addresses and counts, are arrays for its statement."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operand:
    """An array among the arguments of a kernel: shape, and strides in elements, the last one 1.

    Numbers are given by names of the kernel's other arguments, or are sums of such: ``first+rows``.
    """

    shape: tuple[str, ...]
    strides: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Operand:
        """Read ``"n"``, ``"rows n ld"`` or ``"groups rows n stride ld"``."""
        names = text.split()
        dimensions = (len(names) + 1) // 2
        return cls(tuple(names[:dimensions]), tuple(names[dimensions:]))

    def resolve(self, known: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Shape and strides as numbers."""
        return (
            tuple(_number(name, known) for name in self.shape),
            (*(_number(name, known) for name in self.strides), 1),
        )


def _number(text: str, known: Mapping[str, Any]) -> int:
    return sum(int(name) if name.isdigit() else known[name] for name in text.split("+"))


@dataclass(frozen=True)
class Statement:
    """What a kernel does, as a function of arrays, and of counts and statics by their names."""

    function: Callable[..., None]
    operands: Mapping[str, Operand]

    @property
    def names(self) -> list[str]:
        """What the function takes."""
        return list(inspect.signature(self.function).parameters)


STATEMENTS: dict[str, Statement] = {}
"""By the name of the kernel."""

HELPERS: list[Callable[..., Any]] = []
"""What the statements call: numba has to know of it."""


def states(**operands: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a function in `STATEMENTS`; see `Operand.parse` for what is said of its arrays."""

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        parsed = {name: Operand.parse(text) for name, text in operands.items()}
        STATEMENTS[function.__name__] = Statement(function, parsed)
        return function

    return enter


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a function in `HELPERS`."""
    HELPERS.append(function)
    return function
