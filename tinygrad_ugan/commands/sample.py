"""Samples from a run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan import gan
from tinygrad_ugan.commands.arguments import Folder
from tinygrad_ugan.commands.output import say
from tinygrad_ugan.errors import ArgumentError, check_choice
from tinygrad_ugan.gan import pictures
from tinygrad_ugan.gan.disk import check_file_place, write_file

SUFFIXES = (".npy", ".csv", ".png")


@dataclass(frozen=True)
class Sample:
    """Draw samples from a trained generator into a file: .npy, .csv or .png (a picture)."""

    folder: Folder
    """The run's folder."""
    n: int = 2_500
    """How many."""
    seed: int = 0
    """Seed of the noise."""
    out: Path = Path("samples.npy")
    """The file; its suffix says what it is to be."""

    def run(self) -> None:
        """Draw and write."""
        for name, given, least in (("n", self.n, 1), ("seed", self.seed, 0)):
            if given < least:
                raise ArgumentError(name, given, f"a whole number >= {least}")
        check_choice("out's suffix", self.out.suffix, SUFFIXES)
        check_file_place("out", self.out)
        run = gan.load(self.folder)
        samples = run.sample(self.n, np.random.default_rng(self.seed))
        write_file(self.out, self._content(run, samples))
        say(f"{self.n:,} samples in {self.out}")

    def _content(self, run: gan.Run, samples: NDArray) -> bytes:
        file = io.BytesIO()
        if self.out.suffix == ".npy":
            np.save(file, samples)
        elif self.out.suffix == ".csv":
            names = ",".join(f"x{i}" for i in range(samples.shape[1]))
            np.savetxt(file, samples, delimiter=",", header=names, comments="", fmt="%.9g")
        else:
            pictures.density(run, samples).savefig(file, format="png", dpi=120)
        return file.getvalue()
