"""Random programs made of the records of the table, as data.

A program starts from one array. Each step calls a record the way one of its samples does, and feeds
each operand from an earlier value; what no step reads is summed up in the end. One interpreter runs
a program on arrays, on tensors and, for the oracle, on arrays of jets.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import optree

from tinygrad_ugan.autodiff.primitive import Operand, Sample


class Step(NamedTuple):
    """A call of `record` like `sample`, with the values at `sources` for its operands."""

    record: Any
    sample: Sample
    sources: tuple[int, ...]


class Program:
    """Value 0 is `x`; the steps' values follow in order. Not a dataclass: hypothesis would print
    the fields of that instead of its text.
    """

    def __init__(self, x, steps):
        self.x = x
        self.steps = steps

    def __repr__(self):
        lines, values = [f"v0 = {self.x.tolist()}"], [self.x]
        for step in self.steps:
            new = _results(step, values, _itself)
            names = ", ".join(f"v{len(values) + i}" for i in range(len(new)))
            lines.append(f"{names} = {_text(step)}")
            values += new
        unread = ", ".join(f"v{i}" for i in _unread(self, values))
        return "\n".join([*lines, f"return the weighted sum of {unread}"])


def _itself(record):
    return record


def run(program, x, function_of=_itself):
    """The program's scalar; `function_of(record)` is what to call for a record."""
    values = [x]
    for step in program.steps:
        values += _results(step, values, function_of)
    return sum(_weighted_sum(values[i]) for i in _unread(program, values))


@st.composite
def programs(draw, calls, min_steps=5, max_steps=40):
    """Programs of the given calls, which are pairs of a record and a sample."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal(draw(hnp.array_shapes(max_dims=2, max_side=3)))
    steps, values = [], [x]
    for _ in range(draw(st.integers(min_steps, max_steps))):
        record, sample = draw(st.sampled_from(calls))
        if broadcasts(record, sample):
            sample = draw(reshaped(sample, max_dims=2, max_side=3))
        sources = tuple(draw(st.integers(0, len(values) - 1)) for _ in operands(sample))
        steps.append(Step(record, sample, sources))
        values += _results(steps[-1], values, _itself)
    return Program(x, tuple(steps))


@st.composite
def reshaped(draw, sample, **limits):
    """A sample whose operands have other shapes, which broadcast against each other."""
    n = len(operands(sample))
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=n, **limits)).input_shapes
    new = [dataclasses.replace(x, shape=s) for x, s in zip(operands(sample), shapes, strict=True)]
    return dataclasses.replace(sample, args=with_operands(sample, new))


def broadcasts(record, sample):
    """Whether a call may take operands of any shapes that broadcast."""
    is_ufunc = isinstance(record.function, np.ufunc) and record.function.signature is None
    leaves = optree.tree_leaves(sample.args)
    fixed = any(np.ndim(x) for x in leaves if not isinstance(x, Operand))
    return (record.kind == "elementwise" or is_ufunc) and not fixed


def operands(sample):
    """The operands of a sample call, in order."""
    return [x for x in optree.tree_leaves(sample.args) if isinstance(x, Operand)]


def with_operands(sample, values):
    """The arguments of a sample call, with `values` in place of its operands."""
    leaves, treedef = optree.tree_flatten(sample.args, none_is_leaf=True)
    rest = iter(values)
    filled = [next(rest) if isinstance(x, Operand) else x for x in leaves]
    return optree.tree_unflatten(treedef, filled)


def evaluate(sample, arrays, function):
    """Call `function` as a sample does, on `arrays`, and list the arrays that come out."""
    structured = [_structured(x, a) for x, a in zip(operands(sample), arrays, strict=True)]
    out = function(*with_operands(sample, structured), **sample.params)
    unique = out if sample.invariant is None else sample.invariant(out)
    return [x for x in optree.tree_leaves(unique) if np.size(x)]


def _structured(operand, array):
    return array if operand.structure is None else operand.structure(array)


def fit(value, shape, low, high, place):
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


def _results(step, values, function_of):
    """The nonempty arrays that a step makes."""
    sources = [values[i] for i in step.sources]
    arrays = [
        fit(value, x.shape, x.domain.low, x.domain.high, place)
        for place, (value, x) in enumerate(zip(sources, operands(step.sample), strict=True))
    ]
    return evaluate(step.sample, arrays, function_of(step.record))


def _unread(program, values):
    read = {source for step in program.steps for source in step.sources}
    return [i for i in range(len(values)) if i not in read]


def _weighted_sum(value):
    return np.sum(np.cos(np.arange(np.size(value))) * np.reshape(value, -1))


def _text(step):
    fits = [
        Text(f"fit(v{i}, {x.shape}, {x.domain.low}, {x.domain.high}, {place})")
        for place, (i, x) in enumerate(zip(step.sources, operands(step.sample), strict=True))
    ]
    args = [repr(x) for x in with_operands(step.sample, fits)]
    args += [f"{name}={value!r}" for name, value in step.sample.params.items()]
    return f"{step.record.name}({', '.join(args)})"


class Text(str):
    """Prints without quotes."""

    __slots__ = ()
    __repr__ = str.__str__
