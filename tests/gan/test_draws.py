import numpy as np
import pytest
import scipy.stats

from tests.gan.small import SMALL, bits, varied
from tinygrad_ugan import gan
from tinygrad_ugan.gan.draws import standard_normal, streams


def draws(config):
    return gan.Draws(config, streams(config)[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_noise_is_normal(dtype, rng):
    x = standard_normal(rng, (333, 333), dtype)
    assert x.dtype == dtype
    assert x.shape == (333, 333)
    assert scipy.stats.kstest(x.ravel(), "norm").pvalue > 0.01
    assert scipy.stats.kstest((x[:166] + x[-166:]).ravel() / np.sqrt(2), "norm").pvalue > 0.01
    rows = np.corrcoef(x)[np.triu_indices(333, 1)]
    assert scipy.stats.kstest(np.sqrt(333) * rows, "norm").pvalue > 0.01
    assert np.mean(np.abs(x) > 3) == pytest.approx(0.0027, abs=4 * np.sqrt(0.0027) / 333)


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
