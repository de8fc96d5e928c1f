"""A grid of settings, each with several seeds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from tinygrad_ugan.commands.arguments import Configured
from tinygrad_ugan.commands.output import console, quality_columns, save, say
from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.gan.sweeps import cluster
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import Variation, variations


@dataclass(frozen=True)
class SweepCommand(Configured):
    """Train every combination of some settings with every seed, on all cores or a dask cluster.

    Such as: ugan sweep ring --vary unroll.steps=0,5,10 unroll.method=auto,detached --seeds 0 1 2

    What is there already from an earlier call is not trained again. Needs the extra "sweep".
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
    """Folder for the runs, table.parquet, table.csv and summary.png."""

    def run(self) -> None:
        """Train all; show and draw the summary."""
        vary = dict(map(_parse, self.vary))
        total = len(variations(self.settings, vary, self.seeds))
        with Progress(console=console) as progress:
            task = progress.add_task("runs", total=total)

            def on_result(each: Variation, status: str) -> None:
                if status == "failed":
                    progress.print(
                        Text("failed", "red"), f": {each.folder}, see {cluster.ERROR} in it", sep=""
                    )
                progress.advance(task)

            table = cluster.sweep(
                self.settings,
                vary,
                seeds=self.seeds,
                folder=self.out,
                workers=self.workers,
                scheduler=self.scheduler,
                on_result=on_result,
                plugins=self.plugin,
            )
        self._show(table, list(vary))

    def _show(self, table: Any, vary: list[str]) -> None:
        done = table[table["status"] == "done"]
        console.print(f"{len(done)} of {len(table)} runs done")
        if len(done):
            save(cluster.summary(table, vary), self.out / "summary.png")
            columns = quality_columns(done.columns)
            shown = Table(*map(printable, vary), "seeds", *(head for head, _ in columns.values()))
            groups = done.groupby(vary, sort=False) if vary else [((), done)]
            for values, rows in groups:
                means = rows[list(columns)].astype(float).mean()
                cells = [
                    (form if name != "modes" else "{:.1f}").format(means[name])
                    for name, (_, form) in columns.items()
                ]
                shown.add_row(*(printable(str(value)) for value in values), str(len(rows)), *cells)
            console.print(shown)
        say(f"results in {self.out}/: table.parquet, table.csv, summary.png")


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
