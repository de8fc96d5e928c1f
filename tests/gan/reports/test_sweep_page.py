"""The page of a sweep, read as a browser would, against the runs themselves."""

import numpy as np
import pytest

from tests.gan.reports.test_html_page import Page
from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan, viz
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.reports import sweep_pictures
from tinygrad_ugan.gan.reports.sweep_page import sweep_figures, sweep_page
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain, variations
from tinygrad_ugan.gan.sweeps.sweep_dir import read_sweep, write_grid

VARY = {"unroll.steps": [0, 2], "networks.generator": [[8], [4, 4]]}


def largest(state, samples):
    return samples.max()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of eight runs, one has failed and one is yet to begin; they have a column of their own."""
    folder = tmp_path_factory.mktemp("sweep")
    every = variations(SMALL, VARY, [0, 1])
    write_grid(folder, VARY, every)
    for each in every[:-2]:
        obtain(each.config, folder / each.folder, metrics={"largest": largest})
    (folder / every[-1].folder).mkdir()
    (folder / every[-1].folder / "error.txt").write_text("Traceback\nValueError: <b>")
    return read_sweep(folder)


def test_the_page_stands_alone_and_says_everything(results):
    text = sweep_page(results, "title")
    page = Page(text)
    assert page.open == []
    assert all(link.startswith("data:") for link in page.links)
    assert "8 runs: 6 done, 1 not begun, 1 failed." in text
    assert "<b>" not in text
    rows = [cells for _, cells in page.rows]
    [failed] = [cells for cells in rows if cells[1:2] == ["failed"]]
    assert failed[2] == "ValueError: <b>"
    header = next(cells for cells in rows if "runs done" in cells)
    means = [dict(zip(header, cells, strict=False)) for cells in rows[rows.index(header) + 1 :]]
    last = [run.metrics[-1] for run in list(results.runs.values())[4:]]
    assert means[2]["unroll.steps"] == "2"
    assert means[2]["networks.generator"] == "[8]"
    assert means[2]["runs done"] == "2 of 2"
    mean = np.mean([row.own["largest"] for row in last])
    assert means[2]["largest"].startswith(f"{mean:.4g} [")
    assert means[3]["runs done"] == "0 of 2"
    ends = viz.mean_interval([row.high_quality for row in last], (0, 1))
    assert f"[{ends.low:.4g}, {ends.high:.4g}]" in means[2]["high_quality"]


def test_the_figures_have_names_and_headings(results):
    names = [each.name for each in sweep_figures(results)]
    assert {"means", "curves", "samples", "heat-modes", "heat-largest"} <= set(names)
    assert len(set(names)) == len(names)
    with pytest.raises(ArgumentError, match=r"metric: .*got 'mode'; did you mean"):
        sweep_page(results, "title", metric="mode")


def test_runs_of_differing_columns_and_data_stand_side_by_side(tmp_path):
    gan.train(varied(seed=1), tmp_path / "a", metrics={"largest": largest})
    gan.train(varied(seed=2, data=gan.Grid(side=2)), tmp_path / "b")
    results = read_sweep(tmp_path)
    assert sweep_pictures.metric_columns(results)[-1] == "largest"
    names = [each.name for each in sweep_figures(results)]
    assert {"samples", "samples-1"} <= set(names)
    assert "(1 of" not in sweep_page(results, "title")


def test_before_any_run_there_are_no_figures(tmp_path):
    write_grid(tmp_path, VARY, variations(SMALL, VARY, [0]))
    results = read_sweep(tmp_path)
    assert list(sweep_figures(results)) == []
    assert "4 runs: 4 not begun." in sweep_page(results, "title")
