"""The loop: reproducible, interruptible, resumable to the bit."""

import dataclasses

import pytest

from tests.gan.small import SMALL, bits, outcome, varied
from tinygrad_ugan import gan


class StopAt(gan.Callback):
    """Presses Ctrl-C after a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, step, seconds, objectives):
        if step == self.step:
            raise KeyboardInterrupt


def test_same_bits_with_one_thread_and_with_two():
    config = gan.Config(steps=3, pictures=2, evaluation_samples=50)  # the paper's networks
    one, two = (gan.train(dataclasses.replace(config, threads=n)) for n in (1, 2))
    assert outcome(one) == outcome(two)


def test_same_seed_same_bits_and_another_seed_other_bits():
    one, two, other = (gan.train(varied(seed=s)) for s in (3, 3, 4))
    assert outcome(one) == outcome(two)
    assert bits(one.theta_g) != bits(other.theta_g)


def test_runs_that_differ_in_K_share_their_start():
    one, two = gan.train(SMALL), gan.train(varied(unroll=gan.Unroll(steps=0)))
    assert bits(one.samples[0]) == bits(two.samples[0])
    assert bits(one.samples[-1]) != bits(two.samples[-1])


def test_what_is_watched_does_not_change_what_is_trained():
    seldom = varied(evaluate_every=4, checkpoint_every=4, pictures=1, evaluation_samples=7)
    assert bits(gan.train(SMALL).theta_g) == bits(gan.train(seldom).theta_g)


@pytest.mark.parametrize("stop_at", [1, 2, 3, 4])
@pytest.mark.parametrize("on_disk", [False, True])
def test_an_interrupted_run_goes_on_to_the_same_bits(stop_at, on_disk, tmp_path):
    config = varied(update=gan.Update(discriminator_steps=2), pictures=3)
    undisturbed = gan.train(config)
    folder = tmp_path / "run" if on_disk else None
    run = gan.train(config, folder=folder, callbacks=[StopAt(stop_at)])
    assert run.checkpoint.step == stop_at
    assert not run.finished  # after its last step, it still lacks the last row
    resumed = gan.resume(folder) if on_disk else run.resume()
    assert outcome(resumed) == outcome(undisturbed)


def test_a_moving_average_resumes_to_the_same_bits(tmp_path):
    config = varied(ema=0.5, pictures=3)
    gan.train(config, folder=tmp_path, callbacks=[StopAt(3)])
    assert gan.load(tmp_path).ema is not None
    assert outcome(gan.resume(tmp_path)) == outcome(gan.train(config))


def test_several_steps_of_the_generator_resume_to_the_same_bits(tmp_path):
    config = varied(update=gan.Update(generator_steps=3, discriminator_steps=2))
    gan.train(config, folder=tmp_path, callbacks=[StopAt(3)])
    assert outcome(gan.resume(tmp_path)) == outcome(gan.train(config))


def test_a_budget_of_seconds_ends_training_with_a_row(tmp_path):
    run = gan.train(varied(steps=10**6, seconds=0.2, evaluate_every=10**6), folder=tmp_path)
    assert run.finished
    assert 0 < run.checkpoint.step < 10**6
    assert [row.step for row in run.metrics] == [0, run.checkpoint.step]
    assert run.metrics[-1].seconds == pytest.approx(0.2, abs=0.2)
    assert gan.load(tmp_path).finished
