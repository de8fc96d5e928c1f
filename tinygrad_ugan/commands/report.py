"""A report on runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from tinygrad_ugan import gan
from tinygrad_ugan.commands.output import console
from tinygrad_ugan.errors import ArgumentError


@dataclass(frozen=True)
class Report:
    """Write one HTML file about runs, side by side: results, pictures, settings, environment."""

    folders: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="FOLDER")]
    """The runs' folders."""
    out: Path = Path("report.html")
    """The file."""

    def run(self) -> None:
        """Write it."""
        if not self.folders:
            raise ArgumentError("folders", "none", "the folders of one run or more")
        runs = {str(folder): gan.load(folder) for folder in self.folders}
        page = gan.report(_short(runs))
        self.out.write_text(page, encoding="utf-8")
        console.print(f"report on {len(runs)} runs in {self.out}", soft_wrap=True)


def _short(runs: dict[str, gan.Run]) -> dict[str, gan.Run]:
    """Label runs by the names of their folders, if these are all different."""
    names = {Path(folder).resolve().name: run for folder, run in runs.items()}
    return names if len(names) == len(runs) else runs
