"""Checkpoints: all that training needs to go on as if it had never stopped.

A checkpoint is a folder named after its step, with ``state.safetensors`` (parameters, the
optimisers' memories, the samples over time), ``state.json`` (everything else) and the checksums of
both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optree
from numpy.typing import NDArray

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.config import Config
from tinygrad_ugan.gan.disk import list_folders, read_folder, remove_folder, write_folder
from tinygrad_ugan.gan.environment import environment
from tinygrad_ugan.gan.evaluation import Row
from tinygrad_ugan.gan.step import State, TrainStep

FORMAT = 2  # 1 was a run folder without checkpoints
_ARRAYS, _REST = "state.safetensors", "state.json"


@dataclass(frozen=True)
class Checkpoint:
    """Training at one moment.

    Attributes
    ----------
    config : Config
        The settings.
    state : State
        Parameters, the optimisers' memories, and the number of steps done.
    draws : dict
        Where the supply of batches is, see `Draws`.
    rows : tuple of Row
        The metrics table so far.
    pictures : mapping of int to ndarray
        Samples over time, by the step at which they were taken.
    seconds : float
        Time spent training.
    environment : mapping of str to str
        Versions, machine and commit that got it here, see `environment`.
    """

    config: Config
    state: State
    draws: dict[str, Any]
    rows: tuple[Row, ...]
    pictures: Mapping[int, NDArray]
    seconds: float
    environment: Mapping[str, str] = field(default_factory=environment)

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.state.step

    @property
    def finished(self) -> bool:
        """Whether the steps or the seconds are used up, and the last row is there."""
        last_row = bool(self.rows) and self.rows[-1].step == self.step
        return last_row and self.config.exhausted(self.step, self.seconds)


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into a folder of checkpoints, and keep the last few up to it.

    Later ones stay: they are there if training went back to an earlier one.
    """
    place = folder / f"{checkpoint.step:08d}"
    write(place, checkpoint)
    until_now = [old for old in list_checkpoints(folder) if int(old.name) <= checkpoint.step]
    for old in until_now[: -checkpoint.config.checkpoints]:
        remove_folder(old)
    return place


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the folders of the checkpoints in a folder, the oldest first."""
    found = (p for p in list_folders(folder) if p.name.isascii() and p.name.isdecimal())
    return sorted(found, key=lambda p: int(p.name))


def write(place: Path, checkpoint: Checkpoint) -> None:
    """Write one checkpoint."""
    import safetensors.numpy

    pictures = {f"pictures.{step}": x for step, x in checkpoint.pictures.items()}
    arrays = _named(checkpoint.state) | pictures
    rest = {
        "format": FORMAT,
        "step": checkpoint.step,
        "seconds": checkpoint.seconds,
        "config": checkpoint.config.to_dict(),
        "draws": checkpoint.draws,
        "metrics": [_to_json(row) for row in checkpoint.rows],
        "environment": dict(checkpoint.environment),
    }
    text = json.dumps(rest, indent=1, allow_nan=False) + "\n"
    write_folder(place, {_ARRAYS: safetensors.numpy.save(arrays), _REST: text.encode()})


def read(place: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises
    ------
    CorruptError
        If a file is missing, or is not what was written.
    ArgumentError
        If it was written in a format that this version does not read; the message says why.
    """
    import safetensors.numpy

    files = read_folder(place, (_ARRAYS, _REST))
    rest = json.loads(files[_REST])
    _check_format(place, rest["format"])
    config = Config().updated(rest["config"])
    config.to_dict()  # or it is not what was written: classes were changed since
    arrays = safetensors.numpy.load(files[_ARRAYS])
    like = TrainStep(config).init(np.random.default_rng(0))
    pictures = {
        int(name.removeprefix("pictures.")): x
        for name, x in arrays.items()
        if name.startswith("pictures.")
    }
    return Checkpoint(
        config=config,
        state=_restored(like, arrays),
        draws=rest["draws"],
        rows=tuple(_from_json(row) for row in rest["metrics"]),
        pictures=dict(sorted(pictures.items())),
        seconds=rest["seconds"],
        environment=rest["environment"],
    )


def _check_format(place: Path, given: Any) -> None:
    if given != FORMAT:
        hint = "upgrade tinygrad_ugan" if given > FORMAT else "train again"
        raise ArgumentError(str(place), f"format {given}", f"format {FORMAT}", hint)


def _names(state: State) -> list[str]:
    """The way to each leaf, such as ``state.theta_g[0]['w']``."""
    return [accessor.codify("state") for accessor in optree.tree_accessors(state)]


def _named(state: State) -> dict[str, NDArray]:
    leaves = (np.asarray(leaf, order="C") for leaf in optree.tree_leaves(state))
    return dict(zip(_names(state), leaves, strict=True))


def _restored(like: State, arrays: Mapping[str, NDArray]) -> State:
    """Put the arrays where `like` has its own; its whole numbers are Python's again."""
    leaves = [
        int(arrays[name]) if isinstance(leaf, int) else arrays[name]
        for name, leaf in zip(_names(like), optree.tree_leaves(like), strict=True)
    ]
    return optree.tree_unflatten(optree.tree_structure(like), leaves)


def _to_json(row: Row) -> dict[str, Any]:
    """JSON knows no NaN and no infinities: they go as "nan", "inf" and "-inf"."""
    return {
        name: value if math.isfinite(value) else str(value) for name, value in row._asdict().items()
    }


def _from_json(row: dict[str, Any]) -> Row:
    return Row._make(float(v) if isinstance(v := row[n], str) else v for n in Row._fields)
