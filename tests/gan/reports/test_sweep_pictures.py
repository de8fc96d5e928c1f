"""Pictures of a sweep show what is in its runs."""

import math

import numpy as np
import pytest

from tests.gan.small import SMALL
from tinygrad_ugan.gan.reports import sweep_pictures
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain, variations
from tinygrad_ugan.gan.sweeps.sweep_dir import read_sweep, write_grid

VARY = {"unroll.steps": [0, 1], "batch": [8, 16]}
PANELS = {"sliced_wasserstein": "distance"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    every = variations(SMALL, VARY, [0, 1, 2])
    write_grid(folder, VARY, every)
    for each in every[:9]:
        obtain(each.config, folder / each.folder)
    return read_sweep(folder)


def distances(results):
    return np.array([run.metrics[-1].sliced_wasserstein for run in results.runs.values()])


def test_bands_reach_from_the_least_to_the_greatest_run(results):
    figure = sweep_pictures.curves(results, PANELS)
    axis = figure.axes[3]
    runs = list(results.runs.values())[:3]
    curves = np.array([run.columns()["sliced_wasserstein"] for run in runs])
    steps, mean = axis.lines[0].get_data()
    assert steps.tolist() == runs[0].columns()["step"].tolist()
    np.testing.assert_allclose(mean, curves.mean(axis=0))
    border = axis.collections[0].get_paths()[0].vertices
    for step, low, high in zip(steps, curves.min(axis=0), curves.max(axis=0), strict=True):
        found = border[border[:, 0] == step, 1]
        assert (found.min(), found.max()) == pytest.approx((low, high))
    [legend] = figure.legends
    assert legend.get_texts()[0].get_text() == "steps = 0, batch = 8 (3 done)"
    assert len(axis.lines) == 3  # of one setting no run has begun
    assert sum(each.get_visible() for each in figure.axes) == 4


def test_heat_maps_have_means_in_their_cells(results):
    figure = sweep_pictures.heat_maps(results, PANELS)["sliced_wasserstein"]
    means = distances(results).reshape(3, 3).mean(axis=1)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [*(f"{mean:.3g}" for mean in means), "none"]
    [image] = figure.axes[0].images
    np.testing.assert_allclose(image.get_array().ravel()[:3], means)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["0", "1"]


def test_means_are_drawn_with_every_run(results):
    axis = sweep_pictures.means(results, PANELS).axes[0]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), distances(results)[:3])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["0, 8", "0, 16", "1, 8"]


@pytest.mark.parametrize(
    ("column", "words", "sign"),
    [
        ("sliced_wasserstein", ["best", "median", "worst"], 1),
        ("high_quality", ["best", "median", "worst"], -1),
        ("objective_g", ["highest", "median", "lowest"], -1),
    ],
)
def test_best_median_and_worst(results, column, words, sign):
    chosen = sweep_pictures.chosen_runs(results, column)
    assert [name.partition(",")[0] for name in chosen] == words
    values = [getattr(run.metrics[-1], column) for run in results.runs.values()]
    ranked = sorted(values, key=lambda value: sign * value)
    found = [getattr(run.metrics[-1], column) for run in chosen.values()]
    assert found == [ranked[0], ranked[4], ranked[8]]


def test_what_is_possible():
    assert sweep_pictures.possible("ema_recall") == (0, 1)
    assert sweep_pictures.possible("mine") == (-math.inf, math.inf)
