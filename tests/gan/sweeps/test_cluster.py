"""Sweeps on a cluster of two workers, one of which is killed."""

import os
import signal

import pytest

from tests.gan.small import bits, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.sweeps.carried import carry
from tinygrad_ugan.gan.sweeps.cluster import SHOWN, summary, take_first_steps, train_one
from tinygrad_ugan.gan.sweeps.hyperparameter_grid import variations
from tinygrad_ugan.gan.sweeps.sweep_table import SweepTable

distributed = pytest.importorskip("distributed")

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SEEDS = range(5) if DEEP else range(2)
VARY = {"unroll.steps": [0, 2] if DEEP else [2], "unroll.method": ["auto", "detached"]}
CONFIG = varied(steps=2000 if DEEP else 40, checkpoint_every=20, evaluate_every=50)

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


def test_a_sweep_survives_the_death_of_a_worker_and_equals_a_serial_run(cluster, tmp_path):
    results = []

    def on_result(each, status):
        results.append(status)
        if len(results) == 1:
            os.kill(cluster.workers[0].pid, signal.SIGKILL)

    address = cluster.scheduler_address
    options = {"seeds": SEEDS, "folder": tmp_path / "sweep", "scheduler": address}
    table = gan.sweep(CONFIG, VARY, **options, on_result=on_result)
    every = variations(CONFIG, VARY, SEEDS)
    assert results == ["done"] * len(every)
    assert table["folder"].tolist() == [each.folder for each in every]
    for each, row in zip(every, table.rows, strict=True):
        serial = gan.train(each.config)
        parallel = gan.load(tmp_path / "sweep" / each.folder)
        assert bits(parallel.checkpoint.state) == bits(serial.checkpoint.state)
        assert row["unroll.steps"] == each.config.unroll.steps
        assert row["seed"] == each.config.seed
        assert row["sliced_wasserstein"] == serial.metrics[-1].sliced_wasserstein
    assert (tmp_path / "sweep/table.csv").read_text() == table.to_csv()
    # what is finished is not trained again; what fails does not stop the rest
    wild = {**VARY, "unroll.method": ["auto", "detached", "implicit"]}
    again = gan.sweep(CONFIG, wild, **options)
    assert again.done["seconds"].tolist() == table["seconds"].tolist()
    failed = again.by(["status"])["failed",]
    assert len(failed) == len(table) // 2
    for row in failed.rows:
        assert row["error"].startswith("NotConvergedError: ")
        assert "Traceback" in (tmp_path / "sweep" / row["folder"] / "error.txt").read_text()


def test_an_error_is_forgotten_once_the_run_is_done(tmp_path):
    [each] = variations(varied(), {}, [0])
    blocked = tmp_path / each.folder / "checkpoints"
    blocked.parent.mkdir()
    blocked.write_text("in the way")
    row = train_one(each, tmp_path, carry({}, []))
    assert row["status"] == "failed"
    blocked.unlink()
    row = train_one(each, tmp_path, carry({}, []))
    assert (row["status"], row["error"], row["step"]) == ("done", "", 4)
    assert not (tmp_path / each.folder / "error.txt").exists()


def test_the_summary_shows_means_and_every_seed():
    identity = {"status": "done", "loss": "hinge", "unroll.steps": 3}
    rows = [{**identity, **dict.fromkeys(SHOWN, value)} for value in (1.0, 2.0, 6.0)]
    table = SweepTable((*rows, {**identity, "status": "failed"}))
    axis = summary(table, ["loss", "unroll.steps"]).axes[0]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["hinge, 3"]
    assert axis.lines[0].get_ydata().tolist() == [1, 2, 6]
    assert axis.lines[1].get_ydata().tolist() == [3]


def test_workers_take_a_step_before_the_first_run(monkeypatch):
    taken = []
    take = gan.TrainStep.__call__
    monkeypatch.setattr(
        gan.TrainStep, "__call__", lambda step, *a: (taken.append(step.config), take(step, *a))[1]
    )
    good = varied(unroll=gan.Unroll(1, fresh=True))
    wild = varied(unroll=gan.Unroll(1, lr=1e300))  # left to its run to fail
    take_first_steps([wild, good], carry({}, []))
    assert taken == [wild, good]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers: expected a whole number >= 1"),
        ({"seeds": []}, "seeds: expected a list"),
        ({"scheduler": "nonsense://x"}, "scheduler: expected a dask cluster"),
    ],
)
def test_bad_arguments(options, words, tmp_path):
    with pytest.raises(ArgumentError, match=words):
        gan.sweep(CONFIG, {}, folder=tmp_path / "new", **options)
