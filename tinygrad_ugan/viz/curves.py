"""Curves of metrics over training time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_ugan.typing import Array
from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Those of Okabe & Ito, which do not depend on colour vision, but for yellow and black.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_STYLES = ("-", "--", ":", "-.")


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


def bands(groups: Mapping[str, Sequence[Mapping[str, Array]]], panels: Mapping[str, str]) -> Figure:
    """Draw means over metrics tables against the training step, and bands from least to greatest.

    Parameters
    ----------
    groups : mapping of str to sequence of mapping
        From a label to tables, as of `curves`, each of one run.
    panels : mapping
        From the column that a panel shows to the title of the panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = Figure(figsize=(4.2 * across, 3 * down + 0.3 * len(groups)), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).flat
    for (name, title), axis in zip(panels.items(), axes, strict=False):
        styles = itertools.cycle(itertools.product(_STYLES, _COLORS))
        for (label, tables), (style, color) in zip(groups.items(), styles, strict=False):
            there = [table for table in tables if name in table]
            steps, mean, low, high = _over_runs(there, name)
            axis.plot(steps, mean, style, color=color, label=plain(label), linewidth=1.4)
            axis.fill_between(steps, low, high, color=color, alpha=0.15, linewidth=0)
        axis.set(title=plain(title), xlabel="training step")
        axis.grid(alpha=0.3)
    for axis in list(axes):
        axis.set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower left", fontsize=9)
    return figure


def _over_runs(
    tables: Sequence[Mapping[str, Array]], name: str
) -> tuple[Array, Array, Array, Array]:
    """The steps of all tables; mean, least and greatest of those that have the step."""
    values: dict[int, list[float]] = {}
    for table in tables:
        for step, value in zip(table["step"], table[name], strict=True):
            values.setdefault(int(step), []).append(float(value))
    steps = sorted(values)
    of = [np.array([f(values[step]) for step in steps]) for f in (np.mean, np.min, np.max)]
    return np.array(steps), of[0], of[1], of[2]
