"""The map's claims and pictures, on results that are made up."""

from itertools import product

import numpy as np
import pytest

from tinygrad_ugan.experiments.unrolling.exact_vs_detached import claims, experiment, pictures
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import (
    CELLS,
    LOSSES,
    STEPS,
    WIDTHS,
    Cell,
)
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import Measures, difference_rows

PAIR = ("exact", "detached")


def made_up(cell, method, seed):
    """The three regimes, as the experiment claims them."""
    exact, reach = method == "exact", cell.steps * cell.lr
    crude = cell.lr == 1 and cell.loss == "nonsaturating"
    return Measures(
        modes=0.1 * seed if exact and crude else 7.5 + 0.1 * seed,
        high_quality=20 - 10 * exact * (reach > 0.8) + seed,
        steps_to_all=800 - 100 * exact * (reach < 0.5) + seed,
        reverse_kl=0.1,
        ratio=reach,
        cosine=0.5 if cell.loss == "minimax" else -0.5,
    )


def results(change=None):
    return {
        (cell, method): {
            seed: made_up(cell, method if change is None else change, seed) for seed in range(3)
        }
        for cell, method in product(CELLS, PAIR)
    }


def test_claims_of_the_regimes_and_of_the_anatomy():
    mapped = results()
    assert all(claim.holds for claim in claims.regimes(mapped))
    assert all(claim.holds for claim in claims.anatomy(mapped))
    assert not any(claim.holds for claim in claims.regimes(results("exact"))[:2])
    backwards = {
        key: {
            seed: run._replace(ratio=1 / run.ratio, cosine=-run.cosine)
            for seed, run in runs.items()
        }
        for key, runs in mapped.items()
    }
    assert not any(claim.holds for claim in claims.anatomy(backwards))


@pytest.mark.parametrize(("seeds", "holds"), [(1, True), (3, False), (10, True)])
def test_contrasts_need_seeds(seeds, holds):
    """Three seeds cannot give p < 0.01; one goes by its sign."""
    cell = Cell("nonsaturating", 512, 1, 1.0)
    several = {(cell, m): {s: made_up(cell, m, s) for s in range(seeds)} for m in PAIR}
    (claim,) = claims.contrasts(several)
    assert claim.holds == holds
    swapped = {(cell, m): several[cell, other] for m, other in zip(PAIR, PAIR[::-1], strict=True)}
    assert not claims.contrasts(swapped)[0].holds


def test_pictures_and_table():
    mapped = results()
    differences = difference_rows(mapped, CELLS, experiment.JUDGED)
    figure = pictures.phase_diagram(mapped, differences, "modes", title="modes", limit=4, digits=1)
    *panels, _ = figure.axes
    assert len(panels) == len(LOSSES) * len(WIDTHS)
    last = panels[-1].images[0].get_array()  # non-saturating, the widest D; columns are eta
    np.testing.assert_allclose(last[:, :-1], 0)
    np.testing.assert_allclose(last[:, -1], -7.5)
    assert len(pictures.anatomy(mapped, "ratio", title="ratio").axes) == len(panels) + 1
    curves = pictures.look_ahead(mapped, "modes", title="modes").axes
    assert [len(axis.containers) for axis in curves] == [2 * len(STEPS)] * len(panels)
    rows = experiment.summary(mapped, differences)
    assert len(rows) * len(WIDTHS) == len(CELLS)


def test_a_picture_by_method():
    cells = [Cell(loss, 128, 1, 0.2) for loss in LOSSES]
    chosen = {(c, m): {s: made_up(c, m, s) for s in range(2)} for c, m in product(cells, PAIR)}
    figure = pictures.by_method(chosen)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [*PAIR]
    along = {cell.loss: [cell] for cell in cells}
    assert len(pictures.edge(chosen, along, PAIR).axes) == 4
