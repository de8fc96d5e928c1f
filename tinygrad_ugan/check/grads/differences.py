"""Derivatives along a line by differences and by the complex step, with bounds on their errors.

A *line* is a function of a number t: the results of f(x + t v), as one vector. Nothing here knows
of the engine.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Line = Callable[[complex], NDArray]

EPSILON = float(np.finfo(np.float64).eps)

LONGEST = 0.1
"""The first step: an element moves by a tenth of its size, or of 1."""

MOST_ROWS = 40
"""Steps are halved at most so often: down to 1e-13."""

MOST_EXTRAPOLATIONS = 6
ACCURATE = 1e-10
"""The ladder ends where it has come to a relative error of this."""

ROUNDINGS = 4
"""Those of a quotient: two of f, and as much again by the weights of the extrapolation."""

SAMPLES = 9
SPACINGS = (6e-8, 6e-10)
"""Where noise is looked for: so near that f is a low polynomial, and still apart in float32; nearer
yet, where that is no polynomial.
"""

ALIKE = 30
"""Differences of all orders show the same noise, but for chance: within such a factor."""

NOISIEST = 1e-4
"""What is larger, relative to f, is no rounding error but the function itself: it jumps."""

TINY = 1e-30
"""The complex step: its square is nothing beside one."""


class Estimate(NamedTuple):
    """A derivative, element by element.

    Attributes
    ----------
    value, error : ndarray
        The derivative, and how far it may be off.
    rounding : ndarray
        The part of `error` that comes of rounding.
    """

    value: NDArray
    error: NDArray
    rounding: NDArray


def by_differences(
    line: Line, noise: NDArray, *, longest: float = LONGEST, ratio: float = 2.0
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
    previous: list[NDArray] = []
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


def noise_of(line: Line) -> NDArray:
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


def _noise_at(line: Line, spacing: float) -> NDArray:
    """What differences of order 3 to 6 say: the same, unless there is more in them than noise."""
    differences = np.stack([line((i - SAMPLES // 2) * spacing) for i in range(SAMPLES)])
    found = []
    for order in range(1, 7):
        differences = np.diff(differences, axis=0)
        growth = math.sqrt(math.comb(2 * order, order))
        found.append(np.mean(np.abs(differences), axis=0) / growth)
    return np.stack(found[2:])


def _size(line: Line) -> NDArray:
    """The size of f, not at t = 0 alone, where it may happen to vanish."""
    wide = (_finite(line, LONGEST / 10.0**k) for k in range(10))
    values = [line(0.0), next((value for value in wide if value is not None), 0.0)]
    return np.max(np.abs(np.broadcast_arrays(*values)), axis=0)


def by_complex_step(line: Line) -> NDArray | None:
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


def quotient_rounding(size: NDArray, noise: NDArray, h: float) -> NDArray:
    """What rounding may change in a difference quotient of values of some size and noise."""
    return ROUNDINGS * np.maximum(EPSILON * size, noise) / h


def quotients(line: Line) -> Iterator[tuple[float, NDArray, NDArray]]:
    """Triples of a step h and the slopes from 0 to -h and to h, for shorter and shorter steps."""
    middle = line(0.0)
    for h in LONGEST / 10.0 ** np.arange(9):
        up, down = _finite(line, h), _finite(line, -h)
        if up is not None and down is not None:
            yield float(h), (middle - down) / h, (up - middle) / h


def _finite(line: Line, t: float) -> NDArray | None:
    """The value at t, or None where the function ends before that."""
    try:
        with np.errstate(all="ignore"):
            value = line(t)
    except (ArithmeticError, ValueError):  # as math.log and np.linalg.inv raise
        return None
    return value if np.all(np.isfinite(value)) else None


def _extrapolate(quotient: NDArray, previous: list[NDArray], ratio: float) -> list[NDArray]:
    """The next row of the tableau; entry i is free of the first i terms of the error."""
    current = [quotient]
    for i, older in enumerate(previous[:MOST_EXTRAPOLATIONS], start=1):
        factor = ratio ** (2 * i)
        current.append((factor * current[-1] - older) / (factor - 1))
    return current


def _judged(current: list[NDArray], previous: list[NDArray]) -> Iterator[tuple[NDArray, NDArray]]:
    """The entries that have a neighbour on every side, with the largest difference to one."""
    for i in range(1, min(len(current), len(previous))):
        neighbours = (current[i - 1], previous[i - 1], previous[i])
        yield current[i], np.max([np.abs(current[i] - other) for other in neighbours], axis=0)


def _better(best: Estimate | None, new: Estimate) -> Estimate:
    """Whichever is the more accurate, element by element."""
    if best is None:
        return new
    wins = new.error < best.error
    return Estimate(*(np.where(wins, a, b) for a, b in zip(new, best, strict=True)))


def _doubted(best: Estimate, quotient: NDArray, longer: NDArray, rounding: NDArray) -> Estimate:
    """The best so far, less trusted where a shorter step contradicts it."""
    distance = np.abs(best.value - quotient) - np.abs(quotient - longer) - rounding
    return best._replace(error=np.maximum(best.error, distance))


def _is_done(best: Estimate, rounding: NDArray) -> bool:
    return bool(np.all((best.error <= ACCURATE * np.abs(best.value)) | (best.error <= rounding)))


def _unknown(like: NDArray) -> Estimate:
    """Not three steps in a row stay where the function is finite."""
    nan, infinite = np.full(like.shape, np.nan), np.full(like.shape, np.inf)
    return Estimate(nan, infinite, np.zeros(like.shape))
