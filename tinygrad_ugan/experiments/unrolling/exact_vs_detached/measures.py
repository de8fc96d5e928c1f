"""Scores of the training runs of the map, over seeds, and tests between two methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_ugan import viz
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import Cell
from tinygrad_ugan.gan import Run
from tinygrad_ugan.typing import Array

Key = tuple[Cell, str]  # of a cell by a method


class Measures(NamedTuple):
    """The scores of one run.

    Attributes
    ----------
    modes : float
        Modes covered, the mean over the second half of training.
    high_quality : float
        Per cent of the samples within 3 std of a mode, at the end.
    steps_to_all : float
        From which step on all modes are covered, at every later look; training's length if never.
    reverse_kl : float
        KL of the modes' shares, at the end.
    ratio : float
        ``|indirect| / |direct|``, the median over training.
    cosine : float
        Between the two terms, the median over training.
    """

    modes: float
    high_quality: float
    steps_to_all: float
    reverse_kl: float
    ratio: float
    cosine: float


def measure(run: Run) -> Measures:
    """Measure a run.

    Examples
    --------
    >>> from tinygrad_ugan.gan import Config, train
    >>> measure(train(Config(steps=2, batch=8))).steps_to_all
    2.0
    """
    columns, last = run.columns(), run.metrics[-1].columns()
    late = columns["step"] > run.config.steps / 2
    moving = columns["step"] > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # a generator that no longer moves
        ratio = columns["indirect"][moving] / columns["direct"][moving]
    return Measures(
        modes=float(columns["modes"][late].mean()),
        high_quality=100 * last["high_quality"],
        steps_to_all=_steps_to_all(run),
        reverse_kl=last["reverse_kl"],
        ratio=_median(ratio),
        cosine=_median(columns["cosine"][moving]),
    )


def _steps_to_all(run: Run) -> float:
    """The first look from which on none misses a mode."""
    everything, first = len(run.setup.data.centers()), float(run.config.steps)
    for row in reversed(run.metrics):
        if row.columns()["modes"] < everything:
            break
        first = float(row.step)
    return first


def _median(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")


def run_rows(results: Mapping[Key, Mapping[int, Measures]]) -> list[dict[str, Any]]:
    """A row for every run."""
    return [
        {**_named(cell, method), "seed": seed, **each._asdict()}
        for (cell, method), runs in results.items()
        for seed, each in runs.items()
    ]


def cell_rows(results: Mapping[Key, Mapping[int, Measures]]) -> list[dict[str, Any]]:
    """A row for every cell and method: means over seeds with 95 % confidence intervals."""
    return [_cell_row(*key, list(runs.values())) for key, runs in results.items()]


def _cell_row(cell: Cell, method: str, runs: Sequence[Measures]) -> dict[str, Any]:
    row = {**_named(cell, method), "seeds": len(runs)}
    for name in Measures._fields:
        values = np.array([getattr(run, name) for run in runs])
        low, high = viz.confidence_interval(values)
        row |= {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}
    return row


def _named(cell: Cell, method: str) -> dict[str, Any]:
    return {**cell._asdict(), "method": method}


class PairedTest(NamedTuple):
    """The difference of two methods on the same seeds.

    Attributes
    ----------
    difference : float
        The mean of the first minus that of the second.
    low, high : float
        Its 95 % confidence interval.
    p : float
        Of Student's paired test.
    """

    difference: float
    low: float
    high: float
    p: float


def paired_test(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Compare two methods, seed by seed, by Student's paired test.

    Examples
    --------
    >>> paired_test([8.0, 7.5, 8.0], [1.0, 2.0, 1.5]).p < 0.05
    True
    >>> paired_test([8.0, 8.0], [8.0, 8.0]).p
    1.0
    """
    from scipy.stats import ttest_rel

    first, second = np.asarray(first, float), np.asarray(second, float)
    low, high = viz.confidence_interval(first - second)
    same = len(first) < 2 or not np.ptp(first - second)  # where the test has nothing to go by
    p = 1.0 if same else float(ttest_rel(first, second).pvalue)
    return PairedTest(float(np.mean(first - second)), low, high, p)


def difference_rows(
    results: Mapping[Key, Mapping[int, Measures]], cells: Sequence[Cell], names: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for every cell: exact minus detached, with p, and q by Benjamini and Hochberg.

    All tests of all rows are corrected together: of those with q < 0.05, 5 % are expected to be
    false.
    """
    from scipy.stats import false_discovery_control

    found = [
        {
            name: paired_test(
                *(column(results[cell, method], name) for method in ("exact", "detached"))
            )
            for name in names
        }
        for cell in cells
    ]
    p = np.array([[each[name].p for name in names] for each in found])
    q = false_discovery_control(p.ravel()).reshape(p.shape)
    return [
        {
            **cell._asdict(),
            **{
                f"{name}_{part}": value
                for j, name in enumerate(names)
                for part, value in {**each[name]._asdict(), "q": float(q[i, j])}.items()
            },
        }
        for i, (cell, each) in enumerate(zip(cells, found, strict=True))
    ]


def column(runs: Mapping[int, Measures], name: str) -> Array:
    """One measure of all seeds."""
    return np.array([getattr(run, name) for run in runs.values()])
