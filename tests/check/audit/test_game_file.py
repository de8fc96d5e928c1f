"""Games in TOML files."""

import dataclasses

import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.check.audit.game_file import GameFile, read_game
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.optim import Adam, Momentum

GAME = """
loss = "hinge"
steps = 2
lr = 0.5
[generator]
sizes = [3, 4, 2]
[discriminator]
sizes = [2, 1]
activation = "relu"
input_scale = 0.25
"""


@pytest.fixture
def game(tmp_path):
    (tmp_path / "game.toml").write_text(GAME)
    return read_game(tmp_path / "game.toml")


def test_a_game(game):
    assert game.build() == ug.gan.Game(
        ug.nn.MLP((3, 4, 2)), ug.nn.MLP((2, 1), "relu", input_scale=0.25), "hinge"
    )
    assert game.dynamics() == {"steps": 2, "lr": 0.5}
    trial = game.trial("mine")
    assert (trial.steps, trial.lr, trial.generator_lr) == (2, 0.5, 1.0)
    assert [x.shape for x in trial.batch] == [(16, 2), (16, 3)]


def test_optimizers():
    adam = GameFile(optimizer="adam", lr=0.2, beta1=0.5, beta2=0.9, eps=1e-3)
    assert adam.dynamics()["optimizer"] == Adam(0.2, 0.5, 0.9, 1e-3)
    momentum = dataclasses.replace(adam, optimizer="momentum", momentum=0.7)
    assert momentum.dynamics()["optimizer"] == Momentum(0.2, 0.7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GAME.replace('"hinge"', '"hinges"'), "loss: expected one of.*did you mean 'hinge'"),
        (GAME.replace("steps = 2", "steps = -1"), "steps: expected a whole number"),
        (GAME.replace("steps", "stepz"), "expected one of.*'stepz'; did you mean 'steps'"),
        (GAME.replace("[3, 4, 2]", "[3]"), "generator.sizes: expected two or more"),
        (GAME.replace("[3, 4, 2]", "[3, 4, 1]"), "sizes: expected the generator to end as wide"),
        (GAME.replace("[2, 1]", "[]"), "sizes"),
        (GAME.replace('"relu"', "3"), "discriminator.activation: expected one of"),
        ("[generator", "game: expected a TOML file"),
    ],
)
def test_wrong_games_are_named(text, words, tmp_path):
    (tmp_path / "game.toml").write_text(text)
    with pytest.raises(ArgumentError, match=words):
        read_game(tmp_path / "game.toml")
