"""Tables and claims over seeds, by hand and against SciPy."""

import numpy as np
import pytest
import scipy.stats

from tinygrad_ugan.experiments import Session
from tinygrad_ugan.experiments.unrolling import comparison
from tinygrad_ugan.gan import Config

MODES, QUALITY = np.array([8.0, 7.0, 8.0]), np.array([80.0, 84.0, 85.0])


def test_an_estimate_is_the_mean_and_half_its_interval():
    mean, _, half = comparison.estimate(QUALITY).partition(" ± ")
    low, high = scipy.stats.ttest_1samp(QUALITY, 0).confidence_interval()
    assert float(mean) == pytest.approx(QUALITY.mean(), rel=1e-2)
    assert float(half) == pytest.approx((high - low) / 2, rel=0.05)


@pytest.mark.parametrize(("least", "goal", "holds"), [(7, 83, [1, 1]), (7.7, 84, [0, 0])])
def test_claims_go_by_the_mean(least, goal, holds):
    claims = comparison.found_claims({"modes": MODES, "quality": QUALITY}, least, goal)
    assert [claim.holds for claim in claims] == holds
    assert claims[1].seen.endswith(" %")


def test_all_modes_means_every_seed():
    assert not comparison.all_modes_claim("all", MODES, 8).holds
    assert comparison.all_modes_claim("all", MODES[::2], 8).holds


def test_runs_differ_by_setting_and_seed_only(tmp_path):
    configs = comparison.unrolled(Config(steps=2, batch=8), (0, 1))
    runs = comparison.train_all(Session([3, 4], folder=tmp_path), configs, prefix="toy, ")
    found = {(run.config.unroll.steps, run.config.seed) for each in runs.values() for run in each}
    assert found == {(0, 3), (0, 4), (1, 3), (1, 4)}
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        f"toy-K{K}-seed{seed}" for K in (0, 1) for seed in (3, 4)
    ]
    metrics = comparison.final_metrics(runs)
    assert metrics.keys() == {"K = 0", "K = 1"}
    assert all(len(column) == 2 for column in metrics["K = 1"].values())
    rows = [*comparison.table(metrics), *comparison.published({"theirs": (7.6, 35.6)})]
    assert {tuple(row) for row in rows} == {("", *comparison.COLUMNS.values())}
