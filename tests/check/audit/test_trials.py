"""Games to drive a step on."""

import numpy as np
import optree

import tinygrad_ugan as ug
from tinygrad_ugan.check import trials


def test_the_linear_trial_is_solved_by_hand():
    trial = trials("wasserstein", steps=[4])[0]
    (layer,), (critic,) = trial.theta_g, trial.theta_d
    z = trial.batch.noise.mean(axis=0)
    gap = trial.batch.real.mean(axis=0) - z @ layer["w"] - layer["b"]
    by_samples = -(critic["w"][:, 0] + 2 * trial.steps * trial.lr * gap)
    gradient = [{"w": np.outer(z, by_samples), "b": by_samples}]
    place = (trial.game, trial.theta_g, trial.theta_d, trial.batch)
    found = ug.check.audit(gradient, *place, steps=trial.steps, lr=trial.lr)
    assert (found.verdict, found.relative_error < 1e-14) == ("exact", True)


def test_the_same_numbers_each_time_and_in_either_precision():
    for double, single in zip(trials(steps=[2]), trials(steps=[2], dtype=np.float32), strict=True):
        for x, y in zip(
            *(optree.tree_leaves(trial.start()) for trial in (double, single)), strict=True
        ):
            assert (x.dtype, y.dtype) == (np.float64, np.float32)
            np.testing.assert_allclose(x, y, rtol=1e-6)


def test_a_step_may_write_to_what_it_is_given():
    trial = trials(steps=[1])[0]
    theta_g, _, batch = trial.start()
    theta_g[0]["w"][:] = 0
    batch.real[:] = 0
    assert np.all(trial.theta_g[0]["w"])
    assert np.all(trial.batch.real)
