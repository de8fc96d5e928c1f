import json

import pytest

from tinygrad_ugan import gan, nn, optim
from tinygrad_ugan.errors import ArgumentError


def test_defaults_are_the_papers():
    config = gan.Config()
    game = config.game()
    assert game.generator == nn.MLP((256, 128, 128, 2), "relu", 1.0, nn.Orthogonal(0.8))
    assert game.discriminator == nn.MLP((2, 128, 1), "relu", 0.25, nn.Orthogonal(0.8))
    assert config.generator_optimizer == optim.Adam(1e-4, 0.5, 0.999, 1e-8)
    assert (config.steps, config.batch, config.unroll.steps) == (25_000, 512, 10)


@pytest.mark.parametrize("config", [gan.Config(), gan.Config.miniature()])
def test_json_round_trip(config):
    assert gan.Config.from_json(config.to_json()) == config


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
        ({"networks": {"generator": [0]}}, "networks.generator: expected a whole number >= 1"),
        ({"networks": {"activation": "sin"}}, "networks.activation"),
        ({"generator_optimizer": {"beta1": 2}}, r"beta1: expected a number in \[0, 1\)"),
        ({"loss": "gan"}, "loss: expected one of"),
        ({"steps": 0}, "steps: expected a whole number >= 1"),
    ],
)
def test_bad_settings_are_named(changes, words):
    with pytest.raises(ArgumentError, match=words):
        gan.Config.from_json(json.dumps(changes))
