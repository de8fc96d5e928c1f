import numpy as np
import pytest

from tinygrad_ugan import gan, nn
from tinygrad_ugan.errors import ArgumentError


def linear(params, x):
    return x @ params


@pytest.mark.parametrize("loss", gan.LOSSES)
def test_objectives_see_the_logits_of_real_and_generated_rows(loss, rng):
    game = gan.Game(linear, linear, loss)
    theta_g, theta_d = rng.standard_normal((3, 2)), rng.standard_normal((2, 1))
    batch = gan.Batch(real=rng.standard_normal((4, 2)), noise=rng.standard_normal((4, 3)))
    r, s = batch.real @ theta_d, batch.noise @ theta_g @ theta_d
    assert game.inner(theta_g, theta_d, batch) == gan.LOSSES[loss].inner(r, s)
    assert game.outer(theta_g, theta_d, batch) == gan.LOSSES[loss].outer(r, s)


def test_unknown_loss():
    with pytest.raises(ArgumentError, match=r"loss.*minimax.*did you mean 'hinge'"):
        gan.Game(nn.MLP(), nn.MLP(), loss="hing")


def test_a_shape_that_does_not_fit_names_it(rng):
    game = gan.Game(nn.MLP((4, 2)), nn.MLP((2, 1)))
    theta_g, theta_d = game.generator.init(rng), game.discriminator.init(rng)
    batch = gan.Batch(real=np.ones((5, 2)), noise=np.ones((5, 3)))
    with pytest.raises(ArgumentError, match=r"x: expected shape \(batch, 4\), got shape \(5, 3\)"):
        game.inner(theta_g, theta_d, batch)
