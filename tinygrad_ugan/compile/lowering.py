"""The pass that hands instructions to the kernels: the rest stays as calls of NumPy between them.

Instructions are sorted into stages, kernels and NumPy in turn, each as early as its operands allow;
all instructions of a stage for the kernels become one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.compile.kernels import Kernels
from tinygrad_ugan.compile.operations import can_lower, is_view
from tinygrad_ugan.compile.program import Instruction, StraightLineProgram, Symbol

FEWEST = 2
"""Instructions of a piece for the kernels: a call of them takes as long as a few of NumPy's."""


def with_kernels(program: StraightLineProgram) -> StraightLineProgram:
    """Replace instructions that kernels can take over by calls of `Kernels`."""
    dtype = _common_dtype(program)
    if dtype is None:
        return program
    lowered = {
        each for each in program.instructions if not is_view(each) and can_lower(each, dtype)
    }
    for calls in _StagedProgram(program, lowered).pieces:
        if len(calls) < FEWEST:
            lowered.difference_update(calls)
    return _StagedProgram(program, lowered).assembled(dtype) if lowered else program


def _common_dtype(program: StraightLineProgram) -> np.dtype[Any] | None:
    """The dtype of most of the numbers."""
    sizes: Counter[np.dtype[Any]] = Counter()
    for each in program.instructions:
        for y in each.results:
            if y.dtype in (np.float32, np.float64):
                sizes[y.dtype] += y.size
    return sizes.most_common(1)[0][0] if sizes else None


class _StagedProgram:
    """The stages of a program of which some instructions are lowered.

    A view is taken where it is read: by kernels, which it costs nothing, or by NumPy.
    """

    def __init__(self, program: StraightLineProgram, lowered: set[Instruction]) -> None:
        self._program = program
        self._lowered = set(lowered)
        self._maker = {y: each for each in program.instructions for y in each.results}
        self._needed = {x for x in program.outputs if isinstance(x, Symbol)}  # outside of kernels
        self._stage_of: dict[Symbol, int] = {}
        self._stages: defaultdict[int, list[Instruction]] = defaultdict(list)
        for each in self._kept():
            self._add(each)

    @property
    def pieces(self) -> list[list[Instruction]]:
        """The lowered instructions of every stage."""
        return [calls for stage, calls in self._stages.items() if stage % 2 == 0]

    def assembled(self, dtype: np.dtype[Any]) -> StraightLineProgram:
        """The program with one instruction for each piece."""
        readers: defaultdict[Symbol, set[int]] = defaultdict(set)
        for stage in self._stages:
            for each in self._stages[stage] if stage % 2 == 0 else ():
                for x in each.variables:
                    readers[self._root(x)].add(stage)
        instructions: list[Instruction] = []
        for stage, calls in sorted(self._stages.items()):
            if stage % 2:
                instructions += calls
            else:
                results = (each.results[0] for each in calls)
                outputs = [y for y in results if y in self._needed or readers[y] - {stage}]
                instructions.append(self._piece(calls, outputs, dtype))
        return replace(self._program, instructions=tuple(instructions))

    def _kept(self) -> list[Instruction]:
        """All instructions but the views that kernels alone read."""
        kept: list[Instruction] = []
        for each in reversed(self._program.instructions):
            if is_view(each):
                if each.results[0] not in self._needed:
                    continue
                if self._maker.get(self._root(each.operands[0])) in self._lowered:
                    self._lowered.add(each)
            if each not in self._lowered:
                self._needed.update(each.variables)
            kept.append(each)
        return kept[::-1]

    def _add(self, each: Instruction) -> None:
        is_lowered = each in self._lowered
        sources = map(self._root, each.variables) if is_lowered else each.variables
        parity = 0 if is_lowered else 1
        stage = max((self._stage_of.get(x, -parity) for x in sources), default=-parity)
        stage += (stage - parity) % 2
        self._stages[stage].append(each)
        self._stage_of.update(dict.fromkeys(each.results, stage))

    def _views(self, x: Symbol) -> list[Instruction]:
        """The views that lead to a variable, the first one first."""
        found: list[Instruction] = []
        while (call := self._maker.get(x)) is not None and is_view(call):
            found.insert(0, call)
            x = call.operands[0]
        return found

    def _root(self, x: Symbol) -> Symbol:
        """The variable at the beginning of the views that lead to another."""
        views = self._views(x)
        root: Symbol = views[0].operands[0] if views else x
        return root

    def _piece(
        self, calls: Sequence[Instruction], outputs: Sequence[Symbol], dtype: np.dtype[Any]
    ) -> Instruction:
        body: dict[Instruction, None] = {}
        for each in calls:
            for x in each.variables:
                body.update(dict.fromkeys(self._views(x)))
            body[each] = None
        made = {y for each in body for y in each.results}
        read = (x for each in body for x in each.variables)
        inputs = tuple(dict.fromkeys(x for x in read if x not in made))
        function = Kernels(tuple(body), inputs, outputs, dtype)
        treedef = optree.tree_structure((inputs, {}))
        return Instruction("kernels", function, inputs, treedef, tuple(outputs), True, False)
