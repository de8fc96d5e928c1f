"""A few runs side by side."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from tinygrad_ugan.commands.arguments import Configured
from tinygrad_ugan.commands.output import (
    INTERRUPTED,
    PLAIN,
    console,
    draw,
    results_table,
    say,
)
from tinygrad_ugan.gan import Run
from tinygrad_ugan.gan.runs.atomic_io import write_file
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation, obtain, variations
from tinygrad_ugan.gan.training.memory_check import check_memory, training_needs
from tinygrad_ugan.gan.training.progress import ProgressLine


@dataclass(frozen=True)
class CompareCommand(Configured):
    """Train with several K, from the same initial weights and on the same data, and compare.

    What is there already from an earlier call is not trained again.
    """

    preset: tyro.conf.Positional[str] = "ring-miniature"
    """The settings to start from: ring (the paper's), ring-miniature (in a minute),
    ring-best (sharpest in the least time), chainer (as musyoku/unrolled-gan, which unrolls
    nothing), or grid."""
    unroll_steps: tuple[int, ...] = (0, 10)
    """The numbers K of unrolled discriminator steps."""
    methods: tuple[str, ...] = ()
    """Ways to compute the gradient, such as: auto detached."""
    seeds: tuple[int, ...] = (0,)
    """Each seed is trained with each K and each method."""
    out: Path = Path("runs/compare")
    """Folder for the results."""

    def run(self) -> None:
        """Train each, draw them together, and show the table."""
        methods = {"unroll.method": self.methods} if self.methods else {}
        vary = {"unroll.steps": self.unroll_steps, **methods}
        every = variations(self.settings, vary, self.seeds)
        for each in every:
            check_memory(training_needs(each.config))
        with at_work(self.out):
            self._compare(every)

    def _compare(self, every: Sequence[Variation]) -> None:
        runs: dict[str, Run] = {}
        for each in every:
            folder = self.out / each.folder
            runs[each.folder] = obtain(
                each.config, folder, [ProgressLine(each.folder, each.config)]
            )
            if not runs[each.folder].finished:
                say("; the same command goes on with it", warning="interrupted")
                sys.exit(INTERRUPTED)
        for seed in self.seeds:
            rows = {each.label: runs[each.folder] for each in every if each.config.seed == seed}
            draw(rows, self.out, f"-seed{seed}")
        table = results_table([(each.label, runs[each.folder]) for each in every])
        console.print(table)
        text = io.StringIO()
        Console(file=text, width=80, **PLAIN).print(table)
        write_file(self.out / "table.txt", text.getvalue())
        names = ", ".join(sorted(path.name for path in self.out.glob("*.png")))
        say(f"pictures in {self.out}/: {names}")
