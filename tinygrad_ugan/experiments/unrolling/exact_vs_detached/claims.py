"""The claims of the map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.experiments.experiment import Claim
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import CELLS, Cell
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import (
    Key,
    Measures,
    column,
)

Results = Mapping[Key, Mapping[int, Measures]]


def contrasts(results: Results) -> list[Claim]:
    """The cells where one method is far ahead, and the detached gradient of twice the steps."""
    found = []
    for cell in dict.fromkeys(cell for cell, _ in results):
        first, second = ("detached", "exact") if cell.lr == 1 else ("exact", "detached")
        found.append(_more_modes(results, cell, first, second))
        if cell.lr < 1 and (cell, "detached, 2 K") in results:
            found.append(_more_modes(results, cell, "detached, 2 K", "exact"))
    return found


def _more_modes(results: Results, cell: Cell, first: str, second: str) -> Claim:
    """By the exact test over all changes of signs; one seed has only the sign of the difference."""
    from scipy.stats import permutation_test

    one, other = (column(results[cell, method], "modes") for method in (first, second))
    seen, holds = f"{one.mean():.2f} against {other.mean():.2f}", one.mean() > other.mean()
    if len(one) > 1:
        signs = {"permutation_type": "samples", "n_resamples": np.inf, "batch": 10_000}
        p = permutation_test((one - other,), np.mean, vectorized=True, **signs).pvalue
        seen, holds = f"{seen}, {len(one)} seeds, p = {p:.2g}", holds and p < 0.01
    return Claim(f"{cell}: more modes by {first} than by {second}", seen, bool(holds))


def regimes(mapped: Results) -> list[Claim]:
    """The three regimes of the look-ahead."""
    short = _where(lambda cell: 0.25 < cell.steps * cell.lr < 0.35)
    long = _where(lambda cell: cell.steps * cell.lr > 0.8 and cell.lr < 1)
    crude = [Cell("nonsaturating", width, k, 1.0) for width in (128, 512) for k in (1, 3)]
    steps = _differences(mapped, short, "steps_to_all")
    quality = _differences(mapped, long, "high_quality")
    exact, detached = (
        [column(mapped[cell, method], "modes").mean() for cell in crude]
        for method in ("exact", "detached")
    )
    return [
        Claim(
            f"K eta = 0.3: exact has 8 modes sooner; mean over {len(short)} cells, 95 % interval",
            _interval(steps, "steps"),
            viz.confidence_interval(steps)[1] < 0,
        ),
        Claim(
            f"K eta = 0.9 to 3, eta < 1: less quality by exact; mean over {len(long)} cells",
            _interval(quality, "points"),
            viz.confidence_interval(quality)[1] < 0,
        ),
        Claim(
            "eta = 1, K = 1 and 3, non-saturating, D 128 and 512 wide: exact finds no mode, "
            "detached more than 7",
            f"{max(exact):.2g} at most, {min(detached):.2g} at least",
            max(exact) < 0.5 and min(detached) > 7,
        ),
    ]


def anatomy(mapped: Results) -> list[Claim]:
    """The size of the indirect term, and its direction."""
    from scipy.stats import spearmanr

    fine = _where(lambda cell: cell.lr < 1)
    reach = [cell.steps * cell.lr for cell in fine]
    sizes = [float(np.nanmedian(column(mapped[cell, "exact"], "ratio"))) for cell in fine]
    rank = float(spearmanr(reach, sizes).statistic)
    cosines = {
        loss: [
            float(np.nanmean(column(mapped[cell, "exact"], "cosine")))
            for cell in fine
            if cell.loss == loss and cell.steps * cell.lr > 0.25
        ]
        for loss in ("minimax", "nonsaturating")
    }
    along, against = min(cosines["minimax"]), max(cosines["nonsaturating"])
    return [
        Claim(
            "eta < 1: the norm ratio grows with K eta, rank correlation > 0.7 over cells",
            f"{rank:.2f}; from {min(sizes):.2g} to {max(sizes):.2g}",
            rank > 0.7,
        ),
        Claim(
            "K eta >= 0.3, eta < 1: along the direct term in minimax (cosine > 0.2), against it "
            "in the non-saturating game (< -0.4), in every cell",
            f"{along:.2f} at least, {against:.2f} at most",
            along > 0.2 and against < -0.4,
        ),
    ]


def _where(wanted: Callable[[Cell], bool]) -> list[Cell]:
    return [cell for cell in CELLS if wanted(cell)]


def _differences(mapped: Results, cells: Iterable[Cell], name: str) -> list[float]:
    """Exact minus detached, the mean of each cell."""
    return [
        float(np.mean(column(mapped[cell, "exact"], name) - column(mapped[cell, "detached"], name)))
        for cell in cells
    ]


def _interval(values: list[float], unit: str) -> str:
    low, high = viz.confidence_interval(values)
    return f"{np.mean(values):+.3g} ({low:+.3g} to {high:+.3g}) {unit}"
