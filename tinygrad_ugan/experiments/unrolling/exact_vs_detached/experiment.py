"""The gain from the second-order term, and where it is: the same games with it and without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_ugan import viz
from tinygrad_ugan.experiments.experiment import Experiment, Outcome
from tinygrad_ugan.experiments.page import markdown_table
from tinygrad_ugan.experiments.session import Session
from tinygrad_ugan.experiments.unrolling.exact_vs_detached import claims, pictures
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import (
    BASE,
    CELLS,
    EDGE_RATES,
    LOSSES,
    METHODS,
    RATES,
    STEPS,
    WIDTHS,
    Cell,
    config,
    label,
)
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import (
    Key,
    Measures,
    cell_rows,
    column,
    difference_rows,
    measure,
    run_rows,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[Key, dict[int, Measures]]

PAIR, TRIO = ("exact", "detached"), ("exact", "detached", "detached, 2 K")
JUDGED = ("modes", "high_quality", "steps_to_all")
EDGE = {loss: [Cell(loss, 128, 1, eta) for eta in EDGE_RATES] for loss in LOSSES}
SLICE = [Cell(loss, 128, k, eta) for loss in LOSSES for k, eta in ((3, 0.1), (10, 0.1), (3, 1.0))]
WINS = [Cell(loss, 128, 1, 0.2) for loss in LOSSES]
DEFEAT = Cell("nonsaturating", 512, 1, 1.0)
FRESH = range(1000, 1020)  # seeds that were not used to find these three

PAGE = """
The generator of an unrolled GAN may descend the exact gradient of f_K, or the direct term alone,
which holds theta_D^K constant: the detached gradient. This is a map of what the second-order term
buys: the ring in miniature (noise 32, batch 128, D one hidden layer wide, Adam at 2e-3 decaying
to 0, and here 1,000 steps only), over the loss, the width of D, K and the inner step size eta of
plain ascent. Both methods start from the same weights and see the same data.

**Why a factor of two.** While the look-ahead K eta is short, theta_K = theta + K eta g with g =
df/d theta_D, and in the minimax game f_K = f + K eta |g|^2. The derivative of |g|^2 counts twice
how g depends on the generator, and the detached gradient counts it once: to first order in eta
the exact gradient of the minimax game is the detached one of twice the look-ahead. With the
non-saturating loss it is not: D does not ascend what G descends, the two halves differ, and what
is left between the two gradients stays about as long as what the look-ahead changes (0.5 to 2
times, at random weights), however small eta is. `detached, 2 K` below is that competitor for
either loss; it needs no second derivative.

**What is measured.** *modes*: covered ones, the mean over the looks (every 50 steps) in the
second half of training; *steps to 8 modes*: from which look on all 8 stay covered, 1,000 if
never; *% HQ*: samples within 3 standard deviations of a mode, at the end; norm ratio and cosine
of the two terms: medians over training.

**When to stop.** The first five seeds of the map were looked at before the other five were run:
they bear out the same claims, and mark no cell for the exact gradient and ten for the detached
one. The twenty fresh seeds were fixed in number before any was run with these draws; ten, with
other draws, had left the minimax contrast at p = 0.04.

**Other methods.** *last step only*, *last half*: exact, but differentiated through so many of the
last steps only. *exact, fresh batches*: a new batch for every unrolled step. *Chainer's*: the
scheme of musyoku/unrolled-gan, K steps on fresh batches, one step of G against theta_D^K, no second
term, D put back to theta_D^1 (here by plain ascent, as for all the others, where that code takes
Adam's).
*theta_D^K kept*: exact, but D is not put back, of which musyoku's post warns. It is not like for
like: D then takes K plain steps where the others take one of Adam's. In some cells the samples
are the sharper for it, so this table does not show that to keep theta_D^K is a mistake.
"""


def run(session: Session) -> Outcome:
    """Train the map, its edge, the other methods on a slice, and three cells on fresh seeds."""
    if session.quick:
        again = _train(session, "two cells", product((WINS[1], DEFEAT), PAIR), session.seeds)
        figures = {"contrast": pictures.by_method(again)}
        return Outcome(claims.contrasts(again), cell_rows(again), figures, _settings())
    fresh = _train(session, "fresh seeds", product((*WINS, DEFEAT), TRIO), FRESH)
    mapped = _train(session, "the map", product(CELLS, PAIR), session.seeds)
    edge = _train(session, "its edge", product(chain(*EDGE.values()), TRIO), session.seeds)
    sliced = _train(session, "other methods", product(SLICE, METHODS), session.seeds)
    differences = difference_rows(mapped, CELLS, JUDGED)
    every = edge | sliced | mapped
    return Outcome(
        claims=[
            *claims.contrasts(fresh),
            *claims.regimes(mapped),
            *claims.anatomy(mapped),
        ],
        rows=summary(mapped, differences),
        figures={
            **_diagrams(mapped, differences),
            "edge": pictures.edge(edge, EDGE, TRIO),
            "fresh-seeds": pictures.by_method(fresh),
            "methods": pictures.by_method(sliced),
        },
        settings=_settings(),
        remarks=_remarks(differences, mapped, fresh, sliced),
        tables={
            "cells": cell_rows(every),
            "differences": differences,
            "runs": run_rows(every),
            "fresh": run_rows(fresh),
        },
    )


def _train(session: Session, what: str, keys: Iterable[Key], seeds: Iterable[int]) -> Results:
    results: Results = {}
    for (cell, method), seed in session.track([*product(keys, seeds)], what):
        run = session.train(label(cell, method, seed), config(cell, method, seed))
        results.setdefault((cell, method), {})[seed] = measure(run)
    return results


def _settings() -> dict[str, Any]:
    return {
        "base": BASE.to_dict(),
        "losses": LOSSES,
        "widths of D": WIDTHS,
        "K": STEPS,
        "inner step sizes": RATES,
        "inner step sizes at the edge": EDGE_RATES,
        "other methods at": [str(cell) for cell in SLICE],
        "fresh seeds": [*FRESH],
        "at": [str(cell) for cell in (*WINS, DEFEAT)],
    }


def _diagrams(mapped: Results, differences: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    what = "exact minus detached; in the cells: exact / detached, * q < 0.05"
    titles = {
        "modes": (f"modes: {what}", 4.0, 1),
        "steps_to_all": (f"steps to 8 modes: {what}", 400.0, 0),
        "high_quality": (f"% high quality: {what}", 10.0, 0),
    }
    maps = {
        name: pictures.phase_diagram(
            mapped, differences, name, title=title, limit=limit, digits=digits
        )
        for name, (title, limit, digits) in titles.items()
    }
    return {
        **maps,
        "look-ahead": pictures.look_ahead(mapped, "modes", title="modes, late in training"),
        "norm-ratio": pictures.anatomy(
            mapped, "ratio", title="|indirect| / |direct| while the exact gradient trains; log10"
        ),
        "cosine": pictures.anatomy(
            mapped, "cosine", title="cosine of the two terms while the exact gradient trains"
        ),
    }


def summary(mapped: Results, differences: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for every loss, K and eta: means over widths and seeds."""
    return [
        _summary_row(mapped, differences, loss, k, eta)
        for loss, k, eta in product(LOSSES, STEPS, RATES)
    ]


def _summary_row(
    mapped: Results, differences: Sequence[Mapping[str, Any]], loss: str, k: int, eta: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"loss": loss, "K": k, "eta": eta}
    for name, title in (
        ("modes", "modes"),
        ("high_quality", "% HQ"),
        ("steps_to_all", "steps to 8"),
    ):
        means = (
            np.mean([column(mapped[Cell(loss, w, k, eta), m], name) for w in WIDTHS]) for m in PAIR
        )
        row[f"{title}: exact / detached"] = " / ".join(f"{mean:.4g}" for mean in means)
    here = [d for d in differences if (d["loss"], d["steps"], d["lr"]) == (loss, k, eta)]
    for winner in PAIR:
        row[f"{winner} better at width"] = ", ".join(
            str(d["width"]) for d in here if winner in _winners(d)
        )
    return row


def _winners(difference: Mapping[str, Any]) -> set[str]:
    """Which of the two is significantly better by one of the measures at least."""
    return {
        PAIR[(difference[f"{name}_difference"] > 0) == (name == "steps_to_all")]
        for name in JUDGED
        if difference[f"{name}_q"] < 0.05
    }


def _remarks(
    differences: Sequence[Mapping[str, Any]], mapped: Results, fresh: Results, sliced: Results
) -> str:
    seeds = [len(next(iter(results.values()))) for results in (mapped, sliced)]
    tests = [(d[f"{name}_p"], d[f"{name}_q"]) for d in differences for name in JUDGED]
    small, kept = (sum(test[i] < 0.05 for test in tests) for i in (0, 1))
    better = {method: sum(method in _winners(d) for d in differences) for method in PAIR}
    parts = [
        f"**Multiplicity.** {len(differences)} cells, {len(JUDGED)} measures, {len(tests)} paired "
        f"t tests over {seeds[0]} seeds. p < 0.05 in {small}, where chance alone would give "
        f"{len(tests) / 20:.0f}; q < 0.05 (Benjamini and Hochberg) in {kept}. By one measure at "
        f"least, exact is better in {better['exact']} cells, detached in {better['detached']}. "
        "With so few seeds, a cell where nothing is marked may still hide a difference.",
        f"**Fresh seeds** {FRESH[0]} to {FRESH[-1]}.\n\n{markdown_table(_means(fresh))}",
        f"**Other methods**, {seeds[1]} seeds: to see, not to judge by.\n\n"
        f"{markdown_table(_means(sliced))}",
    ]
    return "\n\n".join(parts)


def _means(results: Results) -> list[dict[str, Any]]:
    """Means with 95 % confidence intervals, as text."""

    def written(runs: Mapping[int, Measures], name: str) -> str:
        values = column(runs, name)
        low, high = viz.confidence_interval(values)
        return f"{values.mean():.4g} ({low:.4g} to {high:.4g})"

    titles = {"modes": "modes", "steps_to_all": "steps to 8", "high_quality": "% HQ"}
    return [
        {
            "cell": str(cell),
            "method": method,
            **{title: written(runs, name) for name, title in titles.items()},
        }
        for (cell, method), runs in results.items()
    ]


EXPERIMENT = Experiment(
    name="exact-vs-detached",
    summary="a map of what the second-order term buys: over step size, K, width of D and loss",
    source="Metz et al. (2016), section 2; code: musyoku/unrolled-gan (2017)",
    page=PAGE,
    run=run,
    seeds=10,
)
