"""The discriminator's objective and gradient on every target, against the engine's."""

import numpy as np
import pytest

from tests.kernels.emitted import TARGETS
from tests.kernels.sweeps import Setting, distance, flat
from tinygrad_ugan import gan, nn, value_and_grad
from tinygrad_ugan.kernels.ascent_program import AscentProgram
from tinygrad_ugan.kernels.target import PLAIN

ALL_TARGETS = TARGETS | {"plain": PLAIN}
SETTINGS = {
    "odd": Setting(
        gan.Game(nn.MLP((5, 13, 9, 3), "elu"), nn.MLP((3, 17, 6, 1), "tanh", 0.25)),
        real=67,
        fake=33,
        steps=0,
    ),
    "one_hidden_forward": Setting(
        gan.Game(nn.MLP((2, 3, 2)), nn.MLP((2, 9, 1)), loss="least_squares"),
        real=8,
        fake=130,
        steps=0,
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("target", ALL_TARGETS.values(), ids=list(ALL_TARGETS))
def test_is_the_gradient_of_the_inner_objective(target, name):
    setting = SETTINGS[name]
    program = AscentProgram(setting.sweep(), target, np.float64)
    for seed in (1, 0):  # the second run knows nothing of the first
        theta_g, theta_d, batch = setting._replace(seed=seed).inputs()
        exact_value, exact = value_and_grad(setting.game.inner, argnums=1)(theta_g, theta_d, batch)
        players = flat(theta_g), flat(theta_d)
        value, gradient, is_finite = program.ascent(*players, *batch)
        assert is_finite
        assert value == pytest.approx(exact_value, rel=1e-12)
        assert [x.shape for x in gradient] == [x.shape for x in flat(exact)]
        assert distance(gradient, flat(exact)) < 1e-12
