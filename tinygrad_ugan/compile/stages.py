"""Functions in stages: what each of several groups of arguments allows to be computed.

Where arguments come one group after the other, a program is cut at every group. So the adjoint of a
step, which comes last, finds waiting all that the step itself has computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_ugan.compile.dead_code import without_dead_code
from tinygrad_ugan.compile.entries import record_program
from tinygrad_ugan.compile.operations import can_lower, is_view
from tinygrad_ugan.compile.partial_evaluation import cut
from tinygrad_ugan.compile.piece import Piece
from tinygrad_ugan.compile.program import StraightLineProgram, Symbol


@dataclass(frozen=True, slots=True)
class Stage:
    """All that one group of arguments allows to be computed.

    Attributes
    ----------
    program : StraightLineProgram
        Takes variables of this stage and of those before it, by their identity, and returns the
        results of this stage, and behind them what later stages take.
    arguments : tuple of Symbol
        Those of the group.
    results : int
        How many there are.
    """

    program: StraightLineProgram
    arguments: tuple[Symbol, ...]
    results: int

    @property
    def returned(self) -> tuple[Any, ...]:
        """The results: variables and constants."""
        return self.program.outputs[: self.results]

    @property
    def kept(self) -> tuple[Symbol, ...]:
        """All that is computed for later stages."""
        return self.program.outputs[self.results :]

    @property
    def is_complete(self) -> bool:
        """Whether its results depend on no arguments of later stages."""
        made = {y for each in self.program.instructions for y in each.results}
        at_hand = made.union(self.program.inputs)
        return all(x in at_hand for x in self.returned if isinstance(x, Symbol))

    def only(self, results: slice) -> Stage:
        """The same without the other results, and without what only they need."""
        returned = self.returned[results]
        program = replace(self.program, outputs=(*returned, *self.kept))
        return Stage(without_dead_code(program), self.arguments, len(returned))

    def piece(self, dtype: np.dtype[Any]) -> Piece | None:
        """The whole program as a piece for kernels; None if NumPy has to run a part of it."""
        program = self.program
        constants = [x for x in program.outputs if not isinstance(x, Symbol)]
        if not all(isinstance(x, np.ndarray) and x.dtype == dtype and x.size for x in constants):
            return None
        if not all(is_view(x) or can_lower(x, dtype) for x in program.instructions):
            return None
        return Piece(program.instructions, program.inputs, program.outputs, dtype)


def record_stages(
    name: str, f: Callable[..., Sequence[Sequence[Any]]], *groups: Sequence[Any]
) -> list[Stage]:
    """Record a function of groups of leaves that returns as many groups.

    The results of a group may depend on its arguments, and on those of the groups before it.
    """
    program, arguments, counts = record_program(name, f, groups)
    stages: list[Stage] = []
    for i in reversed(range(1, len(groups))):
        waiting = len(program.outputs) - sum(counts[:i])
        parts = cut(program, arguments[i], waiting)
        stages.insert(0, Stage(parts.late, arguments[i], counts[i]))
        program = parts.early
    return [Stage(program, arguments[0], counts[0]), *stages]
