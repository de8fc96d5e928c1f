import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan import optim
from tinygrad_ugan.errors import ArgumentError


def test_schedules_follow_their_formulas():
    t = np.arange(12)
    share = np.minimum(t, 10) / 10
    expected = {
        optim.ConstantSchedule(0.3): 0 * t + 0.3,
        optim.LinearSchedule(0.3, 0.1, 10): 0.3 - 0.2 * share,
        optim.CosineSchedule(0.3, 10, 0.1): 0.1 + 0.2 * (1 + np.cos(np.pi * share)) / 2,
        optim.ExponentialSchedule(0.3, 0.5, 3): 0.3 * 0.5 ** (t / 3),
        optim.WarmupSchedule(4, optim.ConstantSchedule(0.8)): 0.8 * np.minimum(t + 1, 4) / 4,
    }
    for schedule, values in expected.items():
        np.testing.assert_allclose([schedule(int(k)) for k in t], values, rtol=1e-14)


def test_a_schedule_of_a_tensor_is_differentiable():
    def end(start):
        sgd = optim.SGD(lr=optim.LinearSchedule(start, 0.0, steps=2))
        x, state = 1.0, sgd.init(1.0)
        for _ in range(2):
            updates, state = sgd.update(x, state, x)
            x = x + updates
        return x

    # x -> (1 - s) (1 - s / 2)
    assert ug.grad(end)(0.4) == pytest.approx(-1.5 + 0.4, rel=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optim.LinearSchedule(1.0, 0.0, 0), "steps.*>= 1.*0"),
        (lambda: optim.CosineSchedule(1.0, 2.5), "steps.*>= 1.*2.5"),
        (lambda: optim.ExponentialSchedule(1.0, -1.0), "rate.*positive"),
        (lambda: optim.WarmupSchedule(3, 0.1), "then.*function of the step"),
    ],
)
def test_bad_settings(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
