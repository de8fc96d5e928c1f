"""The registry of references: how arguments of a kernel become those of its reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ArrayLayout:
    """Shape and strides of an array argument, in elements; the last stride is 1.

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
    """The reference function of a kernel: it takes arrays, counts and statics by name."""

    function: Callable[..., None]
    layouts: Mapping[str, ArrayLayout]

    @property
    def names(self) -> list[str]:
        """The names of the function's arguments."""
        return list(inspect.signature(self.function).parameters)


REFERENCES: dict[str, Reference] = {}
"""All references, by the name of the kernel."""

HELPERS: list[Callable[..., Any]] = []
"""Functions that references call, for numba to compile."""


def reference(**layouts: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function under its name; each keyword is a layout for `ArrayLayout.parse`."""

    def enter(function: Callable[..., None]) -> Callable[..., None]:
        parsed = {name: ArrayLayout.parse(text) for name, text in layouts.items()}
        REFERENCES[function.__name__] = Reference(function, parsed)
        return function

    return enter


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Register a helper."""
    HELPERS.append(function)
    return function
