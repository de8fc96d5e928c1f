"""Pictures of a sweep: means, curves, heat maps, and the samples of some runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.gan.reports.pictures import OBJECTIVES, QUALITY
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.sweeps.sweep_dir import SweepResults
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable
from tinygrad_ugan.gan.training.evaluation import EMA
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIGHER = ("modes", "high_quality", "precision", "recall")
_LOWER = ("reverse_kl", "js", "sliced_wasserstein")
_POSSIBLE = {
    **dict.fromkeys(("high_quality", "precision", "recall", "two_sample", "accuracy_d"), (0, 1)),
    **dict.fromkeys(("modes", *_LOWER, "seconds", "direct", "indirect"), (0, math.inf)),
    "cosine": (-1, 1),
}
_IDENTITY = ("seed", "folder", "status", "error", "step")


def possible(column: str) -> tuple[float, float]:
    """Return the least and the greatest value that a column can have."""
    return _POSSIBLE.get(column.removeprefix(EMA), (-math.inf, math.inf))


def metric_columns(results: SweepResults) -> list[str]:
    """Return the columns of metrics that runs of the table have."""
    names = dict.fromkeys(name for row in results.table.rows for name in row)
    return [name for name in names if name not in (*_IDENTITY, *results.vary)]


def shown_columns(results: SweepResults, metric: str | None) -> dict[str, str]:
    """Return the columns that pictures show, and their titles: of quality, and one's own."""
    own = (name for run in results.runs.values() for name in run.metrics[-1].own)
    named = QUALITY | {name: name for name in (*own, *([metric] if metric else []))}
    there = metric_columns(results)
    return {name: title for name, title in named.items() if name in there}


def label(results: SweepResults, values: Sequence[Any]) -> str:
    """Return the settings that vary, with their values."""
    return ", ".join(map(_assigned, results.vary, values)) or "all runs"


def _assigned(name: str, value: Any) -> str:
    return f"{name.rpartition('.')[2]} = {value}"


def _values(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) or "all runs"


def finite(table: SweepTable, name: str) -> Array:
    """Return the finite values of a column."""
    values = np.array([row.get(name, math.nan) for row in table.rows], float)
    found: Array = values[np.isfinite(values)]
    return found


def means(results: SweepResults, panels: Mapping[str, str]) -> Figure:
    """Draw the means over seeds, their intervals, and every run as a dot."""
    groups = results.table.done.by(results.vary)
    values = {
        name: {_values(v): finite(runs, name) for v, runs in groups.items()} for name in panels
    }
    limits = {name: possible(name) for name in panels}
    return viz.intervals(values, panels, limits=limits, xlabel=", ".join(results.vary))


def curves(results: SweepResults, panels: Mapping[str, str]) -> Figure:
    """Draw metrics over time: means, and bands from the least to the greatest run.

    Settings of which no run is done are drawn by the runs that have begun.
    """
    groups = {}
    for values, table in results.table.by(results.vary).items():
        begun = [row for row in table.rows if row["folder"] in results.runs]
        done = [row for row in begun if row["status"] == "done"]
        number = f"{len(done)} done" if done else f"{len(begun)} begun"
        if begun:
            tables = [results.runs[row["folder"]].columns() for row in done or begun]
            groups[f"{label(results, values)} ({number})"] = tables
    return viz.bands(groups, {**OBJECTIVES, **panels})


def heat_maps(results: SweepResults, panels: Mapping[str, str]) -> dict[str, Figure]:
    """Return a heat map of the means for each column, if just two settings vary."""
    if len(results.vary) != 2:
        return {}
    groups = results.table.done.by(results.vary)
    down, across = ([*dict.fromkeys(results.table[name].tolist())] for name in results.vary)
    figures = {}
    for name, title in panels.items():
        cells = np.full((len(down), len(across)), math.nan)
        for (y, x), runs in groups.items():
            if len(values := finite(runs, name)):
                cells[down.index(y), across.index(x)] = values.mean()
        if not np.isfinite(cells).any():
            continue
        texts = np.array([[_cell(value) for value in row] for row in cells])
        figures[name] = viz.heat_maps(
            cells[None, None],
            texts[None, None],
            rows=[""],
            columns=[""],
            y=list(map(str, down)),
            x=list(map(str, across)),
            ylabel=results.vary[0],
            xlabel=results.vary[1],
            title=f"{title}, mean",
            limits=(float(np.nanmin(cells)), float(np.nanmax(cells))),
            colors="viridis",
        )
    return figures


def _cell(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3g}"


def ranking_column(results: SweepResults, metric: str | None) -> str:
    """Return the column that runs are ranked by.

    Raises
    ------
    ArgumentError
        If there is no such column.
    """
    columns = metric_columns(results)
    if metric is not None:
        check_choice("metric", metric, columns)
        return metric
    return "sliced_wasserstein" if "sliced_wasserstein" in columns else "objective_g"


def chosen_runs(results: SweepResults, by: str) -> dict[str, Run]:
    """Return the best, the median and the worst of the runs that are done, by a column.

    By the highest, the median and the lowest, if nobody knows which is better.
    """
    done = [row for row in results.table.done.rows if math.isfinite(row.get(by, math.nan))]
    lower = by.removeprefix(EMA) in _LOWER
    ranked = sorted(done, key=lambda row: row[by] if lower else -row[by])
    known = lower or by.removeprefix(EMA) in _HIGHER
    first, last = ("best", "worst") if known else ("highest", "lowest")
    places = {first: 0, "median": (len(ranked) - 1) // 2, last: len(ranked) - 1}
    taken: dict[str, Run] = {}
    for word, place in places.items() if ranked else ():
        row = ranked[place]
        values = label(results, [row[name] for name in results.vary])
        name = f"{word}, {values}, seed {row['seed']}"
        if results.runs[row["folder"]] not in taken.values():
            taken[name] = results.runs[row["folder"]]
    return taken
