"""Samples of one-dimensional generators over training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def histograms_over_time(
    runs: Mapping[str, tuple[Sequence[int], Array]],
    target: Array,
    *,
    limits: tuple[float, float],
    bins: int = 40,
) -> Figure:
    """Draw a row of histograms for each run, one column a moment, each over that of the data.

    Parameters
    ----------
    runs : mapping
        From a label to the training steps and the samples at them, shape (times, n, 1).
    target : array, shape (n, 1)
        Samples of the data.
    limits : (float, float)
        The interval that is drawn; samples outside count in the nearest bin.
    bins : int
        Number of bins.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    columns, edges = max(len(steps) for steps, _ in runs.values()), np.linspace(*limits, bins + 1)
    figure = Figure(figsize=(1.6 * columns, 1.5 * len(runs) + 0.5), layout="constrained")
    data = _shares(target, edges)
    for (label, (steps, samples)), row in zip(
        runs.items(), figure.subplots(len(runs), columns, squeeze=False), strict=True
    ):
        row[0].set_ylabel(plain(label).replace(",", "\n"))
        for axis, step, points in zip(row, steps, samples, strict=False):
            shares = _shares(points, edges)
            axis.stairs(shares, edges, fill=True, color="tab:green", alpha=0.6)
            axis.stairs(data, edges, color="black", linewidth=0.8)
            axis.set_title(f"step {step:,}", fontsize=9)
            axis.set(xlim=limits, ylim=(0, 1.1 * max(data.max(), shares.max())), yticks=[])
            axis.tick_params(labelsize=7)
            axis.locator_params(axis="x", nbins=3)
        for axis in row[len(steps) :]:  # a run that ended early
            axis.set_axis_off()
    return figure


def _shares(points: Array, edges: Array) -> Array:
    inside = np.clip(points, edges[0], edges[-1])
    return np.histogram(inside, edges)[0] / max(points.size, 1)
