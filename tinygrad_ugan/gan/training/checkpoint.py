"""Checkpoints in memory: everything that training needs to continue as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.early_stop import Patience
from tinygrad_ugan.gan.training.environment import environment
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.gan.training.step import State
from tinygrad_ugan.typing import Array


@dataclass(frozen=True)
class Checkpoint:
    """The complete state of a training run at one step.

    Attributes
    ----------
    setup : Setup
        The settings, and the game and the data that go with them.
    state : State
        Parameters, optimiser states, and the number of steps done.
    draws : dict
        Position in the supply of batches, see `Draws`.
    rows : tuple of Row
        The metrics table so far.
    pictures : mapping of int to ndarray
        Samples over time, by the step at which they were taken.
    seconds : float
        Time spent training.
    ema_pictures : mapping of int to ndarray
        Samples over time of the moving average, if there is one.
    environment : mapping of str to str
        Versions, machine and commit that it was computed with, see `environment`.
    """

    setup: Setup
    state: State
    draws: dict[str, Any]
    rows: tuple[Row, ...]
    pictures: Mapping[int, Array]
    seconds: float
    ema_pictures: Mapping[int, Array] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=environment)

    @property
    def config(self) -> Config:
        """The settings."""
        return self.setup.config

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.state.step

    @property
    def stopped_early(self) -> str:
        """Why training stopped early; empty if it did not."""
        return Patience(self.config.early_stop, self.rows).reason

    @property
    def finished(self) -> bool:
        """Whether training is over, by its steps, its seconds or early, with the last row."""
        last_row = bool(self.rows) and self.rows[-1].step == self.step
        over = self.config.exhausted(self.step, self.seconds) or bool(self.stopped_early)
        return last_row and over

    def without_early_stop(self) -> Checkpoint:
        """Return the checkpoint with settings that no longer ask for an early stop."""
        config = self.config.updated({"early_stop.metric": None})
        return replace(self, setup=replace(self.setup, config=config))
