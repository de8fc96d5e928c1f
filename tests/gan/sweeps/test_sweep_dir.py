"""Sweeps on disk: finished, half-finished, by hand, and damaged."""

import json

import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import obtain, variations
from tinygrad_ugan.gan.sweeps.sweep_dir import GRID, is_sweep, read_sweep, write_grid

VARY = {"unroll.steps": [0, 1], "loss": ["hinge", "wasserstein"]}


@pytest.fixture
def begun(tmp_path):
    every = variations(SMALL, VARY, [3])
    write_grid(tmp_path, VARY, every)
    return tmp_path, every


def test_every_run_has_its_status(begun):
    folder, every = begun
    obtain(every[0].config, folder / every[0].folder)
    half = gan.train(every[1].config).checkpoint
    gan.Run(half).save(folder / "whole")
    run = gan.train(every[1].config, folder / every[1].folder, callbacks=[StopAt(2)])
    assert not run.finished
    (folder / every[2].folder).mkdir()
    (folder / every[2].folder / "error.txt").write_text("Traceback\n\nValueError: bad\n")
    found = read_sweep(folder)
    assert found.vary == ("unroll.steps", "loss")
    assert found.table["status"].tolist() == ["done", "unfinished", "failed", "not begun"]
    assert found.table["error"].tolist() == ["", "step 2 of 4", "ValueError: bad", ""]
    assert found.table["loss"].tolist() == ["hinge", "wasserstein"] * 2
    assert found.table["seed"].tolist() == [3] * 4
    assert list(found.runs) == [each.folder for each in every[:2]]
    assert found.others == ("whole",)
    assert is_sweep(folder)
    assert not is_sweep(folder / "whole")


class StopAt(gan.Callback):
    def __init__(self, step):
        self.step = step

    def on_step(self, step, seconds, objectives):
        if step == self.step:
            raise KeyboardInterrupt


def test_a_damaged_run_is_named_and_the_others_are_read(begun):
    folder, every = begun
    for each in every:
        obtain(each.config, folder / each.folder)
    [*_, last] = sorted((folder / every[3].folder / "checkpoints").glob("*/state.json"))
    last.write_text("{}")
    found = read_sweep(folder)
    assert found.table["status"].tolist() == ["done"] * 3 + ["failed"]
    assert "state.json" in found.table["error"][3] or "checkpoints" in found.table["error"][3]


def test_runs_in_a_folder_vary_by_what_differs(tmp_path):
    gan.train(varied(seed=1), tmp_path / "a")
    gan.train(varied(seed=2, batch=8), tmp_path / "b")
    found = read_sweep(tmp_path)
    assert found.vary == ("batch",)
    assert found.table.by(["batch"]).keys() == {(16,), (8,)}
    assert found.table["seed"].tolist() == [1, 2]
    assert is_sweep(tmp_path)


def test_no_sweep(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        assert not is_sweep(tmp_path / name)
        with pytest.raises(ArgumentError, match=f"folder: expected the folder of a sweep.*{name}"):
            read_sweep(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vary": 3}, "vary"),
        ({"runs": [{}]}, "runs"),
        ({"vary": ["batch"]}, r"runs\[0\].settings: expected all that vary, got no batch"),
    ],
)
def test_a_damaged_grid_is_named(begun, change, words):
    folder, _ = begun
    file = folder / GRID
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(gan.CorruptError, match=f"{GRID}: .*{words}"):
        read_sweep(folder)
    file.write_text("{")
    with pytest.raises(gan.CorruptError, match=GRID):
        read_sweep(folder)
