"""Runs are resumed, loaded and saved to the same bits."""

import numpy as np
import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError


def test_resuming_from_an_earlier_checkpoint(tmp_path):
    run = gan.train(varied(steps=6, checkpoints=3), folder=tmp_path)
    assert outcome(gan.resume(tmp_path, step=4)) == outcome(run)
    with pytest.raises(ArgumentError, match=r"step: expected one of \[2, 4, 6\].*got 3"):
        gan.resume(tmp_path, step=3)


def test_a_finished_run_stays_as_it_is(tmp_path):
    run = gan.train(SMALL, folder=tmp_path)
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert outcome(gan.resume(tmp_path)) == outcome(run)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files


def test_load_and_save(tmp_path):
    run = gan.train(SMALL)
    loaded = gan.load(run.save(tmp_path / "run"))
    assert outcome(loaded) == outcome(run)
    assert loaded.config == run.config
    one, two = (r.sample(5, np.random.default_rng(0)) for r in (run, loaded))
    assert one.tobytes() == two.tobytes()
    assert loaded.columns()["step"].tolist() == [0, 2, 4]
