"""Measurements as a table, and as a JSON file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from tinygrad_ugan.bench.measure import Measurement, Timing
from tinygrad_ugan.bench.worker import LIMIT
from tinygrad_ugan.gan.runs.atomic_io import write_file


def table(measurements: Sequence[Measurement]) -> Table:
    """Milliseconds; ours with the part of the limit, the others with ours / theirs."""
    names = list(dict.fromkeys(itertools.chain(*(each.figures for each in measurements))))
    names.remove(LIMIT)
    out = Table(caption="ms a value and gradient; ours: part of the limit; rivals: (ours / theirs)")
    for heading in ("game", "K", "dtype", "threads", LIMIT, *names):
        out.add_column(heading, justify="right")
    for measurement in measurements:
        workload = measurement.workload
        out.add_row(
            measurement.game,
            str(workload.steps),
            workload.dtype,
            str(measurement.threads),
            _milliseconds(measurement.figures[LIMIT]),
            *(_cell(measurement, name) for name in names),
        )
    return out


def _cell(measurement: Measurement, name: str) -> str:
    if name not in measurement.figures:
        return "-"
    shown = _milliseconds(measurement.figures[name])
    if name == measurement.ours:
        return f"{shown}, {measurement.fraction_of_limit(name):.1%}"
    return f"{shown} ({measurement.ratio(name):.2f})"


def _milliseconds(figure: Timing) -> str:
    return f"{1e3 * figure.median:.3g}"


def write(path: Path, measurements: Sequence[Measurement], **more: Any) -> None:
    """Write all figures, and what else is to be known about them, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {**more, "records": [measurement.to_json() for measurement in measurements]}
    write_file(path, json.dumps(report, indent=1) + "\n")
