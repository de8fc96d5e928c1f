"""The training step by hand, and the loop: reproducible, interruptible, saved and read back."""

import dataclasses

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.oracles import relative_error
from tinygrad_ugan import gan, optim
from tinygrad_ugan.errors import ArgumentError, NonFiniteError
from tinygrad_ugan.gan import training

SMALL = gan.Config(
    networks=gan.Networks(noise=4, generator=(8,), discriminator=(8,)),
    unroll=gan.Unroll(steps=2, lr=0.1),
    steps=4,
    batch=16,
    evaluate_every=2,
    evaluation_samples=50,
    pictures=2,
)


def bits(tree):
    return [np.asarray(leaf).tobytes() for leaf in optree.tree_leaves(tree)]


def test_theta_d_moves_one_real_step_and_no_further(rng):
    """theta_D^1 = Adam's step on f at the new theta_G, whatever K is."""
    game, state = SMALL.game(), training.init(SMALL, rng)
    batch = training.sample_batch(SMALL, rng)
    following, seen = gan.train_step(game, SMALL, state, batch)

    value, gradient = ug.unroll.value_and_grad(
        game, state.theta_g, state.theta_d, batch, steps=2, lr=0.1, method="tape"
    )
    adam = optim.Adam(lr=1e-4, beta1=0.5)
    updates, _ = adam.update(gradient, adam.init(state.theta_g), None)
    theta_g = optim.apply_updates(state.theta_g, updates)
    ascent = ug.grad(game.inner, argnums=1)(theta_g, state.theta_d, batch)
    updates, _ = adam.update(ascent, adam.init(state.theta_d), None)
    theta_d = optree.tree_map(np.subtract, state.theta_d, updates)

    assert seen.generator == pytest.approx(value, rel=1e-6)
    # Adam's first step is lr * sign(g): float32 noise could flip only a vanishing gradient
    assert relative_error(following.theta_g, theta_g) < 1e-6
    assert relative_error(following.theta_d, theta_d) < 1e-6


def test_the_step_is_pure(rng):
    game, state = SMALL.game(), training.init(SMALL, rng)
    batch = training.sample_batch(SMALL, rng)
    before = bits((state, batch))
    one, two = (gan.train_step(game, SMALL, state, batch)[0] for _ in range(2))
    assert bits((state, batch)) == before
    assert bits(one) == bits(two)


def test_decay_ends_at_zero(rng):
    config = dataclasses.replace(SMALL, decay=True)
    state = training.init(config, rng)._replace(step=config.steps)
    batch = training.sample_batch(config, rng)
    following, _ = gan.train_step(config.game(), config, state, batch)
    assert bits((following.theta_g, following.theta_d)) == bits((state.theta_g, state.theta_d))


def test_same_seed_same_bits_and_another_seed_other_bits():
    one, two, other = (gan.train(dataclasses.replace(SMALL, seed=s)) for s in (3, 3, 4))
    assert bits(one.samples) == bits(two.samples)
    assert bits((one.theta_g, one.theta_d)) == bits((two.theta_g, two.theta_d))
    assert bits(one.theta_g) != bits(other.theta_g)


def test_runs_that_differ_in_K_share_their_start():
    ordinary = dataclasses.replace(SMALL, unroll=gan.Unroll(steps=0))
    one, two = gan.train(SMALL), gan.train(ordinary)
    assert bits(one.samples[0]) == bits(two.samples[0])
    assert bits(one.samples[-1]) != bits(two.samples[-1])


def test_rows_pictures_and_progress():
    seen = []
    run = gan.train(dataclasses.replace(SMALL, pictures=3, steps=5), on_step=seen.append)
    assert [row.step for row in run.metrics] == [0, 2, 4, 5]
    assert run.sample_steps == (0, 2, 5)
    assert run.samples.shape == (3, 50, 2)
    assert [row.step for row in seen] == [0, 1, 2, 3, 4, 5]
    assert run.finished


@pytest.mark.parametrize("stop_at", [0, 3])
def test_an_interrupt_keeps_what_was_computed(stop_at, tmp_path):
    def interrupt(row):
        if row.step == stop_at:
            raise KeyboardInterrupt

    run = gan.train(SMALL, on_step=interrupt)
    assert not run.finished
    assert [row.step for row in run.metrics] == [0, 2][: stop_at // 2 + 1]
    assert not gan.load(run.save(tmp_path)).finished


def test_save_and_load(tmp_path):
    run = gan.train(SMALL)
    loaded = gan.load(run.save(tmp_path / "run"))
    assert loaded.config == run.config
    assert loaded.metrics == run.metrics
    assert loaded.sample_steps == run.sample_steps
    assert bits((loaded.samples, loaded.theta_g, loaded.theta_d)) == bits(
        (run.samples, run.theta_g, run.theta_d)
    )
    one, two = (r.sample(5, np.random.default_rng(0)) for r in (run, loaded))
    assert one.tobytes() == two.tobytes()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.json", "metrics.csv", "parameters.safetensors", "samples.npz",
    ]  # fmt: skip


def test_loading_what_is_no_run(tmp_path):
    with pytest.raises(ArgumentError, match=r"folder: expected the folder of a run.*config\.json"):
        gan.load(tmp_path)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_leaving_the_finite_numbers_names_the_step():
    wild = optim.Adam(lr=1e30)
    config = dataclasses.replace(SMALL, generator_optimizer=wild, discriminator_optimizer=wild)
    with pytest.raises(NonFiniteError, match=r"training: .*at step [1-4]"):
        gan.train(config)
