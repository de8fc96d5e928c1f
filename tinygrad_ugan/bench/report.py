"""Figures as records, a table, and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from tinygrad_ugan.bench.contenders import LIMIT
from tinygrad_ugan.bench.libraries import OURS
from tinygrad_ugan.bench.measure import Figure
from tinygrad_ugan.bench.workloads import Workload
from tinygrad_ugan.gan.runs.atomic_io import write_file


@dataclass(frozen=True)
class Record:
    """All figures of one workload.

    Attributes
    ----------
    game : str
        Name of the networks.
    workload : Workload
    threads : int
    figures : dict
        Of each library, and of the limit.

    Examples
    --------
    >>> from tinygrad_ugan.bench import WORKLOADS
    >>> def took(seconds): return Figure(seconds, seconds, seconds, error=0.0)
    >>> figures = {"limit": took(1.0), "adjoint": took(2.0), "torch": took(8.0)}
    >>> record = Record("A", WORKLOADS["A"], threads=1, figures=figures)
    >>> record.fraction_of_limit("torch"), record.ratio("torch")
    (0.125, 0.25)
    """

    game: str
    workload: Workload
    threads: int
    figures: Mapping[str, Figure]

    @property
    def ours(self) -> str:
        """The name of our best method."""
        return next(name for name in OURS if name in self.figures)

    def fraction_of_limit(self, name: str) -> float:
        """Part of the time in which the multiply-adds alone could have been done."""
        return self.figures[LIMIT].median / self.figures[name].median

    def ratio(self, rival: str) -> float:
        """Our time divided by the rival's: medians."""
        return self.figures[self.ours].median / self.figures[rival].median

    def gigaflops(self, name: str) -> float:
        """The necessary operations, two for a multiply-add, in 1e9 a second."""
        return 2e-9 * self.workload.multiply_adds / self.figures[name].median

    def to_json(self) -> dict[str, Any]:
        """Numbers and names only."""
        libraries = [name for name in self.figures if name != LIMIT]
        return {
            "game": self.game,
            "workload": asdict(self.workload),
            "threads": self.threads,
            "multiply_adds": self.workload.multiply_adds,
            "seconds": {name: figure._asdict() for name, figure in self.figures.items()},
            "gigaflops": {name: self.gigaflops(name) for name in self.figures},
            "fraction_of_limit": {name: self.fraction_of_limit(name) for name in libraries},
            "ours": self.ours,
            "ours_to_rival": {name: self.ratio(name) for name in libraries if name != self.ours},
        }


def table(records: Sequence[Record]) -> Table:
    """Milliseconds; ours with the part of the limit, the others with ours / theirs."""
    names = list(dict.fromkeys(name for record in records for name in record.figures))
    names.remove(LIMIT)
    out = Table(caption="ms a value and gradient; ours: part of the limit; rivals: (ours / theirs)")
    for heading in ("game", "K", "dtype", "threads", LIMIT, *names):
        out.add_column(heading, justify="right")
    for record in records:
        workload = record.workload
        out.add_row(
            record.game,
            str(workload.steps),
            workload.dtype,
            str(record.threads),
            _milliseconds(record.figures[LIMIT]),
            *(_cell(record, name) for name in names),
        )
    return out


def _cell(record: Record, name: str) -> str:
    if name not in record.figures:
        return "-"
    shown = _milliseconds(record.figures[name])
    if name == record.ours:
        return f"{shown}, {record.fraction_of_limit(name):.1%}"
    return f"{shown} ({record.ratio(name):.2f})"


def _milliseconds(figure: Figure) -> str:
    return f"{1e3 * figure.median:.3g}"


def write(path: Path, records: Sequence[Record], **more: Any) -> None:
    """Write all figures, and what else is to be known about them, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {**more, "records": [record.to_json() for record in records]}
    write_file(path, json.dumps(report, indent=1) + "\n")
