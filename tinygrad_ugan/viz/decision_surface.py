"""The decision surface of a discriminator of two-dimensional samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def decision_surface(
    logits: Callable[[Array], Array],
    real: Array,
    generated: Array,
    *,
    extent: float,
    cells: int = 120,
    ticks: bool = True,
) -> Figure:
    """Draw D(x) = sigmoid(logit) as colours, with real and generated samples on top.

    Parameters
    ----------
    logits : callable
        From points, shape (n, 2), to logits, shape (n, 1).
    real, generated : array, shape (n, 2)
    extent : float
        Half the width of the picture, in the units of the samples.
    cells : int
        Points of the surface along each axis.
    ticks : bool
        Whether the axes have numbers.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axis = figure.subplots()
    line = np.linspace(-extent, extent, cells)
    points = np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2).astype(generated.dtype)
    shades = 0.5 * (1 + np.tanh(0.5 * logits(points).reshape(cells, cells)))  # sigmoid
    box = (-extent, extent, -extent, extent)
    image = axis.imshow(shades, origin="lower", extent=box, cmap="RdBu", vmin=0, vmax=1)
    figure.colorbar(image, label="D(x), the probability of being real")
    axis.contour(line, line, shades, levels=[0.5], colors="black", linewidths=0.8)
    _scatter(axis, real, "white", "data")
    _scatter(axis, generated, "tab:green", "generated")
    axis.set(xlim=(-extent, extent), ylim=(-extent, extent))
    if not ticks:
        axis.set(xticks=[], yticks=[])
    axis.legend(loc="upper right", markerscale=3, fontsize=8)
    return figure


def _scatter(axis: Axes, points: Array, color: str, label: str) -> None:
    x, y = points.T
    axis.scatter(x, y, s=4, color=color, edgecolors="black", linewidths=0.2, label=label)
