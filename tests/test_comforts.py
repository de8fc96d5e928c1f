"""A moving average, several steps of the generator and an early stop, from the command line."""

import os

import pytest

from tests.gan.small import outcome
from tests.test_cli import exit_code, output
from tests.test_own_game import LONG, killed
from tinygrad_ugan import gan
from tinygrad_ugan.cli import main

# Whatever the distance does, it does not fall by 100: the stop comes after 8 looks.
STOP = ["--early-stop.metric", "ema_sliced_wasserstein", "--early-stop.mode", "min"]
STOP += ["--early-stop.patience", "8", "--early-stop.min-delta", "100"]
SETTINGS = ["--ema", "0.9", "--update.generator-steps", "2", "--checkpoint-every", "5", *STOP]
TRAIN = ["train", *LONG, "--pictures", "2", *SETTINGS]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_killed_resumed_stopped_and_continued(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main([*TRAIN, "--out", "whole"])
    whole = gan.load("whole")
    assert whole.checkpoint.step == 160  # 8 looks, 20 steps each, after the first
    said = "stopped early at step 160: ema_sliced_wasserstein has not fallen below"
    assert said in output(capsys)
    killed(TRAIN, tmp_path / "killed")
    assert 10 <= gan.load("killed").checkpoint.step < 160

    main(["resume", "killed"])
    assert outcome(gan.load("killed")) == outcome(whole)
    assert "go on with: ugan resume killed --no-early-stop" in output(capsys)
    assert (tmp_path / "killed" / "stopped.txt").read_text().startswith(said)
    main(["sample", "killed", "--ema", "--best", "--out", "x.npy"])
    main(["report", "killed", "--out", "report.html"])
    page = (tmp_path / "report.html").read_text()
    assert "ema_modes" in page
    assert said in page

    main(["resume", "killed", "--no-early-stop"])
    assert gan.load("killed").checkpoint.step == 200
    assert not (tmp_path / "killed" / "stopped.txt").exists()


def test_samples_of_what_there_is_not_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["train", *LONG[:-6], "--steps", "2", "--evaluation-samples", "50", "--out", "run"])
    assert exit_code(["sample", "run", "--ema"]) == 2
    assert "ema: expected False, as the run has no moving average" in output(capsys)
    assert exit_code(["sample", "run", "--best"]) == 2
    assert "best: expected false" in output(capsys)
