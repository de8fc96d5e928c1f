"""What the generators of gaussian-1d know before the first step."""

import numpy as np
import pytest

from tinygrad_ugan.experiments.foundations import gaussian_1d


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_the_mlp_is_that_of_the_data_before_training(seed):
    setting, rng = gaussian_1d.SETTINGS["MLP"], np.random.default_rng(seed)
    origin, unit = 500.0, 5.0
    game, (theta_g, _) = gaussian_1d._start(setting, origin, unit, rng)
    samples = origin + unit * game.generator(theta_g, gaussian_1d._quantiles(2_001))[:, 0]
    assert samples.mean() == pytest.approx(origin, abs=1e-3)
