"""The sample calls of the engine's table of functions, made real."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff import functions, rules
from tinygrad_ugan.autodiff.primitive import Composite, Primitive
from tinygrad_ugan.autodiff.rules import RECORDS, matrix_equations, special
from tinygrad_ugan.autodiff.samples import Random, SampleCall, broadcasting_samples
from tinygrad_ugan.nn import activations, convolution, minibatch_discrimination

Record = Primitive | Composite

TABLE: tuple[Record, ...] = (
    *RECORDS,
    *special.RULES,
    *matrix_equations.RULES,
    *functions.PRIMITIVES,
    *activations.PRIMITIVES,
    *convolution.PRIMITIVES,
    *minibatch_discrimination.PRIMITIVES,
)
"""Every function that the engine differentiates."""

_ROOMS = (rules, special, matrix_equations, functions, convolution, minibatch_discrimination)
_SAMPLES = {f: calls for room in _ROOMS for f, calls in room.SAMPLES.items()}


def samples_of(record: Record) -> Sequence[SampleCall]:
    """The sample calls of a function: those beside its rule, or drawn from its domains."""
    domains = record.domains if isinstance(record, Primitive) else ()
    return _SAMPLES.get(record.function) or broadcasting_samples(domains)


def operands(sample: SampleCall) -> list[Random]:
    """The operands of a sample call, in order."""
    return [x for x in optree.tree_leaves(sample.args) if isinstance(x, Random)]


def with_operands(sample: SampleCall, values: Sequence[Any]) -> Any:
    """The arguments of a sample call, with `values` in place of its operands."""
    leaves, treedef = optree.tree_flatten(sample.args, none_is_leaf=True)
    rest = iter(values)
    filled = [next(rest) if isinstance(x, Random) else x for x in leaves]
    return optree.tree_unflatten(treedef, filled)


def with_shapes(sample: SampleCall, shapes: Sequence[tuple[int, ...]]) -> SampleCall:
    """A sample call with operands of other shapes."""
    pairs = zip(operands(sample), shapes, strict=True)
    new = [dataclasses.replace(x, shape=shape) for x, shape in pairs]
    return dataclasses.replace(sample, args=with_operands(sample, new))


def broadcasts(record: Record, sample: SampleCall) -> bool:
    """Whether a call may take operands of any shapes that broadcast."""
    is_ufunc = isinstance(record.function, np.ufunc) and record.function.signature is None
    leaves = optree.tree_leaves(sample.args)
    fixed = any(np.ndim(x) for x in leaves if not isinstance(x, Random))
    return (record.kind == "elementwise" or is_ufunc) and not fixed


def drawn(sample: SampleCall, rng: np.random.Generator) -> list[Any]:
    """Random operands of a sample call, each in its domain."""
    return [rng.uniform(x.domain.low, x.domain.high, x.shape)[()] for x in operands(sample)]


def call(sample: SampleCall, arrays: Sequence[Any], function: Callable[..., Any]) -> Any:
    """Call `function` as a sample does, on `arrays`; of the result, what is unique of it."""
    pairs = zip(operands(sample), arrays, strict=True)
    structured = [a if x.structure is None else x.structure(a) for x, a in pairs]
    out = function(*with_operands(sample, structured), **sample.params)
    return out if sample.invariant is None else sample.invariant(out)


def joined(result: Any) -> Any:
    """Several results as one vector, that of their floating-point elements."""
    if not isinstance(result, tuple | list):
        return result
    return np.concatenate([np.ravel(x) for x in result if x.dtype.kind == "f"])
