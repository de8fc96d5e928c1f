"""The folder of a run: its settings and metrics to be read by people, and its checkpoints.

config.json      the settings
metrics.csv      the metrics table
checkpoints/     see `tinygrad_ugan.gan.checkpoint`
failure/         there only after training left the finite numbers
"""

from __future__ import annotations

from pathlib import Path

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan import checkpoint as checkpoints
from tinygrad_ugan.gan.checkpoint import Checkpoint
from tinygrad_ugan.gan.config import Config
from tinygrad_ugan.gan.disk import CorruptError, write_file

CONFIG, METRICS, CHECKPOINTS, FAILURE = "config.json", "metrics.csv", "checkpoints", "failure"
_FORMAT_1 = "parameters.safetensors"


def create(folder: Path, config: Config) -> Path:
    """Make the folder of a new run.

    Raises
    ------
    ArgumentError
        If there is a run in it already, or it cannot be made.
    """
    if holds_run(folder):
        hint = "go on with it by `ugan resume`, or choose another folder"
        raise ArgumentError("folder", f"{folder}, which holds a run", "a new folder", hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
        others = ", ".join(map(str, sorted(there.keys() - {wanted}))) or "none"
        raise error.advising(f"checkpoints of other steps, for --step: {others}") from None


def _why_none(folder: Path) -> str:
    if (folder / _FORMAT_1).exists():
        return "this one was written by an older version, in format 1, which kept no checkpoints"
    return "there is no checkpoint in it"
