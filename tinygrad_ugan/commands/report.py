"""A report on runs, or on a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Plugged
from tinygrad_ugan.commands.output import save, say
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.reports.sweep_page import sweep_figures, sweep_page
from tinygrad_ugan.gan.runs.atomic_io import check_file_place, write_file
from tinygrad_ugan.gan.sweeps.sweep_dir import is_sweep, read_sweep


@dataclass(frozen=True)
class ReportCommand(Plugged):
    """Write one HTML file about runs, side by side, or about a sweep, finished or not."""

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FOLDER")]
    """The runs' folders, or that of a sweep."""
    out: Path = Path("report.html")
    """The file; the figures of a sweep are written beside it, such as report-curves.png."""
    metric: str | None = None
    """The column by which a sweep's best, median and worst runs are chosen."""

    def run(self) -> None:
        """Write it."""
        if not self.folders:
            expected = "the folders of one run or more, or that of a sweep"
            raise ArgumentError("folders", "none", expected)
        check_file_place("out", self.out)
        if len(self.folders) == 1 and is_sweep(self.folders[0]):
            self._on_sweep(self.folders[0])
            return
        if self.metric is not None:
            raise ArgumentError("metric", repr(self.metric), "none, as it is for one sweep")
        runs = {str(folder): gan.load(folder) for folder in self.folders}
        page = gan.report(_short(runs))
        write_file(self.out, page)
        say(f"report on {len(runs)} runs in {self.out}")

    def _on_sweep(self, folder: Path) -> None:
        results = read_sweep(folder)
        figures = list(sweep_figures(results, self.metric))
        title = f"Sweep {folder.resolve().name}"
        write_file(self.out, sweep_page(results, title, self.metric, figures))
        for each in figures:
            save(each.figure, self.out.with_name(f"{self.out.stem}-{each.name}.png"))
        done, total = len(results.table.done), len(results.table)
        names = ", ".join(each.name for each in figures) or "none"
        say(f"report on {done} of {total} runs in {self.out}; figures beside it: {names}")


def _short(runs: dict[str, gan.Run]) -> dict[str, gan.Run]:
    """Label runs by the names of their folders, if these are all different."""
    names = {Path(folder).resolve().name: run for folder, run in runs.items()}
    return names if len(names) == len(runs) else runs
