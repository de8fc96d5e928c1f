"""Training warns of unrolled steps that overshoot, and is otherwise the same to the bit."""

import warnings
from dataclasses import replace

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.gan.training import step_size_watch


def settings(lr, **changes):
    config = ug.gan.Config(steps=1, batch=32, evaluation_samples=50, loss="least_squares")
    return replace(config, unroll=ug.gan.Unroll(steps=3, lr=lr, **changes))


def test_it_warns_once_beyond_the_limit():
    with pytest.warns(UserWarning, match=r"unroll.lr = 300 is beyond .* overshoot") as caught:
        ug.gan.train(settings(300.0), progress=False)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "config",
    [
        settings(0.1),
        settings(300.0, optimizer="adam"),
        replace(settings(300.0), evaluate_every=10),  # looks would cost too much there
    ],
    ids=["small", "adam", "many looks"],
)
def test_it_is_silent_elsewhere(config):
    with warnings.catch_warnings(action="error"):
        ug.gan.train(config, progress=False)


def test_steps_beyond_the_limit_that_lead_uphill_are_let_be(monkeypatch):
    path = ug.unroll.Trajectory((), np.array([-2.0, -1.0]))
    monkeypatch.setattr(step_size_watch.unroll, "trajectory", lambda *args, **how: path)
    with warnings.catch_warnings(action="error"):
        ug.gan.train(settings(300.0), progress=False)


def test_training_is_the_same_to_the_bit(monkeypatch):
    config = replace(settings(300.0), steps=3)
    with pytest.warns(UserWarning, match="overshoot"):
        watched = ug.gan.train(config, progress=False)
    monkeypatch.setattr(step_size_watch, "LEAST_WORK", np.inf)
    alone = ug.gan.train(config, progress=False)
    pairs = zip(
        *(optree.tree_leaves((r.theta_g, r.theta_d)) for r in (watched, alone)), strict=True
    )
    assert all(np.array_equal(a, b) for a, b in pairs)
