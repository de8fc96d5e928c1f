"""How differences behave as their step shrinks: whether a function is smooth at a point at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.check.grads.differences import Line, quotient_rounding, quotients
from tinygrad_ugan.check.grads.modes import Mode

CLEAR = 10
"""A gap between two slopes counts if it is so many times what rounding can make."""


@dataclass(frozen=True)
class Evidence:
    """The slopes to either side, over shrinking steps; of one number, or of many in columns.

    Attributes
    ----------
    steps, left, right : ndarray
        The slopes to either side, for each step.
    roundings : ndarray
        What rounding may account for in them.
    """

    steps: NDArray
    left: NDArray
    right: NDArray
    roundings: NDArray

    def of(self, j: int, unit: float = 1.0) -> Evidence:
        """That of the number in column j, per `unit` of the direction."""
        return Evidence(
            self.steps * abs(unit),
            self.left[:, j] / unit,
            self.right[:, j] / unit,
            self.roundings[:, j] / abs(unit),
        )

    @property
    def smoothness(self) -> float:
        """The power of h by which the slopes on both sides come together, and settle.

        At least 1 if f is smooth, 0 at a kink, -1 at a jump; infinite where rounding hides it.
        """
        slopes = (self.left + self.right) / 2
        gaps = np.abs(self.right - self.left)
        gaps[1:] += np.abs(np.diff(slopes))
        clear = np.flatnonzero(gaps > CLEAR * self.roundings)
        if len(clear) < 2:
            return np.inf
        short = clear[-1]
        long = clear[max(len(clear) - 3, 0)]
        ratio = self.steps[long] / self.steps[short]
        return float(np.log(gaps[long] / gaps[short]) / np.log(ratio))

    @property
    def is_smooth(self) -> bool:
        """Whether nothing speaks against a second derivative."""
        return self.smoothness >= SMOOTH


SMOOTH = 0.8
"""Powers of h from here on are taken for the first, that of a smooth function."""


def gather(line: Line, mode: Mode, noise: NDArray) -> Evidence:
    """The slopes of all numbers of a mode along a line."""
    rows = [(h, mode.of(left), mode.of(right)) for h, left, right in quotients(line)]
    rounding = mode.bound(quotient_rounding(np.abs(line(0.0)), noise, 1.0))
    steps = np.array([h for h, _, _ in rows])
    left, right = (
        np.array([row[i] for row in rows]).reshape(len(rows), len(rounding)) for i in (1, 2)
    )
    return Evidence(steps, left, right, rounding / steps[:, None])
