"""Output of the commands: tables, pictures, and the folders they are written to."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinygrad_ugan.errors import printable
from tinygrad_ugan.gan import Run, pictures
from tinygrad_ugan.gan.runs.atomic_io import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names of runs and folders are not ours: nothing in them is markup.
PLAIN: dict[str, Any] = {"markup": False, "emoji": False}
console = Console(**PLAIN)

INTERRUPTED = 130  # the exit code that shells give a program ended by Ctrl-C


def draw(runs: Mapping[str, Run], folder: Path, suffix: str = "") -> None:
    """Draw runs that share their data: samples.png, losses.png and gradients.png."""
    quality = pictures.QUALITY | pictures.EMA_QUALITY
    panels = pictures.OBJECTIVES | quality | pictures.own_panels(runs)
    sampled = all(run.sample_steps for run in runs.values())
    figures = {"samples": pictures.samples_over_time(runs)} if sampled else {}
    figures["losses"] = pictures.curves(runs, panels)
    figures["gradients"] = pictures.curves(runs, pictures.ANATOMY)
    for name, figure in figures.items():
        save(figure, folder / f"{name}{suffix}.png")


def draw_one(run: Run, folder: Path) -> None:
    """Draw a run by itself: as `draw`, and surface.png and samples.gif."""
    draw({run_label(run): run}, folder)
    if pictures.has_surface(run):
        save(pictures.decision_surface(run), folder / "surface.png")
    if run.sample_steps and pictures.has_plane(run):
        write_file(folder / "samples.gif", pictures.animation(run))


def save(figure: Figure, path: Path) -> None:
    """Write a figure into a file, in full or not at all."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    write_file(path, file.getvalue())


_SHOWN: dict[str, tuple[str, str]] = {
    "modes": ("modes", "{}"),
    "high_quality": ("high quality", "{:.1%}"),
    "reverse_kl": ("reverse KL", "{:.3f}"),
    "precision": ("precision", "{:.1%}"),
    "recall": ("recall", "{:.1%}"),
    "two_sample": ("two-sample accuracy", "{:.1%}"),
    "own_class": ("own class", "{:.1%}"),
    "ema_modes": ("modes, EMA", "{:.0f}"),
    "ema_high_quality": ("high quality, EMA", "{:.1%}"),
    "ema_precision": ("precision, EMA", "{:.1%}"),
    "ema_recall": ("recall, EMA", "{:.1%}"),
}


def quality_columns(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return headings and formats of those columns of a metrics table that results show."""
    there = set(names)
    return {name: shown for name, shown in _SHOWN.items() if name in there}


def results_table(runs: Iterable[tuple[str, Run]]) -> Table:
    """Return the last row of every run's metrics, without the columns that none of them has."""
    runs = list(runs)
    shown = quality_columns(name for _, run in runs for name in run.metrics[-1].columns())
    table = Table("run", "seed", "steps", *(heading for heading, _ in shown.values()), "seconds")
    for label, run in runs:
        values = run.metrics[-1].columns()
        cells = [
            form.format(values[name]) if name in values else "" for name, (_, form) in shown.items()
        ]
        if "modes" in values:
            cells[0] += f" of {len(run.setup.data.centers())}"
        last = run.metrics[-1]
        start, end = (
            (printable(label), str(run.config.seed), f"{last.step:,}"),
            f"{last.seconds:.1f}",
        )
        table.add_row(*start, *cells, end)
    return table


def run_label(run: Run) -> str:
    """The label of a run that is shown on its own."""
    return f"K = {run.config.unroll.steps}"


def say(text: str, *, warning: str = "") -> None:
    """Print a line, names that are not ours in it; the warning comes first, in yellow."""
    console.print(Text.assemble((warning, "yellow"), printable(text)), soft_wrap=True)


def new_folder(name: str) -> Path:
    """A folder under runs/ that does not exist yet: no result is ever overwritten."""
    candidates = (Path("runs") / (name if i == 1 else f"{name}-{i}") for i in itertools.count(1))
    return next(folder for folder in candidates if not folder.exists())
