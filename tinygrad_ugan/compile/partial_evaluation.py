"""Partial evaluation: a program cut in two, as some of its inputs come later than the others.

So a derivative in reverse mode is cut at its cotangents: what does not depend on them is computed
together with the results, and what both parts have in common, the *residuals*, waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.costs import is_cheap
from tinygrad_ugan.compile.dead_code import without_dead_code
from tinygrad_ugan.compile.program import (
    PRODUCTS,
    Instruction,
    StraightLineProgram,
    Symbol,
    multiply_adds,
)


@dataclass(frozen=True, slots=True)
class CutProgram:
    """The two parts of a program.

    Attributes
    ----------
    early : StraightLineProgram
        Returns the outputs that do not wait, and behind them what it computes for `late`.
    late : StraightLineProgram
        Takes the residuals, and behind them the late inputs.
    residuals : dict
        The place of each among the inputs and outputs of `early`.
    """

    early: StraightLineProgram
    late: StraightLineProgram
    residuals: dict[Symbol | Memo, int]


def cut(program: StraightLineProgram, late: Sequence[Symbol], waiting: int) -> CutProgram:
    """Cut a program at its inputs `late`, for which the last `waiting` of its outputs wait.

    What is cheap to compute from what is there anyway, is computed again in the late part, and not
    kept: views, casts to larger numbers, a few additions and products.
    """
    inputs = tuple(x for x in program.inputs if x not in late)
    ready, wanted = program.outputs[:-waiting], program.outputs[-waiting:]
    first, second = _separated(program.instructions, late)
    operands = (x for each in second for x in each.operands)
    needed = {x for x in (*operands, *wanted) if isinstance(x, Symbol | Memo)}
    needed, again = _Residuals(inputs, first).without_cheap(needed)
    residuals = [x for x in dict.fromkeys((*inputs, *_values_of(first))) if x in needed]
    at_hand = {*inputs, *filter(_stays, ready)}
    outputs = (*ready, *(x for x in residuals if x not in at_hand))
    names: dict[Symbol | Memo, Any] = {x: Symbol.like(x) for x in residuals if isinstance(x, Memo)}
    places = {x: i for i, x in enumerate((*inputs, *outputs)) if isinstance(x, Symbol | Memo)}
    return CutProgram(
        without_dead_code(StraightLineProgram(program.name, inputs, tuple(first), outputs)),
        StraightLineProgram(
            f"pullback of {program.name}",
            (*(names.get(x, x) for x in residuals), *late),
            tuple(each.renamed(names) for each in (*again, *second)),
            wanted,
        ),
        {x: places[x] for x in residuals},
    )


def _separated(
    instructions: Iterable[Instruction], late: Sequence[Symbol]
) -> tuple[list[Instruction], list[Instruction]]:
    """The instructions that depend on no late variable, and those that do."""
    waiting = set(late)
    parts: tuple[list[Instruction], list[Instruction]] = ([], [])
    for each in instructions:
        is_late = not waiting.isdisjoint(each.variables)
        waiting.update(each.results if is_late else ())
        parts[is_late].append(each)
    return parts


class _Residuals:
    """The choice of what the late part is handed, and of what it computes again."""

    def __init__(self, inputs: Iterable[Symbol], first: Sequence[Instruction]) -> None:
        self._inputs = set(inputs)
        self._first = first
        self._maker = {y: each for each in first for y in each.results}

    def without_cheap(
        self, needed: set[Symbol | Memo]
    ) -> tuple[set[Symbol | Memo], list[Instruction]]:
        """Return fewer residuals, and the instructions that make up for the others."""
        again: list[Instruction] = []
        for each in reversed(self._first):
            y = each.results[0]
            if y in needed and (_is_view(each) or self._costs_less(y, needed)):
                needed = (needed - {y}) | set(each.variables)
                again.insert(0, each)
        return needed, again

    def _costs_less(self, y: Symbol, needed: set[Symbol | Memo]) -> bool:
        """Whether y can be computed from what is there anyway, and little more."""
        if not self._is_cheap(y):
            return False
        more, visited, chain = set[Symbol](), {y}, [y]
        while chain and len(visited) < _LONGEST:
            for x in self._maker[chain.pop()].variables:
                if x in self._inputs or x in needed or x in visited:
                    continue
                visited.add(x)
                (chain.append if self._is_cheap(x) else more.add)(x)
        return sum(x.nbytes for x in (*more, *chain)) < y.nbytes

    def _is_cheap(self, y: Symbol) -> bool:
        call = self._maker[y]
        if call.name in PRODUCTS:
            return 0 < multiply_adds(call) <= _NARROW * y.size
        return is_cheap(call) or (call.name in _VIEWS and call.results[0].is_view)


_NARROW = 4
"""Multiply-adds an element of a product that is cheap."""

_LONGEST = 8
"""Values that are computed again for one."""

_VIEWS = frozenset(
    {"astype", "broadcast_to", "expand_dims", "getitem", "moveaxis", "ravel", "reshape", "squeeze"}
    | {"swapaxes", "transpose"}
)


def _is_view(call: Instruction) -> bool:
    """Whether a call of one of these only takes a view, or needs less memory than its result."""
    y = call.results[0]
    is_small = y.is_view or sum(x.nbytes for x in call.variables) <= y.nbytes
    return call.name in _VIEWS and is_small


def _values_of(instructions: Iterable[Instruction]) -> Iterator[Symbol | Memo]:
    """The variables that instructions compute, and the memos that they fill."""
    for each in instructions:
        yield from (x for x in each.operands if isinstance(x, Memo))
        yield from each.results


def _stays(output: Any) -> bool:
    """Whether a tensor will hold an output, so that its caller cannot write to it."""
    return isinstance(output, Symbol) and output.dtype.kind in "fc"
