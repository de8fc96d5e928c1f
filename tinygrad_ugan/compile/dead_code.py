"""A pass that drops the instructions whose results nothing depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol


def without_dead_code(program: StraightLineProgram) -> StraightLineProgram:
    """Keep what the outputs depend on. The results stay the same to the bit.

    Half of what a derivative records is dead: the value when only the gradient is wanted, and
    cotangents of arguments that are not differentiated. The evaluation that fills a `Memo` stays
    while a derivative reads it.
    """
    filled = _filled_memos(program)
    needed: set[Any] = {x for x in program.outputs if isinstance(x, Symbol | Memo)}
    kept: list[Instruction] = []
    for each in reversed(program.instructions):
        if not needed.isdisjoint((*each.results, *filled.get(each, ()))):
            needed.update(x for x in each.operands if isinstance(x, Symbol | Memo))
            kept.append(each)
    return replace(program, instructions=tuple(reversed(kept)))


def _filled_memos(program: StraightLineProgram) -> dict[Instruction, list[Memo]]:
    """The memos that an instruction is the first to be handed."""
    seen: set[Memo] = set()
    filled: dict[Instruction, list[Memo]] = {}
    for each in program.instructions:
        new = [x for x in each.operands if isinstance(x, Memo) and x not in seen]
        seen.update(new)
        filled[each] = new
    return filled
