"""Early stop: the end of training once a column of the metrics table no longer improves.

Whether training stops follows from the rows alone, so that a resumed run stops where it would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.config import EarlyStop
from tinygrad_ugan.gan.training.evaluation import EMA, Row
from tinygrad_ugan.gan.training.setup import Setup


class Patience:
    """The best row so far by a metric, and the looks since.

    Parameters
    ----------
    settings : EarlyStop
        The metric, and the patience with it.
    rows : iterable of Row
        The metrics table so far.
    """

    def __init__(self, settings: EarlyStop, rows: Iterable[Row] = ()) -> None:
        self._settings = settings
        self._best = math.nan
        self._best_step = 0
        self._looks = 0
        for row in rows:
            self.look(row)

    def look(self, row: Row) -> bool:
        """Take a row into account, and return whether it is the best so far.

        Raises
        ------
        ArgumentError
            If the row does not have the column.
        """
        settings, columns = self._settings, row.columns()
        if settings.metric is None:
            return False
        if settings.metric not in columns:
            raise _no_column(settings.metric, columns)
        value = float(columns[settings.metric])
        gain = value - self._best if settings.mode == "max" else self._best - value
        first = math.isnan(self._best) and not math.isnan(value)
        improved = first or gain > settings.min_delta  # a NaN never is
        self._looks = 0 if improved else self._looks + 1
        if improved:
            self._best, self._best_step = value, row.step
        return improved

    @property
    def reason(self) -> str:
        """Why training stops at the last row; empty if it goes on."""
        settings = self._settings
        if settings.metric is None or self._looks < settings.patience:
            return ""
        looks = "1 look" if self._looks == 1 else f"{self._looks} looks"
        if math.isnan(self._best):
            return f"{settings.metric} was NaN in {looks}"
        moved = "risen above" if settings.mode == "max" else "fallen below"
        by = f" by more than {settings.min_delta:g}" if settings.min_delta else ""
        best = f"{self._best:g}, that of step {self._best_step:,}"
        return f"{settings.metric} has not {moved} {best},{by} in {looks}"


def check_early_stop(setup: Setup) -> None:
    """Raise `ArgumentError` if no metrics table of this setup can have the column."""
    metric = setup.config.early_stop.metric
    names = [name for name in Row._fields if name not in ("seconds", "own", "ema")]
    names += setup.metrics
    names += [f"{EMA}{name}" for name in names] if setup.config.ema else []
    if metric is not None and metric not in names:
        raise _no_column(metric, names)


def _no_column(metric: str, names: Iterable[str]) -> ArgumentError:
    expected = f"a column of the metrics table: {', '.join(names)}"
    return ArgumentError("early_stop.metric", repr(metric), expected)
