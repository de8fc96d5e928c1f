"""A pass that drops the instructions whose results nothing depends on."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from itertools import compress
from typing import Any

import optree

from tinygrad_ugan.autodiff.primitive import Memo
from tinygrad_ugan.compile.loop import Loop
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
            call = _narrowed(each, each.function, needed) if each.body is not None else each
            needed.update(x for x in call.operands if isinstance(x, Symbol | Memo))
            kept.append(call)
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


def _narrowed(call: Instruction, loop: Any, needed: Container[Any]) -> Instruction:
    """A loop without the results, and the parts of its carry, that nothing depends on."""
    first, last = loop.carries, loop.carries + loop.ys
    results = [y in needed for y in call.results]
    known = 0
    while known < sum(results):  # what one part of the carry depends on is needed, too
        known = sum(results)
        outputs = tuple(compress(loop.body.outputs, results))
        body = without_dead_code(replace(loop.body, outputs=outputs))
        read = {x for each in body.instructions for x in each.variables}.union(outputs)
        for i, x in enumerate(body.inputs[:first]):
            results[i] |= x in read

    inputs = [*results[:first], *(x in read for x in body.inputs[first:])]
    if all(results) and all(inputs):
        return call
    (carry, totals, columns, captured), _ = call.arguments
    stop = first + len(columns)
    operands, treedef = optree.tree_flatten(
        (
            (
                list(compress(carry, inputs)),
                list(compress(totals, results[last:])),
                list(compress(columns, inputs[first:])),
                list(compress(captured, inputs[stop:])),
            ),
            {},
        )
    )
    body = replace(body, inputs=tuple(compress(body.inputs, inputs)))
    function = Loop(body, loop.length, sum(results[:first]), sum(results[first:last]))
    return replace(
        call,
        function=function,
        operands=tuple(operands),
        treedef=treedef,
        results=tuple(compress(call.results, results)),
    )
