"""Partial evaluation: a program cut in two, as some of its inputs come later than the others.

So a derivative in reverse mode is cut at its cotangents: what does not depend on them is computed
together with the results, and what both parts have in common, the *residuals*, waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.dead_code import without_dead_code
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol


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

    Views, and casts to larger numbers, are taken again in the late part and are not kept.
    """
    inputs = tuple(x for x in program.inputs if x not in late)
    ready, wanted = program.outputs[:-waiting], program.outputs[-waiting:]
    first, second = _separated(program.instructions, late)
    needed, again = _needed(first, second, wanted)
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


def _needed(
    first: Sequence[Instruction], second: Iterable[Instruction], wanted: Iterable[Any]
) -> tuple[set[Symbol | Memo], list[Instruction]]:
    """All that the late part takes from others, and the early instructions that it runs again."""
    operands = (x for each in second for x in each.operands)
    needed = {x for x in (*operands, *wanted) if isinstance(x, Symbol | Memo)}
    again: list[Instruction] = []
    for each in reversed(first):
        if each.results[0] in needed and each.name in _CHEAP and _is_cheap(each):
            needed.remove(each.results[0])
            needed.update(each.variables)
            again.insert(0, each)
    return needed, again


_CHEAP = frozenset(
    {"astype", "broadcast_to", "expand_dims", "getitem", "moveaxis", "ravel", "reshape", "squeeze"}
    | {"swapaxes", "transpose"}
)


def _is_cheap(call: Instruction) -> bool:
    """Whether a call of one of these only takes a view, or needs less memory than its result."""
    y = call.results[0]
    return y.is_view or sum(x.nbytes for x in call.variables) <= y.nbytes


def _values_of(instructions: Iterable[Instruction]) -> Iterator[Symbol | Memo]:
    """The variables that instructions compute, and the memos that they fill."""
    for each in instructions:
        yield from (x for x in each.operands if isinstance(x, Memo))
        yield from each.results


def _stays(output: Any) -> bool:
    """Whether a tensor will hold an output, so that its caller cannot write to it."""
    return isinstance(output, Symbol) and output.dtype.kind in "fc"
