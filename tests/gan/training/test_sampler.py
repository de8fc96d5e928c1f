import numpy as np
import pytest
import scipy.stats

from tests.gan.small import SMALL, bits, varied
from tinygrad_ugan import gan
from tinygrad_ugan.gan.training.sampler import streams


def draws(config):
    return gan.Draws(config, streams(config)[1])


def noise_of(batches):
    return np.array([batch.noise for [batch] in batches])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_noise_is_normal_and_independent(precision):
    config = varied(batch=64, precision=precision)
    supply = draws(config)
    x = noise_of([supply.next() for _ in range(200)])
    assert x.dtype == config.dtype
    assert scipy.stats.kstest(x.ravel(), "norm").pvalue > 0.01
    for a, b in ((x[:, :32], x[:, 32:]), (x[:-1], x[1:]), (x[..., :-1], x[..., 1:])):
        assert abs((a * b).sum()) < 4 * np.sqrt(a.size)
        assert scipy.stats.kstest(((a + b) / np.sqrt(2)).ravel(), "norm").pvalue > 0.01


def test_batches_that_are_still_in_use_stay():
    supply, other = draws(SMALL), draws(SMALL)
    held = [supply.next() for _ in range(5)]
    before = bits(held)
    for _ in range(5):
        supply.next()
    assert bits(held) == before == bits([other.next() for _ in range(5)])


def test_the_memory_of_noise_that_is_not_in_use_is_used_again():
    supply = draws(varied(batch=512))
    places = {supply.next()[0].noise.ctypes.data for _ in range(10)}
    assert len(places) <= 2


def test_the_state_brings_back_the_same_batches():
    supply = draws(SMALL)
    supply.next()
    state = supply.state
    expected = bits([supply.next() for _ in range(3)])
    other = draws(varied(seed=9))
    other.state = state
    assert bits([other.next() for _ in range(3)]) == expected


def test_batches_do_not_depend_on_cadence_or_K():
    other = varied(unroll=gan.Unroll(7), evaluate_every=1, checkpoint_every=1, pictures=9)
    assert bits(draws(SMALL).next()) == bits(draws(other).next())
    assert bits(draws(SMALL).next()) != bits(draws(varied(seed=1)).next())


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, 1),
        ({"unroll": gan.Unroll(3, fresh=True)}, 4),
        ({"update": gan.Update(discriminator_steps=2)}, 2),
        ({"unroll": gan.Unroll(1, fresh=True), "update": gan.Update(discriminator_steps=5)}, 5),
    ],
)
def test_a_step_gets_as_many_batches_as_it_needs(changes, number):
    batches = draws(varied(**changes)).next()
    assert [(b.real.shape, b.noise.shape) for b in batches] == [((16, 2), (16, 4))] * number
    assert len({b.noise.tobytes() for b in batches}) == number
    assert {b.real.dtype for b in batches} == {np.dtype(np.float32)}
