"""Reports, whether on runs or on a sweep."""

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain, variations
from tinygrad_ugan.gan.sweeps.sweep_dir import write_grid


def test_a_path_is_that_of_a_sweep_and_a_mapping_is_of_runs(tmp_path):
    every = variations(SMALL, {"batch": [8, 16]}, [0])
    write_grid(tmp_path, ["batch"], every)
    obtain(every[0].config, tmp_path / every[0].folder)
    page = gan.report(tmp_path, title="<Mine>", metric="modes")
    assert "&lt;Mine&gt;" in page
    assert "2 runs: 1 done, 1 not begun." in page
    assert "<h1>Training report</h1>" in gan.report({"a": gan.train(SMALL)})


def test_what_is_not_for_runs_is_refused(tmp_path):
    runs = {"a": gan.train(varied(steps=2))}
    for options in ({"metric": "modes"}, {"game": None}):
        with pytest.raises(ArgumentError, match="expected none, as these are runs"):
            gan.report(runs, **options)
    with pytest.raises(ArgumentError, match="folder: expected the folder of a sweep"):
        gan.report(tmp_path)
