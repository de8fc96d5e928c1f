"""Step sizes as functions of the number of steps taken so far: ``lr=CosineSchedule(0.1, 1000)``."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tinygrad_ugan.compile.recorder import as_it_is
from tinygrad_ugan.errors import ArgumentError

Schedule: TypeAlias = Callable[[int], Any]
"""Any function of the number of steps taken, 0 at the first."""


@dataclass(frozen=True)
class ConstantSchedule:
    """The same value at every step."""

    value: Any

    def __call__(self, step: int) -> Any:
        """Return the value at a step."""
        return self.value


@dataclass(frozen=True)
class LinearSchedule:
    """From `start` to `end` along a line, in `steps` steps; `end` from then on.

    Examples
    --------
    >>> schedule = LinearSchedule(1.0, 0.0, steps=4)
    >>> [schedule(step) for step in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    start: Any
    end: Any
    steps: int

    def __post_init__(self) -> None:
        _check_steps(self.steps)

    def __call__(self, step: int) -> Any:
        """Return the value at a step."""
        return self.start + (self.end - self.start) * (min(step, self.steps) / self.steps)


@dataclass(frozen=True)
class CosineSchedule:
    """From `start` to `end` along half a cosine (Loshchilov and Hutter 2016, arXiv 1608.03983).

    Examples
    --------
    >>> schedule = CosineSchedule(1.0, steps=4)
    >>> [round(schedule(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    start: Any
    steps: int
    end: Any = 0.0

    def __post_init__(self) -> None:
        _check_steps(self.steps)

    def __call__(self, step: int) -> Any:
        """Return the value at a step."""
        share = (1 + math.cos(math.pi * min(step, self.steps) / self.steps)) / 2
        return self.end + (self.start - self.end) * share


@dataclass(frozen=True)
class ExponentialSchedule:
    """``start * rate ** (step / steps)``.

    Examples
    --------
    >>> schedule = ExponentialSchedule(1.0, rate=0.25, steps=2)
    >>> [schedule(step) for step in range(5)]
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    """

    start: Any
    rate: float
    steps: int = 1

    def __post_init__(self) -> None:
        _check_steps(self.steps)
        if not 0 < self.rate < math.inf:
            raise ArgumentError("rate", self.rate, "a positive number")

    def __call__(self, step: int) -> Any:
        """Return the value at a step."""
        return self.start * self.rate ** (step / self.steps)


@dataclass(frozen=True)
class WarmupSchedule:
    """Linear growth in `steps` steps to the start of another schedule, which follows.

    The first step is one `steps`-th of that, not nothing.

    Examples
    --------
    >>> schedule = WarmupSchedule(2, LinearSchedule(1.0, 0.0, steps=2))
    >>> [schedule(step) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    steps: int
    then: Callable[[int], Any]

    def __post_init__(self) -> None:
        _check_steps(self.steps)
        then: object = self.then
        if not callable(then):
            hint = "ConstantSchedule makes a schedule of a number"
            raise ArgumentError("then", then, "a function of the step", hint)

    def __call__(self, step: int) -> Any:
        """Return the value at a step."""
        if step < self.steps:
            return self.then(0) * ((step + 1) / self.steps)
        return self.then(step - self.steps)


@as_it_is
def value_at(setting: Any, step: int) -> Any:
    """Return a setting that may be a schedule, as of a step; NumPy's numbers as Python's.

    Those of NumPy would turn float32 into float64.
    """
    value = setting(step) if callable(setting) else setting
    return float(value) if isinstance(value, np.floating) else value


def _check_steps(steps: Any) -> None:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ArgumentError("steps", steps, "a whole number >= 1")
