"""Derivatives along a line by differences and by the complex step, with bounds on their errors.

A *line* is a function of a number t: the results of f(x + t v), as one vector. Besides a derivative
there is evidence to be had of whether f has one: the slopes to either side, over shrinking steps.
Nothing here knows of the engine.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from tinygrad_ugan.typing import Array

Line: TypeAlias = Callable[[complex], Array]
Projection: TypeAlias = Callable[[Array], Array]

EPSILON = float(np.finfo(np.float64).eps)

LONGEST = 0.1
"""The first step: an element moves by a tenth of its size, or of 1."""

MOST_ROWS = 40
"""Steps are halved this often at most: down to 1e-13."""

MOST_EXTRAPOLATIONS = 6
ACCURATE = 1e-10
"""The ladder ends at this relative error."""

ROUNDINGS = 4
"""Rounding errors in a quotient: two of f, and as much again by the extrapolation's weights."""

SAMPLES = 9
SPACINGS = (6e-8, 6e-10)
"""Spacings at which noise is measured: so small that f is a low polynomial, and still distinct in
float32; smaller yet, where it is no polynomial.
"""

ALIKE = 30
"""Differences of all orders show the same noise, up to chance: within this factor."""

NOISIEST = 1e-4
"""Larger noise, relative to f, is not rounding but the function itself: it jumps."""

CLEAR = 10
"""A gap between two slopes counts if it is this many times the rounding error."""

SMOOTH = 0.8
"""Powers of h from here on are taken for the first, that of a smooth function."""

TINY = 1e-30
"""The complex step: its square is nothing beside one."""


class Estimate(NamedTuple):
    """A derivative, element by element.

    Attributes
    ----------
    value, error : ndarray
        The derivative, and a bound on its error.
    rounding : ndarray
        The part of `error` that comes from rounding.
    """

    value: Array
    error: Array
    rounding: Array


def by_differences(
    line: Line, noise: Array, *, longest: float = LONGEST, ratio: float = 2.0
) -> Estimate:
    """Differentiate at t = 0 by central differences and Richardson extrapolation.

    Ridders' method: ``(f(h) - f(-h)) / 2h`` has an error in even powers of h, which a tableau over
    shrinking steps removes one by one. The steps shrink until the derivative is accurate, or
    rounding is all that is left. An entry is trusted as far as it agrees with all its neighbours in
    the tableau (with one of them, some among millions agree by chance), and with shorter steps.

    Parameters
    ----------
    line : callable
        ``line(t)``, a vector.
    noise : ndarray
        Of the values, as from `noise_of`.
    longest : float
        The first step.
    ratio : float
        Each step is the one before divided by it.

    Examples
    --------
    >>> line = lambda t: np.sin([0.0 + t, 1.0 + t])
    >>> found = by_differences(line, noise_of(line))
    >>> bool(np.all(np.abs(found.value - np.cos([0.0, 1.0])) <= found.error))
    True
    """
    best: Estimate | None = None
    previous: list[Array] = []
    for h in longest / ratio ** np.arange(MOST_ROWS):
        up, down = _finite(line, h), _finite(line, -h)
        if up is None or down is None:
            previous = []
            continue
        size = np.maximum(np.abs(up), np.abs(down))
        rounding = quotient_rounding(size, noise, h)
        current = _extrapolate((up - down) / (2 * h), previous, ratio)
        if best is not None and previous:
            best = _doubted(best, current[0], previous[0], rounding)
        for value, error in _judged(current, previous):
            best = _better(best, Estimate(value, error + rounding, rounding))
        if best is not None and _is_done(best, rounding):
            break
        previous = current
    return best or _unknown(noise)


def noise_of(line: Line) -> Array:
    """The mean size of the rounding errors of f, whatever precision it computes in.

    From differences of high order, where nothing is left of a smooth function: More and Wild
    (2011), Estimating computational noise.

    Examples
    --------
    >>> coarse = noise_of(lambda t: np.sin(np.array([1 + t], np.float32)))
    >>> bool(1e-9 < coarse[0] < 1e-7)
    True
    """
    by_order = _noise_at(line, SPACINGS[0])
    least, most = by_order.min(axis=0), by_order.max(axis=0)
    is_noise = most <= ALIKE * least
    if np.all(is_noise):
        noise = most
    else:
        nearer = _noise_at(line, SPACINGS[1]).min(axis=0)
        noise = np.where(is_noise, most, np.minimum(least, nearer))
    return np.where(noise <= NOISIEST * _size(line), noise, 0.0)


def _noise_at(line: Line, spacing: float) -> Array:
    """Noise by differences of order 3 to 6, which agree unless there is more in them than noise."""
    differences = np.stack([line((i - SAMPLES // 2) * spacing) for i in range(SAMPLES)])
    found = []
    for order in range(1, 7):
        differences = np.diff(differences, axis=0)
        growth = math.sqrt(math.comb(2 * order, order))
        found.append(np.mean(np.abs(differences), axis=0) / growth)
    return np.stack(found[2:])


def _size(line: Line) -> Array:
    """The size of f, not at t = 0 alone, where it may happen to vanish."""
    wide = (_finite(line, LONGEST / 10.0**k) for k in range(10))
    values = [line(0.0), next((value for value in wide if value is not None), 0.0)]
    size: Array = np.max(np.abs(np.broadcast_arrays(*values)), axis=0)
    return size


def by_complex_step(line: Line) -> Array | None:
    """Differentiate by Im f(x + i h v) / h for a tiny h: no difference, and so no cancellation.

    It holds where f is computed analytically, which only a comparison with differences can tell.
    None if f refuses complex numbers or drops their imaginary part.

    Examples
    --------
    >>> by_complex_step(lambda t: np.exp(np.array([t])))
    array([1.])
    >>> by_complex_step(lambda t: np.logaddexp(0, np.array([t])))
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")  # NumPy warns when it drops an imaginary part
            moved = line(TINY * 1j)
    except Exception:  # whatever code that was written for real numbers raises
        return None
    return np.imag(moved) / TINY if np.all(np.isfinite(moved)) else None


def quotient_rounding(size: Array, noise: Array, h: float) -> Array:
    """Bound the rounding error of a difference quotient of values of some size and noise."""
    return ROUNDINGS * np.maximum(EPSILON * size, noise) / h


@dataclass(frozen=True)
class Slopes:
    """The slopes to either side, over shrinking steps; of one number, or of many in columns.

    Attributes
    ----------
    steps, left, right : ndarray
        The slopes to either side, for each step.
    roundings : ndarray
        The part of them that rounding may account for.
    """

    steps: Array
    left: Array
    right: Array
    roundings: Array

    def of(self, j: int, unit: float = 1.0) -> Slopes:
        """Return the slopes of the number in column j, per `unit` of the direction."""
        return Slopes(
            self.steps * abs(unit),
            self.left[:, j] / unit,
            self.right[:, j] / unit,
            self.roundings[:, j] / abs(unit),
        )

    @property
    def central(self) -> Array:
        """The central differences."""
        return (self.left + self.right) / 2

    @property
    def smoothness(self) -> float:
        """The power of h by which the slopes on both sides come together, and settle.

        At least 1 if f is smooth, 0 at a kink, -1 at a jump; infinite where rounding hides it.
        """
        gaps = np.abs(self.right - self.left)
        gaps[1:] += np.abs(np.diff(self.central))
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


def slopes(line: Line, noise: Array, project: Projection, bound: Projection) -> Slopes:
    """Measure the slopes of numbers that are linear in the rates of f.

    `project` turns rates into the numbers, and `bound` the errors of rates into theirs.
    """
    middle = line(0.0)
    steps, left, right = [], [], []
    for h in LONGEST / 10.0 ** np.arange(9):
        up, down = _finite(line, h), _finite(line, -h)
        if up is not None and down is not None:
            steps.append(h)
            left.append(project((middle - down) / h))
            right.append(project((up - middle) / h))
    rounding = bound(quotient_rounding(np.abs(middle), noise, 1.0))
    shape = len(steps), len(rounding)
    return Slopes(
        np.array(steps),
        np.reshape(left, shape),
        np.reshape(right, shape),
        rounding / np.reshape(steps, (-1, 1)),
    )


def _finite(line: Line, t: float) -> Array | None:
    """The value at t, or None where the function ends before that."""
    try:
        with np.errstate(all="ignore"):
            value = line(t)
    except (ArithmeticError, ValueError):  # as math.log and np.linalg.inv raise
        return None
    return value if np.all(np.isfinite(value)) else None


def _extrapolate(quotient: Array, previous: list[Array], ratio: float) -> list[Array]:
    """The next row of the tableau; entry i is free of the first i terms of the error."""
    current = [quotient]
    for i, older in enumerate(previous[:MOST_EXTRAPOLATIONS], start=1):
        factor = ratio ** (2 * i)
        current.append((factor * current[-1] - older) / (factor - 1))
    return current


def _judged(current: list[Array], previous: list[Array]) -> Iterator[tuple[Array, Array]]:
    """The entries that have a neighbour on every side, with the largest difference to one."""
    for i in range(1, min(len(current), len(previous))):
        neighbours = (current[i - 1], previous[i - 1], previous[i])
        yield current[i], np.max([np.abs(current[i] - other) for other in neighbours], axis=0)


def _better(best: Estimate | None, new: Estimate) -> Estimate:
    """Take the more accurate of two estimates, element by element."""
    if best is None:
        return new
    wins = new.error < best.error
    return Estimate(*(np.where(wins, a, b) for a, b in zip(new, best, strict=True)))


def _doubted(best: Estimate, quotient: Array, longer: Array, rounding: Array) -> Estimate:
    """The best so far, less trusted where a shorter step contradicts it."""
    distance = np.abs(best.value - quotient) - np.abs(quotient - longer) - rounding
    return best._replace(error=np.maximum(best.error, distance))


def _is_done(best: Estimate, rounding: Array) -> bool:
    return bool(np.all((best.error <= ACCURATE * np.abs(best.value)) | (best.error <= rounding)))


def _unknown(like: Array) -> Estimate:
    """Not three steps in a row stay where the function is finite."""
    nan, infinite = np.full(like.shape, np.nan), np.full(like.shape, np.inf)
    return Estimate(nan, infinite, np.zeros(like.shape))
