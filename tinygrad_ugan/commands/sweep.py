"""A grid of settings, each with several seeds."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Configured
from tinygrad_ugan.commands.output import INTERRUPTED, console, quality_columns, save, say
from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.gan.sweeps import cluster
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable


@dataclass(frozen=True)
class SweepCommand(Configured):
    """Train every combination of some settings with every seed, on all cores or a dask cluster.

    Such as: ugan sweep ring --vary unroll.steps=0,5,10 unroll.method=auto,detached --seeds 0 1 2

    What is there already from an earlier call is not trained again, so that the same command goes
    on with a sweep that was interrupted. Exit code 1 says that a run failed.
    """

    vary: tuple[str, ...] = ()
    """Settings and their values: NAME=VALUE,VALUE,... each."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each combination is trained with each of them."""
    workers: int | None = None
    """Processes on this machine; one a core if not given."""
    scheduler: str | None = None
    """Address of a dask cluster to use instead, such as tcp://host:8786."""
    out: Path = Path("runs/sweep")
    """Folder for the runs, table.csv and summary.png."""

    def run(self) -> None:
        """Train all; show and draw the summary."""
        vary = dict(map(_parse, self.vary))
        try:
            table = gan.sweep(
                self.settings,
                vary,
                self.out,
                seeds=self.seeds,
                workers=self.workers,
                scheduler=self.scheduler,
                plugins=self.plugin,
            )
        except KeyboardInterrupt:
            say("; the same command goes on from here", warning="interrupted")
            sys.exit(INTERRUPTED)
        self._show(table, list(vary))
        if len(table.done) < len(table):
            sys.exit(1)

    def _show(self, table: SweepTable, vary: list[str]) -> None:
        done = table.done
        console.print(f"{len(done)} of {len(table)} runs done")
        drawn = ""
        if len(done):
            save(cluster.summary(table, vary), self.out / "summary.png")
            drawn = ", summary.png"
            columns = quality_columns(done.names)
            shown = Table(*map(printable, vary), "seeds", *(head for head, _ in columns.values()))
            for values, runs in done.by(vary).items():
                cells = [
                    (form if name != "modes" else "{:.1f}").format(runs[name].mean())
                    for name, (_, form) in columns.items()
                ]
                shown.add_row(*(printable(str(value)) for value in values), str(len(runs)), *cells)
            console.print(shown)
        page = f"ugan report {shlex.quote(str(self.out))}"
        say(f"results in {self.out}/: {cluster.TABLE}{drawn}; a page of them: {page}")


def _parse(text: str) -> tuple[str, list[Any]]:
    """``a.b=1,2`` as ``("a.b", [1, 2])``; what is not JSON is a word."""
    name, equals, values = text.partition("=")
    if not (name and equals and values):
        raise ArgumentError("vary", repr(text), "NAME=VALUE,VALUE,...")
    try:
        return name, json.loads(f"[{values}]")
    except ValueError:
        return name, [_word(value) for value in values.split(",")]


def _word(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
