"""Arrays where a function is smooth, and calls of every function that the engine knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
from numpy.typing import DTypeLike

from tinygrad_ugan.autodiff.samples import REAL, Domain, SampleCall
from tinygrad_ugan.check.strategies.samples import TABLE, Record, call, drawn, joined, samples_of
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.typing import Array

_GENERATORS = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def generators() -> st.SearchStrategy[np.random.Generator]:
    """Random generators, which shrink to ``np.random.default_rng(0)``."""
    return _GENERATORS


@st.composite
def arrays(
    draw: st.DrawFn,
    domain: Domain | tuple[float, float] = REAL,
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]] | None = None,
    dtype: DTypeLike = np.float64,
) -> Array:
    """Arrays of uniform random numbers, for functions that are smooth on an interval.

    Hypothesis' own arrays like zeros, ties and huge numbers: the very points where functions are
    not smooth, and where differences cannot judge a derivative. Here only the shape is adversarial.

    Parameters
    ----------
    domain : Domain or (low, high)
        The interval.
    shape : tuple of int or strategy, optional
        Up to two axes of up to four elements if not given.
    dtype : dtype
        Floating-point.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays((0.5, 2.0), shape=(2,)), lambda x: True).round(2)
    array([1.46, 0.9 ])
    """
    low, high = (domain.low, domain.high) if isinstance(domain, Domain) else domain
    if shape is None:
        shape = hnp.array_shapes(max_dims=2, max_side=4)
    drawn_shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    return draw(generators()).uniform(low, high, drawn_shape).astype(dtype)


class Call(NamedTuple):
    """A function and its arguments, as `check_grads` takes them.

    Attributes
    ----------
    f : callable
        A function of the floating-point operands alone, with one array for a result.
    args : tuple of arrays
        The operands, inside the domain of smoothness.
    """

    f: Callable[..., Any]
    args: tuple[Any, ...]


@st.composite
def calls(draw: st.DrawFn, functions: Iterable[Callable[..., Any]] | None = None) -> Call:
    """Calls of functions that the engine differentiates, at points where they are smooth.

    They are those of docs/primitives.md: axes, indices and other options vary, matrices are as well
    conditioned as the function needs, several results come as one vector, and what is not unique,
    such as the sign of an eigenvector, is made so.

    Parameters
    ----------
    functions : iterable of callable, optional
        NumPy or SciPy functions; all if not given.

    Raises
    ------
    ArgumentError
        If the engine does not know one of them.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=5, deadline=None)
    ... @given(ug.check.strategies.calls([np.linalg.inv, np.cumprod]))
    ... def gradients_are_right(call):
    ...     ug.check.check_grads(call.f, call.args)
    >>> gradients_are_right()
    """
    record, sample = draw(st.sampled_from(_calls_of(functions)))
    rng = draw(generators())

    def f(*operands: Any) -> Any:
        return joined(call(sample, operands, record))

    f.__name__ = record.name
    return Call(f, tuple(drawn(sample, rng)))


def _calls_of(functions: Iterable[Callable[..., Any]] | None) -> list[tuple[Record, SampleCall]]:
    records = {record.function: record for record in TABLE}
    chosen = records.values() if functions is None else [_find(f, records) for f in functions]
    return [(record, sample) for record in chosen for sample in samples_of(record)]


def _find(function: Callable[..., Any], records: dict[Callable[..., Any], Record]) -> Record:
    if function not in records:
        name = getattr(function, "__name__", repr(function))
        raise ArgumentError("functions", name, "functions that the engine has a rule for")
    return records[function]
