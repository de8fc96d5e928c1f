import numpy as np
import pytest
import scipy.stats

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan, unroll
from tinygrad_ugan.errors import ArgumentError
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


# Games that take random numbers.

NOISY = varied(instance_noise=0.1)


class Shaken:
    """A game of one's own; that it has `draw` says that it takes random numbers."""

    generator = discriminator = None

    def init(self, rng, dtype):
        return np.ones(2, dtype), np.ones(2, dtype)

    def draw(self, rng, batch):
        return {"shift": rng.standard_normal(batch.real.shape, batch.real.dtype)}

    def inner(self, theta_g, theta_d, batch):
        x = batch.noise[:, :2] * theta_g + batch.drawn["shift"]
        return np.mean(batch.real @ theta_d) - np.mean(x @ theta_d) - np.sum(theta_d**2)

    def outer(self, theta_g, theta_d, batch):
        return -np.mean((batch.noise[:, :2] * theta_g) @ theta_d)


def test_random_numbers_are_drawn_for_each_batch():
    supply, other = draws(NOISY.updated({"update.discriminator_steps": 3})), draws(NOISY)
    batches = supply.next()
    noise = [batch.drawn["instance_noise"]["real"] for batch in batches]
    assert len({x.tobytes() for x in noise}) == 3
    assert np.concatenate(noise).std() == pytest.approx(1, abs=0.2)
    assert bits(other.next()) != bits(other.next())


def test_the_state_brings_back_the_same_random_numbers():
    supply, other = draws(NOISY), draws(NOISY)
    supply.next()
    other.state = supply.state
    assert bits(supply.next()) == bits(other.next())


def test_only_the_random_numbers_are_drawn_anew():
    once, anew = draws(NOISY).next(), draws(NOISY.updated({"unroll.redraw": True})).next()
    assert len(anew) == len(once) + NOISY.unroll.steps
    assert bits(anew[0]) == bits(once[0])
    assert all(bits(b[:2]) == bits(once[0][:2]) for b in anew)
    assert len({b.drawn["instance_noise"]["real"].tobytes() for b in anew}) == len(anew)
    fresh = NOISY.updated({"unroll.redraw": True, "unroll.fresh": True})
    assert len(draws(fresh).next()) == 1 + NOISY.unroll.steps  # each has its own already
    assert len(draws(varied(unroll=gan.Unroll(2, redraw=True))).next()) == 1  # takes none


@pytest.mark.parametrize("redraw", [False, True])
def test_a_game_of_ones_own_draws_too(redraw, tmp_path):
    game, config = Shaken(), varied(unroll=gan.Unroll(2, redraw=redraw))
    run = gan.train(config, tmp_path, game=game)
    assert outcome(gan.resume(tmp_path, step=2, game=game)) == outcome(run)
    assert outcome(gan.train(varied(), game=game))[0] == outcome(run)[0] or redraw


def test_the_unrolled_steps_see_what_was_drawn_for_them():
    config = NOISY.updated({"unroll.redraw": True})
    step, supply = gan.TrainStep(config), draws(config)
    state, batches = step.init(streams(config)[0]), supply.next()
    value, _ = unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, list(batches), steps=2, lr=0.1
    )
    assert step(state, batches)[1].generator == float(value)
    with pytest.raises(ArgumentError, match=r"batches: expected 3 or more, got 1 of them"):
        step(state, batches[:1])


def test_each_step_of_the_generator_draws_anew_for_its_own_batch():
    config = NOISY.updated({"unroll.redraw": True, "update.generator_steps": 2})
    first, second, *again = draws(config).next()
    assert len(again) == 2 * NOISY.unroll.steps
    for batch, redrawn in ((first, again[:2]), (second, again[2:])):
        assert all(bits(each[:2]) == bits(batch[:2]) for each in redrawn)
    step = gan.TrainStep(config)
    batches = [first, second, *again]
    assert [step._unrolled(batches, i)[1:] for i in (0, 1)] == [again[:2], again[2:]]
