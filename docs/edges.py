"""Derivatives at the edges: infinity, 0 and the ends of a function's domain.

Everything follows from the records of the table: which functions take single numbers, where they
have a value, and what the engine says of their first and second derivatives there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_ugan as ug
from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.autodiff.samples import Random
from tinygrad_ugan.check.strategies.samples import samples_of

POINTS = (-np.inf, -1.0, 0.0, 1.0, np.inf)
PAIRS = ((0.0, 0.0), (np.inf, 0.0), (0.0, np.inf), (-np.inf, -np.inf), (np.inf, np.inf))


def of_numbers(record: Primitive | Composite) -> Callable[..., Any] | None:
    """An elementwise function of one or two numbers; an order and the like are a sample's."""
    if record.kind != "elementwise":
        return None
    args = samples_of(record)[0].args
    places = [i for i, x in enumerate(args) if isinstance(x, Random)]
    constants = [x for i, x in enumerate(args) if i not in places]
    if len(places) > 2 or any(np.ndim(x) for x in constants):
        return None

    def f(*numbers: Any) -> Any:
        full = list(args)
        for i, x in zip(places, numbers, strict=True):
            full[i] = x
        return record(*full)

    f.count = len(places)  # type: ignore[attr-defined]
    return f


def edges(f: Any) -> Sequence[tuple[float, ...]]:
    """The points at the edges where f has a value; 1 and -1 only where its domain ends."""
    if f.count == 2:
        return [pair for pair in PAIRS if has_value(f, pair)]
    ends = [x for x in (-1.0, 1.0) if has_value(f, (1.5 * x,)) != has_value(f, (0.9 * x,))]
    return [(x,) for x in POINTS if has_value(f, (x,)) and (abs(x) != 1 or x in ends)]


def has_value(f: Any, point: Sequence[float]) -> bool:
    """Whether f is a number there, be it infinite."""
    with np.errstate(all="ignore"):
        return not np.isnan(f(*map(np.float64, point)))


def derivatives(f: Any, point: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """The gradient and the Hessian."""

    def gradient(x: Any) -> Any:
        return np.stack(ug.grad(f, tuple(range(f.count)))(*x))

    x = np.array(point)
    with np.errstate(all="ignore"):
        return gradient(x), ug.jacobian(gradient)(x)


def described(record: Primitive | Composite) -> str:
    """The derivatives at the edges in words: of one number the first two, as in ``0: 1, 0``."""
    f = of_numbers(record)
    if f is None:
        return ""
    return "; ".join(f"{_place(point)}: {_at(f, point)}" for point in edges(f))


def _place(point: Sequence[float]) -> str:
    return _numbers(point) if len(point) == 1 else f"({_numbers(point)})"


def _at(f: Any, point: Sequence[float]) -> str:
    gradient, hessian = derivatives(f, point)
    return _numbers([*gradient, *(hessian[0] if f.count == 1 else [])])


def _numbers(values: Any) -> str:
    return ", ".join(f"{x:.4g}" for x in np.add(values, 0.0))
