"""A report on one or more runs as a self-contained HTML page, and what all such pages share."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.gan.reports import pictures
from tinygrad_ugan.gan.runs.run import Run
from tinygrad_ugan.gan.sweeps.sweep_dir import flat_settings
from tinygrad_ugan.gan.training.evaluation import Row, column_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """An embedded picture: media type, base64 data, caption."""

    type: str
    data: str
    caption: str


class Table(NamedTuple):
    """Column names, and rows of cells."""

    columns: Sequence[str]
    rows: Sequence[Any]


def runs_page(runs: Mapping[str, Run], title: str) -> str:
    """Return a page with the results, pictures, settings and environments of runs, side by side.

    See `report.report`, which is public.
    """
    if not runs:
        raise ArgumentError("runs", "none", "one run or more")
    for label, run in runs.items():
        if not run.metrics:
            raise ArgumentError("runs", f"{label}, which has not begun", "runs with metrics")
    settings = [flat_settings(run.config.to_dict()) for run in runs.values()]
    return rendered(
        "report.html",
        title=title,
        labels=list(runs),
        results=_results(runs),
        notes=_notes(runs),
        sections=_sections(runs),
        settings=_side_by_side(settings),
        metrics=[(label, _metrics(run)) for label, run in runs.items()],
        environment=_side_by_side([run.checkpoint.environment for run in runs.values()]),
    )


def rendered(template: str, **values: Any) -> str:
    """Return a page by one of the templates beside this file."""
    import jinja2

    folder = resources.files(__package__)
    loader = jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8"))
    undefined = jinja2.StrictUndefined
    environment = jinja2.Environment(
        autoescape=True, undefined=undefined, finalize=_shown, loader=loader
    )
    return environment.get_template(template).render(**values)


def _shown(value: Any) -> Any:
    """Make text printable: labels may hold control characters."""
    return printable(value) if isinstance(value, str) else value


def _results(runs: Mapping[str, Run]) -> Table:
    """The last row of each run's metrics."""
    last = {label: run.metrics[-1] for label, run in runs.items()}
    names = column_names(last.values())
    return Table(names, [(label, _cells(row, names)) for label, row in last.items()])


def _notes(runs: Mapping[str, Run]) -> list[str]:
    """Which runs stopped early, and why."""
    return [
        f"{label}: stopped early at step {run.checkpoint.step}: {run.stopped_early}"
        for label, run in runs.items()
        if run.stopped_early
    ]


def _metrics(run: Run) -> Table:
    names = column_names(run.metrics)
    return Table(names, [_cells(row, names) for row in run.metrics])


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    values = row.columns()
    return [cell(values[name]) if name in values else "" for name in names]


def cell(value: float) -> str:
    """Return a number as a table shows it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _sections(runs: Mapping[str, Run]) -> list[tuple[str, list[Picture]]]:
    seen = {label: run for label, run in runs.items() if run.sample_steps}
    judged = {label: run for label, run in runs.items() if pictures.has_surface(run)}
    surfaces = [drawn(label, pictures.decision_surface(run)) for label, run in judged.items()]
    moving = {label: run for label, run in seen.items() if pictures.has_plane(run)}
    own, quality = pictures.own_panels(runs), pictures.QUALITY | pictures.EMA_QUALITY
    sections = [
        ("Samples over time", [drawn(*each) for each in sample_figures(seen).items()]),
        ("Objectives", [_curves(runs, pictures.OBJECTIVES)]),
        ("Quality of the samples", [_curves(seen, quality)] if seen else []),
        ("Metrics of one's own", [_curves(runs, own)] if own else []),
        ("The gradient's two terms", [_curves(runs, pictures.ANATOMY)]),
        ("The discriminator at the end", surfaces),
        ("In motion", [_animated(run, label) for label, run in moving.items()]),
    ]
    return [(heading, pictured) for heading, pictured in sections if pictured]


def sample_figures(runs: Mapping[str, Run]) -> dict[str, Figure]:
    """Return a figure of samples over time for each dataset, of all runs that share it."""
    groups: dict[Any, dict[str, Run]] = {}
    for label, run in runs.items():
        groups.setdefault(_data_of(run), {})[label] = run
    return {", ".join(group): pictures.samples_over_time(group) for group in groups.values()}


def _data_of(run: Run) -> tuple[Any, str]:
    """The settings of the data, and the class of those that were handed in."""
    return run.config.data, run.setup.handed_in.get("data", "")


def _curves(runs: Mapping[str, Run], panels: Mapping[str, str]) -> Picture:
    there = pictures.filled(runs, panels)
    return drawn("; ".join(there.values()), pictures.curves(runs, there))


def drawn(caption: str, figure: Figure) -> Picture:
    """Return a figure as it stands on a page."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return Picture("image/png", base64.b64encode(file.getvalue()).decode(), caption)


def _animated(run: Run, label: str) -> Picture:
    return Picture("image/gif", base64.b64encode(pictures.animation(run)).decode(), label)


def _side_by_side(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [str(column.get(name, "")) for column in columns]) for name in names]
