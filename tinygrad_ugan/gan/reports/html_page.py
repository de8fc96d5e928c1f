"""A report on one or more runs as a self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from tinygrad_ugan.errors import ArgumentError, printable
from tinygrad_ugan.gan.reports import pictures
from tinygrad_ugan.gan.runs.run import Run
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


def report(runs: Mapping[str, Run], title: str = "Training report") -> str:
    """Return a page with the results, pictures, settings and environments of runs, side by side.

    Parameters
    ----------
    runs : mapping of str to Run
        The runs by their labels.
    title : str
        The heading.

    Returns
    -------
    str
        HTML with embedded pictures.

    Raises
    ------
    ArgumentError
        If there is no run, or a run has no metrics yet.
    ArgumentTypeError
        If the settings of a run cannot be written down.
    """
    import jinja2

    if not runs:
        raise ArgumentError("runs", "none", "one run or more")
    for label, run in runs.items():
        if not run.metrics:
            raise ArgumentError("runs", f"{label}, which has not begun", "runs with metrics")
    settings = [_flat(run.config.to_dict()) for run in runs.values()]
    template = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown
    )
    return environment.from_string(template).render(
        title=title,
        labels=list(runs),
        results=_results(runs),
        notes=_notes(runs),
        sections=_sections(runs),
        settings=_side_by_side(settings),
        metrics=[(label, _metrics(run)) for label, run in runs.items()],
        environment=_side_by_side([run.checkpoint.environment for run in runs.values()]),
    )


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
    return [_cell(values[name]) if name in values else "" for name in names]


def _cell(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _sections(runs: Mapping[str, Run]) -> list[tuple[str, list[Picture]]]:
    seen = {label: run for label, run in runs.items() if run.sample_steps}
    judged = {label: run for label, run in runs.items() if pictures.has_surface(run)}
    surfaces = [_drawn(pictures.decision_surface(run), label) for label, run in judged.items()]
    moving = {label: run for label, run in seen.items() if pictures.has_plane(run)}
    own, quality = pictures.own_panels(runs), pictures.QUALITY | pictures.EMA_QUALITY
    sections = [
        ("Samples over time", _samples(seen)),
        ("Objectives", [_curves(runs, pictures.OBJECTIVES)]),
        ("Quality of the samples", [_curves(seen, quality)] if seen else []),
        ("Metrics of one's own", [_curves(runs, own)] if own else []),
        ("The gradient's two terms", [_curves(runs, pictures.ANATOMY)]),
        ("The discriminator at the end", surfaces),
        ("In motion", [_animated(run, label) for label, run in moving.items()]),
    ]
    return [(heading, drawn) for heading, drawn in sections if drawn]


def _samples(runs: Mapping[str, Run]) -> list[Picture]:
    """One picture for each dataset, of all runs that share it."""
    groups: dict[Any, dict[str, Run]] = {}
    for label, run in runs.items():
        groups.setdefault(_data_of(run), {})[label] = run
    return [
        _drawn(pictures.samples_over_time(group), ", ".join(group)) for group in groups.values()
    ]


def _data_of(run: Run) -> tuple[Any, str]:
    """The settings of the data, and the class of those that were handed in."""
    return run.config.data, run.setup.handed_in.get("data", "")


def _curves(runs: Mapping[str, Run], panels: Mapping[str, str]) -> Picture:
    there = pictures.filled(runs, panels)
    return _drawn(pictures.curves(runs, there), "; ".join(there.values()))


def _drawn(figure: Figure, caption: str) -> Picture:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return Picture("image/png", base64.b64encode(file.getvalue()).decode(), caption)


def _animated(run: Run, label: str) -> Picture:
    return Picture("image/gif", base64.b64encode(pictures.animation(run)).decode(), label)


def _flat(settings: Mapping[str, Any], place: str = "") -> dict[str, str]:
    """``{"a": {"b": 1}}`` as ``{"a.b": "1"}``."""
    flat: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{place}{name}.")
        else:
            flat[place + name] = str(value)
    return flat


def _side_by_side(columns: Sequence[Mapping[str, str]]) -> list[tuple[str, list[str]]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name, "") for column in columns]) for name in names]
