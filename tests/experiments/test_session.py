"""What an experiment trained or computed is kept, and its time is counted."""

import numpy as np

from tinygrad_ugan.experiments import Session
from tinygrad_ugan.gan import Config


def test_training_is_not_done_twice(tmp_path):
    config = Config(steps=3, batch=8)
    first = Session([0], folder=tmp_path).train("a", config)
    again = Session([0], folder=tmp_path)
    before = again.seconds
    assert again.train("a", config).checkpoint.rows == first.checkpoint.rows
    assert again.seconds >= before + first.checkpoint.seconds / 2  # what it took then, counted in


def test_arrays_are_not_computed_twice(tmp_path):
    def compute():
        calls.append(1)
        return {"x": np.arange(3.0), "n": np.array([2])}

    calls = []
    for settings in ({"a": 1}, {"a": 1}, {"a": 2}):
        found = Session([0], folder=tmp_path / "new").obtain("some", settings, compute)
        assert found.keys() == {"x", "n"}
        assert found["x"].tolist() == [0, 1, 2]
    assert len(calls) == 2
