"""Output of the commands: progress, tables, pictures, and the folders they are written to."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tinygrad_ugan.errors import printable
from tinygrad_ugan.gan import Callback, Config, Objectives, Row, Run, pictures
from tinygrad_ugan.gan.runs.atomic_io import write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names of runs and folders are not ours: nothing in them is markup.
PLAIN: dict[str, Any] = {"markup": False, "emoji": False}
console = Console(**PLAIN)

INTERRUPTED = 130  # the exit code that shells give a program ended by Ctrl-C


class ProgressLine(Callback):
    """Shows how training goes: step, steps a second, time left, objectives, modes and quality.

    Parameters
    ----------
    label : str
        The name of the run.
    config : Config
        The settings.
    """

    REFRESH = 0.2  # seconds

    def __init__(self, label: str, config: Config) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[objectives]}"),
            TextColumn("{task.fields[quality]}"),
            console=console,
        )
        self._task = self._progress.add_task(
            printable(label), total=config.steps, rate="", objectives="", quality=""
        )
        self._steps = config.steps
        self._shown = -math.inf, 0  # seconds, steps

    def on_start(self, step: int, rows: tuple[Row, ...]) -> None:
        """Show the line."""
        self._progress.start()
        self._progress.update(self._task, completed=step)

    def on_step(self, step: int, seconds: float, objectives: Objectives) -> None:
        """Bring the line up to date, a few times a second."""
        then, done = self._shown
        if seconds - then < self.REFRESH and step != self._steps:
            return
        self._shown = seconds, step
        self._progress.update(
            self._task,
            completed=step,
            rate=f"{(step - done) / (seconds - then):.0f} steps/s" if done else "",
            objectives=f"f_K {objectives.generator:.3f}, f {objectives.discriminator:.3f}",
        )

    def on_row(self, row: Row) -> None:
        """Show the latest metrics."""
        quality = ""
        if row.modes is not None and row.high_quality is not None:
            quality = f"{row.modes} modes, {row.high_quality:.0%} high quality"
        elif row.precision is not None and row.recall is not None:
            quality = f"precision {row.precision:.0%}, recall {row.recall:.0%}"
        self._progress.update(self._task, quality=quality)

    def on_end(self) -> None:
        """Leave the line as it is."""
        self._progress.stop()


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
