"""Callbacks of the training loop."""

from __future__ import annotations

from pathlib import Path

from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.step import Objectives


class Callback:
    """Base class of callbacks: does nothing; a subclass overrides what it needs.

    A `KeyboardInterrupt` raised in any of them ends training as Ctrl-C does.

    Examples
    --------
    >>> import tinygrad_ugan as ug
    >>> class StopEarly(Callback):
    ...     def on_row(self, row):
    ...         if row.modes == 8 and row.high_quality > 0.9:
    ...             raise KeyboardInterrupt
    >>> run = ug.gan.train(ug.gan.Config(steps=2, batch=8), callbacks=[StopEarly()])
    >>> run.finished
    True
    """

    def on_start(self, step: int, rows: tuple[Row, ...]) -> None:
        """Training starts or resumes after `step` steps; `rows` is the metrics table so far."""

    def on_step(self, step: int, seconds: float, objectives: Objectives) -> None:
        """Step number `step` has been taken, after `seconds` seconds of training."""

    def on_row(self, row: Row) -> None:
        """The metrics table has a new row."""

    def on_end(self) -> None:
        """Training has ended, been interrupted, or failed."""


class TensorBoard(Callback):
    """Writes event files for TensorBoard: ``pip install tinygrad_ugan[tensorboard]``.

    Parameters
    ----------
    folder : Path
        The run's folder; the event files go into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new_writer = import_extra("tensorboardX", "tensorboard").SummaryWriter

    def on_start(self, step: int, rows: tuple[Row, ...]) -> None:
        """Open an event file; events after `step` in earlier files are purged."""
        self._writer = self._new_writer(str(self._folder), purge_step=step if rows else None)

    def on_row(self, row: Row) -> None:
        """Add one scalar for every column of the row."""
        for name, value in row.columns().items():
            if name != "step":
                self._writer.add_scalar(name, value, row.step)

    def on_end(self) -> None:
        """Close the file."""
        self._writer.close()
