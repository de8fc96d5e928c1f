"""Entries of the cache of a compiled function: its program for one kind of arguments, ready to run.

A function that is differentiated from outside is recorded together with its pullback, and cut in
two: the residuals pass from one program to the other, and nothing is evaluated twice.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.autodiff.call_tracing import uses_traced_value
from tinygrad_ugan.autodiff.core import Tracer
from tinygrad_ugan.autodiff.operands import as_plain, is_differentiated, shape_of
from tinygrad_ugan.autodiff.pytrees import restrict
from tinygrad_ugan.autodiff.transforms import vjp
from tinygrad_ugan.compile.lowering import with_kernels
from tinygrad_ugan.compile.partial_evaluation import cut
from tinygrad_ugan.compile.passes import improved
from tinygrad_ugan.compile.program import StraightLineProgram, Symbol
from tinygrad_ugan.compile.purity import UnknownFunctionError, form_of
from tinygrad_ugan.compile.recorder import Recorded, Recording
from tinygrad_ugan.compile.replay import Replay
from tinygrad_ugan.compile.side_effects import without_random_numbers
from tinygrad_ugan.errors import ArgumentTypeError, kind_of


class Entry:
    """A program, ready to run, and the structure of its result.

    Attributes
    ----------
    program, lowered : StraightLineProgram
        As it was recorded and simplified, and as it runs, with kernels.
    treedef : PyTreeSpec
    """

    def __init__(self, program: StraightLineProgram, treedef: Any) -> None:
        self.program = program
        self.lowered = with_kernels(program)
        self.treedef = treedef
        self._replay = Replay(self.lowered)

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls, Python's objects roughly."""
        return self._replay.nbytes + _BYTES_AN_INSTRUCTION * (1 + self.program.length)

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs of the program."""
        return self._replay(inputs)

    def result(self, outputs: Sequence[Any]) -> Any:
        """Put the first outputs in their places."""
        return optree.tree_unflatten(self.treedef, outputs[: self.treedef.num_leaves])


_BYTES_AN_INSTRUCTION = 2**12


@dataclass(frozen=True, slots=True)
class EntryWithPullback:
    """A function and its pullback, which continues from the residuals of the function.

    Attributes
    ----------
    function, pullback : Entry
    residuals : tuple of (int, str)
        Of each the place among inputs and outputs of the function's program, and the layout that
        the pullback's expects: "C", "F", or empty for any.
    cotangents : Hashable
        The kinds of those that the pullback's program takes.
    """

    function: Entry
    pullback: Entry
    residuals: tuple[tuple[int, str], ...]
    cotangents: Hashable

    @property
    def nbytes(self) -> int:
        """Bytes that it holds between calls."""
        return self.function.nbytes + self.pullback.nbytes

    def evaluate(self, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the result, and the residuals."""
        outputs = self.function.run(inputs)
        values = [*inputs, *outputs]
        residuals = [_laid_out(values[i], order) for i, order in self.residuals]
        return self.function.result(outputs), residuals

    def pull(
        self, residuals: list[Any], again: Callable[[Any], Any], cotangents: Sequence[Any]
    ) -> Any:
        """Pull cotangents back; those of another kind, such as tracers, `again` from the start."""
        given = [_laid_out(x, "C") for x in cotangents]
        kinds, inputs = kinds_of(given)
        if inputs is None or kinds != self.cotangents:
            return again(cotangents)
        return self.pullback.result(self.pullback.run([*residuals, *inputs]))


def _laid_out(x: Any, order: str) -> Any:
    return np.asarray(x, order=order)[()] if order and isinstance(x, np.ndarray) else x  # type: ignore[call-overload]


def record(leaves: Sequence[Any], f: Callable[..., Any], name: str, treedef: Any) -> Entry:
    """Run a function on recorded values of the kind of `leaves`, and make its program."""
    recording = Recording()
    recorded = _recorded(leaves, recording)
    with without_random_numbers(f, recorded):
        out = with_leaves(f, treedef, *recorded)
    program = _program(name, recording, recorded, out)
    return Entry(program, optree.tree_structure(out))


def record_with_pullback(
    leaves: Sequence[Any],
    f: Callable[..., Any],
    name: str,
    treedef: Any,
    positions: tuple[int, ...],
) -> EntryWithPullback:
    """Record the pullback to the leaves at some positions as well, and cut it off."""
    recording = Recording()
    recorded = _recorded(leaves, recording)
    of_leaves = functools.partial(with_leaves, f, treedef)
    of_chosen, chosen = restrict(of_leaves, positions, tuple(recorded), {})
    with without_random_numbers(f, recorded):
        out, pull = vjp(of_chosen, *chosen)
        results, out_treedef = optree.tree_flatten(out)
        ones = [np.ones(shape_of(y), y.dtype)[()] for y in results]
        cotangents = _recorded(ones, recording)
        back = pull(optree.tree_unflatten(out_treedef, cotangents))
    program = _program(name, recording, [*recorded, *cotangents], (out, back))
    parts = cut(program, [x.variable for x in cotangents], len(positions))

    return EntryWithPullback(
        Entry(parts.early, out_treedef),
        Entry(parts.late, optree.tree_structure(back)),
        tuple((i, getattr(x, "order", "")) for x, i in parts.residuals.items()),
        kinds_of(ones)[0],
    )


def record_program(
    name: str, f: Callable[..., Sequence[Sequence[Any]]], groups: Sequence[Sequence[Any]]
) -> tuple[StraightLineProgram, list[tuple[Symbol, ...]], list[int]]:
    """Record a function from groups of leaves to groups of leaves.

    Returns its program, the variables of every group, and how many results every group has.
    """
    recording = Recording()
    recorded = [_recorded(leaves, recording) for leaves in groups]
    flat = [*itertools.chain(*recorded)]
    with without_random_numbers(f, flat):
        results = f(*recorded)
    program = _program(name, recording, flat, [*itertools.chain(*results)])
    variables = [tuple(x.variable for x in each if isinstance(x, Recorded)) for each in recorded]
    return program, variables, [*map(len, results)]


def with_leaves(f: Callable[..., Any], treedef: Any, *leaves: Any) -> Any:
    """Call a function with the leaves of its arguments."""
    args, kwargs = optree.tree_unflatten(treedef, leaves)
    return f(*args, **kwargs)


def _recorded(leaves: Sequence[Any], recording: Recording) -> list[Any]:
    """Put recorded values in the place of arrays and floats."""
    return [
        Recorded(x, recording, Symbol.like(x)) if is_input(x) else x for x in map(_plain, leaves)
    ]


def _program(
    name: str, recording: Recording, recorded: Sequence[Any], out: Any
) -> StraightLineProgram:
    if any(map(is_differentiated, optree.tree_leaves(out))):
        raise uses_traced_value(name)
    inputs = [x.variable for x in recorded if isinstance(x, Recorded)]
    return improved(recording.program(name, inputs, out))


def kinds_of(leaves: Sequence[Any]) -> tuple[Hashable, list[Any] | None]:
    """The kinds of arguments, which a program is for, and its inputs.

    The inputs are None if one is a tracer.
    """
    kinds: list[Any] = []
    inputs: list[Any] = []
    for x in map(_plain, leaves):
        kind = type(x)
        if isinstance(x, np.ndarray):
            kinds.append((x.shape, x.dtype, x.strides))
            inputs.append(x)
        elif kind is float or isinstance(x, np.generic):
            kinds.append(kind)
            inputs.append(x)
        elif isinstance(x, Tracer):
            return None, None
        else:
            kinds.append(_constant(x))
    return tuple(kinds), inputs


def _constant(x: Any) -> Hashable:
    """An argument that is part of the program: by what it is made of, if that can be known."""
    try:
        return form_of(x)
    except UnknownFunctionError:
        if not isinstance(x, Hashable):
            expected = "arrays, numbers, pytrees of them, or constants that can be hashed"
            raise ArgumentTypeError("args", kind_of(x), expected) from None
        return type(x), x


def _plain(x: Any) -> Any:
    return as_plain(x) if isinstance(x, np.ndarray) and type(x) is not np.ndarray else x


def is_input(x: Any) -> bool:
    """Whether a leaf is an input of programs, and not a constant in them."""
    return type(x) is float or isinstance(x, np.ndarray | np.generic)
