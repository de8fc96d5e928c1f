"""Samples of two-dimensional generators over training time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def density(
    samples: Array, *, extent: float, cells: int = 160, bandwidth: float = 0.06
) -> NDArray[np.float64]:
    """Gaussian kernel density estimate on a square grid.

    Parameters
    ----------
    samples : array, shape (n, 2)
    extent : float
        The grid covers [-extent, extent] in both directions.
    cells : int
        Grid points along each axis.
    bandwidth : float
        Standard deviation of the kernel, in the units of the samples.

    Returns
    -------
    ndarray, shape (cells, cells)
        The density at ``[row, column] = [y, x]``.

    Examples
    --------
    >>> p = density(np.zeros((1, 2)), extent=1.0, cells=201)
    >>> round(float(p.sum() * 0.01**2), 3)
    1.0
    """
    grid = np.linspace(-extent, extent, cells)
    kernels = np.exp(-0.5 * ((grid - samples[:, :, None]) / bandwidth) ** 2)
    along_x, along_y = kernels[:, 0], kernels[:, 1]
    return along_y.T @ along_x / (2 * np.pi * bandwidth**2 * len(samples))


def samples_over_time(
    runs: Mapping[str, tuple[Sequence[int], Array]],
    target: Array,
    *,
    extent: float,
    scatter: bool = False,
) -> Figure:
    """Draw a row of densities for each run, one column a moment, and the data in the last column.

    This is figure 2 of Metz et al. (2016).

    Parameters
    ----------
    runs : mapping
        From a label to the training steps and the samples at them, shape (times, n, 2).
    target : array, shape (n, 2)
        Samples of the data.
    extent : float
        Half the width of each panel, in the units of the samples.
    scatter : bool
        Also draw the samples themselves, in a row above each row of densities.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    kinds = (_scatter, _density) if scatter else (_density,)
    columns = max(len(steps) for steps, _ in runs.values()) + 1
    rows = len(runs) * len(kinds)
    figure = Figure(figsize=(1.35 * columns, 1.5 * rows + 0.3), layout="constrained")
    axes = iter(figure.subplots(rows, columns, squeeze=False))
    for label, (steps, samples) in runs.items():
        for draw, row in zip(kinds, axes, strict=False):
            row[0].set_ylabel(
                plain(label).replace(",", "\n"), fontsize=11 if len(label) < 12 else 8
            )
            for axis, step, points in zip(row, steps, samples, strict=False):
                _panel(axis, draw, points, extent, f"step {step:,}")
            _panel(row[-1], draw, target, extent, "data")
            for axis in row[len(steps) : -1]:  # a run that ended early
                axis.set_axis_off()
    return figure


def _panel(
    axis: Axes, draw: Callable[[Axes, Array, float], None], points: Array, extent: float, title: str
) -> None:
    draw(axis, points, extent)
    axis.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal", xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)


def _density(axis: Axes, points: Array, extent: float) -> None:
    # The square root keeps thin regions visible beside sharp peaks.
    shades = np.sqrt(density(points, extent=extent))
    box = (-extent, extent, -extent, extent)
    axis.imshow(shades, origin="lower", extent=box, cmap="Greens", interpolation="bilinear")


def _scatter(axis: Axes, points: Array, extent: float) -> None:
    axis.plot(*points.T, ",", color="C0", alpha=0.5)
