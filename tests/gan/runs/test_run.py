"""Runs are resumed, loaded and saved to the same bits."""

import dataclasses

import numpy as np
import pytest

from tests.gan.small import SMALL, outcome, varied
from tinygrad_ugan import data, gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.unroll import compiled


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


def test_samples_of_the_moving_average(tmp_path):
    run = gan.train(varied(ema=0.5), folder=tmp_path)
    as_weights = dataclasses.replace(
        run, checkpoint=dataclasses.replace(run.checkpoint, state=run.checkpoint.state.averaged)
    )
    one = gan.load(tmp_path).sample(5, np.random.default_rng(0), ema=True)
    two = as_weights.sample(5, np.random.default_rng(0))
    assert one.tobytes() == two.tobytes()
    assert run.ema_samples.shape == run.samples.shape
    assert run.ema_samples[0].tobytes() == run.samples[0].tobytes()
    assert run.ema_samples[-1].tobytes() != run.samples[-1].tobytes()


def test_without_a_moving_average_there_are_no_samples_of_it():
    run = gan.train(SMALL)
    assert run.ema is None
    assert len(run.ema_samples) == 0
    with pytest.raises(ArgumentError, match="ema: expected False, as the run has no moving averag"):
        run.sample(5, np.random.default_rng(0), ema=True)


PROGRAMS = [  # what the kernels do not take, but programs do
    {"penalty": gan.penalties.GradientPenalty(), "loss": "wasserstein"},
    {
        "data": data.Ring(labelled=True),
        "networks": dataclasses.replace(
            SMALL.networks,
            conditional=True,
            generator_layers=gan.Layers(normalization="batch"),
            discriminator_layers=gan.Layers(dropout=0.2),
        ),
        "unroll": gan.Unroll(2, lr=1e-2, fresh=True),
    },
]


@pytest.mark.parametrize("changes", PROGRAMS)
def test_a_run_by_programs_is_resumed_to_the_same_bits(changes, tmp_path):
    run = gan.train(varied(steps=6, checkpoints=3, **changes), folder=tmp_path)
    compiled._programs.clear()
    assert outcome(gan.resume(tmp_path, step=2)) == outcome(run)
