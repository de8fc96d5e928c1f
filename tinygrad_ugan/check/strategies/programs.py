"""Random programs made of the functions of the engine's table, as data.

A program starts from one array. Each step calls a function the way one of its samples does, and
feeds each operand from an earlier value; what no step reads is summed up in the end. One
interpreter runs a program on arrays, on tensors and, with other functions, on anything else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import optree

from tinygrad_ugan.autodiff.samples import SampleCall
from tinygrad_ugan.check.strategies.samples import (
    TABLE,
    Record,
    broadcasts,
    call,
    drawn,
    operands,
    samples_of,
    with_operands,
    with_shapes,
)
from tinygrad_ugan.typing import Array

FunctionOf = Callable[[Record], Callable[..., Any]]


class ProgramStep(NamedTuple):
    """A call of `record` like `sample`, with the values at `sources` for its operands."""

    record: Record
    sample: SampleCall
    sources: tuple[int, ...]


class RandomProgram:
    """A function of one array, whose value is a number.

    Value 0 is `x`; the steps' values follow in order. (Not a dataclass: hypothesis would print the
    fields of that instead of its text.)

    Attributes
    ----------
    x : ndarray
        Where to look at it.
    steps : tuple of ProgramStep
    """

    def __init__(self, x: Array, steps: Sequence[ProgramStep]) -> None:
        self.x = x
        self.steps = tuple(steps)

    def __call__(self, x: Any) -> Any:
        """The value at x, an array or a tensor."""
        return self.run(x, _itself)

    def run(self, x: Any, function_of: FunctionOf) -> Any:
        """The value at x, where `function_of(record)` is called in place of a record."""
        values = [x]
        for step in self.steps:
            values += _results(step, values, function_of)
        return sum(_weighted_sum(values[i]) for i in self._unread(values))

    def __repr__(self) -> str:
        lines, values = [f"v0 = {self.x.tolist()}"], [self.x]
        for step in self.steps:
            new = _results(step, values, _itself)
            names = ", ".join(f"v{len(values) + i}" for i in range(len(new)))
            lines.append(f"{names} = {_text(step)}")
            values += new
        unread = ", ".join(f"v{i}" for i in self._unread(values))
        return "\n".join([*lines, f"return the weighted sum of {unread}"])

    def _unread(self, values: Sequence[Any]) -> list[int]:
        read = {source for step in self.steps for source in step.sources}
        return [i for i in range(len(values)) if i not in read]


@st.composite
def programs(
    draw: st.DrawFn,
    among: Sequence[tuple[Record, SampleCall]] | None = None,
    min_steps: int = 5,
    max_steps: int = 40,
) -> RandomProgram:
    """Random programs: compositions of functions of the table, smooth at random points.

    Parameters
    ----------
    among : sequence of pairs of a record and a sample, optional
        The calls to make programs of; all whose values are float64 if not given.
    min_steps, max_steps : int
        How many.

    Returns
    -------
    strategy of RandomProgram
        A callable with the point to look at, ``program(program.x)``.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=3, deadline=None)
    ... @given(ug.check.strategies.programs(max_steps=5))
    ... def gradients_are_right(program):
    ...     ug.check.check_grads(program, (program.x,), order=1)
    >>> gradients_are_right()
    """
    pairs = _calls_with_doubles() if among is None else among
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal(draw(hnp.array_shapes(max_dims=2, max_side=3)))
    steps: list[ProgramStep] = []
    values: list[Any] = [x]
    for _ in range(draw(st.integers(min_steps, max_steps))):
        record, sample = draw(st.sampled_from(pairs))
        if broadcasts(record, sample):
            sample = draw(reshaped(sample, max_dims=2, max_side=3))
        sources = tuple(draw(st.integers(0, len(values) - 1)) for _ in operands(sample))
        steps.append(ProgramStep(record, sample, sources))
        values += _results(steps[-1], values, _itself)
    return RandomProgram(x, steps)


@st.composite
def reshaped(draw: st.DrawFn, /, sample: SampleCall, **limits: Any) -> SampleCall:
    """A sample whose operands have other shapes, which broadcast against each other."""
    count = len(operands(sample))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=count, **limits))
    return with_shapes(sample, shapes.input_shapes)


def evaluate(sample: SampleCall, arrays: Sequence[Any], function: Callable[..., Any]) -> list[Any]:
    """Call `function` as a sample does, on `arrays`, and list the nonempty arrays that come out."""
    return [x for x in optree.tree_leaves(call(sample, arrays, function)) if np.size(x)]


def fit(value: Any, shape: tuple[int, ...], low: float, high: float, place: int) -> Any:
    """Make the operand at a place of a call, of `shape` and between `low` and `high`, smoothly.

    Elements of `value` are repeated as needed, each with a shift of its own (the steps of elements
    and of places have no common multiple), so that no two are equal by construction. The slope is
    at most 0.9: long programs stay well-conditioned.
    """
    count = int(np.prod(shape))
    elements = np.reshape(value, -1)[np.arange(count) % np.size(value)]
    radius = (high - low) / 2
    shifts = np.sin(1 + np.sqrt(2) * place + np.arange(count) / 2)
    waves = np.sin((elements + shifts) / radius)
    return np.reshape(low + radius + 0.9 * radius * waves, shape)


def _itself(record: Record) -> Callable[..., Any]:
    return record


def _results(step: ProgramStep, values: Sequence[Any], function_of: FunctionOf) -> list[Any]:
    """The nonempty arrays that a step makes."""
    sources = [values[i] for i in step.sources]
    arrays = [
        fit(value, x.shape, x.domain.low, x.domain.high, place)
        for place, (value, x) in enumerate(zip(sources, operands(step.sample), strict=True))
    ]
    return evaluate(step.sample, arrays, function_of(step.record))


def _weighted_sum(value: Any) -> Any:
    return np.sum(np.cos(np.arange(np.size(value))) * np.reshape(value, -1))


def _text(step: ProgramStep) -> str:
    fits = [
        _Unquoted(f"fit(v{i}, {x.shape}, {x.domain.low}, {x.domain.high}, {place})")
        for place, (i, x) in enumerate(zip(step.sources, operands(step.sample), strict=True))
    ]
    args = [repr(x) for x in with_operands(step.sample, fits)]
    args += [f"{name}={value!r}" for name, value in step.sample.params.items()]
    return f"{step.record.name}({', '.join(args)})"


class _Unquoted(str):
    """Prints without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


@functools.cache
def _calls_with_doubles() -> list[tuple[Record, SampleCall]]:
    return [(r, sample) for r in TABLE for sample in samples_of(r) if _yields_doubles(r, sample)]


def _yields_doubles(record: Record, sample: SampleCall) -> bool:
    results = evaluate(sample, drawn(sample, np.random.default_rng(0)), record)
    return bool(results) and all(x.dtype == np.float64 for x in results)
