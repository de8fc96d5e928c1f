"""Early stop: when it comes follows from the rows alone, and a resumed run stops there too."""

import numpy as np
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tests.gan.training.test_loop import StopAt
from tinygrad_ugan import data, gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.early_stop import Patience

ROW = gan.train(SMALL).metrics[0]


def rows(*values):
    return [ROW._replace(step=i, own={"x": x}) for i, x in enumerate(values)]


@pytest.mark.parametrize(
    ("settings", "values", "stops_at"),
    [
        ({"patience": 2}, [1, 2, 3, 3, 3, 3], 4),
        ({"patience": 2}, [1, 0, 2, 1, 1], 4),
        ({"patience": 2, "mode": "min"}, [3, 2, 1, 1, 2], 4),
        ({"patience": 1, "min_delta": 0.5}, [1, 1.6, 2.1, 3], 2),
        ({"patience": 3}, [1, np.nan, np.nan, 2, 2, 2], None),
        ({"patience": 3}, [1, np.nan, np.nan, np.nan], 3),
        ({"patience": 2}, [np.nan, np.nan], 1),
        ({"patience": 2}, [np.nan, 1, 2, 3], None),
        ({"patience": 2}, [-np.inf, -np.inf, -np.inf], 2),
    ],
)
def test_it_comes_after_that_many_looks_without_improvement(settings, values, stops_at):
    patience = Patience(gan.EarlyStop("x", **{"mode": "max", **settings}))
    reasons = []
    for row in rows(*values):
        patience.look(row)
        reasons.append(patience.reason)
    assert [i for i, reason in enumerate(reasons) if reason][:1] == (
        [] if stops_at is None else [stops_at]
    )
    whole = Patience(gan.EarlyStop("x", **{"mode": "max", **settings}), rows(*values))
    assert whole.reason == reasons[-1]


def test_the_reason_is_in_words():
    reason = Patience(gan.EarlyStop("x", "max", min_delta=0.1, patience=1), rows(1.5, 1.5)).reason
    assert reason == "x has not risen above 1.5, that of step 0, by more than 0.1 in 1 look"


def falling(state, samples):
    """Best at step 4."""
    return 1 - abs(state.step - 4.0)


CONFIG = varied(
    steps=40, early_stop=gan.EarlyStop("falling", "max", patience=3), checkpoint_every=5
)
OWN = {"falling": falling}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stopped") / "run"
    return gan.train(CONFIG, folder=folder, metrics=OWN)


def test_the_run_its_folder_and_resume_say_why(stopped):
    assert stopped.finished
    assert stopped.checkpoint.step == 10
    assert stopped.sample_steps == (0, 10)  # with the picture of the end
    why = "falling has not risen above 1, that of step 4, in 3 looks"
    assert stopped.stopped_early == why
    assert (stopped.folder / "stopped.txt").read_text() == f"stopped early at step 10: {why}\n"
    with pytest.warns(UserWarning, match=r"stopped early: falling.*early_stop=False\) goes on"):
        again = gan.resume(stopped.folder, metrics=OWN)
    assert outcome(again) == outcome(stopped)


def test_the_best_checkpoint_is_kept(stopped):
    best = gan.load(stopped.folder, best=True, metrics=OWN)
    assert best.checkpoint.step == 4
    four = gan.train(varied(steps=4), metrics=OWN)
    assert bits(best.theta_g) == bits(four.theta_g)
    with pytest.raises(ArgumentError, match="best: expected False, as a step is given"):
        gan.load(stopped.folder, best=True, step=10)


def test_without_early_stop_there_is_no_best(tmp_path):
    gan.train(SMALL, folder=tmp_path)
    assert not (tmp_path / "stopped.txt").exists()
    with pytest.raises(ArgumentError, match=r"best: expected false.*which keeps none; .*metric"):
        gan.load(tmp_path, best=True)


@pytest.mark.parametrize("on_disk", [False, True])
def test_going_on_is_as_if_it_had_not_been_stopped(on_disk, tmp_path):
    folder = tmp_path / "run" if on_disk else None
    config = CONFIG.updated({"steps": 16})
    run = gan.train(config, folder=folder, metrics=OWN)
    assert run.stopped_early
    again = {"metrics": OWN} if on_disk else {}
    longer = (
        gan.resume(folder, early_stop=False, **again) if on_disk else run.resume(early_stop=False)
    )
    assert not longer.stopped_early
    undisturbed = gan.train(config.updated({"early_stop.metric": None}), metrics=OWN)
    assert bits(longer.checkpoint.state) == bits(undisturbed.checkpoint.state)
    assert longer.config.early_stop.metric is None
    if on_disk:
        assert not (folder / "stopped.txt").exists()
        assert gan.Config.from_json((folder / "config.json").read_text()) == longer.config
        assert gan.load(folder, metrics=OWN).finished


@pytest.mark.parametrize("at", [3, 6, 9])
def test_an_interrupted_run_stops_at_the_same_step(stopped, at, tmp_path):
    gan.train(CONFIG, folder=tmp_path, metrics=OWN, callbacks=[StopAt(at)])
    assert outcome(gan.resume(tmp_path, metrics=OWN)) == outcome(stopped)


def test_a_column_that_is_not_there_is_named(tmp_path):
    words = r"early_stop.metric: expected a column of the metrics table: step, .*got 'falling'"
    with pytest.raises(ArgumentError, match=words):
        gan.train(CONFIG, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    for name in ("seconds", "ema_modes"):
        with pytest.raises(ArgumentError, match=f"got '{name}'"):
            gan.train(varied(early_stop=gan.EarlyStop(name)))
    with pytest.raises(ArgumentError, match=r"sliced_wasserstein.*got 'modes'"):
        gan.train(varied(early_stop=gan.EarlyStop("modes"), data=data.Moons()))
