"""What is written down comes back as itself, or is refused; in memory it is taken as it is."""

import contextlib
import types

import hypothesis.strategies as st
import numpy as np
import optree
import pytest
from hypothesis import given

import tinygrad_ugan as ug
from tests.gan.small import SMALL, bits, outcome, varied
from tests.oracles import relative_error
from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError
from tinygrad_ugan.gan.training.sampler import streams

CONFIG = varied(
    precision="float64",
    generator_optimizer=gan.Optimizer("sgd", lr=0.1),
    discriminator_optimizer=gan.Optimizer("momentum", lr=0.1),
    steps=3,
)


class HalfAsFar:
    """An optimiser of one's own."""

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return optree.tree_map(lambda g: -0.05 * np.tanh(g), grads), state


class Squashed(gan.Game):
    """A game of one's own: its samples are squashed, and real ones are to be near the origin."""

    def generate(self, theta_g, batch):
        return np.tanh(super().generate(theta_g, batch))

    def inner_on(self, samples, theta_d, batch):
        return super().inner_on(samples, theta_d, batch) - np.mean(samples**2)


def networks(self, dimension):
    noise = self.noise
    return nn.MLP((noise, 5, dimension), "sigmoid"), nn.MLP((dimension, 6, 1), "softplus")


# What is exchanged: a group of the settings, one of its methods, and what for.

OWN = {
    ("data", "sample"): lambda f: lambda self, *args, **how: f(self, *args, **how) + 3,
    ("data", "centers"): lambda f: lambda self: f(self) + 3,
    ("networks", "build"): lambda f: networks,
    ("unroll", "dynamics"): lambda f: lambda self: {"steps": 1, "lr": 0.3},
    ("generator_optimizer", "build"): lambda f: lambda self: HalfAsFar(),
    ("discriminator_optimizer", "build"): lambda f: lambda self: optim.SGD(0.02),
    ("", "build_game"): lambda f: (
        lambda self, dimension=2: Squashed(*self.networks.build(dimension), self.loss)
    ),
}
WAYS = ("subclass", "object", "class")


def like(settings, kind, **attributes):
    """Settings with the same attributes and a few others, as they come when nobody checks."""
    new = object.__new__(kind)
    new.__dict__.update(vars(settings) | attributes)
    return new


def exchanged(stack, way, settings, name, make):
    """`settings`, or some like them, with a method exchanged; classes are restored by `stack`."""
    kind = type(settings)
    method = make(getattr(kind, name))
    if way == "class":
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(kind, name, method)
        return settings
    if way == "subclass":
        return like(settings, type("Mine", (kind,), {name: method}))
    new = like(settings, kind)
    new.__dict__[name] = types.MethodType(method, new)
    return new


@contextlib.contextmanager
def drawn(data):
    """Settings with some methods exchanged, and the names of what was."""
    with contextlib.ExitStack() as stack:
        names = data.draw(st.sets(st.sampled_from(sorted(OWN)), min_size=1), "methods")
        config = CONFIG
        for group, method in sorted(names, reverse=True):  # the whole last
            way = data.draw(st.sampled_from(WAYS), f"way of {group}.{method}")
            before = getattr(config, group) if group else config
            after = exchanged(stack, way, before, method, OWN[group, method])
            config = like(config, gan.Config, **{group: after}) if group else after
        yield config, names


def plain(config):
    """Training as anyone would write it, with the settings' own methods."""
    init_rng, batch_rng = streams(config)
    game, draws = config.build_game(), gan.Draws(config, batch_rng)
    theta_g, theta_d = (x.init(init_rng, np.float64) for x in (game.generator, game.discriminator))
    movers = config.generator_optimizer.build(), config.discriminator_optimizer.build()
    memory_g, memory_d = movers[0].init(theta_g), movers[1].init(theta_d)
    dynamics = config.unroll.dynamics()

    def f_K(theta_g, theta_d, batch):
        for _ in range(dynamics["steps"]):
            g = ug.grad(game.inner, argnums=1)(theta_g, theta_d, batch)
            theta_d = optree.tree_map(lambda x, s: x + dynamics["lr"] * s, theta_d, g)
        return game.outer(theta_g, theta_d, batch)

    for _ in range(config.steps):
        [batch] = draws.next()
        gradient = ug.grad(f_K)(theta_g, theta_d, batch)
        updates, memory_g = movers[0].update(gradient, memory_g, theta_g)
        theta_g = optim.apply_updates(theta_g, updates)
        ascent = ug.grad(game.inner, argnums=1)(theta_g, theta_d, batch)
        descent = optree.tree_map(np.negative, ascent)
        updates, memory_d = movers[1].update(descent, memory_d, theta_d)
        theta_d = optim.apply_updates(theta_d, updates)
    return theta_g, theta_d


@given(data=st.data())
def test_training_takes_the_own_methods(data):
    with drawn(data) as (config, names):
        run = gan.train(config)
        # the same sums in another order, and three steps that magnify their rounding
        assert relative_error((run.theta_g, run.theta_d), plain(config)) < 1e-10
        batch = gan.Draws(config, streams(config)[1]).next()[0]
        assert (batch.real.mean() > 2) == (("data", "sample") in names)
        samples = run.sample(20, np.random.default_rng(0))
        noise = np.random.default_rng(0).standard_normal((20, config.networks.noise))
        expected = config.build_game().generate(run.theta_g, gan.Batch(None, noise))
        np.testing.assert_array_equal(samples, expected)
        if ("", "build_game") in names:
            assert np.abs(samples).max() <= 1
            assert np.abs(run.samples).max() <= 1


@given(data=st.data())
def test_nothing_of_it_is_written_down(data, tmp_path_factory):
    """Not by train, save, sweep, report, nor as text; and nothing is left where it would be."""
    with drawn(data) as (config, names):
        run = gan.train(config)
        groups = [".".join(filter(None, ("config", group))) for group, _ in names]
        words = f"^({'|'.join(groups)}): expected settings that come back"
        folder = tmp_path_factory.mktemp("run") / "new"
        refused = [
            lambda: gan.train(config, folder=folder),
            lambda: gan.obtain(config, folder),
            lambda: run.save(folder),
            lambda: gan.sweep(config, {"unroll.steps": [0, 1]}, folder=folder),
            lambda: gan.report({"mine": run}),
            config.to_json,
            config.to_toml,
        ]
        for call in refused:
            with pytest.raises(ArgumentTypeError, match=words):
                call()
            assert not folder.exists()


@given(data=st.data())
def test_a_folder_of_other_settings_is_not_taken_for_ones_own(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "new"
    gan.train(CONFIG, folder=folder)
    with drawn(data) as (config, _), pytest.raises(ArgumentTypeError):
        gan.obtain(config, folder)


@pytest.mark.parametrize("read", [gan.load, gan.resume])
def test_a_class_that_was_changed_since_is_refused_when_read(read, tmp_path, monkeypatch):
    gan.train(CONFIG, folder=tmp_path / "run")
    monkeypatch.setattr(gan.Ring, "sample", lambda self, *args, **how: None)
    with pytest.raises(ArgumentTypeError, match=r"config\.data: expected settings that come"):
        read(tmp_path / "run")


def test_what_is_written_down_comes_back_and_goes_on(tmp_path):
    whole = gan.train(varied(steps=6), folder=tmp_path / "run")
    back = gan.load(tmp_path / "run")
    assert type(back.config) is gan.Config
    assert back.config == whole.config
    assert bits(back.checkpoint.state) == bits(whole.checkpoint.state)
    gan.load(tmp_path / "run", step=4).save(tmp_path / "early")
    assert outcome(gan.resume(tmp_path / "early")) == outcome(whole)


class Shifted(gan.Ring):
    """The example that made us write this."""

    def sample(self, n, rng, dtype=np.float32):
        return super().sample(n, rng, dtype) + 3


def test_changing_settings_keeps_a_class_of_ones_own_and_a_kind_replaces_it():
    config = gan.Config(data=Shifted())
    assert type(config.updated({"data": {"std": 0.5}}).data) is Shifted
    assert type(config.updated({"data": {"kind": "ring"}}).data) is gan.Ring
    assert type(gan.Config.from_json(gan.Config().to_json(), base=config).data) is gan.Ring


def test_changing_settings_loses_no_attribute_without_a_word():
    ring = gan.Ring()
    ring.__dict__["sample"] = lambda *args, **how: None
    with pytest.raises(ArgumentTypeError, match=r"data.sample: .*nothing but settings"):
        gan.Config(data=ring).updated({"data.std": 0.5})


@pytest.mark.parametrize(
    "changes",
    [
        {"unroll.steps": 3, "unroll.lr": 0.5, "seed": 7},
        {"unroll": {"steps": 3, "lr": 0.5}, "seed": 7},
    ],
)
def test_names_with_dots_are_settings_of_groups(changes):
    config = gan.Config().updated(changes)
    assert (config.unroll.steps, config.unroll.lr, config.seed) == (3, 0.5, 7)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unroll.step": 3}, r"unroll.step: .*did you mean 'steps'"),
        ({"unrol.steps": 3}, r"setting: .*did you mean 'unroll'"),
        ({"steps.unroll": 3}, "steps: expected a whole number"),
        ({"unroll": {"lr": 0.5}, "unroll.steps": 3}, "unroll: .*names with dots"),
        ({3: 3}, "setting: .*got 3"),
    ],
)
def test_wrong_names_are_told(changes, words):
    with pytest.raises(ArgumentError, match=words):
        gan.Config().updated(changes)


def test_small_is_as_it_was():
    """Nothing above has left a trace in the classes."""
    assert gan.Config.from_json(SMALL.to_json()) == SMALL
