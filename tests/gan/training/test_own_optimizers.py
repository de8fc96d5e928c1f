"""Optimisers and schedules in training: by name, handed in, registered, and what is refused."""

import dataclasses
import math
import sys
import types

import numpy as np
import optree
import pytest

import tinygrad_ugan as ug
from tests.gan.small import SMALL, bits, outcome, varied
from tests.oracles import relative_error
from tinygrad_ugan import gan, optim
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training import registry
from tinygrad_ugan.gan.training.config import OPTIMIZERS
from tinygrad_ugan.gan.training.sampler import streams


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(registry, "_THINGS", {})


@dataclasses.dataclass(frozen=True)
class Lion:
    """Chen et al. (2023), arXiv 2302.06675."""

    lr: float = 1e-3

    def init(self, params):
        return {"mean": optree.tree_map(np.zeros_like, params)}

    def update(self, grads, state, params):
        updates = optree.tree_map(
            lambda m, g: -self.lr * np.sign(0.9 * m + 0.1 * g), state["mean"], grads
        )
        return updates, {
            "mean": optree.tree_map(lambda m, g: 0.99 * m + 0.01 * g, state["mean"], grads)
        }


def by_hand(config, movers, scale=lambda step: (1.0, 1.0)):
    """Simultaneous training without unrolling, as anyone would write it."""
    init_rng, batch_rng = streams(config)
    game, draws = config.build_game(), gan.Draws(config, batch_rng)
    thetas = [x.init(init_rng, np.float64) for x in (game.generator, game.discriminator)]
    memories = [mover.init(theta) for mover, theta in zip(movers, thetas, strict=True)]
    for step in range(config.steps):
        [batch] = draws.next()
        up = ug.grad(game.inner, argnums=1)(*thetas, batch)
        slopes = ug.grad(game.outer)(*thetas, batch), optree.tree_map(np.negative, up)
        for i in range(2):
            updates, memories[i] = movers[i].update(slopes[i], memories[i], thetas[i])
            thetas[i] = optim.apply_updates(thetas[i], updates, scale(step)[i])
    return thetas


SIMULTANEOUS = varied(
    unroll=gan.Unroll(steps=0), update=gan.Update("simultaneous"), precision="float64", steps=6
)


@pytest.mark.parametrize("method", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [None, 0.1])
def test_every_method_moves_both_players(method, weight_decay):
    settings = gan.Optimizer(method, 0.01, 0.7, 0.6, 0.8, 1e-3, 0.75, weight_decay)
    kind = OPTIMIZERS[method]
    own = {x.name: getattr(settings, x.name) for x in dataclasses.fields(kind)}
    if method == "adamw":
        own["weight_decay"] = weight_decay or 0.01
        expected = kind(**own)
    else:
        expected = optim.chain(optim.add_decayed_weights(weight_decay or 0.0), kind(**own))
    config = dataclasses.replace(
        SIMULTANEOUS, generator_optimizer=settings, discriminator_optimizer=settings
    )
    *_, last = gan.TrainStep(config).states()
    thetas = by_hand(config, [expected, expected])
    assert relative_error((last.theta_g, last.theta_d), tuple(thetas)) < 1e-9


@pytest.mark.parametrize("method", OPTIMIZERS)
def test_every_method_takes_the_unrolled_steps_and_resumes_to_the_same_bits(method, tmp_path):
    moves = gan.Optimizer(method, lr=0.01, eps=1e-3, decay=0.9, weight_decay=0.1)
    unroll = gan.Unroll(2, 0.05, method, 0.7, 0.6, 0.8, eps=1e-2, decay=0.75)
    config = varied(
        unroll=unroll, generator_optimizer=moves, discriminator_optimizer=moves, checkpoints=9
    )
    run = gan.train(config, tmp_path / "run")
    for step in (0, 2):
        assert outcome(gan.resume(tmp_path / "run", step=step)) == outcome(run)

    kind = OPTIMIZERS[method]
    how = {x.name: getattr(unroll, x.name) for x in dataclasses.fields(kind)}
    how |= {"weight_decay": 0.01} if method == "adamw" else {}
    step = gan.TrainStep(config)
    state = step.init(streams(config)[0])
    batches = gan.Draws(config, streams(config)[1]).next()
    value, _ = ug.unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, batches[0], steps=2, optimizer=kind(**how)
    )
    assert step(state, batches)[1].generator == pytest.approx(float(value), rel=1e-6)


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_unrolled_steps_may_have_a_size_each(method):
    lr = (0.3, 0.1)
    config = varied(unroll=gan.Unroll(2, lr, method, eps=1e-2), precision="float64")
    step = gan.TrainStep(config)
    state = step.init(streams(config)[0])
    batches = gan.Draws(config, streams(config)[1]).next()
    one = OPTIMIZERS[method]
    how = {"beta1": 0.5, "eps": 1e-2} if method == "adam" else {}
    theta, memory = state.theta_d, one(1.0, **how).init(state.theta_d)
    for eta in lr:
        _, up = ug.unroll.ascent(step.game, state.theta_g, theta, batches[0])
        down = optree.tree_map(np.negative, up)
        updates, memory = one(eta, **how).update(down, memory, theta)
        theta = optim.apply_updates(theta, updates)
    expected = step.game.outer(state.theta_g, theta, batches[0])
    assert step(state, batches)[1].generator == pytest.approx(float(expected), rel=1e-12)
    assert gan.Config.from_toml(config.to_toml()) == config
    assert gan.Config.from_json(config.to_json()) == config


# Schedules.

FACTORS = {
    "constant": lambda t: 1.0,
    "linear": lambda t: 1 - 0.8 * t,
    "cosine": lambda t: 0.2 + 0.8 * (1 + math.cos(math.pi * t)) / 2,
    "exponential": lambda t: 0.2**t,
}


@pytest.mark.parametrize("schedule", FACTORS)
@pytest.mark.parametrize("warmup", [0, 2])
def test_schedules_follow_their_formulas(schedule, warmup):
    moves = gan.Optimizer("sgd", 0.1, schedule=schedule, final=0.2, warmup=warmup)
    still = gan.Optimizer("sgd", 0.05)
    config = dataclasses.replace(
        SIMULTANEOUS, generator_optimizer=moves, discriminator_optimizer=still
    )

    def scale(step):
        if step < warmup:
            return (step + 1) / warmup, 1.0
        return FACTORS[schedule]((step - warmup) / (config.steps - warmup)), 1.0

    *_, last = gan.TrainStep(config).states()
    thetas = by_hand(config, [optim.SGD(0.1), optim.SGD(0.05)], scale)
    assert relative_error((last.theta_g, last.theta_d), tuple(thetas)) < 1e-12


def test_decay_is_a_linear_schedule_to_the_bit():
    config = dataclasses.replace(SMALL, steps=7)
    moves = gan.Optimizer(schedule="linear")
    decayed = gan.train(dataclasses.replace(config, decay=True))
    linear = dataclasses.replace(config, generator_optimizer=moves, discriminator_optimizer=moves)
    assert outcome(gan.train(linear)) == outcome(decayed)
    assert [config.updated({"decay": True}).factors()[1](k) for k in range(8)] == [
        1 - k / 7 for k in range(8)
    ]


@pytest.mark.parametrize("schedule", FACTORS)
@pytest.mark.parametrize("warmup", [0, 2])
def test_a_schedule_over_the_unrolled_steps_is_a_list_of_step_sizes(schedule, warmup):
    unroll = gan.Unroll(6, 0.5, schedule=schedule, final=0.2, warmup=warmup)
    factors = [
        (k + 1) / warmup if k < warmup else FACTORS[schedule]((k - warmup) / (6 - warmup))
        for k in range(6)
    ]
    np.testing.assert_allclose(np.broadcast_to(unroll.step_sizes(), 6), 0.5 * np.array(factors))
    for method in ("sgd", "adam"):
        varying = dataclasses.replace(unroll, optimizer=method)
        one_by_one = gan.Unroll(6, tuple(0.5 * np.array(factors)), method)
        first, second = (gan.train(varied(unroll=u, steps=2)) for u in (varying, one_by_one))
        assert relative_error(first.theta_g, second.theta_g) < 1e-5
    assert dataclasses.replace(unroll, steps=0).dynamics() == {"steps": 0, "lr": 0.5}


# One's own.


def test_handed_in_resumed_and_refused(tmp_path):
    given = {"generator": Lion(), "unroll": optim.chain(optim.clip_by_norm(1.0), optim.SGD(0.1))}
    config = dataclasses.replace(SMALL, checkpoints=9)
    whole = gan.train(config, tmp_path / "run", optimizers=given)
    assert outcome(whole) != outcome(gan.train(config))
    assert set(whole.setup.handed_in) == {"optimizers.generator", "optimizers.unroll"}
    again = gan.resume(tmp_path / "run", step=2, optimizers=given)
    assert outcome(again) == outcome(whole)
    for other, words in (
        ({}, r"optimizers\.generator: expected the .*Lion.*got none.*optimizers=\.\.\."),
        ({**given, "unroll": optim.SGD()}, r"optimizers\.unroll: .*Transform.*got a .*SGD"),
        ({**given, "discriminator": Lion()}, r"optimizers\.discriminator: expected none"),
    ):
        with pytest.raises(ArgumentError, match=words):
            gan.resume(tmp_path / "run", optimizers=other)


def test_registered_is_found_by_name_or_refused(tmp_path, monkeypatch):
    made = []

    @gan.register("lion")
    def lion(settings):
        made.append(settings)
        return Lion(settings.lr)

    config = SMALL.updated(
        {"generator_optimizer": {"registered": "lion", "lr": 0.01}, "unroll.registered": "lion"}
    )
    run = gan.train(config, tmp_path / "run")
    assert made[:2] == [config.generator_optimizer, config.unroll]
    handed_in = {"generator": Lion(0.01), "unroll": Lion(0.1)}
    assert outcome(run) == outcome(gan.train(SMALL, optimizers=handed_in))
    assert outcome(gan.load(tmp_path / "run")) == outcome(run)

    registry._THINGS.clear()
    with pytest.raises(ArgumentError, match=r"generator_optimizer\.registered: expected a reg"):
        gan.resume(tmp_path / "run")
    gan.register("lion", optim.RMSprop())
    with pytest.raises(ArgumentError, match=r"optimizers: expected .*optimizer_g"):
        gan.resume(tmp_path / "run")


def test_an_object_that_is_registered_is_written_by_its_name(tmp_path):
    mine = gan.register("mine", Lion())
    run = gan.train(SMALL, tmp_path / "run", optimizers={"discriminator": mine})
    assert run.config.discriminator_optimizer.registered == "mine"
    assert outcome(gan.load(tmp_path / "run")) == outcome(run)


def test_a_module_and_its_attribute(tmp_path, monkeypatch):
    module = types.ModuleType("lions")
    module.Lion = Lion
    monkeypatch.setitem(sys.modules, "lions", module)
    config = SMALL.updated({"discriminator_optimizer.registered": "lions:Lion"})
    run = gan.train(config, tmp_path / "run")
    assert outcome(gan.load(tmp_path / "run")) == outcome(run)
    monkeypatch.delitem(sys.modules, "lions")
    with pytest.raises(ArgumentError, match=r"discriminator_optimizer\.registered: .*imported"):
        gan.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("optimizers", "words"),
    [
        ({"generater": Lion()}, "optimizers: expected one of 'generator'.*did you mean"),
        ({"unroll": 3}, r"optimizers\.unroll: expected an object with init and update, got a int"),
        ({"generator": optim.SGD}, r"optimizers\.generator: .*init and update, got the class SGD"),
    ],
)
def test_what_is_no_optimiser(optimizers, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        gan.train(SMALL, optimizers=optimizers)


class Growing(Lion):
    """Another state after the first step."""

    def update(self, grads, state, params):
        return super().update(grads, state, params)[0], (state, 0)


@pytest.mark.parametrize(
    ("player", "words"),
    [
        ("generator", "generator_optimizer, .*Growing's state: expected the structure"),
        ("discriminator", "discriminator_optimizer, .*Growing's state: expected the structure"),
        ("unroll", "optimizer, .*Growing's state: expected the structure"),
    ],
)
def test_a_state_that_changes_is_refused_by_the_players_name(player, words, tmp_path):
    with pytest.raises(ArgumentError, match=words):
        gan.train(SMALL, tmp_path / "run", optimizers={player: Growing()})


class InPlace(Lion):
    """Not pure: it writes to its own state."""

    def update(self, grads, state, params):
        for m, g in zip(*map(optree.tree_leaves, (state["mean"], grads)), strict=True):
            m *= 0.9
            m += g
        return optree.tree_map(lambda m: -self.lr * m, state["mean"]), state


@pytest.mark.parametrize("player", ["generator", "discriminator", "unroll"])
def test_an_optimiser_that_writes_to_its_arguments_is_refused(player, tmp_path):
    words = r"optimizer: expected one that returns new arrays, got .*InPlace\.update.*v = 0\.9"
    with pytest.raises(ArgumentError, match=words) as error:
        gan.train(SMALL, tmp_path / "run", optimizers={player: InPlace()})
    if player != "unroll":
        assert str(error.value).startswith(f"{player}_optimizer: ")
        assert not (tmp_path / "run").exists()


class Boolean(Lion):
    """A state that no checkpoint holds."""

    def init(self, params):
        return {**super().init(params), "is_first": np.array(True)}

    def update(self, grads, state, params):
        updates, after = super().update(grads, state, params)
        return updates, {**after, "is_first": np.array(False)}


def test_a_state_that_cannot_be_stored_is_refused_before_anything_is_written(tmp_path):
    words = r"state\.optimizer_g\['is_first'\]: expected arrays of float32.*got dtype bool"
    with pytest.raises(ArgumentTypeError, match=words):
        gan.train(SMALL, tmp_path / "run", optimizers={"generator": Boolean()})
    assert not (tmp_path / "run").exists()
    assert gan.train(SMALL, optimizers={"generator": Boolean()}).finished


def test_an_own_state_may_hold_infinities_and_counts_of_its_own(tmp_path):
    class Odd(Lion):
        def init(self, params):
            return {**super().init(params), "best": np.array(np.inf), "square": -1.0, "steps": 7}

        def update(self, grads, state, params):
            updates, after = super().update(grads, state, params)
            return updates, {**state, **after}

    given = {"generator": Odd()}
    run = gan.train(SMALL, tmp_path / "run", optimizers=given)
    assert outcome(gan.load(tmp_path / "run", optimizers=given)) == outcome(run)


def test_the_count_of_steps_is_checked_within_a_chain(tmp_path):
    chained = optim.chain(optim.Adam(), optim.scale(0.5))
    given = {"generator": chained}
    run = gan.train(SMALL, tmp_path / "run", optimizers=given)
    assert outcome(gan.load(tmp_path / "run", optimizers=given)) == outcome(run)
    adam, count = run.checkpoint.state.optimizer_g
    assert (adam.steps, count.steps) == (4, 4)


@pytest.mark.parametrize(
    ("settings", "given", "words"),
    [
        ({}, {}, "unroll.state: expected 'zero', got 'carried' from a?.*Adam to plain ascent"),
        ({"optimizer": "momentum"}, {}, "unroll.state: .*same kind of state, got .*Adam to .*Mom"),
        ({}, {"unroll": Lion()}, "unroll.state: .*got 'carried' from .*Adam to .*Lion"),
    ],
)
def test_a_state_that_cannot_be_carried_is_refused_at_the_start(settings, given, words, tmp_path):
    config = SMALL.updated({"unroll": {"state": "carried", **settings}})
    with pytest.raises(ArgumentError, match=words):
        gan.train(config, tmp_path / "run", optimizers=given)
    assert not (tmp_path / "run").exists()


def test_ones_own_state_is_carried():
    step = gan.TrainStep(
        SMALL.updated({"unroll.state": "carried"}),
        optimizers={"discriminator": Lion(0.01), "unroll": Lion(0.01)},
    )
    state = step.init(streams(SMALL)[0])
    batches = gan.Draws(SMALL, streams(SMALL)[1]).next()
    state, _ = step(state, batches)
    how = {"steps": 2, "optimizer": Lion(0.01), "state": state.optimizer_d}
    value, _ = ug.unroll.value_and_grad(step.game, state.theta_g, state.theta_d, batches[0], **how)
    assert step(state, batches)[1].generator == float(value)


# Extra-gradient steps, and optimistic ones, in min over x, max over y of x y.


@dataclasses.dataclass(frozen=True)
class Bilinear:
    """Daskalakis et al. (2018): the players circle around the equilibrium at zero."""

    def inner(self, x, y, batch):
        return x * y

    outer = inner


def radii(scheme, method, eta, steps):
    moves = gan.Optimizer(method, lr=eta)
    config = dataclasses.replace(
        SIMULTANEOUS,
        update=gan.Update(scheme),
        generator_optimizer=moves,
        discriminator_optimizer=moves,
        steps=steps,
    )
    start = (np.array(1.0), np.array(0.5))
    states = gan.TrainStep(config, Bilinear()).states(start=start)
    return np.array([np.hypot(state.theta_g, state.theta_d) for state in states])


@pytest.mark.parametrize("eta", [0.1, 0.3, 0.45])
def test_the_bilinear_game_at_the_rates_of_theory(eta):
    """Simultaneous steps go out by sqrt(1 + eta^2) each; the others come in.

    One step of the three is linear, with eigenvalues 1 +- i eta; 1 - eta^2 +- i eta; and, of pairs
    of points, the roots of l^2 - (1 +- 2 i eta) l +- i eta, of which the largest has the square
    (1 + sqrt(1 - 4 eta^2)) / 2.
    """
    steps = 200
    out = radii("simultaneous", "sgd", eta, steps)
    np.testing.assert_allclose(out[1:] / out[:-1], np.sqrt(1 + eta**2), rtol=1e-12)
    extra = radii("extragradient", "sgd", eta, steps)
    rate = np.sqrt((1 - eta**2) ** 2 + eta**2)
    np.testing.assert_allclose(extra[1:] / extra[:-1], rate, rtol=1e-12)
    optimistic = radii("simultaneous", "optimistic", eta, steps)
    rate = np.sqrt((1 + np.sqrt(1 - 4 * eta**2)) / 2)
    found = (optimistic[-1] / optimistic[steps // 2]) ** (1 / (steps - steps // 2))
    assert found == pytest.approx(rate, rel=1e-6)


def test_extragradient_steps_of_different_optimisers_and_their_states(tmp_path):
    config = dataclasses.replace(
        SIMULTANEOUS,
        unroll=gan.Unroll(2, 0.1),
        update=gan.Update("extragradient"),
        generator_optimizer=gan.Optimizer("momentum", 0.05),
        discriminator_optimizer=gan.Optimizer("adam", 0.01, eps=1e-3),
    )
    step = gan.TrainStep(config)
    state = step.init(streams(config)[0])
    [batch] = gan.Draws(config, streams(config)[1]).next()
    momentum, adam = optim.Momentum(0.05), optim.Adam(0.01, 0.5, 0.999, 1e-3)

    def moved(theta_g, theta_d):
        _, down = ug.unroll.value_and_grad(step.game, theta_g, theta_d, batch, steps=2, lr=0.1)
        _, up = ug.unroll.ascent(step.game, theta_g, theta_d, batch)
        g = optim.descend(momentum, down, momentum.init(theta_g), state.theta_g)
        d = optim.descend(adam, optree.tree_map(np.negative, up), adam.init(theta_d), state.theta_d)
        return g, d

    (ahead_g, _), (ahead_d, _) = moved(state.theta_g, state.theta_d)
    (theta_g, memory_g), (theta_d, memory_d) = moved(ahead_g, ahead_d)
    following, objectives = step(state, [batch])
    expected = gan.State(theta_g, theta_d, memory_g, memory_d, 1)
    assert bits(following) == bits(expected)
    first = ug.unroll.value_and_grad(
        step.game, state.theta_g, state.theta_d, batch, steps=2, lr=0.1
    )[0]
    assert objectives.generator == float(first)
    whole = gan.train(config, tmp_path / "run")
    assert outcome(gan.resume(tmp_path / "run", step=4)) == outcome(whole)
