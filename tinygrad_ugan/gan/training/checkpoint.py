"""Checkpoints in memory: everything that training needs to continue as if it had never stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.gan.training.config import Config
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
    def finished(self) -> bool:
        """Whether the steps or the seconds are used up, or it stopped early; with the last row."""
        last_row = bool(self.rows) and self.rows[-1].step == self.step
        exhausted = self.config.exhausted(self.step, self.seconds)
        return last_row and (exhausted or stopped_early(self.config, self.rows))


def stopped_early(config: Config, rows: Sequence[Row]) -> bool:
    """Whether ``config.early_stop`` ends training after these rows.

    Raises
    ------
    ArgumentError
        If the table has no column of that name.
    """
    stop = config.early_stop
    if stop.metric is None:
        return False
    table = [row.columns() for row in rows]
    for columns in table[:1]:
        check_choice("early_stop.metric", stop.metric, columns)
    return stop.is_due([columns.get(stop.metric, math.nan) for columns in table])
