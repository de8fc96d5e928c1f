"""Callbacks see every step and row, in order."""

import numpy as np
import pytest

from tests.gan.small import SMALL, varied
from tinygrad_ugan import gan


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
