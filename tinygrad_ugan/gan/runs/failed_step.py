"""What is kept of a step that left the finite numbers, and how to take it again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinygrad_ugan.errors import ArgumentError, NonFiniteError
from tinygrad_ugan.gan.games.game import Batch
from tinygrad_ugan.gan.runs import checkpoint as checkpoints
from tinygrad_ugan.gan.runs import run_dir
from tinygrad_ugan.gan.runs.atomic_io import write_folder
from tinygrad_ugan.gan.runs.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.step import Objectives, State, TrainStep

_LAST_GOOD, _BATCHES = "last-good", "batches"


def record(
    folder: Path | None, last_good: Checkpoint, batches: Sequence[Batch], error: NonFiniteError
) -> NonFiniteError:
    """Save the last good state and what the step saw; return the error that says so."""
    import safetensors.numpy

    given = f"at step {last_good.step + 1}: {error}"
    if folder is None:
        return NonFiniteError("training", given, "finite numbers")
    place = folder / run_dir.FAILURE
    arrays = {
        f"{i}.{name}": np.asarray(x, order="C")
        for i, batch in enumerate(batches)
        for name, x in batch._asdict().items()
    }
    checkpoints.write(place / _LAST_GOOD, last_good)
    write_folder(place / _BATCHES, {"batches.safetensors": safetensors.numpy.save(arrays)})
    hint = f"take that step again by `ugan replay {shlex.quote(str(folder))}`"
    return NonFiniteError("training", given, "finite numbers", hint)


def replay(folder: str | os.PathLike[str]) -> tuple[State, Objectives]:
    """Take the step again that ended a run.

    Raises
    ------
    NonFiniteError
        As it did then; the message names the tensor.
    ArgumentError
        If no step of the run failed.
    CorruptError
        If what was saved of it was damaged.
    """
    place = Path(folder) / run_dir.FAILURE / _LAST_GOOD
    if not place.exists():
        raise ArgumentError("folder", _why_not(Path(folder)), "a run that left the finite numbers")
    last_good = checkpoints.read(place)
    draws = Draws(last_good.config, streams(last_good.config)[1])
    draws.state = last_good.draws
    with np.errstate(all="ignore"):  # the step checks its numbers itself
        return TrainStep(last_good.config)(last_good.state, draws.next())


def _why_not(folder: Path) -> str:
    if run_dir.holds_run(folder):
        return f"{folder}, where no step has failed: there is nothing to take again"
    return f"{folder}, which holds no run"
