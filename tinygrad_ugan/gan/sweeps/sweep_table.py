"""The table of a sweep: a row for every run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan.errors import check_choice
from tinygrad_ugan.extras import import_extra
from tinygrad_ugan.gan.training.evaluation import Row
from tinygrad_ugan.typing import Array

if TYPE_CHECKING:
    import pandas as pd

METRICS = [name for name in Row._fields if name not in Row._field_defaults]


@dataclass(frozen=True)
class SweepTable:
    """The results of a sweep.

    Attributes
    ----------
    rows : tuple of mapping
        One for each run, in the order of the grid: the settings that vary, the seed, the folder,
        the status, the error, and the last row of its metrics, if there is one.

    Examples
    --------
    >>> row = {"loss": "hinge", "seed": 0, "folder": "a", "status": "done", "error": ""}
    >>> table = SweepTable(({**row, "modes": 8}, {**row, "seed": 1, "status": "failed"}))
    >>> table["modes"], len(table.done)
    (array([ 8., nan]), 1)
    """

    rows: tuple[Mapping[str, Any], ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns that any run has; of all metrics, if no run has one."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return list(names if "step" in names else names | dict.fromkeys(METRICS))

    @property
    def done(self) -> SweepTable:
        """The rows of the runs that are done."""
        return SweepTable(tuple(row for row in self.rows if row["status"] == "done"))

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.rows)

    def __getitem__(self, name: str) -> Array:
        """Return a column; numbers that are not there are NaN, words are empty."""
        check_choice("column", name, self.names)
        values = [row.get(name) for row in self.rows]
        if any(isinstance(value, str) for value in values):
            return np.array(["" if value is None else value for value in values], object)
        return np.array([np.nan if value is None else value for value in values])

    def by(self, names: Sequence[str]) -> dict[tuple[Any, ...], SweepTable]:
        """Return the tables of the runs that share the values of some columns."""
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row[name] for name in names), []).append(row)
        return {values: SweepTable(tuple(rows)) for values, rows in groups.items()}

    def to_csv(self) -> str:
        """Return the table as text."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def to_pandas(self) -> pd.DataFrame:
        """Return the table as a DataFrame: needs the extra "sweep"."""
        pd = import_extra("pandas", "sweep")
        return pd.DataFrame(list(self.rows), columns=self.names).convert_dtypes()


def identity_columns(settings: Mapping[str, Any], seed: int, folder: str) -> dict[str, Any]:
    """Return the columns that identify a run."""
    varied = {n: v if isinstance(v, int | float) else str(v) for n, v in settings.items()}
    return {**varied, "seed": seed, "folder": folder}


def result_row(
    identity: Mapping[str, Any], status: str, error: str = "", last: Row | None = None
) -> dict[str, Any]:
    """Return the row of a run; a metric of the same name as a setting is called ``metrics.name``.

    Examples
    --------
    >>> result_row({"seconds": 5.0, "seed": 0}, "failed", "ValueError: x")
    {'seconds': 5.0, 'seed': 0, 'status': 'failed', 'error': 'ValueError: x'}
    """
    row = {**identity, "status": status, "error": error}
    columns = {} if last is None else last.columns()
    return row | {f"metrics.{n}" if n in row else n: value for n, value in columns.items()}
