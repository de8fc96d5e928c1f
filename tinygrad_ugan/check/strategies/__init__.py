"""Hypothesis strategies, for property tests of one's own: arrays inside the domain where a function
is smooth, calls of functions, random programs, networks, batches, games and whole unrolled games.

They need hypothesis: ``pip install 'tinygrad_ugan[check]'``.
"""

from tinygrad_ugan.check.strategies.arrays import Call, arrays, calls, generators
from tinygrad_ugan.check.strategies.games import (
    SMOOTH_ACTIVATIONS,
    SMOOTH_LOSSES,
    Problem,
    batches,
    games,
    mlps,
    parameters,
    problems,
)
from tinygrad_ugan.check.strategies.programs import Program, programs

__all__ = [
    "SMOOTH_ACTIVATIONS",
    "SMOOTH_LOSSES",
    "Call",
    "Problem",
    "Program",
    "arrays",
    "batches",
    "calls",
    "games",
    "generators",
    "mlps",
    "parameters",
    "problems",
    "programs",
]
