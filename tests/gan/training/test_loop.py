"""The loop: reproducible, interruptible, resumable to the bit."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentError, NonFiniteError


class StopAt(gan.Callback):
    """Presses Ctrl-C after a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, step, seconds, objectives):
        if step == self.step:
            raise KeyboardInterrupt


class Record(gan.Callback):
    def __init__(self):
        self.calls = []

    def on_start(self, step, rows):
        self.calls.append(("start", step, len(rows)))

    def on_step(self, step, seconds, objectives):
        assert seconds > 0
        assert np.isfinite(objectives).all()
        self.calls.append(("step", step))

    def on_row(self, row):
        self.calls.append(("row", row.step))

    def on_end(self):
        self.calls.append(("end",))


def test_same_bits_with_one_thread_and_with_two():
    config = gan.Config(steps=3, pictures=2, evaluation_samples=50)  # the paper's networks
    one, two = (gan.train(dataclasses.replace(config, threads=n)) for n in (1, 2))
    assert outcome(one) == outcome(two)


def test_same_seed_same_bits_and_another_seed_other_bits():
    one, two, other = (gan.train(varied(seed=s)) for s in (3, 3, 4))
    assert outcome(one) == outcome(two)
    assert bits(one.theta_g) != bits(other.theta_g)


def test_runs_that_differ_in_K_share_their_start():
    one, two = gan.train(SMALL), gan.train(varied(unroll=gan.Unroll(steps=0)))
    assert bits(one.samples[0]) == bits(two.samples[0])
    assert bits(one.samples[-1]) != bits(two.samples[-1])


def test_rows_pictures_and_callbacks():
    record = Record()
    run = gan.train(varied(pictures=3, steps=5), callbacks=[record])
    assert [row.step for row in run.metrics] == [0, 2, 4, 5]
    assert run.sample_steps == (0, 2, 5)
    assert run.samples.shape == (3, 50, 2)
    assert run.finished
    steps = [("step", 1), ("step", 2), ("row", 2), ("step", 3), ("step", 4), ("row", 4)]
    ends = [("step", 5), ("row", 5), ("end",)]
    assert record.calls == [("start", 0, 0), ("row", 0), *steps, *ends]


def test_what_is_watched_does_not_change_what_is_trained():
    seldom = varied(evaluate_every=4, checkpoint_every=4, pictures=1, evaluation_samples=7)
    assert bits(gan.train(SMALL).theta_g) == bits(gan.train(seldom).theta_g)


@pytest.mark.parametrize("stop_at", [1, 2, 3, 4])
@pytest.mark.parametrize("on_disk", [False, True])
def test_an_interrupted_run_goes_on_to_the_same_bits(stop_at, on_disk, tmp_path):
    config = varied(update=gan.Update(discriminator_steps=2), pictures=3)
    undisturbed = gan.train(config)
    folder = tmp_path / "run" if on_disk else None
    run = gan.train(config, folder=folder, callbacks=[StopAt(stop_at)])
    assert run.checkpoint.step == stop_at
    assert not run.finished  # after its last step, it still lacks the last row
    resumed = gan.resume(folder) if on_disk else run.resume()
    assert outcome(resumed) == outcome(undisturbed)


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


def test_a_budget_of_seconds_ends_training_with_a_row(tmp_path):
    run = gan.train(varied(steps=10**6, seconds=0.2, evaluate_every=10**6), folder=tmp_path)
    assert run.finished
    assert 0 < run.checkpoint.step < 10**6
    assert [row.step for row in run.metrics] == [0, run.checkpoint.step]
    assert run.metrics[-1].seconds == pytest.approx(0.2, abs=0.2)
    assert gan.load(tmp_path).finished


def test_the_folder(tmp_path):
    run = gan.train(varied(steps=6), folder=tmp_path / "run")
    names = {str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*")}
    last = {f"checkpoints/0000000{step}" for step in (4, 6)}
    files = {f"{c}/{f}" for c in last for f in ("state.safetensors", "state.json", "SHA256SUMS")}
    assert names == {"config.json", "metrics.csv", "checkpoints"} | last | files
    assert gan.Config.from_json((tmp_path / "run/config.json").read_text()) == run.config
    with (tmp_path / "run/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 2, 4, 6]
    assert list(rows[0]) == list(gan.Row._fields)
    rest = json.loads((tmp_path / "run/checkpoints/00000006/state.json").read_text())
    assert rest["environment"]["numpy"] == np.__version__


def test_load_and_save(tmp_path):
    run = gan.train(SMALL)
    loaded = gan.load(run.save(tmp_path / "run"))
    assert outcome(loaded) == outcome(run)
    assert loaded.config == run.config
    one, two = (r.sample(5, np.random.default_rng(0)) for r in (run, loaded))
    assert one.tobytes() == two.tobytes()
    assert loaded.columns()["step"].tolist() == [0, 2, 4]


def test_no_result_is_overwritten(tmp_path):
    run = gan.train(SMALL, folder=tmp_path)
    for write in (lambda: gan.train(SMALL, folder=tmp_path), lambda: run.save(tmp_path)):
        with pytest.raises(ArgumentError, match=r"folder: expected a new folder.*ugan resume"):
            write()


@pytest.mark.parametrize("on_disk", [False, True])
def test_leaving_the_finite_numbers_can_be_replayed(on_disk, tmp_path):
    wild = gan.Optimizer("sgd", lr=1e30)
    config = varied(generator_optimizer=wild, steps=20)
    words = r"training: expected finite numbers, got at step (\d+): .*\w\[0\]\['b'\]"
    with pytest.raises(NonFiniteError, match=words) as error:
        gan.train(config, folder=tmp_path if on_disk else None)
    if not on_disk:
        assert list(tmp_path.iterdir()) == []
        return
    assert f"ugan replay {tmp_path}" in str(error.value)
    with pytest.raises(NonFiniteError) as again:
        gan.replay(tmp_path)
    assert str(again.value) in str(error.value)
    assert (tmp_path / "failure/batches/batches.safetensors").exists()
    assert [row.step for row in gan.load(tmp_path).metrics] == [0]


def test_there_is_nothing_to_replay_of_a_run_that_did_not_fail(tmp_path):
    gan.train(SMALL, folder=tmp_path / "good")
    for folder, words in (("good", "where no step has failed"), ("none", "which holds no run")):
        expected = rf"folder: expected a run that left the finite numbers, got .*{folder}, {words}"
        with pytest.raises(ArgumentError, match=expected):
            gan.replay(tmp_path / folder)


def test_a_tensorboard_file_can_be_read_back(tmp_path):
    pytest.importorskip("tensorboardX")
    gan.train(SMALL, callbacks=[gan.TensorBoard(tmp_path)])
    [file] = tmp_path.glob("events.*")
    content = file.read_bytes()
    assert all(name.encode() in content for name in gan.Row._fields[1:])
