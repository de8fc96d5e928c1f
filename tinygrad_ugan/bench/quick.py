"""The short version of the benchmark, for ``ugan bench``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace

from tinygrad_ugan.bench.libraries import OURS
from tinygrad_ugan.bench.measure import Arena
from tinygrad_ugan.bench.report import Record
from tinygrad_ugan.bench.workloads import WORKLOADS

#: The quickest way to call each library that needs little time to compile, by its module.
_RIVALS = {"jax": "jax jit, malloc tuned", "torch": "torch", "autograd": "autograd"}


def quick(games: Sequence[str], dtype: str, threads: int) -> list[Record]:
    """Measure our methods, and the rivals that are installed, on games of `WORKLOADS`."""
    installed = [name for module, name in _RIVALS.items() if importlib.util.find_spec(module)]
    records = []
    with Arena([*OURS, *installed], threads) as arena:
        for game in games:
            workload = replace(WORKLOADS[game], dtype=dtype)
            records.append(Record(game, workload, threads, arena.measure(workload, rounds=5)))
    return records
