"""The training step against the same step written out by hand."""

import dataclasses
import itertools

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.gan.small import SMALL, bits, varied
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn, optim, tree
from tinygrad_ugan.errors import ArgumentError, NonFiniteError
from tinygrad_ugan.gan.training.sampler import streams


def prepared(config):
    init_rng, batch_rng = streams(config)
    step = gan.TrainStep(config)
    return step, step.init(init_rng), gan.Draws(config, batch_rng).next()


def moved(theta, gradient, optimizer, scale=1.0):
    updates, _ = optimizer.update(gradient, optimizer.init(theta), theta)
    return optim.apply_updates(theta, updates, scale)


def negative(tree):
    return optree.tree_map(np.negative, tree)


ADAM = optim.Adam(lr=1e-4, beta1=0.5)
SGD = gan.Optimizer("sgd", lr=0.1)


def test_theta_d_moves_one_real_step_and_no_further():
    """theta_D^1 = Adam's step on f at the new theta_G, whatever K is."""
    step, state, [batch] = prepared(SMALL)
    following, seen = step(state, [batch])

    value, gradient = ug.unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, batch, steps=2, lr=0.1, method="tape"
    )
    theta_g = moved(state.theta_g, gradient, ADAM)
    ascent = ug.grad(step.game.inner, argnums=1)(theta_g, state.theta_d, batch)
    theta_d = moved(state.theta_d, negative(ascent), ADAM)

    assert seen.generator == pytest.approx(value, rel=1e-6)
    # Adam's first step is lr * sign(g): float32 noise could flip only a vanishing gradient
    assert relative_error(following.theta_g, theta_g) < 1e-6
    assert relative_error(following.theta_d, theta_d) < 1e-6


def cached(**changes):
    return gan.Config.chainer().updated(
        {"batch": 8, "unroll": {"steps": 3}, "networks": {"noise": 4}, "clip": 0.05, **changes}
    )


def test_the_scheme_of_the_chainer_code():
    """K real steps of Adam on fresh batches, clipped; weights put back to step 1, moments not."""
    adam = optim.Adam(lr=1e-3, beta1=0.5)
    step, state, batches = prepared(cached(precision="float64"))
    following = state
    for _ in range(2):  # the second time from moments that remember the unrolled steps
        state, theta, memory, first = following, following.theta_d, following.optimizer_d, None
        for batch in batches[:3]:
            ascent = ug.grad(step.game.inner, argnums=1)(state.theta_g, theta, batch)
            updates, memory = adam.update(clipped(negative(ascent), 0.05), memory, theta)
            theta = optim.apply_updates(theta, updates)
            first = theta if first is None else first
        down = clipped(ug.grad(step.game.outer)(state.theta_g, theta, batches[3]), 0.05)
        updates, moments = adam.update(down, state.optimizer_g, state.theta_g)
        theta_g = optim.apply_updates(state.theta_g, updates)

        following, seen = step(state, batches)
        assert relative_error(following.theta_g, theta_g) < 1e-12
        assert relative_error(following.theta_d, first) < 1e-12
        for found, expected in ((following.optimizer_d, memory), (following.optimizer_g, moments)):
            assert found.steps == expected.steps
            assert relative_error(found.mean, expected.mean) < 1e-10
        assert seen.generator == pytest.approx(step.game.outer(state.theta_g, theta, batches[3]))
        assert seen.discriminator == pytest.approx(
            step.game.inner(state.theta_g, state.theta_d, batches[0])
        )
    assert following.optimizer_d.steps == 6


def clipped(gradient, longest):
    return optree.tree_map(lambda g: min(1.0, longest / tree.norm(gradient)) * g, gradient)


def test_without_clipping_it_looks_as_far_ahead_as_the_carried_optimizer():
    config = cached(clip=None, precision="float64")
    step, state, batches = prepared(config)
    for _ in range(2):
        path = ug.unroll.trajectory(
            step.game, state.theta_g, state.theta_d, batches,
            steps=3, optimizer=optim.Adam(lr=1e-3, beta1=0.5), state=state.optimizer_d,
        )  # fmt: skip
        after, seen = step(state, batches)
        assert relative_error(after.theta_d, path.thetas[1]) < 1e-12
        value = step.game.outer(state.theta_g, path.thetas[-1], batches[-1])
        assert seen.generator == pytest.approx(value, rel=1e-10)
        state = after


def test_a_run_of_the_scheme_is_resumed_to_the_bit(tmp_path):
    config = cached(steps=4, evaluation_samples=20, evaluate_every=2, checkpoint_every=2)
    whole = gan.train(config, tmp_path, progress=False)
    resumed = gan.resume(tmp_path, step=2, progress=False)
    for name in ("theta_g", "theta_d"):
        pairs = zip(*(optree.tree_leaves(getattr(r, name)) for r in (whole, resumed)), strict=True)
        assert all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("scheme", ["alternating", "simultaneous"])
def test_several_steps_of_the_discriminator_see_a_batch_each(scheme):
    config = varied(
        update=gan.Update(scheme, discriminator_steps=3),
        generator_optimizer=SGD,
        discriminator_optimizer=SGD,
        precision="float64",
    )
    step, state, batches = prepared(config)
    assert len(batches) == 3
    following, _ = step(state, batches)
    _, gradient = ug.unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, batches[0], steps=2, lr=0.1
    )
    theta_g = moved(state.theta_g, gradient, SGD.build())
    against, theta_d = theta_g if scheme == "alternating" else state.theta_g, state.theta_d
    for batch in batches:
        ascent = ug.grad(step.game.inner, argnums=1)(against, theta_d, batch)
        theta_d = moved(theta_d, negative(ascent), SGD.build())
    assert relative_error(following.theta_g, theta_g) < 1e-14
    assert relative_error(following.theta_d, theta_d) < 1e-12


@pytest.mark.parametrize("scheme", ["alternating", "simultaneous"])
@pytest.mark.parametrize("fresh", [False, True])
def test_several_steps_of_the_generator_see_batches_of_their_own(scheme, fresh):
    config = varied(
        unroll=gan.Unroll(2, lr=0.1, fresh=fresh),
        update=gan.Update(scheme, generator_steps=3, discriminator_steps=2),
        generator_optimizer=SGD,
        discriminator_optimizer=SGD,
        precision="float64",
    )
    step, state, batches = prepared(config)
    assert len(batches) == (9 if fresh else 3)
    following, seen = step(state, batches)
    theta_g, values = state.theta_g, []
    for i in range(3):
        own = list(batches[3 * i : 3 * i + 3]) if fresh else batches[i]
        value, gradient = ug.unroll.value_and_grad(
            step.game, theta_g, state.theta_d, own, steps=2, lr=0.1
        )
        theta_g = moved(theta_g, gradient, SGD.build())
        values.append(value)
    against, theta_d = theta_g if scheme == "alternating" else state.theta_g, state.theta_d
    for batch in batches[:2]:
        ascent = ug.grad(step.game.inner, argnums=1)(against, theta_d, batch)
        theta_d = moved(theta_d, negative(ascent), SGD.build())
    assert seen.generator == values[0]
    assert relative_error(following.theta_g, theta_g) < 1e-14
    assert relative_error(following.theta_d, theta_d) < 1e-12


@pytest.mark.parametrize("other", [{"scheme": "extragradient"}, {"keep": "last"}])
def test_several_steps_of_the_generator_are_refused_where_they_mean_nothing(other):
    with pytest.raises(ArgumentError, match="generator_steps: expected 1"):
        gan.Update(generator_steps=2, **other)


def test_keeping_the_last_discriminator_goes_on_from_theta_K():
    step, state, [batch] = prepared(varied(update=gan.Update(keep="last"), precision="float64"))
    following, _ = step(state, [batch])
    path = ug.unroll.trajectory(step.game, state.theta_g, state.theta_d, batch, steps=2, lr=0.1)
    assert relative_error(following.theta_d, path.thetas[-1]) < 1e-14


def test_fresh_batches_and_an_unrolled_optimiser():
    unroll = gan.Unroll(2, lr=0.01, optimizer="adam", beta1=0.4, beta2=0.9, fresh=True, truncate=1)
    step, state, batches = prepared(varied(unroll=unroll, generator_optimizer=SGD))
    assert len(batches) == 3
    following, seen = step(state, batches)
    value, gradient = ug.unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, list(batches), steps=2, truncate=1,
        optimizer=optim.Adam(0.01, 0.4, 0.9),
    )  # fmt: skip
    assert seen.generator == pytest.approx(value, rel=1e-6)
    assert relative_error(following.theta_g, moved(state.theta_g, gradient, SGD.build())) < 1e-6


def test_a_long_gradient_is_clipped_and_a_short_one_is_not():
    config = varied(generator_optimizer=SGD, discriminator_optimizer=SGD)
    lengths = {}
    for clip in (None, 1e-4, 1e4):
        step, state, batches = prepared(varied(
            generator_optimizer=SGD, discriminator_optimizer=SGD, clip=clip
        ))  # fmt: skip
        following, _ = step(state, batches)
        for name in ("theta_g", "theta_d"):
            move = optree.tree_map(np.subtract, getattr(following, name), getattr(state, name))
            lengths[name, clip] = tree.norm(move) / config.generator_optimizer.lr
    for name in ("theta_g", "theta_d"):
        assert lengths[name, 1e-4] == pytest.approx(1e-4, rel=1e-2)  # float32, of parameters of 1
        assert lengths[name, 1e4] == lengths[name, None] > 1e-3


def test_the_step_is_pure():
    step, state, batches = prepared(SMALL)
    before = bits((state, batches))
    one, two = (step(state, batches)[0] for _ in range(2))
    assert bits((state, batches)) == before
    assert bits(one) == bits(two)


def test_decay_ends_at_zero():
    step, state, batches = prepared(varied(decay=True))
    state = state._replace(step=SMALL.steps)
    following, _ = step(state, batches)
    assert bits((following.theta_g, following.theta_d)) == bits((state.theta_g, state.theta_d))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_precision(precision):
    step, state, batches = prepared(varied(precision=precision))
    following, _ = step(state, batches)
    leaves = optree.tree_leaves((following, batches))
    assert {leaf.dtype for leaf in leaves if not isinstance(leaf, int)} == {np.dtype(precision)}


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@pytest.mark.parametrize(
    ("wild", "words"),
    [
        ("generator_optimizer", r"theta_g\[0\]\['w'\]|theta_g\[0\]\['b'\]"),
        ("discriminator_optimizer", r"theta_d\[0\]\['b'\]"),
    ],
)
def test_leaving_the_finite_numbers_names_the_tensor(wild, words):
    step, state, batches = prepared(varied(**{wild: gan.Optimizer("sgd", lr=1e300)}))
    with pytest.raises(NonFiniteError, match=words):
        step(state, batches)


def test_the_moving_average_has_no_bias_of_its_start():
    """Weights (1 - b) b^(n - i) of the iterates i = 1 ... n, divided by their sum, 1 - b^n."""
    decay, config = 0.9, varied(ema=0.9, steps=12, precision="float64", generator_optimizer=SGD)
    states = list(gan.TrainStep(config).states())
    assert bits(states[0].ema) == bits(states[0].theta_g)
    for n in (1, 2, 12):
        weights = decay ** np.arange(n - 1, -1, -1.0)
        weights /= weights.sum()
        thetas = [state.theta_g for state in states[1 : n + 1]]
        mean = optree.tree_map(lambda *x, w=weights: np.tensordot(w, np.array(x), 1), *thetas)
        assert relative_error(states[n].ema, mean) < 1e-14


def test_the_moving_average_changes_nothing_else():
    *_, plain = gan.TrainStep(SMALL).states()
    *_, last = gan.TrainStep(varied(ema=0.99)).states()
    assert plain.ema is None
    assert bits(last._replace(ema=None)) == bits(plain)
    assert {x.dtype for x in optree.tree_leaves(last.ema)} == {np.dtype("float32")}


def test_the_states_are_those_of_a_run():
    *_, last = gan.TrainStep(SMALL).states()
    assert bits(last) == bits(gan.train(SMALL).checkpoint.state)


def test_states_of_batches_of_ones_own(rng):
    real, noise = rng.standard_normal((5, 2), np.float32), rng.standard_normal((5, 4), np.float32)
    supply = itertools.repeat([gan.Batch(real, noise)])
    first, second, *_ = gan.TrainStep(SMALL).states(supply)
    following, _ = gan.TrainStep(SMALL)(first, [gan.Batch(real, noise)])
    assert bits(second) == bits(following)


def test_states_from_a_start_of_ones_own(rng):
    step = gan.TrainStep(SMALL)
    start = step.game.generator.init(rng), step.game.discriminator.init(rng)
    first, *_ = step.states(start=start)
    assert bits(first) == bits(step.start(*start))
    assert bits(first[:2]) == bits(start)


def test_players_of_ones_own():
    judge = nn.Sequential(nn.MLP((2, 8)), np.tanh, nn.MLP((8, 1)))
    *_, last = gan.TrainStep(SMALL, gan.Game(nn.MLP((4, 8, 2)), judge)).states()
    assert last.step == SMALL.steps
    assert judge(last.theta_d, np.ones((3, 2), np.float32)).shape == (3, 1)


@pytest.mark.parametrize("method", ["momentum", "adam"])
def test_the_unrolled_optimiser_carries_on_from_the_real_one(method):
    config = varied(
        unroll=gan.Unroll(steps=2, lr=0.01, optimizer=method, state="carried"),
        discriminator_optimizer=gan.Optimizer(method, lr=0.01),
        generator_optimizer=SGD,
        precision="float64",
    )
    step, state, batches = prepared(config)
    state, _ = step(state, batches)
    following, objectives = step(state, batches)

    def f_K(theta_g):
        theta, memory = state.theta_d, state.optimizer_d
        for _ in range(2):
            g = ug.grad(step.game.inner, argnums=1)(theta_g, theta, batches[0])
            how = config.discriminator_optimizer.build()
            updates, memory = how.update(negative(g), memory, theta)
            theta = optim.apply_updates(theta, updates)
        return step.game.outer(theta_g, theta, batches[0])

    expected, gradient = ug.value_and_grad(f_K)(state.theta_g)
    assert objectives.generator == pytest.approx(float(expected), rel=1e-12)
    assert relative_error(following.theta_g, moved(state.theta_g, gradient, SGD.build())) < 1e-12
    fresh = dataclasses.replace(config, unroll=dataclasses.replace(config.unroll, state="zero"))
    assert gan.TrainStep(fresh)(state, batches)[1].generator != objectives.generator
