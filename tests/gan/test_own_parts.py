"""Games, data and metrics of one's own have what the built-in ones have, as far as they tell."""

import csv

import numpy as np
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan, unroll
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError, NonFiniteError

START = {"shift": np.zeros(2, np.float32)}, {"slope": np.ones(2, np.float32)}


class Points:
    """Data that have no modes."""

    dimension = 2

    def sample(self, n, rng, dtype=np.float32):
        return rng.normal(1.0, 0.5, (n, 2)).astype(dtype)


def inner(theta_g, theta_d, batch):
    judged = np.mean(batch.real - theta_g["shift"] - batch.noise[:, :2], axis=0)
    return np.sum(theta_d["slope"] * judged) - np.sum(theta_d["slope"] ** 2) / 2


WHOLE = unroll.Game(inner)
PARTS = {"game": WHOLE, "data": Points(), "init": START}


def test_a_whole_game_trains_with_checkpoints_and_goes_on(tmp_path):
    """It makes no samples: what is left are objectives and the anatomy of the gradient."""
    whole = gan.train(SMALL, tmp_path / "run", **PARTS)
    assert [row.modes for row in whole.metrics] == [None] * 3
    assert set(whole.columns()) == {
        "step", "seconds", "objective_g", "objective_d", "direct", "indirect", "cosine",
    }  # fmt: skip
    assert whole.samples.shape == (0, 50, 2)
    with (tmp_path / "run/metrics.csv").open() as file:
        assert list(next(csv.DictReader(file))) == list(whole.columns())
    gan.load(tmp_path / "run", step=2, **PARTS).save(tmp_path / "early")
    assert outcome(gan.resume(tmp_path / "early", **PARTS)) == outcome(whole)
    assert "The gradient&#39;s two terms" in gan.report({"mine": whole})
    with pytest.raises(ArgumentTypeError, match=r"game: expected a game with generate"):
        whole.sample(3, np.random.default_rng(0))


def test_the_start_is_needed_again_for_its_structure(tmp_path):
    gan.train(SMALL, tmp_path, **PARTS)
    with pytest.raises(ArgumentTypeError, match="init: expected theta_g and theta_d"):
        gan.resume(tmp_path, game=WHOLE, data=Points())


def test_data_without_modes_have_the_other_metrics(tmp_path):
    run = gan.train(SMALL, tmp_path, data=Points())
    last = run.metrics[-1]
    assert (last.modes, last.high_quality, last.reverse_kl, last.js) == (None,) * 4
    assert last.sliced_wasserstein > 0
    assert 0 <= last.accuracy_d <= 1
    assert "sliced_wasserstein" in gan.report({"mine": run})


def spread(state, samples):
    return samples.std()


def length(state, samples):
    return np.linalg.norm(state.theta_g[0]["w"])


OWN = {"spread": spread, "length": length}


def test_columns_of_ones_own(tmp_path):
    run = gan.train(SMALL, tmp_path / "run", metrics=OWN)
    assert run.metrics[-1].own["spread"] == pytest.approx(run.samples[-1].std())
    assert run.columns()["length"].shape == (3,)
    assert bits(run.checkpoint.state) == bits(gan.train(SMALL).checkpoint.state)
    with (tmp_path / "run/metrics.csv").open() as file:
        assert list(next(csv.DictReader(file)))[-2:] == ["spread", "length"]
    assert "Metrics of one&#39;s own" in gan.report({"mine": run})
    assert outcome(gan.load(tmp_path / "run")) == outcome(run)


def test_a_table_keeps_its_columns(tmp_path):
    whole = gan.train(SMALL, tmp_path / "run", metrics=OWN)
    gan.load(tmp_path / "run", step=2).save(tmp_path / "early")
    with pytest.raises(ArgumentError, match="metrics: expected the columns of the run so far: len"):
        gan.resume(tmp_path / "early")
    assert outcome(gan.resume(tmp_path / "early", metrics=OWN)) == outcome(whole)


def test_a_game_may_have_columns():
    class Mine(gan.Game):
        metrics = OWN

    built = SMALL.build_game()
    run = gan.train(SMALL, game=Mine(built.generator, built.discriminator))
    assert set(run.metrics[-1].own) == {"spread", "length"}


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"modes": spread}, "metrics: expected names of no column that there is already, got 'mo"),
        ({"a\nb": spread}, "metrics: expected names of columns"),
        ({"a": 3}, r"metrics\['a'\]: expected a function of a State and samples, got a int"),
        ({"a": lambda state, samples: samples}, r"metrics\['a'\]: expected a number, got a numpy"),
        ({"a": lambda state, samples: None}, r"metrics\['a'\]: expected a number, got a NoneType"),
    ],
)
def test_wrong_columns_are_told(metrics, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        gan.train(SMALL, metrics=metrics)


def test_a_failed_step_is_replayed_with_the_game_handed_in(tmp_path):
    config = varied(unroll=gan.Unroll(2, lr=1e30))
    with pytest.raises(NonFiniteError, match="ugan replay"):
        gan.train(config, tmp_path, **PARTS)
    with pytest.raises(NonFiniteError):
        gan.replay(tmp_path, **PARTS)


def test_ctrl_c_keeps_what_there_is(tmp_path):
    class Interrupt(gan.Callback):
        def on_step(self, step, seconds, objectives):
            if step == 3:
                raise KeyboardInterrupt

    run = gan.train(SMALL, tmp_path, callbacks=[Interrupt()], **PARTS)
    assert (run.checkpoint.step, run.finished) == (3, False)
    again = gan.load(tmp_path, **PARTS).resume()
    assert bits(again.checkpoint.state) == bits(gan.train(SMALL, **PARTS).checkpoint.state)
