"""Games in TOML files, numbers in archives."""

import dataclasses

import numpy as np
import pytest

import tinygrad_ugan as ug
from tinygrad_ugan.check.audit.game_file import GameFile, read_game
from tinygrad_ugan.check.audit.gradient_file import read_numbers
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


def numbers(**changes):
    rng = np.random.default_rng(0)
    shapes = {
        "theta_g.0.w": (3, 4), "theta_g.0.b": (4,), "theta_g.1.w": (4, 2), "theta_g.1.b": (2,),
        "theta_d.0.w": (2, 1), "theta_d.0.b": (1,), "gradient": (26,),
        "real": (5, 2), "noise": (5, 3),
    }  # fmt: skip
    drawn = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    return {name: x for name, x in (drawn | changes).items() if x is not None}


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


def test_numbers(game, tmp_path):
    given = numbers()
    np.savez(tmp_path / "x.npz", **given)
    read = read_numbers(tmp_path / "x.npz", game)
    assert (read.gradient == given["gradient"]).all()
    assert (read.theta_g[1]["w"] == given["theta_g.1.w"]).all()
    assert (read.theta_d[0]["b"] == given["theta_d.0.b"]).all()
    assert (read.batch.noise == given["noise"]).all()


def test_a_gradient_of_arrays_and_fresh_batches(game, tmp_path):
    rng = np.random.default_rng(1)
    layers = {n.replace("theta", "gradient").replace("_g", ""): x for n, x in numbers().items()
              if n.startswith("theta_g")}  # fmt: skip
    fresh = {"real": rng.standard_normal((3, 5, 2)), "noise": rng.standard_normal((3, 5, 3))}
    np.savez(tmp_path / "x.npz", **numbers(gradient=None, **layers, **fresh))
    read = read_numbers(tmp_path / "x.npz", game)
    assert (read.gradient[1]["b"] == layers["gradient.1.b"]).all()
    assert [batch.real.shape for batch in read.batch] == [(5, 2)] * 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"theta_g.1.w": None}, r"theta_g\.1\.w: expected an array of shape \(4, 2\)"),
        ({"theta_g.1.w": np.ones((2, 4))}, r"theta_g\.1\.w.*hand in \.T"),
        ({"gradient": np.ones(25)}, r"gradient: expected shape \(26,\)"),
        ({"gradient": None}, r"gradient\.0\.w: expected an array"),
        ({"reel": np.ones(2)}, "reel: expected one of.*did you mean 'real'"),
        ({"noise": None}, "noise: expected an array"),
        ({"noise": np.ones((5, 4))}, r"noise: expected shape \(batch, 3\)"),
        ({"real": np.ones((2, 5, 2)), "noise": np.ones((2, 5, 3))}, r"or \(3, batch, 2\)"),
        ({"real": np.ones((0, 2))}, r"real: expected shape"),
    ],
)
def test_wrong_numbers_are_named(changes, words, game, tmp_path):
    np.savez(tmp_path / "x.npz", **numbers(**changes))
    with pytest.raises(ArgumentError, match=words):
        read_numbers(tmp_path / "x.npz", game)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(content, game, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(ArgumentError, match=r"x\.npz"):
        read_numbers(tmp_path / "x.npz", game)


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
