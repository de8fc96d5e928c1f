import dataclasses
import inspect
import json
import re

import numpy as np
import pytest

from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.errors import ArgumentError, ArgumentTypeError


def test_defaults_are_the_papers():
    config = gan.Config()
    game = config.build_game()
    assert game.generator == nn.MLP((256, 128, 128, 2), "relu", 1.0, nn.Orthogonal(0.8))
    assert game.discriminator == nn.MLP((2, 128, 1), "relu", 0.25, nn.Orthogonal(0.8))
    for optimizer in (config.generator_optimizer, config.discriminator_optimizer):
        assert optimizer.build() == optim.Adam(1e-4, 0.5, 0.999, 1e-8)
    assert (config.steps, config.batch, config.unroll.steps) == (25_000, 512, 10)


CACHED = {
    "unroll": {
        "fresh": True,
        "method": "detached",
        "state": "carried",
        "optimizer": "adam",
        "lr": 1e-3,
    },
    "discriminator_optimizer": {"lr": 1e-3},
    "update": {"scheme": "cached"},
}
DATASETS = {each.kind: each for each in (gan.Ring, gan.Grid, gan.DoubleRing, gan.Embedded)}
EVERYTHING_CHANGED = gan.Config(
    data=gan.Grid(side=3, spacing=1.0, std=0.1, labelled=True),
    networks=gan.Networks(
        3, (4, 5), (), "tanh", 0.5, 2.0,
        gan.Layers("elu", "batch", True, 0.1, 0.2, 3),
        gan.Layers("relu", "weight", True, 0.3, 0.4, 5),
        True,
        3,
    ),
    unroll=gan.Unroll(
        5, 0.2, "momentum", 0.1, 0.2, 0.3, "tape", 2, True, "carried", 1e-6, 0.4, 0.5, "mine",
        True,
        "constant", 0.6,
    ),
    update=gan.Update("simultaneous", 2, "last"),
    generator_optimizer=gan.Optimizer(
        "sgd", 0.1, 0.2, 0.3, 0.4, 1e-6, 0.5, 0.6, "constant", 0.7, 1, "mine"
    ),
    discriminator_optimizer=gan.Optimizer("momentum", 0.2),
    early_stop=gan.EarlyStop("modes", "max", 3, 0.1),
    loss="least_squares", label_smoothing=0.1, penalty=gan.penalties.GradientPenalty(2.0, 0.5),
    instance_noise=0.2, feature_matching=True, game="mine",
    decay=True, clip=1.0, precision="float64", seed=1, threads=1,
    batch=2, steps=3, seconds=4.5, evaluate_every=5, evaluation_samples=6, pictures=7,
    checkpoint_every=8, checkpoints=9, ema=0.9,
)  # fmt: skip


@pytest.mark.parametrize("config", [gan.Config(), gan.Config.miniature(), EVERYTHING_CHANGED])
def test_round_trips(config):
    assert gan.Config.from_json(config.to_json()) == config
    assert gan.Config.from_toml(config.to_toml()) == config
    assert gan.Config().updated(config.to_dict()) == config


def test_every_setting_differs_in_the_round_trip():
    def leaves(settings, place=""):
        for name, value in settings.items():
            nested = isinstance(value, dict)
            yield from leaves(value, f"{place}{name}.") if nested else [(f"{place}{name}", value)]

    default, changed = (dict(leaves(c.to_dict())) for c in (gan.Config(), EVERYTHING_CHANGED))
    same = {name for name in default if name in changed and default[name] == changed[name]}
    names = {each.name for each in dataclasses.fields(gan.Optimizer)} - {"method", "lr"}
    # decay is another word for a linear schedule, only one step of G goes with keep = "last", and
    # a carried state with one step size
    others = {"generator_optimizer.schedule", "update.generator_steps"}
    others |= {"unroll.schedule", "unroll.warmup"}
    assert same == {"discriminator_optimizer." + name for name in names} | others


def test_what_a_file_leaves_out_is_as_in_the_base():
    base = gan.Config(seed=3, unroll=gan.Unroll(lr=0.5))
    config = gan.Config.from_toml("unroll.steps = 2\n[data]\nkind = 'grid'", base)
    assert config == gan.Config(gan.Grid(), unroll=gan.Unroll(2, 0.5), seed=3)


def test_numpys_numbers_become_pythons():
    config = gan.Config(seed=np.int64(3), clip=np.float32(2), batch=np.int8(4))
    assert gan.Config.from_json(config.to_json()) == config
    assert [type(v) for v in (config.seed, config.clip, config.batch)] == [int, float, int]


def test_every_setting_has_a_help_text():
    groups = (type(s) for s in vars(gan.Config()).values())
    for settings in (gan.Config, *groups, *DATASETS.values()):
        if not hasattr(settings, "updated"):
            continue
        source = inspect.getsource(settings)
        for each in dataclasses.fields(settings):
            if not hasattr(getattr(settings(), each.name), "updated"):  # a group has its own
                assert re.search(rf'    {each.name}: .*\n    """.', source), each.name


@pytest.mark.parametrize("kind", DATASETS)
def test_every_kind_of_data(kind, rng):
    data = gan.Config.from_toml(f"data.kind = '{kind}'").data
    assert data.kind == kind
    samples, centers = data.sample(200, rng), data.centers()
    assert samples.shape == (200, data.dimension)
    assert samples.dtype == np.float32
    distance = np.linalg.norm(samples[:, None] - centers, axis=2).min(axis=1)
    assert distance.max() < data.std * (np.sqrt(min(samples.shape[1], 700)) + 5)


def test_a_subspace_is_no_larger_than_its_space():
    with pytest.raises(ArgumentError, match="rank: expected at most dimension = 5"):
        gan.Embedded(dimension=5, rank=6)


def test_the_wrong_group():
    with pytest.raises(ArgumentTypeError, match=r"unroll: expected settings like Unroll\(\)"):
        gan.Config(unroll=gan.Update())


@pytest.mark.parametrize(("read", "name"), [("from_json", "JSON"), ("from_toml", "TOML")])
def test_text_that_is_no_such_thing(read, name):
    with pytest.raises(ArgumentError, match=f"settings: expected {name}"):
        getattr(gan.Config, read)("{steps = [")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sed": 1}, "setting: .*did you mean 'seed'"),
        ({"unroll": {"step": 1}}, "unroll.step: .*did you mean 'steps'"),
        ({"unroll": {"steps": -1}}, "unroll.steps: expected a whole number >= 0, got -1"),
        ({"unroll": {"steps": 1.5}}, "unroll.steps: expected a whole number >= 0, got 1.5"),
        ({"unroll": {"lr": 0}}, "unroll.lr: expected a positive number, got 0"),
        ({"unroll": {"method": "exact"}}, "unroll.method: expected one of"),
        ({"data": {"std": -0.1}}, "data.std: expected a positive number"),
        ({"networks": {"generator": [0]}}, "networks.generator: expected whole numbers >= 1"),
        ({"networks": {"activation": "sin"}}, "networks.activation"),
        ({"generator_optimizer": {"beta1": 2}}, r"beta1: expected a number in \[0, 1\)"),
        (
            {"unroll": {"truncate": 11}},
            "unroll.truncate: expected at most unroll.steps = 10, got 11",
        ),
        ({"unroll": {"fresh": 1}}, "unroll.fresh: expected true or false, got 1"),
        ({"unroll": 3}, "unroll: expected a table of settings, got 3"),
        ({"unroll": {"steps": 0}, "update": {"keep": "last"}}, "update.keep: .*unroll.steps = 0"),
        ({"unroll": {"lr": [0.1, 0.2]}}, "unroll.lr: .*unroll.steps = 10 of them, got 2 of them"),
        ({"unroll": {"lr": [], "steps": 0}}, "unroll.lr: expected a positive number, or a list"),
        (
            {"unroll": {"lr": [0.1], "steps": 1, "schedule": "linear"}},
            "unroll.lr: expected one step size, as unroll has a schedule, got several",
        ),
        ({"unroll": {"warmup": 3, "steps": 3}}, "unroll.warmup: expected less than unroll.steps"),
        ({"unroll": {"schedule": "exponential"}}, "unroll.final: expected a number above 0"),
        ({"unroll": {"lr": [0.1, -1], "steps": 2}}, r"unroll.lr\[1\]: expected a positive number"),
        (
            {"unroll": {"lr": [0.1], "steps": 1, "state": "carried"}},
            "unroll.state: expected 'zero', as the step size varies, got 'carried'",
        ),
        ({"generator_optimizer": {"method": "adm"}}, "generator_optimizer.method: .*mean 'adam'"),
        ({"generator_optimizer": {"schedule": "cosin"}}, "schedule: .*did you mean 'cosine'"),
        (
            {"generator_optimizer": {"schedule": "exponential"}},
            "generator_optimizer.final: expected a number above 0",
        ),
        (
            {"discriminator_optimizer": {"warmup": 5}, "steps": 5},
            "discriminator_optimizer.warmup: expected less than steps = 5, got 5",
        ),
        (
            {"discriminator_optimizer": {"schedule": "cosine"}, "decay": True},
            "decay: expected false, as discriminator_optimizer.schedule is cosine",
        ),
        (
            {"update": {"scheme": "extragradient", "discriminator_steps": 2}},
            "update.discriminator_steps: expected 1, as the scheme is extragradient, got 2",
        ),
        (
            {"update": {"scheme": "extragradient", "keep": "last"}},
            "update.keep: expected 'first', as the scheme is extragradient",
        ),
        ({"data": {"kind": "gird"}}, "data.kind: .*did you mean 'grid'"),
        ({"data": {"side": 3}}, "data.side: expected one of 'modes', 'radius', 'std'"),
        ({"clip": 0}, "clip: expected a positive number, got 0"),
        ({"seconds": float("inf")}, "seconds: expected a positive number, got inf"),
        ({"steps": 10**400, "clip": 10**400}, "clip: expected a positive number"),
        ({"networks": {"generator": 8}}, "networks.generator: expected whole numbers"),
        ({"precision": "float16"}, "precision: .*'float32', 'float64'"),
        ({"update": {"scheme": "cached"}}, "unroll.fresh: expected True, as the scheme is cached"),
        (
            CACHED | {"unroll": CACHED["unroll"] | {"lr": 0.1}},
            r"unroll.lr: expected 0.001, .*cached",
        ),
        (CACHED | {"unroll": CACHED["unroll"] | {"steps": 0}}, "unroll.steps: expected 1 or more"),
        (
            CACHED | {"unroll": CACHED["unroll"] | {"state": "zero"}},
            "unroll.state: expected 'carried', as the scheme is cached",
        ),
        (
            CACHED | {"update": {"scheme": "cached", "keep": "last"}},
            "update.keep: expected 'first', as the scheme is cached",
        ),
        ({"update": {"scheme": "alternate"}}, "update.scheme: .*did you mean 'alternating'"),
        ([1], r"settings: expected a table of settings, got \[1\]"),
        ({"loss": "gan"}, "loss: expected one of"),
        ({"steps": 0}, "steps: expected a whole number >= 1"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(ArgumentError, match=words):
        gan.Config.from_json(json.dumps(changes))
