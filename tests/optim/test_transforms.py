import numpy as np
import pytest

import tinygrad_ugan as ug
from tests.autodiff.checks import check_modes
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


def once(transform, grads, params=None):
    return transform.update(grads, transform.init(params), params)[0]


def test_clipping():
    long, short = {"a": np.array([3.0]), "b": np.array([0.0, 4.0])}, {"a": np.array([0.3])}
    clipped = once(optim.clip_by_norm(1.0), long)
    np.testing.assert_allclose(clipped["a"], [0.6])
    np.testing.assert_allclose(clipped["b"], [0.0, 0.8])
    np.testing.assert_array_equal(once(optim.clip_by_norm(1.0), short)["a"], short["a"])
    single = once(optim.clip_by_norm(1.0), {"a": np.float32([3, 4])})
    assert single["a"].dtype == np.float32


def test_clipping_is_differentiable_everywhere(rng):
    for x in (rng.standard_normal(3), 10 * rng.standard_normal(3)):
        check_modes(lambda x: once(optim.clip_by_norm(2.0), np.sin(x) * x), (x,), rng, order=2)
    jacobian = ug.jacobian(lambda x: once(optim.clip_by_norm(2.0), x))(np.zeros(2))
    np.testing.assert_array_equal(jacobian, np.eye(2))


def test_decay_and_scale_by_leaf_and_schedule():
    params = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}
    assert once(optim.add_decayed_weights(0.5), params, params)["b"] == 4.5
    factors = {"w": 0.5, "b": 2.0}
    assert once(optim.scale(factors), params, params)["w"].tolist() == [0.5, 1.0]
    halved = optim.scale(optim.ExponentialSchedule(1.0, 0.5))
    state = halved.init(params)
    _, state = halved.update(params, state, params)
    assert halved.update(params, state, params)[0]["b"] == 1.5
    with pytest.raises(ArgumentError, match=r"factor.*that of params.*structure"):
        once(optim.scale({"w": 1.0}), params, params)


def test_a_chain_unrolls(rng):
    chained = optim.chain(optim.clip_by_norm(0.5), optim.add_decayed_weights(0.1), optim.Adam(0.1))

    def final(x):
        state = chained.init(x)
        for _ in range(3):
            updates, state = chained.update(np.cos(x) + x**3, state, x)
            x = optim.apply_updates(x, updates)
        return x

    check_modes(final, (rng.standard_normal(3),), rng, order=2)


def test_bad_settings():
    with pytest.raises(ArgumentError, match=r"longest.*positive"):
        optim.clip_by_norm(0.0)
    with pytest.raises(ArgumentTypeError, match=r"parts\[1\].*init and update"):
        optim.chain(optim.SGD(), 3)
