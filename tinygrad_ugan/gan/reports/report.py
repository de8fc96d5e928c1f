"""The report on runs, or on a sweep."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.reports.html_page import runs_page
from tinygrad_ugan.gan.reports.sweep_page import sweep_page
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.sweeps.sweep_dir import read_sweep


def report(
    runs: Mapping[str, Run] | str | os.PathLike[str],
    title: str | None = None,
    *,
    metric: str | None = None,
    **parts: Any,
) -> str:
    """Return a page about runs, side by side, or about a sweep, finished or not.

    Parameters
    ----------
    runs : mapping of str to Run, or path
        The runs by their labels; or the folder of a sweep.
    title : str, optional
        The heading.
    metric : str, optional
        The column by which a sweep's best, median and worst runs are chosen; the sliced
        Wasserstein distance if not given.
    **parts : Any
        The game, the data and the others that were handed in to `sweep`, and have no name.

    Returns
    -------
    str
        HTML with embedded pictures.

    Raises
    ------
    ArgumentError
        If there is no run, a run has no metrics yet, or the metric is not a column.
    ArgumentTypeError
        If the settings of a run cannot be written down.
    """
    if not isinstance(runs, Mapping):
        folder = Path(runs)
        return sweep_page(read_sweep(folder, **parts), title or f"Sweep {folder.name}", metric)
    for name in ("metric", *parts):
        if name in parts or metric is not None:
            raise ArgumentError(name, "a value", "none, as these are runs: it is for a sweep")
    return runs_page(runs, title or "Training report")
