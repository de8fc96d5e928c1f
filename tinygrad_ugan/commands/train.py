"""Training a run, resuming it, and replaying a failed step."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Configured, Folder, Plugged
from tinygrad_ugan.commands.output import (
    INTERRUPTED,
    console,
    draw_one,
    new_folder,
    results_table,
    run_label,
    say,
)
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import Callback, Run, TensorBoard
from tinygrad_ugan.gan.runs.locks import at_work


@dataclass(frozen=True)
class TrainCommand(Configured):
    """Train a GAN with the exact gradient through unrolled steps.

    Such as: ugan train ring --unroll.steps 5 --seed 3
    """

    out: Path | None = None
    """Folder for the results; a new one under runs/ if not given."""
    tensorboard: bool = False
    """Write event files for TensorBoard too; needs the extra "tensorboard"."""

    def run(self) -> None:
        """Train, draw, and show the result."""
        config = self.settings
        start = self.preset if self.data is None else Path(self.data).stem
        name = f"{start}-K{config.unroll.steps}-seed{config.seed}"
        folder = self.out or new_folder(name)
        callbacks = _callbacks(folder, self.tensorboard)
        _show(gan.train(config, folder=folder, callbacks=callbacks), folder)


@dataclass(frozen=True)
class ResumeCommand(Plugged):
    """Resume an interrupted run, to the same bits as if it had never stopped."""

    folder: Folder
    """The run's folder."""
    step: int | None = None
    """The checkpoint to resume from, by its step; the last one if not given."""
    early_stop: bool = True
    """Stop early as the settings say; without, a run that stopped early goes on."""
    tensorboard: bool = False
    """Write event files for TensorBoard too; needs the extra "tensorboard"."""

    def run(self) -> None:
        """Train to the end, draw, and show the result."""
        before = gan.load(self.folder, step=self.step)
        callbacks = _callbacks(self.folder, self.tensorboard)
        over = before.finished and (self.early_stop or not before.stopped_early)
        run = before
        if not over:
            run = gan.resume(
                self.folder, step=self.step, callbacks=callbacks, early_stop=self.early_stop
            )
        _show(run, self.folder, is_new=not over)


@dataclass(frozen=True)
class ReplayCommand(Plugged):
    """Replay the step whose numbers were no longer finite, which ended a run."""

    folder: Folder
    """The run's folder."""

    def run(self) -> None:
        """Take the step; it fails as it did."""
        state, objectives = gan.replay(self.folder)
        console.print(f"step {state.step} is finite here: {objectives}")


def _callbacks(folder: Path, tensorboard: bool) -> list[Callback]:
    return [TensorBoard(folder)] if tensorboard else []


def _show(run: Run, folder: Path, *, is_new: bool = True) -> None:
    command = f"ugan resume {shlex.quote(str(folder))}"
    if run.metrics:
        console.print(results_table([(run_label(run), run)]))
        _draw(run, folder, command, is_new)
    if not run.finished:
        say(f"; go on with: {command}", warning="interrupted")
        sys.exit(INTERRUPTED)
    if run.stopped_early:
        hint = f"go on with: {command} --no-early-stop"
        say(
            f" at step {run.checkpoint.step:,}: {run.stopped_early}; {hint}",
            warning="stopped early",
        )
    say(f"results in {folder}/: samples.png, losses.png, metrics.csv, config.json")


def _draw(run: Run, folder: Path, command: str, is_new: bool) -> None:
    try:
        with at_work(folder):
            draw_one(run, folder)
    except (OSError, ArgumentError) as error:
        if not is_new:  # the run was finished and whole before, and has its pictures
            say(f": {error}", warning="no new pictures")
            return
        error.add_note(f"training itself is kept: once there is room, draw again by `{command}`")
        raise
