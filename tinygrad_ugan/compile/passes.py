"""The passes over programs, one after the other."""

from __future__ import annotations

from tinygrad_ugan.compile.common_subexpressions import with_common_subexpressions
from tinygrad_ugan.compile.dead_code import without_dead_code
from tinygrad_ugan.compile.program import StraightLineProgram
from tinygrad_ugan.compile.simplification import simplified

PASSES = (simplified, with_common_subexpressions, without_dead_code)
"""Over every program and every body of a loop, in this order."""


def improved(program: StraightLineProgram) -> StraightLineProgram:
    """Run all passes over a program."""
    for improve in PASSES:
        program = improve(program)
    return program
