"""The map's claims and pictures, on results that are made up, and its factor of two."""

from itertools import product

import numpy as np
import pytest

from tinygrad_ugan import data, gan, nn, unroll
from tinygrad_ugan.experiments.unrolling.exact_vs_detached import claims, experiment, pictures
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.cells import (
    CELLS,
    LOSSES,
    STEPS,
    WIDTHS,
    Cell,
)
from tinygrad_ugan.experiments.unrolling.exact_vs_detached.measures import Measures, difference_rows
from tinygrad_ugan.tree import ravel

PAIR = ("exact", "detached")
RATES = (1e-2, 1e-3, 1e-4)  # inner step sizes


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


def left_over(loss, seed):
    """|exact - detached of twice the look-ahead| / |exact - no look-ahead|, for each of RATES."""
    rng = np.random.default_rng(seed)
    game = gan.Game(nn.MLP((16, 64, 2)), nn.MLP((2, 64, 1)), loss)
    theta_g, theta_d = (net.init(rng, np.float64) for net in (game.generator, game.discriminator))
    real = data.ring(128, rng=rng, dtype=np.float64)
    batch = gan.Batch(real, rng.standard_normal((128, 16)))

    def gradient(steps, lr, method):
        options = {"steps": steps, "lr": lr, "method": method}
        return ravel(unroll.value_and_grad(game, theta_g, theta_d, batch, **options)[1])[0]

    plain = gradient(0, 0.1, "adjoint")
    exact = [gradient(1, eta, "adjoint") for eta in RATES]
    doubled = [gradient(1, 2 * eta, "detached") for eta in RATES]
    return np.array(
        [
            np.linalg.norm(one - other) / np.linalg.norm(one - plain)
            for one, other in zip(exact, doubled, strict=True)
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_minimax_the_difference_vanishes_in_proportion_to_eta(seed):
    found = left_over("minimax", seed)
    np.testing.assert_allclose(found / RATES, np.mean(found / RATES), rtol=0.1)
    assert found[-1] < 1e-3


@pytest.mark.parametrize(("seed", "expected"), [(0, 1.8), (1, 0.49), (2, 2.0)])
def test_nonsaturating_it_stays(seed, expected):
    np.testing.assert_allclose(left_over("nonsaturating", seed), expected, rtol=0.05)
