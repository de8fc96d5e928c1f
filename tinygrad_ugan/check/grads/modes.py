"""What each mode of differentiation says about a direction: numbers that differences can judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.check.grads.derivatives import Flat, join, pulled, pushed


class Mode(Protocol):
    """The derivative of a function in one mode.

    Attributes
    ----------
    derived : Flat
        The derivative as a function, whose derivatives are those of the next order.
    like : list of arrays
        The shapes and dtypes that the outputs of `derived` are to have.
    """

    derived: Flat
    like: list[Any]

    def found(self, inputs: Sequence[Any], v: NDArray) -> NDArray:
        """The numbers that the engine computes along v."""
        ...

    def of(self, rates: NDArray) -> NDArray:
        """The same numbers, of the rates of the outputs along v."""
        ...

    def bound(self, errors: NDArray) -> NDArray:
        """How far these may be off if the rates may be by `errors`."""
        ...

    def size(self, rates: NDArray, v: NDArray) -> NDArray:
        """The size of the terms that they are sums of, which rounding is relative to."""
        ...


class Forward:
    """Pushes v forward: the rate of every output."""

    def __init__(self, flat: Flat, rng: np.random.Generator) -> None:
        self.derived = pushed(flat, normal_like(rng, flat.inputs))
        self.like = flat.outputs
        self._flat = flat

    def found(self, inputs: Sequence[Any], v: NDArray) -> NDArray:
        """The Jacobian times v."""
        return join(self.derived.call([*inputs, *self._flat.split(v)]))

    def of(self, rates: NDArray) -> NDArray:
        """The rates themselves."""
        return rates

    bound = of

    def size(self, rates: NDArray, v: NDArray) -> NDArray:
        """The largest rate in the same array."""
        counts = [np.size(x) for x in self.like]
        parts = np.split(np.abs(rates), np.cumsum(counts)[:-1])
        return np.repeat([np.max(part, initial=0) for part in parts], counts)


class Reverse:
    """Pulls a random cotangent back, and multiplies what comes by v."""

    def __init__(self, flat: Flat, rng: np.random.Generator) -> None:
        self._cotangents = normal_like(rng, flat.outputs)
        self.derived = pulled(flat, self._cotangents)
        self.like = flat.inputs
        self._weights = join(self._cotangents)

    def found(self, inputs: Sequence[Any], v: NDArray) -> NDArray:
        """The gradient times v."""
        is_known = inputs is self.like
        gradient = self.derived.outputs if is_known else self._pull_back(inputs)
        return np.array([join(gradient) @ v])

    def of(self, rates: NDArray) -> NDArray:
        """The cotangent times the rates."""
        return np.array([self._weights @ rates])

    def bound(self, errors: NDArray) -> NDArray:
        """All errors may add up."""
        return np.array([np.abs(self._weights) @ errors])

    def size(self, rates: NDArray, v: NDArray) -> NDArray:
        """The terms of the cotangent times the rates, and of the gradient times v."""
        gradient = np.abs(join(self.derived.outputs))
        return self.bound(np.abs(rates)) + gradient @ np.abs(v)

    def _pull_back(self, inputs: Sequence[Any]) -> list[Any]:
        return self.derived.call([*inputs, *self._cotangents])


MODES: MappingProxyType[str, Callable[[Flat, np.random.Generator], Mode]] = MappingProxyType(
    {"forward": Forward, "reverse": Reverse}
)


def normal_like(rng: np.random.Generator, arrays: Sequence[Any]) -> list[Any]:
    """Standard normal numbers in the shapes and dtypes of arrays."""
    return [np.asarray(rng.standard_normal(np.shape(x)), x.dtype)[()] for x in arrays]
