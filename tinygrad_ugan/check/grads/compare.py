"""Whether a derivative agrees with an independent estimate along a direction.

What looks wrong at first sight is looked at again, with more care: against a second ladder of
steps, and with regard to how badly conditioned the function is. So an alarm costs more than a
pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_ugan.check.grads.derivatives import FlatFunction, Mode, join
from tinygrad_ugan.check.grads.differences import (
    EPSILON,
    LONGEST,
    Estimate,
    Slopes,
    by_complex_step,
    by_differences,
    noise_of,
    quotient_rounding,
    slopes,
)
from tinygrad_ugan.typing import Array

ROUNDINGS = 8
"""A derivative may be off by this many epsilons of the terms that it is the sum of;"""

NUDGES = 8
REACH = 4
VARIATIONS = 5
"""and, if that is not enough, by five times the range of its values at the middle half of eight
points around, up to four roundings away. The point itself has no say in that: a rule may be wrong
there, and nowhere else.
"""

CAUTION = 10
"""Differences may be off by this many times their own estimate of the error."""

COMPLEX_ROUNDINGS = 100
"""Special functions of complex numbers are less accurate than those of real ones."""

UNSETTLED = 1e-4
"""Differences that are off by more, relatively, and not by rounding, decide nothing."""

MOST_UNITS = 8
RANDOM_DIRECTIONS = 3


class Oracle:
    """The rates of the outputs of a function along any direction, without the engine.

    By the complex step, if that agrees with differences along one random direction; else by the
    differences, which are less exact but right for any smooth function.
    """

    def __init__(self, flat: FlatFunction, rng: np.random.Generator) -> None:
        self._flat = flat
        line = flat.along(random_direction(join(flat.inputs), rng))
        self.noise = noise_of(line)
        # What the longest step of the differences would suffer: f itself may cancel as they do.
        self._rounding = quotient_rounding(np.abs(join(flat.outputs)), self.noise, LONGEST)
        rates = by_complex_step(line)
        self.is_complex = rates is not None and _agree(rates, by_differences(line, self.noise))

    def rates(self, v: Array) -> Estimate:
        """The derivative along v."""
        line = self._flat.along(v)
        rates = by_complex_step(line) if self.is_complex else None
        if rates is None:
            return by_differences(line, self.noise)
        rounding = self._rounding + COMPLEX_ROUNDINGS * EPSILON * np.abs(rates)
        return Estimate(rates, rounding, rounding)

    def rates_again(self, v: Array) -> Estimate:
        """Estimate the same by differences over other steps."""
        return by_differences(self._flat.along(v), self.noise, longest=0.73 * LONGEST, ratio=1.7)


class Agreement(NamedTuple):
    """The numbers of a mode along a direction.

    Attributes
    ----------
    found, expected, tolerance : ndarray
    size : ndarray
        Of the terms that they are the sums of.
    is_wrong, is_settled : ndarray of bool
        Whether they are too far apart; whether the expected ones are known well enough to tell.
    """

    found: Array
    expected: Array
    tolerance: Array
    size: Array
    is_wrong: Array
    is_settled: Array

    @property
    def worst(self) -> int:
        """The place of the number that is furthest off."""
        excess = np.abs(self.found - self.expected) / (self.tolerance + np.finfo(float).tiny)
        return int(np.argmax(np.where(np.isnan(excess), np.inf, excess)))


class Comparator:
    """Compares a mode with the oracle.

    Parameters
    ----------
    flat : FlatFunction
    mode : Mode
    oracle : Oracle
    allowed : pair of float, optional
        ``(rtol, atol)``, in place of what rounding and conditioning allow.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        flat: FlatFunction,
        mode: Mode,
        oracle: Oracle,
        allowed: tuple[float, float] | None,
        rng: np.random.Generator,
    ) -> None:
        self.mode, self.oracle = mode, oracle
        self._flat = flat
        self._allowed = allowed
        self._rng = rng
        self._epsilon = max(float(np.finfo(x.dtype).eps) for x in (*flat.inputs, *flat.outputs))

    def __call__(self, v: Array, rates: Estimate) -> Agreement:
        """Compare along v, where the oracle says `rates`."""
        found = self.mode.found(self._flat.inputs, v)
        first = self._compare(v, found, rates, np.zeros(found.shape))
        if not np.any(first.is_wrong):
            return first
        variation = self._variation(v, first)
        second = self._compare(v, found, rates, variation)
        if self.oracle.is_complex or not np.any(second.is_wrong):
            return second
        third = self._compare(v, found, self.oracle.rates_again(v), variation)
        return second._replace(
            is_wrong=second.is_wrong & third.is_wrong,
            is_settled=second.is_settled & third.is_settled,
        )

    def slopes(self, v: Array) -> Slopes:
        """The slopes of the mode's numbers along v, to either side."""
        line = self._flat.along(v)
        return slopes(line, self.oracle.noise, self.mode.project, self.mode.bound)

    def _compare(self, v: Array, found: Array, rates: Estimate, variation: Array) -> Agreement:
        expected = self.mode.project(rates.value)
        error, rounding = (CAUTION * self.mode.bound(x) for x in (rates.error, rates.rounding))
        size = np.abs(found) + self.mode.size(rates.value, v)
        is_settled = (error <= UNSETTLED * size) | (error <= CAUTION * rounding)
        error = np.where(is_settled, error, UNSETTLED * size)
        if self._allowed is None:
            allowed = ROUNDINGS * self._epsilon * size + variation
        else:
            rtol, atol = self._allowed
            allowed = atol + rtol * np.abs(expected)
        tolerance = error + allowed
        is_wrong = ~(np.abs(found - expected) <= tolerance)  # and a NaN is wrong
        return Agreement(found, expected, tolerance, size, is_wrong, is_settled)

    def _variation(self, v: Array, first: Agreement) -> Array:
        """Measure how much a few roundings of the point change the derivative.

        Zero where it differs from point to point though the differences are sure of it, or show a
        kink: there is no derivative here, and that has to be reported.
        """
        around = [self._found_nearby(v, first.found) for _ in range(NUDGES)]
        middle = np.sort(np.stack(around), axis=0)[NUDGES // 4 : -NUDGES // 4]
        variation = VARIATIONS * np.ptp(middle, axis=0)
        variation = np.where(np.isfinite(variation), variation, 0.0)
        large = first.is_wrong & (variation > self._epsilon**0.25 * first.size)
        if np.any(large):
            found = self.slopes(v)
            kinks = [j for j in np.flatnonzero(large).tolist() if not found.of(j).is_smooth]
            variation[large & first.is_settled] = 0.0
            variation[kinks] = 0.0
        return variation

    def _found_nearby(self, v: Array, like: Array) -> Array:
        """Compute the numbers a few roundings away; NaN where the function ends before that."""
        try:
            with np.errstate(all="ignore"):
                return self.mode.found(self._nudged(), v)
        except (ArithmeticError, ValueError):  # as math.log and np.linalg.cholesky raise
            return np.full(like.shape, np.nan)

    def _nudged(self) -> list[Any]:
        """A point around: every element moves, and equal ones by different amounts."""
        count = sum(map(np.size, self._flat.inputs))
        steps = np.delete(np.arange(-REACH, REACH + 1), REACH)  # all but zero
        chosen = self._rng.permutation(np.resize(steps, max(count, steps.size)))[:count]
        pairs = zip(self._flat.inputs, self._flat.split(self._epsilon * chosen), strict=True)
        return [
            np.asarray(np.where(x == 0, self._epsilon * k, x * (1 + k)), x.dtype)[()]
            for x, k in pairs
        ]


def _agree(rates: Array, known: Estimate) -> bool:
    """Whether complex steps agree with differences that have settled."""
    if rates.shape != known.value.shape:
        return False
    tolerance = CAUTION * known.error + ROUNDINGS * EPSILON * np.abs(rates)
    is_settled = (tolerance <= UNSETTLED * np.abs(rates)) | (known.error <= 2 * known.rounding)
    return bool(np.all(is_settled & (np.abs(rates - known.value) <= tolerance)))


def directions(flat: FlatFunction, rng: np.random.Generator) -> Iterator[Array]:
    """One element after the other, if they are few; and random directions."""
    start = join(flat.inputs)
    if start.size <= MOST_UNITS:
        yield from np.diag(_scale(start))
        yield random_direction(start, rng)
    else:
        yield from (random_direction(start, rng) for _ in range(RANDOM_DIRECTIONS))


def random_direction(start: Array, rng: np.random.Generator) -> Array:
    """Every element moves by a half to one of its scale, exactly so in any precision."""
    share: Array = rng.integers(32, 65, start.shape) / 64 * rng.choice([-1, 1], start.shape)
    return share * _scale(start)


def _scale(start: Array) -> Array:
    """For each element the power of two below its size, but 1 if that is smaller."""
    return np.exp2(np.floor(np.log2(np.maximum(1, np.abs(start)))))
