"""Callbacks of the training loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import optree

from tinygrad_ugan.errors import ArgumentTypeError, kind_of
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.gan.training.step import Objectives, State
from tinygrad_ugan.typing import PyTree


class StepRecord(NamedTuple):
    """A training step that has been taken, as a function among the callbacks sees it.

    Its arrays are read-only views of those of the run, in containers of their own: nothing in it
    changes training, and they may be kept, as later steps make arrays of their own.

    Attributes
    ----------
    step : int
        Training steps done.
    seconds : float
        Wall-clock time spent training.
    objectives : Objectives
        The objectives of the step.
    row : Row or None
        The row of the metrics table, if this step has one.
    state : State
        theta_g, theta_d, the states of both optimisers, and `ema`.
    """

    step: int
    seconds: float
    objectives: Objectives
    row: Row | None
    state: State

    @classmethod
    def of(
        cls, state: State, row: Row | None, objectives: Objectives, seconds: float
    ) -> StepRecord:
        """Return the record of a state; it shares the memory, and cannot write to it."""
        if row is not None:
            own, averaged = MappingProxyType(dict(row.own)), MappingProxyType(dict(row.ema))
            row = row._replace(own=own, ema=averaged)
        return cls(state.step, seconds, objectives, row, read_only(state))


def read_only(tree: PyTree) -> Any:
    """Return the tree with read-only views of its arrays."""
    return optree.tree_map(_view, tree)


def _view(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    view = leaf.view()
    view.flags.writeable = False
    return view


class Callback:
    """Base class of callbacks: does nothing; a subclass overrides what it needs.

    A plain function of a `StepRecord` is a callback, too: it is called after every step. It ends
    training by returning True, and any callback does by a `KeyboardInterrupt`: as Ctrl-C would,
    with a checkpoint from which the run can be resumed. After any other error but those of the
    disk, there is a checkpoint of the last step as well.

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


AnyCallback: TypeAlias = Callback | Callable[[StepRecord], bool | None]


def check_callbacks(callbacks: Any) -> None:
    """Raise `ArgumentTypeError` unless they are callbacks or functions, in a list or tuple."""
    expected = "a list of callbacks: functions of a gan.StepRecord, or a gan.Callback"
    if not isinstance(callbacks, list | tuple):
        raise ArgumentTypeError("callbacks", f"a {kind_of(callbacks)}", expected)
    for i, each in enumerate(callbacks):
        if isinstance(each, type) or not (isinstance(each, Callback) or callable(each)):
            given = f"the class {each.__name__}" if isinstance(each, type) else f"a {kind_of(each)}"
            raise ArgumentTypeError(f"callbacks[{i}]", given, expected)


def asks_to_stop(function: Callable[[StepRecord], Any], record: StepRecord) -> bool:
    """Call a function among the callbacks, and return whether training is to end.

    Raises
    ------
    ArgumentTypeError
        If it returns something else than True, False or None.
    """
    answer = function(record)
    if not (answer is None or isinstance(answer, bool | np.bool_)):
        name = getattr(function, "__name__", kind_of(function))
        expected = "None, or True to end training"
        raise ArgumentTypeError(f"callbacks: {name}'s answer", f"a {kind_of(answer)}", expected)
    return bool(answer)


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
