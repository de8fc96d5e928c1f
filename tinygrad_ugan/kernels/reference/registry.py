"""How the arguments of a kernel, addresses and counts, become arrays for its reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ArrayLayout:
    """An array among the arguments of a kernel: shape, and strides in elements, the last one 1.

    Lengths are named after the kernel's other arguments, or are sums of them: ``first+rows``.
    """

    shape: tuple[str, ...]
    strides: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> ArrayLayout:
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
class Reference:
    """What a kernel does, as a function of arrays, and of counts and statics by their names."""

    function: Callable[..., None]
    layouts: Mapping[str, ArrayLayout]

    @property
    def names(self) -> list[str]:
        """What the function takes."""
        return list(inspect.signature(self.function).parameters)


REFERENCES: dict[str, Reference] = {}
"""By the name of the kernel."""

HELPERS: list[Callable[..., Any]] = []
"""What the statements call: numba has to know of it."""


def reference(**layouts: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a function in `REFERENCES`; see `ArrayLayout.parse` for what is said of its arrays."""

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        parsed = {name: ArrayLayout.parse(text) for name, text in layouts.items()}
        REFERENCES[function.__name__] = Reference(function, parsed)
        return function

    return enter


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a function in `HELPERS`."""
    HELPERS.append(function)
    return function
