import numpy as np
import pytest

from tinygrad_ugan import nn


@pytest.mark.parametrize("shape", [(300, 100), (100, 300)])
def test_variances(shape, rng):
    for initializer, variance in (
        (nn.HeNormal(), 2 / shape[0]),
        (nn.GlorotUniform(), 2 / sum(shape)),
    ):
        w = initializer(rng, shape, np.float64)
        assert w.shape == shape
        # four standard errors of the variance of 30,000 normal numbers; less of uniform ones
        assert w.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / w.size))
        assert abs(w.mean()) < 4 * np.sqrt(variance / w.size)


def test_he_keeps_the_second_moment_through_relu_layers(rng):
    net = nn.MLP((500,) * 6, "relu", initializer=nn.HeNormal())
    x = rng.standard_normal((200, 500))
    y = net(net.init(rng, np.float64), x)
    # the last layer follows a ReLU too; the spread over five random matrices is about 10 %
    assert np.mean(y**2) == pytest.approx(2 * np.mean(x**2), rel=0.4)
