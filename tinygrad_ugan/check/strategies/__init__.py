"""Hypothesis strategies, for property tests of one's own.

`arrays` draws arrays where a function is smooth, and calls of functions; `programs` compositions of
them; `games` networks, batches, games and whole unrolled games. `samples` calls each function of
the engine's table as its record says.

They need hypothesis: ``pip install 'tinygrad_ugan[check]'``.
"""

import warnings
from typing import Any

from tinygrad_ugan.check.strategies.arrays import Call, arrays, calls, generators
from tinygrad_ugan.check.strategies.games import (
    SMOOTH_ACTIVATIONS,
    SMOOTH_LOSSES,
    UnrolledGame,
    batches,
    games,
    mlps,
    parameters,
    problems,
)
from tinygrad_ugan.check.strategies.programs import RandomProgram, programs

__all__ = [
    "SMOOTH_ACTIVATIONS",
    "SMOOTH_LOSSES",
    "Call",
    "RandomProgram",
    "UnrolledGame",
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

_RENAMED = {"Problem": UnrolledGame, "Program": RandomProgram}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        warnings.warn(f"{name} is called {new.__name__} now", DeprecationWarning, stacklevel=2)
        return new
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
