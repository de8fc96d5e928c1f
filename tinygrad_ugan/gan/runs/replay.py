"""Replay a step that left the finite numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs import checkpoint_files
from tinygrad_ugan.gan.runs.run_dir import RunDir
from tinygrad_ugan.gan.training.sampler import Draws, streams
from tinygrad_ugan.gan.training.step import Objectives, State, TrainStep


def replay(
    folder: str | os.PathLike[str],
    *,
    game: Any = None,
    data: Any = None,
    init: Any = None,
    optimizers: Mapping[str, Any] | None = None,
) -> tuple[State, Objectives]:
    """Repeat the step that ended a run; `game`, `data`, `init` and `optimizers` as of `resume`.

    Raises
    ------
    NonFiniteError
        As the step did then; the message names the tensor.
    ArgumentError
        If no step of the run failed.
    CorruptError
        If the saved state was damaged.
    """
    store = RunDir(Path(folder))
    if not store.last_good.exists():
        why = "where no step has failed: there is nothing to take again"
        given = f"{folder}, {why if store.holds_run else 'which holds no run'}"
        raise ArgumentError("folder", given, "a run that left the finite numbers")
    parts = {"game": game, "data": data, "init": init, "optimizers": optimizers}
    last_good = checkpoint_files.read(store.last_good, parts)
    draws = Draws(last_good.setup, streams(last_good.config)[1])
    draws.state = last_good.draws
    with np.errstate(all="ignore"):  # the step checks its numbers itself
        return TrainStep(last_good.setup)(last_good.state, draws.next())
