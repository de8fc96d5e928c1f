"""Heat maps of a quantity over two settings, in panels over two more."""

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
    """Draw a table of panels, each a table of coloured cells with texts.

    Parameters
    ----------
    values : array, shape (rows, columns, y, x)
        Shown as colours.
    texts : array of str, of the same shape
        Written into the cells; bold if it ends in an asterisk.
    rows, columns : sequence of str
        Labels of the panels.
    y, x : sequence of str
        The ticks of each panel; y from the bottom up.
    ylabel, xlabel : str
        Labels of the axes.
    title : str
        Title, naming the quantity.
    limits : tuple of two floats
        The values at the ends of the colour map; values outside are clipped.
    colors : str
        Name of a matplotlib colour map.

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
            red, green, blue, alpha = image.cmap(image.norm(values[i, j, row, column]))
            dark = alpha > 0 and 0.3 * red + 0.59 * green + 0.11 * blue < 0.5  # NaN is no colour
            weight = "bold" if text.endswith("*") else "normal"
            style = {"color": "white" if dark else "black", "weight": weight, "fontsize": 8}
            axis.text(column, row, text, ha="center", va="center", **style)
        axis.set_title(", ".join(filter(None, (rows[i], columns[j]))), fontsize=9)
        axis.set_xticks(range(len(x)), x)
        axis.set_yticks(range(len(y)), y)
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    figure.colorbar(image, ax=axes, extend="both", shrink=0.8)
    figure.suptitle(title, fontsize=10)
    return figure
