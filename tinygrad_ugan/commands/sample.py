"""Samples from a run."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Folder, Plugged, check_whole
from tinygrad_ugan.commands.output import say
from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.gan import pictures
from tinygrad_ugan.gan.runs.atomic_io import check_file_place, write_file
from tinygrad_ugan.gan.training.config import SAMPLES, SEED
from tinygrad_ugan.gan.training.memory_check import check_memory
from tinygrad_ugan.gan.training.setup import Setup
from tinygrad_ugan.typing import Array

SUFFIXES = (".npy", ".csv", ".png")


@dataclass(frozen=True)
class SampleCommand(Plugged):
    """Draw samples from a trained generator into a file: .npy, .csv or .png (a picture)."""

    folder: Folder
    """The run's folder."""
    n: int = 2_500
    """How many."""
    seed: int = 0
    """Seed of the noise."""
    best: bool = False
    """Draw from the best checkpoint by the metric of early_stop, not the last."""
    label: str | None = None
    """Class of all samples, of a conditional run: its number or its name in the data."""
    ema: bool = False
    """Draw from the moving average of the generator's weights."""
    out: Path = Path("samples.npy")
    """The file; its suffix says what it is to be."""

    def run(self) -> None:
        """Draw and write."""
        check_whole("n", self.n, 1, SAMPLES)
        check_whole("seed", self.seed, 0, SEED)
        check_choice("out's suffix", self.out.suffix, SUFFIXES)
        check_file_place("out", self.out)
        run = gan.load(self.folder, best=self.best)
        check_memory({"n": _bytes(self.n, run.setup)}, "sampling")
        rng = np.random.default_rng(self.seed)
        samples = run.generate(self.n, rng, labels=self.label, ema=self.ema)
        write_file(self.out, self._content(run, samples))
        say(f"{self.n:,} samples in {self.out}")

    def _content(self, run: gan.Run, samples: Array) -> bytes:
        file, x = io.BytesIO(), run.in_own_units(samples)
        if self.out.suffix == ".npy":
            np.save(file, x)
        elif self.out.suffix == ".csv":
            digits = 9 if x.dtype == np.float32 else 17
            file.write(_header(run, x).encode())
            np.savetxt(file, x, delimiter=",", fmt=f"%.{digits}g")
        else:
            pictures.density(run, samples).savefig(file, format="png", dpi=120)
        return file.getvalue()


def _header(run: gan.Run, x: Array) -> str:
    """The names of the columns: those of the data, if they have such."""
    names, line = getattr(run.setup.data, "column_names", ()), io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(names or [f"x{i}" for i in range(x.shape[1])])
    return line.getvalue()


def _bytes(n: int, setup: Setup) -> int:
    """Memory for sending so many samples through the generator."""
    generator = getattr(setup.game, "generator", None)
    row: int = setup.config.dtype.itemsize * sum(getattr(generator, "sizes", ()))
    return n * row
