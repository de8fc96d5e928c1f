"""Curves of metrics over training time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(tables: Mapping[str, Mapping[str, Array]], panels: Mapping[str, str]) -> Figure:
    """Draw columns of metrics tables against the training step.

    Parameters
    ----------
    tables : mapping
        From a label to the columns of its table, one of them "step".
    panels : mapping
        From the column that a panel shows to the title of the panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(panels), 2.8), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, title) in zip(axes, panels.items(), strict=True):
        for label, table in tables.items():
            if name in table:
                axis.plot(table["step"], table[name], label=plain(label), linewidth=1.2)
        axis.set(title=title, xlabel="training step")
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    return figure
