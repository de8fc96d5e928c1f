"""Images of generators over training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sheets_over_time(
    runs: Mapping[str, tuple[Sequence[int], Array]],
    target: Array,
    *,
    shape: tuple[int, int, int],
    side: int = 5,
) -> Figure:
    """Draw a row of contact sheets for each run, one column a moment, and the data last.

    Parameters
    ----------
    runs : mapping
        From a label to the training steps and the samples at them, shape (times, n, pixels).
    target : array, shape (n, pixels)
        Samples of the data; their least and greatest pixel are black and white.
    shape : (int, int, int)
        Height, width and channels of an image.
    side : int
        Number of images along each side of a sheet.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    columns = max(len(steps) for steps, _ in runs.values()) + 1
    low, high = float(target.min()), float(target.max())
    figure = Figure(figsize=(1.6 * columns, 1.75 * len(runs) + 0.2), layout="constrained")
    for (label, (steps, samples)), row in zip(
        runs.items(), figure.subplots(len(runs), columns, squeeze=False), strict=True
    ):
        titles = [f"step {step:,}" for step in steps]
        panels = [*row[: len(steps)], row[-1]]
        for axis, title, images in zip(panels, [*titles, "data"], [*samples, target], strict=True):
            pixels = (contact_sheet(images, shape, side) - low) / max(high - low, 1e-300)
            axis.imshow(np.clip(pixels, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(title, fontsize=9)
            axis.set(xticks=[], yticks=[])
        for axis in row[len(steps) : -1]:  # a run that ended early
            axis.set_axis_off()
        row[0].set_ylabel(plain(label).replace(",", "\n"))
    return figure


def contact_sheet(images: Array, shape: tuple[int, int, int], side: int) -> Array:
    """Arrange the first side * side images in a square, row by row; what is missing repeats.

    Parameters
    ----------
    images : array, shape (n, pixels)
    shape : (int, int, int)
        Height, width and channels of an image.
    side : int

    Returns
    -------
    ndarray, shape (side * height, side * width[, 3])

    Examples
    --------
    >>> contact_sheet(np.arange(4)[:, None], (1, 1, 1), 2)
    array([[0, 1],
           [2, 3]])
    """
    height, width, channels = shape
    chosen = images[np.arange(side * side) % len(images)]
    tiles = chosen.reshape(side, side, height, width, channels).swapaxes(1, 2)
    sheet = tiles.reshape(side * height, side * width, channels)
    return sheet[:, :, 0] if channels == 1 else sheet
