"""A quantity over a plane of settings, panel by panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heat_maps(
    values: ArrayLike,
    texts: ArrayLike,
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    y: Sequence[str],
    x: Sequence[str],
    ylabel: str,
    xlabel: str,
    title: str,
    limits: tuple[float, float],
    colors: str = "RdBu",
) -> Figure:
    """Draw a table of panels, each a small table of coloured cells with a text in every cell.

    Parameters
    ----------
    values : array, shape (rows, columns, y, x)
        What the colours show.
    texts : array of str, of the same shape
        What is written into the cells; bold if it ends in an asterisk.
    rows, columns : sequence of str
        What the panels are of.
    y, x : sequence of str
        The ticks of each panel; y from the bottom up.
    ylabel, xlabel : str
        What the ticks are of.
    title : str
        What the colours mean.
    limits : tuple of two floats
        The values of the two ends of the colours; what lies outside has the colour of the end.
    colors : str
        A colour map that matplotlib knows.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    values, texts = np.asarray(values, float), np.asarray(texts)
    size = (0.85 * len(x) * len(columns) + 1.8, 0.55 * len(y) * len(rows) + 1.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), len(columns), sharex=True, sharey=True, squeeze=False)
    for (i, j), axis in zip(np.ndindex(axes.shape), axes.flat, strict=True):
        image = axis.imshow(
            values[i, j], origin="lower", aspect="auto", cmap=colors, vmin=limits[0], vmax=limits[1]
        )
        for (row, column), text in np.ndenumerate(texts[i, j]):
            red, green, blue, _ = image.cmap(image.norm(values[i, j, row, column]))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            weight = "bold" if text.endswith("*") else "normal"
            style = {"color": "white" if dark else "black", "weight": weight, "fontsize": 8}
            axis.text(column, row, text, ha="center", va="center", **style)
        axis.set_title(f"{rows[i]}, {columns[j]}", fontsize=9)
        axis.set_xticks(range(len(x)), x)
        axis.set_yticks(range(len(y)), y)
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    figure.colorbar(image, ax=axes, extend="both", shrink=0.8)
    figure.suptitle(title, fontsize=10)
    return figure
