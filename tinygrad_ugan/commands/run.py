"""Running a named experiment, and listing them all."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from tinygrad_ugan import experiments
from tinygrad_ugan.commands.arguments import check_whole
from tinygrad_ugan.commands.output import PLAIN, console, say
from tinygrad_ugan.experiments import Claim, Experiment, Session
from tinygrad_ugan.gan import Callback, Config
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.training.config import SEED
from tinygrad_ugan.gan.training.progress import ProgressLine

WIDE = 240  # columns, enough for every line

T = TypeVar("T")

Name = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class RunCommand:
    """Run a named experiment: its claims, its table and its picture. Exit code 1: a claim fails.

    Such as: ugan run bilinear --quick
    """

    name: Name
    """One of those that ugan list shows."""
    quick: bool = False
    """In miniature, in under 20 seconds."""
    seeds: tuple[int, ...] = ()
    """The seeds to take; the experiment's own number of them if not given, one if quick."""
    out: Path | None = None
    """Folder for the page, the table and the pictures; runs/NAME if not given."""
    training: Path | None = None
    """Folder where training runs are kept, for the next time; OUT/training if not given."""

    def run(self) -> None:
        """Run it, write the page, and show the claims."""
        experiment = experiments.find(self.name)
        for seed in self.seeds:
            check_whole("seeds", seed, 0, SEED)
        out = self.out or Path("runs") / (self.name + "-quick" * self.quick)
        with at_work(out):
            missed = self._run(experiment, out)
        say(f"page, table and pictures in {out}/")
        if missed:
            sys.exit(1)

    def _run(self, experiment: Experiment, out: Path) -> bool:
        """Whether it missed a claim."""
        session = Session(
            self.seeds or range(1 if self.quick else experiment.seeds),
            quick=self.quick,
            folder=self.training or out / "training",
            track=_track,
            watch=_watch,
        )
        outcome = experiment.run(session)
        experiments.write_page(out, experiment, outcome, session)
        _show(outcome.claims)
        return bool(outcome.missed)


@dataclass(frozen=True)
class ListCommand:
    """List the named experiments."""

    def run(self) -> None:
        """Show name, summary and source of each; a line each where no terminal sets a width."""
        table = Table(box=None)
        for column in ("name", "what it shows", "source"):
            table.add_column(column)
        for name in experiments.names():
            each = experiments.find(name)
            table.add_row(each.name, each.summary, each.source)
        (console if console.is_terminal else Console(width=WIDE, **PLAIN)).print(table)


def _track(items: Iterable[T], label: str) -> Iterable[T]:
    return track(items, label, console=console)


def _watch(label: str, config: Config) -> list[Callback]:
    return [ProgressLine(label, config)]


def _show(claims: Iterable[Claim]) -> None:
    table = Table(box=None)
    for column in ("", "claim", "seen"):
        table.add_column(column)
    for claim in claims:
        mark = Text("holds", "green") if claim.holds else Text("missed", "red")
        table.add_row(mark, claim.text, claim.seen)
    console.print(table)
