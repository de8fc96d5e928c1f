"""Callbacks see every step and row, in order."""

import numpy as np
import optree
import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan
from tinygrad_ugan.errors import ArgumentTypeError


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


def test_a_tensorboard_file_can_be_read_back(tmp_path):
    pytest.importorskip("tensorboardX")
    run = gan.train(SMALL, callbacks=[gan.TensorBoard(tmp_path)])
    [file] = tmp_path.glob("events.*")
    content = file.read_bytes()
    assert all(name.encode() in content for name in run.columns() if name != "step")


def seen_by(config=SMALL, **parts):
    records = []
    run = gan.train(config, callbacks=[records.append], **parts)
    return run, records


def test_a_function_sees_every_step_and_its_row():
    run, records = seen_by(varied(ema=0.5, steps=5))
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    assert [record.row for record in records] == [None, run.metrics[1], None, *run.metrics[2:]]
    assert all(np.isfinite(record.objectives).all() for record in records)
    assert bits(records[-1].state) == bits(run.checkpoint.state)
    states = gan.TrainStep(run.config).states()
    assert [bits(each.state) for each in records] == [bits(each) for each in states][1:]  # kept


def test_a_function_cannot_change_the_run():
    def vandal(record):
        for leaf in optree.tree_leaves(record.state):
            if isinstance(leaf, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    leaf[...] = 0
        record.state.theta_g[0]["w"] = None
        record.state.theta_d.clear()
        if record.row is not None:
            with pytest.raises(TypeError):
                record.row.own["largest"] = 0.0

    metrics = {"largest": lambda state, x: x.max()}
    config = varied(ema=0.5)
    run = gan.train(config, metrics=metrics, callbacks=(vandal,))
    assert outcome(run) == outcome(gan.train(config, metrics=metrics))


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_function_ends_training_by_returning_true(on_disk, tmp_path):
    folder = tmp_path / "run" if on_disk else None
    run = gan.train(SMALL, folder, callbacks=[lambda record: record.step == 3])
    assert run.checkpoint.step == 3
    assert not run.finished
    resumed = gan.resume(folder) if on_disk else run.resume()
    assert outcome(resumed) == outcome(gan.train(SMALL))


@pytest.mark.parametrize("where", ["function", "metric", "on_row"])
def test_after_an_error_the_run_goes_on_from_that_step(where, tmp_path):
    def fail(step):
        if step >= 3 and not mended:
            raise ZeroDivisionError("mine")

    class Fail(gan.Callback):
        def on_row(self, row):
            fail(row.step)

    mended = []
    function = {"function": lambda record: fail(record.step), "on_row": Fail()}.get(where)
    metrics = {"m": lambda state, x: fail(state.step) or 1.0} if where == "metric" else {}
    callbacks = [] if function is None else [function]
    with pytest.raises(ZeroDivisionError, match="mine") as error:
        gan.train(SMALL, tmp_path, callbacks=callbacks, metrics=metrics)
    step = 3 if where == "function" else 4
    assert error.value.__notes__ == [f"the run is kept at step {step}: resume goes on there"]
    mended.append(True)
    run = gan.resume(tmp_path, callbacks=callbacks, metrics=metrics)
    assert outcome(run) == outcome(gan.train(SMALL, metrics=metrics))


@pytest.mark.parametrize(
    ("callbacks", "words"),
    [
        (print, "callbacks: expected a list of callbacks"),
        ([gan.Callback], r"callbacks\[0\]: expected .*got the class Callback"),
        ([print, 3], r"callbacks\[1\]: expected .*got a int"),
        ([lambda record: 1], "answer: expected None, or True to end training, got a int"),
    ],
)
def test_what_is_no_callback_is_refused(callbacks, words):
    with pytest.raises(ArgumentTypeError, match=words):
        gan.train(SMALL, callbacks=callbacks)
