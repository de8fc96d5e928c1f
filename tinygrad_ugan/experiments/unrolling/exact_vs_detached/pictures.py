"""The pictures of the map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import (
    LOSSES,
    RATES,
    STEPS,
    WIDTHS,
    Cell,
)
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import Key, Measures, column
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = Mapping[Key, Mapping[int, Measures]]
_SHADES = {"exact": "tab:blue", "detached": "tab:red", "detached, 2 K": "tab:orange"}
_NAMES = {"modes": "modes, late in training", "steps_to_all": "steps to 8 modes"}
_LIMITS = {"modes": (-0.3, 8.3), "steps_to_all": (0, 1_050)}  # intervals may leave what is possible
_MARKS = dict(zip(STEPS, "os^", strict=True))


def phase_diagram(
    results: Results,
    differences: Sequence[Mapping[str, Any]],
    name: str,
    *,
    title: str,
    limit: float,
    digits: int,
) -> Figure:
    """Exact minus detached over (eta, K), for every loss and width of D.

    Blue is where exact is better. In each cell are the two means; an asterisk marks q < 0.05.
    """
    found = {Cell(*(row[part] for part in Cell._fields)): row for row in differences}

    def text(cell: Cell) -> str:
        exact, detached = (
            f"{column(results[cell, method], name).mean():.{digits}f}"
            for method in ("exact", "detached")
        )
        return f"{exact} / {detached}" + " *" * bool(found[cell][f"{name}_q"] < 0.05)

    values = _over_cells(lambda cell: found[cell][f"{name}_difference"])
    colors = "RdBu_r" if name == "steps_to_all" else "RdBu"
    return _maps(values, _over_cells(text), title, (-limit, limit), colors)


def anatomy(results: Results, name: str, *, title: str) -> Figure:
    """A measure of the indirect term while the exact gradient trains, over (eta, K)."""
    means = _over_cells(lambda cell: _mean(results, cell, name))
    texts = np.vectorize(lambda value: f"{value:.2g}")(means)
    if name == "ratio":
        return _maps(np.log10(means), texts, title, (-2, 2), "RdBu_r")
    return _maps(means, texts, title, (-1, 1), "RdBu")


def _mean(results: Results, cell: Cell, name: str) -> float:
    """Over seeds; of a ratio the geometric mean."""
    values = column(results[cell, "exact"], name)
    values = values[np.isfinite(values)]
    return float(np.exp(np.log(values).mean()) if name == "ratio" else values.mean())


def look_ahead(results: Results, name: str, *, title: str) -> Figure:
    """A measure against the whole look-ahead K eta, by both methods."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(WIDTHS), 2.6 * len(LOSSES)), layout="constrained")
    axes = figure.subplots(len(LOSSES), len(WIDTHS), sharex=True, sharey=True, squeeze=False)
    for row, loss in zip(axes, LOSSES, strict=True):
        for axis, width in zip(row, WIDTHS, strict=True):
            for method, (k, mark) in product(("exact", "detached"), _MARKS.items()):
                cells = [Cell(loss, width, k, eta) for eta in RATES]
                values = [column(results[cell, method], name) for cell in cells]
                style = {"color": _SHADES[method], "marker": mark, "label": f"{method}, K = {k}"}
                _curve(axis, [k * eta for eta in RATES], values, **style)
            axis.set(xscale="log", title=f"{loss}, D {width} wide")
            axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=7, ncols=2)
    figure.supxlabel("look-ahead K $\\eta$", fontsize=10)
    figure.supylabel(title, fontsize=10)
    return figure


def edge(results: Results, cells: Mapping[str, Sequence[Cell]], methods: Sequence[str]) -> Figure:
    """Modes, and steps to all of them, against the inner step size: where collapse ends."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.9 * len(cells)), layout="constrained")
    axes = figure.subplots(len(cells), len(_NAMES), sharex=True, sharey="col", squeeze=False)
    for row, (loss, along) in zip(axes, cells.items(), strict=True):
        for axis, (name, title) in zip(row, _NAMES.items(), strict=True):
            for method, shade in zip(methods, _SHADES.values(), strict=False):
                values = [column(results[cell, method], name) for cell in along]
                etas = [cell.lr for cell in along]
                _curve(axis, etas, values, color=shade, marker="o", label=method)
            axis.set(xscale="log", title=f"{loss}: {title}", ylim=_LIMITS[name])
            axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=8)
    figure.supxlabel("inner step size $\\eta$", fontsize=10)
    return figure


def _curve(axis: Axes, x: Sequence[float], values: Sequence[Array], **style: Any) -> None:
    """Means with 95 % confidence intervals."""
    means = np.array([each.mean() for each in values])
    low, high = np.array([viz.confidence_interval(each) for each in values]).T
    errors = np.array([means - low, high - means])
    axis.errorbar(x, means, errors, markersize=4, linewidth=1.2, capsize=2, **style)


def by_method(results: Results) -> Figure:
    """Every seed as a dot, and means with 95 % confidence intervals: a column for every cell."""
    from matplotlib.figure import Figure

    cells, methods = (list(dict.fromkeys(part)) for part in zip(*results, strict=True))
    size = (2.3 * len(cells) + 1.8, len(_NAMES) * (0.28 * len(methods) + 0.9))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(_NAMES), len(cells), sharex="row", sharey=True, squeeze=False)
    for row, (name, title) in zip(axes, _NAMES.items(), strict=True):
        for axis, cell in zip(row, cells, strict=True):
            for place, method in enumerate(methods):
                values = column(results[cell, method], name)
                mean, (low, high) = values.mean(), viz.confidence_interval(values)
                axis.plot(values, np.full(len(values), place), ".", color="tab:gray", alpha=0.5)
                axis.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", capsize=3)
            axis.set_title(
                f"{cell.loss}, D {cell.width}\nK = {cell.steps}, $\\eta$ = {cell.lr:g}", fontsize=8
            )
            axis.set_xlabel(title, fontsize=8)
            axis.set_xlim(_LIMITS[name])
            axis.grid(axis="x", alpha=0.3)
        row[0].set_yticks(range(len(methods)), methods)
        row[0].invert_yaxis()
    return figure


def _over_cells(value: Callable[[Cell], Any]) -> Array:
    """Shape (losses, widths, K, eta)."""
    return np.array(
        [
            [
                [[value(Cell(loss, width, k, eta)) for eta in RATES] for k in STEPS]
                for width in WIDTHS
            ]
            for loss in LOSSES
        ]
    )


def _maps(
    values: Array, texts: Array, title: str, limits: tuple[float, float], colors: str
) -> Figure:
    return viz.heat_maps(
        values,
        texts,
        rows=LOSSES,
        columns=[f"D {width} wide" for width in WIDTHS],
        y=[str(k) for k in STEPS],
        x=[f"{eta:g}" for eta in RATES],
        ylabel="K",
        xlabel="inner step size $\\eta$",
        title=title,
        limits=limits,
        colors=colors,
    )
