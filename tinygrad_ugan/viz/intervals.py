"""Means over seeds with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_ugan.viz.labels import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confidence_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Student's confidence interval for the mean; of width zero if there is one value only.

    Parameters
    ----------
    values : array, shape (n,)
    level : float
        Probability that the interval covers the mean, if the values are normal.

    Returns
    -------
    tuple of two floats

    Examples
    --------
    >>> [round(end, 2) for end in confidence_interval([1.0, 2.0, 3.0])]
    [-0.48, 4.48]
    """
    from scipy.stats import t

    values = np.asarray(values, float)
    mean, n = values.mean(), len(values)
    if n == 1:
        return float(mean), float(mean)
    half = t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(mean - half), float(mean + half)


def intervals(
    groups: Mapping[str, Mapping[str, ArrayLike]], panels: Mapping[str, str], *, xlabel: str = ""
) -> Figure:
    """Draw means with 95 % confidence intervals, and every value as a dot.

    Parameters
    ----------
    groups : mapping of str to mapping of str to array
        From the name of a panel to values by the label of their setting.
    panels : mapping of str to str
        From the name of a panel to its title.
    xlabel : str
        Name of the settings.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    labels = list(map(plain, next(iter(groups.values()))))
    width = max(2.8, 0.5 * len(labels) + 1.2)
    figure = Figure(figsize=(width * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, title) in zip(axes, panels.items(), strict=True):
        for place, values in enumerate(map(np.asarray, groups[name].values())):
            axis.plot(np.full(len(values), place), values, ".", color="tab:gray", alpha=0.5)
            mean, (low, high) = values.mean(), confidence_interval(values)
            axis.errorbar(
                place, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color="C0"
            )
        axis.set(title=title, xlabel=plain(xlabel))
        axis.set_xlim(-0.5, len(labels) - 0.5)
        axis.set_xticks(range(len(labels)), labels, rotation=30 if len(labels) > 4 else 0)
        axis.grid(axis="y", alpha=0.3)
    return figure
