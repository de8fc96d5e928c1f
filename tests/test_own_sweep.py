"""A sweep of a game and data of one's own: interrupted, continued, reported."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.gan.small import outcome
from tests.test_cli import HERE, exit_code, output
from tests.test_own_game import LONG, PLUGGED, PLUGIN
from tinygrad_ugan import gan
from tinygrad_ugan.cli import main
from tinygrad_ugan.gan.sweeps.sweep_dir import read_sweep
from tinygrad_ugan.gan.training import registry

SWEEP = [
    "sweep", *LONG, *PLUGGED, "--game", "penalised", "--data", "points.csv", "--pictures", "2",
    "--checkpoint-every", "50", "--vary", "unroll.steps=0,1", "batch=8,16",
    "--seeds", "0", "1", "2", "--workers", "2", "--out", "sweep",
]  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "penalties_of_mine.py").write_text(PLUGIN)
    angles = 2 * np.pi * np.random.default_rng(0).random(100)
    rows = np.stack([170 + 10 * np.cos(angles), 7e-4 + 1e-4 * np.sin(angles)], axis=1)
    np.savetxt(tmp_path / "points.csv", rows, delimiter=",", header="height,rate", comments="")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_THINGS", {})
    yield
    sys.modules.pop("penalties_of_mine", None)


def interrupted(folder):
    """Sweep in a process that is interrupted as by Ctrl-C once a run has ended."""
    command = [sys.executable, "-m", "tinygrad_ugan", *SWEEP]
    with subprocess.Popen(command, env=HERE, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 200
        while time.monotonic() < until and process.poll() is None:
            if list(folder.glob("*/checkpoints/00000200")):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=60)[0]
    return process.returncode, text


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_interrupted_continued_and_reported(tmp_path, capsys):
    code, text = interrupted(tmp_path / "sweep")
    assert code == 130, text
    assert "interrupted; the same command goes on from here" in text
    registry.import_plugin("plugin", "penalties_of_mine")
    before = read_sweep(tmp_path / "sweep")
    done = before.table.done
    assert 0 < len(done) < len(before.table) == 12
    main(["report", "sweep", *PLUGGED, "--out", "half.html"])
    page = (tmp_path / "half.html").read_text()
    assert "Runs that are not done" in page
    assert "not begun" in page

    main(SWEEP)
    after = read_sweep(tmp_path / "sweep").table
    assert len(after.done) == 12
    kept = {row["folder"]: row["seconds"] for row in after.rows}
    assert all(kept[row["folder"]] == row["seconds"] for row in done.rows)
    for row in after.rows[::5]:
        run = gan.load(tmp_path / "sweep" / row["folder"])
        assert outcome(run) == outcome(gan.train(run.config))
    capsys.readouterr()
    main(["report", "sweep", *PLUGGED, "--out", "page.html"])
    assert "report on 12 of 12 runs" in output(capsys)
    page = (tmp_path / "page.html").read_text()
    assert "Runs that are not done" not in page
    figures = {path.name for path in tmp_path.glob("page-*.png")}
    assert {"page-means.png", "page-curves.png", "page-heat-recall.png"} <= figures
    assert "page-samples.png" in figures


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", *LONG, "--vary", "unroll.step=1", "--out", "sweep"], "unroll.step: "),
        (["sweep", *LONG, "--game", "penalised", "--out", "sweep"], "game: expected a registered"),
        (
            ["sweep", *LONG, "--plugin", "nowhere_at_all", "--out", "sweep"],
            "plugin: expected a mod",
        ),
        (["sweep", *LONG, "--data", "nothing.csv", "--out", "sweep"], "nothing.csv"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(arguments, words, tmp_path, capsys):
    assert exit_code(arguments) == 2
    assert words in (text := output(capsys))
    assert "Traceback" not in text
    assert not (tmp_path / "sweep").exists()


def test_without_the_plugin_the_sweep_is_not_reported(tmp_path, capsys):
    sweep = [*SWEEP[:-8], "--steps", "2", "--seeds", "0", "--workers", "1", "--out", "sweep"]
    main(sweep)
    sys.modules.pop("penalties_of_mine")
    registry._THINGS.clear()
    assert exit_code(["report", "sweep"]) == 2
    assert "--plugin" in output(capsys)
    assert exit_code(["report", "sweep", *PLUGGED, "--metric", "recal"]) == 2
    assert "metric: expected one of" in output(capsys)
    assert not (tmp_path / "report.html").exists()
