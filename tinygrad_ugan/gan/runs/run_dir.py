"""The folder of a run: its settings and metrics to be read by people, and its checkpoints.

config.json      the settings
metrics.csv      the metrics table
checkpoints/     see `tinygrad_ugan.gan.runs.checkpoint`
failure/         there only after training left the finite numbers
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import checkpoint as checkpoints
from tinygrad_ugan.gan.runs.atomic_io import CorruptError, write_file
from tinygrad_ugan.gan.runs.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import Config

CONFIG, METRICS, CHECKPOINTS, FAILURE = "config.json", "metrics.csv", "checkpoints", "failure"
_FORMAT_1 = "parameters.safetensors"


def create(folder: Path, config: Config) -> Path:
    """Write the settings of a new run into a folder that one is at work in: see `locks`.

    Raises
    ------
    ArgumentError
        If there is a run in it already, or it cannot be written to.
    ArgumentTypeError
        If the settings cannot be written down; see `Settings.to_dict`.
    """
    if holds_run(folder):
        hint = "go on with it by `ugan resume`, or choose another folder"
        raise ArgumentError("folder", f"{folder}, which holds a run", "a new folder", hint)
    try:
        write_file(folder / CONFIG, config.to_json())
    except OSError as error:
        raise ArgumentError("folder", f"{error}", "a folder that can be written to") from None
    return folder


def holds_run(folder: Path) -> bool:
    """Whether there is a checkpoint in the folder."""
    return bool(checkpoints.list_checkpoints(folder / CHECKPOINTS))


def load_checkpoint(folder: Path, step: int | None = None) -> Checkpoint:
    """Read the last checkpoint of a run, or that of a given step.

    Raises
    ------
    ArgumentError
        If `folder` holds no run, or not that checkpoint, or one of another format.
    CorruptError
        If the checkpoint was damaged; the message names those that are left.
    """
    there = {int(p.name): p for p in checkpoints.list_checkpoints(folder / CHECKPOINTS)}
    if not there:
        raise ArgumentError("folder", str(folder), "the folder of a run", _why_none(folder))
    wanted = max(there) if step is None else step
    if wanted not in there:
        raise ArgumentError("step", wanted, f"one of {sorted(there)}, where there are checkpoints")
    try:
        return checkpoints.read(there[wanted])
    except CorruptError as error:
        left = {int(p.name) for p in checkpoints.list_checkpoints(folder / CHECKPOINTS)}
        if wanted not in left:  # whoever is at work there has removed it as too old
            return load_checkpoint(folder, step)
        others = ", ".join(map(str, sorted(left - {wanted}))) or "none"
        raise error.advising(f"checkpoints of other steps, for --step: {others}") from None


@contextmanager
def advice(folder: Path) -> Iterator[None]:
    """Add to an error of the disk what is safe, and how to go on."""
    try:
        yield
    except OSError as error:
        error.add_note(_what_is_safe(folder))
        raise


def _what_is_safe(folder: Path) -> str:
    saved = checkpoints.list_checkpoints(folder / CHECKPOINTS)
    if not saved:
        return f"there was no checkpoint yet: once {folder} can be written to, train again"
    command = f"ugan resume {shlex.quote(str(folder))}"
    step = int(saved[-1].name)
    return f"the checkpoint of step {step} is whole: once there is room, go on by `{command}`"


def _why_none(folder: Path) -> str:
    if (folder / _FORMAT_1).exists():
        return "this one was written by an older version, in format 1, which kept no checkpoints"
    return "there is no checkpoint in it"
