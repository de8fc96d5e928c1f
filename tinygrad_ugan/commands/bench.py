"""The exact gradient against the hardware's limit, and other libraries."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinygrad_ugan.commands.arguments import check_whole
from tinygrad_ugan.commands.output import console, say
from tinygrad_ugan.gan.runs.atomic_io import check_file_place
from tinygrad_ugan.gan.training.config import THREADS


@dataclass(frozen=True)
class BenchCommand:
    """Time the exact gradient against the processor's limit, and the libraries installed."""

    games: tuple[Literal["A", "B", "C"], ...] = ("A", "B", "C")
    """A: D 2-128-128-1 tanh, batch 512; B: D 2-128-1 ReLU; C: D 2-32-32-1, batch 64."""
    dtype: Literal["float32", "float64"] = "float32"
    """Of the parameters and the data."""
    threads: int | None = None
    """For every library; all cores if not given."""
    out: Path = Path("runs/bench.json")
    """File for the figures."""

    def run(self) -> None:
        """Measure, show and write."""
        from tinygrad_ugan import bench

        threads = self.threads if self.threads is not None else os.cpu_count() or 1
        check_whole("threads", threads, 1, THREADS)
        self._check_place()
        records = bench.quick(self.games, self.dtype, threads)
        console.print(bench.table(records))
        bench.write(self.out, records, machine=bench.machine())
        say(f"figures in {self.out}")

    def _check_place(self) -> None:
        with suppress(OSError):  # then the check finds out what is wrong
            self.out.parent.mkdir(parents=True, exist_ok=True)
        check_file_place("out", self.out)
