"""The record of a training run, and its folder on disk."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optree
import safetensors.numpy
from numpy.typing import NDArray

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.config import Config

PyTree = Any


class Row(NamedTuple):
    """One row of the metrics table.

    Attributes
    ----------
    step : int
        Training steps done.
    seconds : float
        Wall-clock time since training began.
    objective_g, objective_d : float
        f_K, which the generator descends, and f, which the discriminator ascends, on one batch.
    modes : int
        Modes covered, see `mode_coverage`.
    high_quality : float
        Fraction of samples within 3 std of a mode.
    """

    step: int
    seconds: float
    objective_g: float
    objective_d: float
    modes: int
    high_quality: float


@dataclass(frozen=True)
class Run:
    """What came out of a training run.

    Attributes
    ----------
    config : Config
        The settings.
    metrics : tuple of Row
        The metrics table.
    samples : ndarray, shape (times, n, 2)
        Generated samples over time, always from the same noise.
    sample_steps : tuple of int
        The training steps at which they were taken.
    theta_g, theta_d : pytree
        The parameters at the end.
    """

    config: Config
    metrics: tuple[Row, ...]
    samples: NDArray[np.float32]
    sample_steps: tuple[int, ...]
    theta_g: PyTree
    theta_d: PyTree

    @property
    def finished(self) -> bool:
        """Whether training took all its steps, or was interrupted."""
        return bool(self.metrics) and self.metrics[-1].step == self.config.steps

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw n samples from the trained generator, shape (n, 2)."""
        noise = rng.standard_normal((n, self.config.networks.noise), np.float32)
        return self.config.game().generator(self.theta_g, noise)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write config.json, metrics.csv, samples.npz and parameters.safetensors into `folder`.

        Each file is written under a temporary name and then renamed: none is ever half there.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "config.json", lambda path: path.write_text(self.config.to_json()))
        _write(folder / "metrics.csv", self._write_metrics)
        _write(folder / "samples.npz", self._write_samples)
        tensors = {**_named("generator", self.theta_g), **_named("discriminator", self.theta_d)}
        _write(
            folder / "parameters.safetensors",
            lambda path: safetensors.numpy.save_file(tensors, path),
        )
        return folder

    def _write_metrics(self, path: Path) -> None:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Row._fields)
            writer.writerows(self.metrics)

    def _write_samples(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, samples=self.samples, steps=self.sample_steps)


def load(folder: str | os.PathLike[str]) -> Run:
    """Read a run that `Run.save` wrote.

    Raises
    ------
    ArgumentError
        If `folder` holds no run.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise ArgumentError("folder", str(folder), "the folder of a run, with a config.json in it")
    config = Config.from_json((folder / "config.json").read_text())
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [_parse(row) for row in csv.DictReader(file)]
    tensors = safetensors.numpy.load_file(folder / "parameters.safetensors")
    generator, discriminator = config.networks.build()
    rng = np.random.default_rng(0)
    with np.load(folder / "samples.npz") as arrays:
        return Run(
            config=config,
            metrics=tuple(rows),
            samples=arrays["samples"],
            sample_steps=tuple(arrays["steps"].tolist()),
            theta_g=_restored("generator", generator.init(rng), tensors),
            theta_d=_restored("discriminator", discriminator.init(rng), tensors),
        )


def _parse(row: dict[str, str]) -> Row:
    return Row(
        step=int(row["step"]),
        seconds=float(row["seconds"]),
        objective_g=float(row["objective_g"]),
        objective_d=float(row["objective_d"]),
        modes=int(row["modes"]),
        high_quality=float(row["high_quality"]),
    )


def _names(prefix: str, params: PyTree) -> list[str]:
    return [".".join(map(str, (prefix, *path))) for path in optree.tree_paths(params)]


def _named(prefix: str, params: PyTree) -> dict[str, NDArray]:
    leaves = map(np.ascontiguousarray, optree.tree_leaves(params))
    return dict(zip(_names(prefix, params), leaves, strict=True))


def _restored(prefix: str, like: PyTree, tensors: dict[str, NDArray]) -> PyTree:
    leaves = [tensors[name] for name in _names(prefix, like)]
    return optree.tree_unflatten(optree.tree_structure(like), leaves)


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    temporary.replace(path)
