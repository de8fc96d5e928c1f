"""A report on a sweep as a self-contained HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_ugan import viz
from tinygrad_ugan.gan.reports import sweep_pictures
from tinygrad_ugan.gan.reports.html_page import Table, cell, drawn, rendered, sample_figures
from tinygrad_ugan.gan.sweeps.sweep_dir import SweepResults, flat_settings
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SweepFigure(NamedTuple):
    """A figure of a sweep: a name for its file, the heading it stands under, and its caption."""

    name: str
    heading: str
    caption: str
    figure: Figure


def sweep_page(
    results: SweepResults,
    title: str,
    metric: str | None = None,
    figures: list[SweepFigure] | None = None,
) -> str:
    """Return a page with the results of a sweep; the figures are drawn if not given."""
    figures = list(sweep_figures(results, metric)) if figures is None else figures
    sections: dict[str, list[Any]] = {}
    for each in figures:
        sections.setdefault(each.heading, []).append(drawn(each.caption, each.figure))
    table = results.table
    left = ["folder", "status", "error"]
    still_open = [[row[n] for n in left] for row in table.rows if row["status"] != "done"]
    every = [[_shown(row.get(name, "")) for name in table.names] for row in table.rows]
    return rendered(
        "sweep.html",
        title=title,
        counts=_counts(table),
        others=results.others,
        open=Table(["run", "status", "error or step"], still_open),
        means=_means(results),
        sections=list(sections.items()),
        runs=Table(table.names, every),
        settings=_common(results),
    )


def sweep_figures(results: SweepResults, metric: str | None = None) -> Iterator[SweepFigure]:
    """Yield the figures of a sweep.

    Raises
    ------
    ArgumentError
        If the metric is not a column.
    """
    by = sweep_pictures.ranking_column(results, metric)
    runs = sweep_pictures.chosen_runs(results, by)
    panels = sweep_pictures.shown_columns(results, metric)
    done = {
        name: title
        for name, title in panels.items()
        if len(sweep_pictures.finite(results.table.done, name))
    }
    if done:
        caption = "Means over the seeds with 95 % confidence intervals; a dot is a run."
        yield SweepFigure("means", "Means", caption, sweep_pictures.means(results, done))
    for name, figure in sweep_pictures.heat_maps(results, done).items():
        yield SweepFigure(f"heat-{name}", "Two settings", done[name], figure)
    if results.runs:
        caption = "Means over the seeds; the bands reach from the least to the greatest run."
        yield SweepFigure("curves", "Over time", caption, sweep_pictures.curves(results, panels))
    sampled = {label: run for label, run in runs.items() if run.sample_steps}
    for i, (caption, figure) in enumerate(sample_figures(sampled).items()):
        name = f"samples-{i}" if i else "samples"
        yield SweepFigure(name, f"Samples of the runs ranked by {by}", caption, figure)


def _counts(table: SweepTable) -> str:
    """The number of runs, and how many are in each state."""
    states = Counter(row["status"] for row in table.rows)
    told = ", ".join(f"{states[status]} {status}" for status in states)
    return f"{len(table)} runs: {told}."


def _means(results: SweepResults) -> Table:
    names = sweep_pictures.metric_columns(results)
    rows = []
    for values, runs in results.table.by(results.vary).items():
        done = runs.done
        cells = [_interval(done, name) for name in names]
        rows.append([*map(str, values), f"{len(done)} of {len(runs)}", *cells])
    return Table([*results.vary, "runs done", *names], rows)


def _interval(runs: SweepTable, name: str) -> str:
    """A mean with its interval, and of how many of the runs it is, if not of all."""
    values = sweep_pictures.finite(runs, name)
    if not len(values):
        return ""
    mean, low, high, bootstrapped = viz.mean_interval(values, sweep_pictures.possible(name))
    text = f"{mean:.4g}"
    if len(values) > 1:
        text += f" [{low:.4g}, {high:.4g}]" + "*" * bootstrapped
    return text if len(values) == len(runs) else f"{text} ({len(values)} of {len(runs)} finite)"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else cell(value)


def _common(results: SweepResults) -> list[tuple[str, str]]:
    """The settings that all runs share."""
    every = [flat_settings(run.config.to_dict()) for run in results.runs.values()]
    first = every[0] if every else {}
    shared = {n: v for n, v in first.items() if all(each.get(n) == v for each in every)}
    return [(name, str(value)) for name, value in shared.items()]
