"""Means over seeds with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

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


class Interval(NamedTuple):
    """A mean, the ends of its confidence interval, and whether these are from the bootstrap."""

    mean: float
    low: float
    high: float
    bootstrapped: bool


def mean_interval(
    values: ArrayLike, limits: tuple[float, float] = (-np.inf, np.inf), level: float = 0.95
) -> Interval:
    """Return the mean and Student's interval, or the bootstrap's if that leaves the limits.

    The bootstrap's lies between the least and the greatest value: the quantiles of the means of
    9,999 samples of the values, always the same ones.

    Parameters
    ----------
    values : array, shape (n,)
    limits : tuple of two floats
        The least and the greatest possible value.
    level : float
        Probability that the interval is to cover the mean.

    Examples
    --------
    >>> mean_interval([0.5, 0.9, 1.0], limits=(0, 1))
    Interval(mean=0.7999999999999999, low=0.5, high=1.0, bootstrapped=True)
    """
    values = np.asarray(values, float)
    mean, (low, high) = float(values.mean()), confidence_interval(values, level)
    if limits[0] <= low and high <= limits[1]:
        return Interval(mean, low, high, bootstrapped=False)
    drawn = np.random.default_rng(0).choice(values, (9_999, len(values)))
    low, high = np.quantile(drawn.mean(axis=1), [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(mean, low, high, bootstrapped=True)


def intervals(
    groups: Mapping[str, Mapping[str, ArrayLike]],
    panels: Mapping[str, str],
    *,
    xlabel: str = "",
    limits: Mapping[str, tuple[float, float]] = MappingProxyType({}),
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
    limits : mapping of str to tuple of two floats
        From the name of a panel to what is possible, see `mean_interval`.

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
        possible = limits.get(name, (-np.inf, np.inf))
        for place, values in enumerate(map(np.asarray, groups[name].values())):
            if not len(values):
                continue
            axis.plot(np.full(len(values), place), values, ".", color="tab:gray", alpha=0.5)
            mean, low, high, _ = mean_interval(values, possible)
            axis.errorbar(
                place, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color="C0"
            )
        axis.set(title=title, xlabel=plain(xlabel))
        axis.set_xlim(-0.5, len(labels) - 0.5)
        crowded = len(labels) > 4 or sum(map(len, labels)) > 20
        turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axis.set_xticks(range(len(labels)), labels, **turned)
        axis.grid(axis="y", alpha=0.3)
    return figure
