"""A cache on disk for arrays that an experiment computes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinygrad_ugan.typing import Array


class Results(NamedTuple):
    """Arrays read back from disk.

    Attributes
    ----------
    arrays : dict of str to ndarray
    seconds : float
        Processor time that computing them took.
    """

    arrays: dict[str, Array]
    seconds: float


def write(path: Path, settings: str, arrays: dict[str, Array], seconds: float) -> None:
    """Write arrays and the settings they were computed from into a file."""
    import safetensors.numpy

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".new-{path.name}")
    described = {"settings": settings, "seconds": f"{seconds}"}
    # of other arrays it would write the memory as it lies there
    in_order = {name: np.asarray(x, order="C") for name, x in arrays.items()}
    safetensors.numpy.save_file(in_order, temporary, described)
    temporary.replace(path)


def read(path: Path, settings: str) -> Results | None:
    """Read what `write` wrote; None if there is nothing, or it belongs to other settings."""
    import safetensors.numpy

    if not path.is_file():
        return None
    with safetensors.safe_open(path, "numpy") as file:
        described = file.metadata()
        if described["settings"] != settings:
            return None
    return Results(safetensors.numpy.load_file(path), float(described["seconds"]))
