"""Hyperparameter grids: every combination of some settings, with every seed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.runs.run import Run, load, resume, train
from tinygrad_ugan.gan.runs.run_dir import RunDir
from tinygrad_ugan.gan.training.callbacks import AnyCallback
from tinygrad_ugan.gan.training.config import Config
from tinygrad_ugan.gan.training.setup import Setup

_SYMBOLS = {"unroll.steps": "K"}


@dataclass(frozen=True)
class Variation:
    """One point of a grid.

    Attributes
    ----------
    settings : mapping of str to Any
        The settings that vary, by names such as "unroll.steps".
    config : Config
        All settings, including these and the seed.
    """

    settings: Mapping[str, Any]
    config: Config

    @property
    def label(self) -> str:
        """The settings that vary, without the seed, such as ``K = 10, method = tape``."""
        short = {_SYMBOLS.get(n, n.rpartition(".")[2]): v for n, v in self.settings.items()}
        named = short if len(short) == len(self.settings) else self.settings
        return ", ".join(f"{name} = {_written(value)}" for name, value in named.items()) or "all"

    @property
    def folder(self) -> str:
        """A name for the run's folder."""
        parts = {**self.settings, "seed": self.config.seed}
        name = ",".join(f"{name}={_written(value)}" for name, value in parts.items())
        return re.sub(r"[^\w.,=+-]", "_", name)


def variations(
    config: Config, vary: Mapping[str, Sequence[Any]], seeds: Sequence[int]
) -> list[Variation]:
    """Return every combination of the values, with every seed.

    Parameters
    ----------
    config : Config
        The settings that do not vary.
    vary : mapping of str to sequence
        The values of each setting that varies, by its name, such as "unroll.steps".
    seeds : sequence of int

    Raises
    ------
    ArgumentError
        If a setting does not exist or cannot have its value, or a combination appears twice.

    Examples
    --------
    >>> every = variations(Config(), {"unroll.steps": [0, 10], "loss": ["hinge"]}, seeds=[1, 2])
    >>> [each.folder for each in every][:3]
    ['unroll.steps=0,loss=hinge,seed=1', 'unroll.steps=0,loss=hinge,seed=2', \
'unroll.steps=10,loss=hinge,seed=1']
    """
    if "seed" in vary:
        raise ArgumentError("vary", "'seed'", "other settings", "give the seeds as `seeds`")
    for name, values in (*vary.items(), ("seeds", seeds)):
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise ArgumentError(name, repr(values), "a list of one or more values")
    every = []
    for values in itertools.product(*vary.values()):
        settings = dict(zip(vary, values, strict=True))
        varied = config.updated(settings)
        every += [Variation(settings, varied.updated({"seed": seed})) for seed in seeds]
    names = [each.folder for each in every]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError("vary", f"{name} twice", "values and seeds that differ")
    return every


def obtain(
    config: Config, folder: Path, callbacks: Sequence[AnyCallback] = (), **parts: Any
) -> Run:
    """Return the run in a folder, after training it to the end if it is not finished.

    Parameters
    ----------
    config : Config
        The settings.
    folder : Path
        The run's folder.
    callbacks : sequence of Callback or callable
        Called around the loop.
    **parts : Any
        The game, the data and the others of `train` that the settings do not name.

    Raises
    ------
    ArgumentError
        If the folder holds a run with other settings.
    ArgumentTypeError
        If the settings cannot be written to a file.
    """
    config = Setup.of(config, **parts).config  # imports and reads what the settings name, first
    if not RunDir(folder).holds_run:
        return train(config, folder=folder, callbacks=callbacks, progress=False, **parts)
    if (run := load(folder, **parts)).config.to_dict() != config.to_dict():
        given = f"{folder}, which holds a run of other settings"
        raise ArgumentError("folder", given, "a new folder, or one of these settings")
    if run.finished:
        return run
    return resume(folder, callbacks=callbacks, progress=False, **parts)


def _written(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
