"""The record of a training run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.gan.games.game import Batch
from tinygrad_ugan.gan.runs import checkpoint as checkpoints
from tinygrad_ugan.gan.runs import run_dir
from tinygrad_ugan.gan.runs.checkpoint import Checkpoint
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.runs.run_dir import load_checkpoint
from tinygrad_ugan.gan.training.callbacks import Callback, MetricsFile
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.evaluation import Row

PyTree = Any


@dataclass(frozen=True)
class Run:
    """What came out of a training run.

    Attributes
    ----------
    checkpoint : Checkpoint
        Training at its end, or where it was interrupted.
    folder : Path or None
        Where it is kept on disk.
    """

    checkpoint: Checkpoint
    folder: Path | None = None

    @property
    def config(self) -> Config:
        """The settings."""
        return self.checkpoint.config

    @property
    def metrics(self) -> tuple[Row, ...]:
        """The metrics table."""
        return self.checkpoint.rows

    @property
    def theta_g(self) -> PyTree:
        """The generator's parameters."""
        return self.checkpoint.state.theta_g

    @property
    def theta_d(self) -> PyTree:
        """The discriminator's parameters."""
        return self.checkpoint.state.theta_d

    @property
    def sample_steps(self) -> tuple[int, ...]:
        """The training steps at which `samples` were taken."""
        return tuple(self.checkpoint.pictures)

    @property
    def samples(self) -> NDArray:
        """Generated samples over time, always from the same noise, shape (times, n, d)."""
        n, d = self.config.evaluation_samples, self.config.data.dimension
        return np.array([*self.checkpoint.pictures.values()]).reshape(-1, n, d)

    @property
    def finished(self) -> bool:
        """Whether training took all its steps, or used up its seconds; or was interrupted."""
        return self.checkpoint.finished

    def columns(self) -> dict[str, NDArray]:
        """Return the metrics table as an array for every column."""
        return {
            name: np.array([getattr(row, name) for row in self.metrics]) for name in Row._fields
        }

    def sample(self, n: int, rng: np.random.Generator) -> NDArray:
        """Draw n samples from the trained generator, shape (n, d)."""
        config = self.config
        noise = rng.standard_normal((n, config.networks.noise), config.dtype)
        real = config.data.sample(n, rng, config.dtype)
        return config.game().generate(self.theta_g, Batch(real, noise))

    def resume(self, *, callbacks: Sequence[Callback] = ()) -> Run:
        """Go on where training was interrupted: see `tinygrad_ugan.gan.resume`."""
        from tinygrad_ugan.gan.training.loop import go_on  # which makes runs itself

        if self.folder is None or self.finished:
            return go_on(self.checkpoint, self.folder, callbacks)
        with at_work(self.folder), run_dir.advice(self.folder):
            return go_on(self.checkpoint, self.folder, callbacks)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the run into a new folder, as `tinygrad_ugan.gan.train` does along the way."""
        self.config.to_dict()  # or what cannot be written down is refused
        with at_work(place := Path(folder)):
            run_dir.create(place, self.config)
            checkpoints.save(place / run_dir.CHECKPOINTS, self.checkpoint)
            MetricsFile(place / run_dir.METRICS).on_start(self.checkpoint.step, self.metrics)
        return place


def load(folder: str | os.PathLike[str], *, step: int | None = None) -> Run:
    """Read a run from its folder, as it was at its last checkpoint or at that of a given step.

    Raises
    ------
    ArgumentError
        If `folder` holds no run, or not that checkpoint, or one that was damaged or is of another
        format.
    """
    return Run(load_checkpoint(Path(folder), step), Path(folder))
