"""Sample calls of the functions in the table: tests and documentation are made from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np


@dataclass(frozen=True, slots=True)
class Domain:
    """An open interval on which a function is smooth; samples are drawn from within it."""

    low: float
    high: float


#: The samples of functions that are smooth everywhere stay where float64 differences are accurate.
REAL = Domain(-3.0, 3.0)
POSITIVE = Domain(0.2, 3.0)


@dataclass(frozen=True, slots=True)
class Random:
    """Placeholder for a random array in a sample call, drawn from `domain`.

    If a function needs more than numbers from an interval, such as a symmetric matrix, `structure`
    makes it from the array that was drawn. It is differentiated as part of the call, so that no
    perturbation leaves the structure.
    """

    shape: tuple[int, ...]
    domain: Domain = REAL
    structure: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class SampleCall:
    """One example call of a primitive: `Random` in place of the arrays to differentiate.

    If the result is not unique, such as an eigenvector with its free sign, `invariant` maps it to
    a quantity that is.
    """

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    invariant: Callable[[Any], Any] | None = None


Samples: TypeAlias = Mapping[Callable[..., Any], Sequence[SampleCall]]
"""Sample calls inside the domain of smoothness, by the function that they call."""


def sample(*args: Any, **params: Any) -> SampleCall:
    """Write a `SampleCall` like the call itself: ``sample(Random((3, 4)), axis=0)``."""
    return SampleCall(args, params)


def samples_with(*rows: tuple[Any, ...], domain: Domain = REAL) -> tuple[SampleCall, ...]:
    """Sample calls in which all arguments but the last are constants, one row of them per call.

    The constants are float32, so that they leave the operand its own dtype: some of SciPy's
    functions take Python's numbers for float64.
    """
    shapes = itertools.cycle([(3,), (), (2, 1)])
    return tuple(
        SampleCall((*map(np.float32, row), Random(shape, domain)))
        for row, shape in zip(rows, shapes, strict=False)
    )


def broadcasting_samples(domains: Sequence[Domain]) -> tuple[SampleCall, ...]:
    """Calls whose operands broadcast against each other in every way that NumPy knows."""
    shapes: list[list[tuple[int, ...]]] = [
        [(), (), ()],
        [(3,), (3,), (3,)],
        [(2, 3), (3,), (2, 1)],
        [(), (4,), (1,)],
        [(2, 1, 3), (4, 1), (1, 1, 1)],
    ]
    return tuple(
        SampleCall(tuple(Random(s, d) for s, d in zip(row, domains, strict=False)))
        for row in shapes
    )
