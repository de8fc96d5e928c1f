"""A report on runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Plugged
from tinygrad_ugan.commands.output import say
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs.atomic_io import check_file_place, write_file


@dataclass(frozen=True)
class ReportCommand(Plugged):
    """Write one HTML file about runs, side by side: results, pictures, settings, environment."""

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FOLDER")]
    """The runs' folders."""
    out: Path = Path("report.html")
    """The file."""

    def run(self) -> None:
        """Write it."""
        if not self.folders:
            raise ArgumentError("folders", "none", "the folders of one run or more")
        check_file_place("out", self.out)
        runs = {str(folder): gan.load(folder) for folder in self.folders}
        page = gan.report(_short(runs))
        write_file(self.out, page)
        say(f"report on {len(runs)} runs in {self.out}")


def _short(runs: dict[str, gan.Run]) -> dict[str, gan.Run]:
    """Label runs by the names of their folders, if these are all different."""
    names = {Path(folder).resolve().name: run for folder, run in runs.items()}
    return names if len(names) == len(runs) else runs
