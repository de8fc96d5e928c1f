"""The folder of a run: settings and metrics for people to read, and checkpoints.

config.json      the settings
metrics.csv      the metrics table
checkpoints/     see `tinygrad_ugan.gan.runs.checkpoint_files`
best/            the checkpoint of the best row, if there may be an early stop
stopped.txt      exists only if training stopped early, and says why
failure/         exists only if training left the finite numbers
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optree

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.games.game import AnyBatch
from tinygrad_ugan.gan.runs import checkpoint_files
from tinygrad_ugan.gan.runs.atomic_io import CorruptError, write_file, write_folder
from tinygrad_ugan.gan.runs.locks import at_work
from tinygrad_ugan.gan.training.callbacks import Callback
from tinygrad_ugan.gan.training.checkpoint import Checkpoint
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.evaluation import Row, column_names

_FORMAT_1 = "parameters.safetensors"


@dataclass(frozen=True)
class RunDir:
    """The folder of a run; a `Store` of the training loop.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def metrics(self) -> Path:
        """The file of the metrics table."""
        return self.path / "metrics.csv"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last_good(self) -> Path:
        """The checkpoint before the step that left the finite numbers."""
        return self.path / "failure" / "last-good"

    @property
    def best(self) -> Path:
        """The checkpoint of the best row by the metric of `early_stop`."""
        return self.path / "best"

    @property
    def holds_run(self) -> bool:
        """Whether the folder has a checkpoint."""
        return bool(checkpoint_files.list_checkpoints(self.checkpoints))

    def create(self, config: Config) -> None:
        """Write the settings of a new run, inside `at_work`.

        Raises
        ------
        ArgumentError
            If the folder holds a run already, or cannot be written to.
        ArgumentTypeError
            If the settings cannot be written down; see `Settings.to_dict`.
        """
        if self.holds_run:
            hint = "go on with it by `ugan resume`, or choose another folder"
            raise ArgumentError("folder", f"{self.path}, which holds a run", "a new folder", hint)
        try:
            self.write_settings(config)
        except OSError as error:
            raise ArgumentError("folder", f"{error}", "a folder that can be written to") from None

    def write_settings(self, config: Config) -> None:
        """Write the settings for people to read."""
        write_file(self.path / "config.json", config.to_json())

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; of the earlier ones, keep the last few."""
        checkpoint_files.save(self.checkpoints, checkpoint)
        note = self.path / "stopped.txt"
        if checkpoint.stopped_early:
            write_file(
                note, f"stopped early at step {checkpoint.step}: {checkpoint.stopped_early}\n"
            )
        else:
            note.unlink(missing_ok=True)

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint that is the best so far."""
        checkpoint_files.write(self.best, checkpoint)

    def load_best(self, parts: Mapping[str, Any] = MappingProxyType({})) -> Checkpoint:
        """Read the best checkpoint.

        Raises
        ------
        ArgumentError
            If the folder keeps none.
        """
        if not self.best.exists():
            hint = "a run with the setting early_stop.metric keeps one"
            given = f"true, of {self.path}, which keeps none"
            raise ArgumentError("best", given, "false", hint)
        return checkpoint_files.read(self.best, parts)

    def save_failure(self, last_good: Checkpoint, batches: Sequence[AnyBatch]) -> str:
        """Write the state and the batches of a failed step; return advice on how to replay it."""
        import safetensors.numpy

        arrays = {
            accessor.codify(f"{i}"): np.asarray(accessor(batch), order="C")
            for i, batch in enumerate(batches)
            for accessor in optree.tree_accessors(batch)
        }
        checkpoint_files.write(self.last_good, last_good)
        content = {"batches.safetensors": safetensors.numpy.save(arrays)}
        write_folder(self.last_good.with_name("batches"), content)
        return f"take that step again by `ugan replay {shlex.quote(str(self.path))}`"

    def load(
        self, step: int | None = None, parts: Mapping[str, Any] = MappingProxyType({})
    ) -> Checkpoint:
        """Read the last checkpoint, or that of a given step; `parts` as `checkpoint_files.read`.

        Raises
        ------
        ArgumentError
            If the folder holds no run, or not that checkpoint, or one of another format.
        CorruptError
            If the checkpoint was damaged; the message names those that are left.
        """
        there = self._steps()
        if not there:
            raise ArgumentError("folder", str(self.path), "the folder of a run", self._why_none())
        wanted = max(there) if step is None else step
        if wanted not in there:
            expected = f"one of {sorted(there)}, where there are checkpoints"
            raise ArgumentError("step", wanted, expected)
        try:
            return checkpoint_files.read(there[wanted], parts)
        except CorruptError as error:
            left = self._steps().keys()
            if wanted not in left:  # another process has removed it as too old
                return self.load(step, parts)
            others = ", ".join(map(str, sorted(left - {wanted}))) or "none"
            raise error.advising(f"checkpoints of other steps, for --step: {others}") from None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hold the lock on the folder; errors of the disk get a note on how to continue.

        Raises
        ------
        ArgumentError, BusyError
            As `locks.at_work`.
        """
        with at_work(self.path):
            try:
                yield
            except OSError as error:
                error.add_note(self._what_is_safe())
                raise

    def _steps(self) -> dict[int, Path]:
        return {int(p.name): p for p in checkpoint_files.list_checkpoints(self.checkpoints)}

    def _what_is_safe(self) -> str:
        saved = self._steps()
        if not saved:
            return f"there was no checkpoint yet: once {self.path} can be written to, train again"
        command = f"ugan resume {shlex.quote(str(self.path))}"
        whole = f"the checkpoint of step {max(saved)} is whole"
        return f"{whole}: once there is room, go on by `{command}`"

    def _why_none(self) -> str:
        if (self.path / _FORMAT_1).exists():
            return (
                "this one was written by an older version, in format 1, which kept no checkpoints"
            )
        return "there is no checkpoint in it"


class MetricsFile(Callback):
    """Writes the metrics table as CSV.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []

    def on_start(self, step: int, rows: tuple[Row, ...]) -> None:
        """Write the rows so far, without any that an earlier process wrote after its checkpoint."""
        self._rows = list(rows)
        self._write()

    def on_row(self, row: Row) -> None:
        """Add a row."""
        self._rows.append(row)
        self._write()

    def _write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        names = column_names(self._rows)
        writer.writerow(names)
        writer.writerows([row.columns().get(name, "") for name in names] for row in self._rows)
        write_file(self._path, text.getvalue())
